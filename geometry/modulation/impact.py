"""What a modulator does to hidden states: directions, lengths, and their relations (SPEC S7)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry import relations
from geometric_invariants.geometry.embedding import row_cosines


@dataclass(frozen=True, slots=True)
class Impact:
    """States before and after: cosine and norm ratio of each, and cosines between pairs of them.

    `shift` is the mean change of a pair's cosine, `shift_size` that of its absolute value;
    standard deviations are over states, those of the shift over pairs.
    """

    cosine_mean: float
    cosine_std: float
    norm_ratio_mean: float
    norm_ratio_std: float
    pairs_before: float
    pairs_after: float
    shift: float
    shift_std: float
    shift_size: float


def modulator_impact(before: Tensor, after: Tensor, pairs: tuple[Tensor, Tensor]) -> Impact:
    """Impact on states [n, d] of which `pairs` [p] each are held against one another.

    Float64; the ratio of a state of length 0 is to the least number. Source: SPEC 9, 17 (S7).
    Raises ValueError if the shapes differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"{list(before.shape)} before and {list(after.shape)} after")
    first, second = pairs
    cosines = row_cosines(after, before)
    norms = [torch.linalg.vector_norm(rows.double(), dim=1) for rows in (before, after)]
    ratios = norms[1] / norms[0].clamp_min(torch.finfo(torch.float64).tiny)
    earlier, later = (
        relations.pair_cosines(relations.unit_rows(rows), first, second) for rows in (before, after)
    )
    shifts = later - earlier
    return Impact(
        cosine_mean=cosines.mean().item(),
        cosine_std=cosines.std(correction=0).item(),
        norm_ratio_mean=ratios.mean().item(),
        norm_ratio_std=ratios.std(correction=0).item(),
        pairs_before=earlier.mean().item(),
        pairs_after=later.mean().item(),
        shift=shifts.mean().item(),
        shift_std=shifts.std(correction=0).item(),
        shift_size=shifts.abs().mean().item(),
    )

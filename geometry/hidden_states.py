"""Token states between a model's layers: norms, cosines between positions and between stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """Norms of the token states after one layer, and cosines between positions, of one text."""

    norm_mean: float
    norm_std: float
    cosine_mean: float
    cosine_std: float


def layer_summary(states: Tensor) -> LayerSummary:
    """Summary of states [positions, d], in float64, population stds.

    Raises ValueError for fewer than two positions. Source: SPEC G9.
    """
    if states.ndim != 2 or len(states) < 2:
        raise ValueError(f"states must be [at least 2 positions, d], not {list(states.shape)}")
    states = states.double()
    norms = torch.linalg.vector_norm(states, dim=1)
    unit = states / norms[:, None].clamp_min(torch.finfo(states.dtype).tiny)
    above = torch.ones(len(states), len(states), dtype=torch.bool, device=states.device).triu(1)
    cosines = (unit @ unit.mT)[above]
    return LayerSummary(
        norms.mean().item(),
        norms.std(correction=0).item(),
        cosines.mean().item(),
        cosines.std(correction=0).item(),
    )


def averaged(summaries: Sequence[LayerSummary]) -> LayerSummary:
    """The mean of every number over texts."""
    rows = torch.tensor(
        [(s.norm_mean, s.norm_std, s.cosine_mean, s.cosine_std) for s in summaries],
        dtype=torch.float64,
    )
    return LayerSummary(*rows.mean(0).tolist())

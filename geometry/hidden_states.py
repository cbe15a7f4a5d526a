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


def position_cosines(first: Tensor, second: Tensor) -> Tensor:
    """Cosines of states [m, d] and [n, d] at the positions that both have, [min(m, n)] float64.

    Raises ValueError if the widths differ. Source: SPEC G9.
    """
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"states of {first.shape[1]} and {second.shape[1]} dimensions")
    shared = min(len(first), len(second))
    cosines: Tensor = torch.nn.functional.cosine_similarity(
        first[:shared].double(), second[:shared].double(), dim=1
    )
    return cosines.cpu()


def mean_by_position(rows: Sequence[Tensor]) -> tuple[float, ...]:
    """Mean over texts of numbers by position, each [positions of the text]; longest text's length.

    A position counts the texts that have it.
    """
    padded = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=torch.nan)
    means: list[float] = padded.nanmean(0).tolist()
    return tuple(means)

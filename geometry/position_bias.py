"""Relative position biases [buckets, heads]: which heads look near, far, or neither (SPEC W7)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from geometric_invariants.geometry.estimate import Estimate, normal

_EDGE = 3


@dataclass(frozen=True, slots=True)
class BiasHead:
    """One head's bias: mean, std, range, share of non-increasing steps, trend, where it peaks."""

    mean: float
    std: float
    amplitude: float
    non_increasing: float
    bucket_correlation: float
    peak: int
    kind: Literal["local", "global", "mixed"]


def bias_heads(bias: Tensor) -> list[BiasHead]:
    """Every head of a bias table. bias: [buckets, heads], at least 6 buckets. Source: SPEC W7.

    A head is local if its peak bucket is among the first three, global if among the last three,
    else mixed. Raises ValueError for fewer buckets.
    """
    buckets = bias.shape[0]
    if bias.ndim != 2 or buckets < 2 * _EDGE:
        raise ValueError(f"a bias table is [buckets ≥ 6, heads], got {list(bias.shape)}")
    return [_head(column) for column in bias.double().cpu().mT]


def random_mixed_heads(tables: Sequence[tuple[int, int]]) -> Estimate:
    """How many heads of tables of [buckets, heads] are mixed when any bucket may be the peak."""
    shares = [(heads, 1 - 2 * _EDGE / buckets) for buckets, heads in tables]
    total = sum(heads for heads, _ in shares)
    mean = sum(heads * share for heads, share in shares)
    variance = sum(heads * share * (1 - share) for heads, share in shares)
    found = normal(mean, math.sqrt(variance), method="binomial")
    return Estimate(mean, max(0.0, found.low), min(float(total), found.high), 0, "binomial")


def _head(column: Tensor) -> BiasHead:
    buckets = len(column)
    peak = int(column.argmax())
    first_half = column[: buckets // 2]
    index = torch.arange(buckets, dtype=torch.float64)
    constant = column.max() == column.min()
    return BiasHead(
        mean=column.mean().item(),
        std=column.std(correction=0).item(),
        amplitude=(column.max() - column.min()).item(),
        non_increasing=(first_half.diff() <= 0).double().mean().item(),
        bucket_correlation=0.0
        if constant
        else torch.corrcoef(torch.stack([index, column]))[0, 1].item(),
        peak=peak,
        kind="local" if peak < _EDGE else "global" if peak >= buckets - _EDGE else "mixed",
    )

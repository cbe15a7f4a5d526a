"""Importance of MLP neurons, and how many are dead or weak (SPEC W4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import torch
from torch import Tensor

from geometric_invariants.geometry.estimate import Estimate, normal
from geometric_invariants.geometry.spectrum import even_ranks

DEAD_SHARE = 0.01
WEAK_SHARE = 0.10


_NORMAL = NormalDist()
_QUANTILES = 33


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, population std and extremes of some numbers."""

    mean: float
    std: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class NeuronSummary:
    """How many neurons' importance is under 1 % and 10 % of the layer's mean; its std/mean.

    `ascending` are importances over their mean, at ranks that are even from least to greatest.
    """

    neurons: int
    dead: int
    weak: int
    spread: float
    ascending: tuple[float, ...]


def importance(up_norms: Tensor, down_norms: Tensor, gate_norms: Tensor | None = None) -> Tensor:
    """‖up row j‖·‖down column j‖ (times ‖gate row j‖): [neurons] float64. Source: SPEC W4.

    Takes the norms, each [neurons], so that no two matrices are needed at once.
    Raises ValueError if their lengths differ.
    """
    parts = [up_norms, down_norms, *([] if gate_norms is None else [gate_norms])]
    if len({len(part) for part in parts}) != 1:
        raise ValueError(f"neuron counts differ: {[len(part) for part in parts]}")
    return torch.stack([part.double() for part in parts]).prod(0)


def summarize(scores: Tensor) -> NeuronSummary:
    """Counts of dead and weak neurons and std/mean of the importance scores [neurons]."""
    relative = scores / scores.mean()
    return NeuronSummary(
        neurons=len(scores),
        dead=int((relative < DEAD_SHARE).sum()),
        weak=int((relative < WEAK_SHARE).sum()),
        spread=relative.std(correction=0).item(),
        ascending=tuple(relative.sort().values[list(even_ranks(len(scores), _QUANTILES))].tolist()),
    )


def moments(values: Tensor) -> Moments:
    """Mean, std and extremes of values [n], in float64. Source: SPEC 9.17."""
    wide = values.double()
    four = wide.mean(), wide.std(correction=0), wide.min(), wide.max()
    return Moments(*torch.stack(four).tolist())


def random_spread(up_columns: int, down_rows: int, *, gated: bool) -> float:
    """Std/mean of the importance of neurons of Gaussian weights, to first order.

    A row norm over n entries has std/mean ≈ 1/√(2n); importance is a product of two or three such
    norms, near normal for the widths in use. Source: SPEC W4.
    """
    return math.sqrt((2 if gated else 1) / (2 * up_columns) + 1 / (2 * down_rows))


def random_ascending(spread: float, neurons: int) -> tuple[float, ...]:
    """`NeuronSummary.ascending` of as many normal numbers of mean 1 and this std, as expected.

    The i-th of n is near the quantile (i − 0.375)/(n + 0.25) (Blom, 1958).
    """
    ranks = even_ranks(neurons, _QUANTILES)
    return tuple(1 + spread * _NORMAL.inv_cdf((rank + 0.625) / (neurons + 0.25)) for rank in ranks)


def random_dead_share(up_columns: int, down_rows: int, gated: bool, neurons: int) -> Estimate:
    """Share of dead neurons among `neurons` of Gaussian weights, with its 95 % interval.

    Their importance is near normal, with the std of `random_spread`. Source: SPEC W4.
    """
    spread_of_one = random_spread(up_columns, down_rows, gated=gated)
    share = 0.5 * math.erfc((1 - DEAD_SHARE) / (math.sqrt(2) * spread_of_one))
    spread = normal(share, math.sqrt(share / neurons), method="closed form")
    return replace(spread, low=max(0.0, spread.low))

"""Importance of MLP neurons, and how many are dead or weak (SPEC W4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from geometry.estimate import Estimate, normal

DEAD_SHARE = 0.01
WEAK_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class NeuronSummary:
    """How many neurons' importance is under 1 % and 10 % of the layer's mean; its std/mean."""

    neurons: int
    dead: int
    weak: int
    spread: float


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
    )


def random_dead_share(up_columns: int, down_rows: int, gated: bool, neurons: int) -> Estimate:
    """Share of dead neurons among `neurons` of Gaussian weights, with its 95 % interval.

    A row norm over n entries has std/mean ≈ 1/√(2n); importance is a product of two or three such
    norms, near normal for the widths in use. Source: SPEC W4.
    """
    variance = (2 if gated else 1) / (2 * up_columns) + 1 / (2 * down_rows)
    share = 0.5 * math.erfc((1 - DEAD_SHARE) / math.sqrt(2 * variance))
    spread = normal(share, math.sqrt(share / neurons), method="closed form")
    return replace(spread, low=max(0.0, spread.low))

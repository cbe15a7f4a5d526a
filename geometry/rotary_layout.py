"""Which rows of a rotary key projection turn together: told from their norms (SPEC K4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class RotaryLayout:
    """Correlation of the two rows' log norms over all planes, read in each of the two layouts.

    `halves`: rows f and f + d/2 turn together, as the hub's files have them; `neighbours`: rows
    2f and 2f + 1, as Meta's. `std` is what random rows show.
    """

    halves: float
    neighbours: float
    std: float


def rotary_layout(key_norms: Tensor) -> RotaryLayout:
    """The layout's traces in the norms of key rows, [heads, d] with d even and ≥ 8.

    Trained keys share a plane's weight between its two rows, so that their norms vary against each
    other once what varies slowly over frequencies is taken away (second differences). Norms are
    those times the key norm's gain, where there is one. Rows of zeros leave their plane out.
    Raises ValueError for other shapes. Source: SPEC K4.
    """
    if key_norms.ndim != 2 or key_norms.shape[1] % 2 or key_norms.shape[1] < 8:
        raise ValueError(f"{list(key_norms.shape)} are no norms of heads of eight channels or more")
    logs = key_norms.double().log()
    half = logs.shape[1] // 2
    first, count = _correlation(logs[:, :half], logs[:, half:])
    # Where halves turn together, frequencies begin anew in the middle: no difference reaches over.
    parts = torch.stack(logs.split([half, half], dim=1)) if half % 2 == 0 else logs[None]
    second, _ = _correlation(parts[..., ::2].flatten(0, 1), parts[..., 1::2].flatten(0, 1))
    # Second differences of independent numbers: neighbours correlate by −2/3, next ones by 1/6.
    independent = count / (1 + 2 * (4 / 9 + 1 / 36))
    return RotaryLayout(first, second, 1 / math.sqrt(independent) if count else math.inf)


def _correlation(one: Tensor, other: Tensor) -> tuple[float, int]:
    """Pearson's over all planes of all heads, and how many they are."""
    sides = torch.stack([one, other])
    changes = (sides[..., 2:] - 2 * sides[..., 1:-1] + sides[..., :-2]).flatten(1)
    changes = changes[:, changes.isfinite().all(0)]
    if changes.shape[1] < 2 or not (changes.std(1) > 0).all():
        return 0.0, changes.shape[1]
    return float(torch.corrcoef(changes)[0, 1]), changes.shape[1]

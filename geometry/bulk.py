"""A spectrum beside that of random entries: the bulk, and what stands out of it (SPEC K7, K8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_GRID = 4097


@dataclass(frozen=True, slots=True)
class Bulk:
    """Singular values against the Marchenko–Pastur law of the matrix's own variance.

    `outside`: share of them beyond the bulk's edges by more than edges fluctuate; `distance`: the
    greatest difference of the two distributions (Kolmogorov's); `spike`: the largest over the
    upper edge; `tail`: the exponent α of the upper half of the eigenvalues (`tail_exponent`).
    """

    outside: float
    distance: float
    spike: float
    tail: float


def bulk(values: Tensor, shape: tuple[int, int]) -> Bulk:
    """What of a spectrum random entries of the same variance do not show.

    values: the singular values of a matrix [m, n], all min(m, n) of them, any order. Of random
    entries none is outside but by chance, and the distance is near 1/min(m, n): their spectrum is
    stiff. Zeros only → nothing stands out. Raises ValueError for another number of values.
    Source: SPEC K7; V. Marchenko and L. Pastur (1967); of language models, arXiv 2410.17770.
    """
    small, large = sorted(shape)
    if len(values) != small:
        raise ValueError(f"{len(values)} singular values are not those of {list(shape)}")
    squares = values.double().square().sort().values.cpu().numpy()
    total = float(squares.sum())
    if total == 0:
        return Bulk(0.0, 0.0, 0.0, math.nan)
    ratio = small / large
    scaled = squares * (small / total)  # eigenvalues of mean 1
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
    # The largest of random ones passes the edge by a few of these (Johnstone, 2001).
    width = 6 * math.sqrt(ratio) * (1 + math.sqrt(ratio)) ** (1 / 3) * large ** (-2 / 3)
    outside = float(((scaled > high + width) | (scaled < low - width)).mean())
    law = _cumulative(scaled, ratio)
    ranks = np.arange(small + 1) / small
    distance = max(float((ranks[1:] - law).max()), float((law - ranks[:-1]).max()))
    spike = math.sqrt(scaled[-1] / high)
    return Bulk(outside, distance, spike, tail_exponent(torch.from_numpy(scaled)))


@cache
def random_tail_exponent(shape: tuple[int, int]) -> float:
    """`tail_exponent` of random entries [m, n]: of the quantiles of the Marchenko–Pastur law.

    It depends on the aspect ratio more than training does: what trained matrices of several shapes
    show is comparable only over this. nan for a matrix of a few rows. Source: SPEC K8,
    arXiv 2506.06280.
    """
    small, large = sorted(shape)
    x, cumulative = _law(small / large)
    middles = (np.arange(small) + 0.5) / small
    return tail_exponent(torch.from_numpy(np.interp(middles, cumulative, x)))


def _cumulative(at: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """The Marchenko–Pastur distribution of mean 1 for small/large = ratio, at eigenvalues."""
    x, cumulative = _law(ratio)
    law: NDArray[np.float64] = np.interp(at, x, cumulative)
    return law


@lru_cache(64)
def _law(ratio: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues on a grid, and the distribution there.

    Over x = 1 + ratio + 2 √ratio cos θ the density has no root at its edges.
    """
    angles = np.linspace(math.pi, 0, _GRID)
    x = 1 + ratio + 2 * math.sqrt(ratio) * np.cos(angles)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = 2 / math.pi * np.sin(angles) ** 2 / x
    density[~np.isfinite(density)] = 2 / math.pi  # at x = 0 of a square matrix
    steps = (density[1:] + density[:-1]) / 2 * (math.pi / (_GRID - 1))
    cumulative = np.concatenate([[0.0], np.cumsum(steps)])
    return x, cumulative / cumulative[-1]


def tail_exponent(eigenvalues: Tensor, share: float = 0.5) -> float:
    """α of a density ∝ λ^−α in the upper tail, by maximum likelihood (Hill's estimator).

    eigenvalues: squared singular values, any order; the greatest `share` of them is the tail. NaN
    where it has less than two or ends in zero, infinite where all are one. Source: SPEC K8;
    B. Hill (1975).
    """
    tail = eigenvalues.double().sort(descending=True).values[: int(share * len(eigenvalues)) + 1]
    if len(tail) < 3 or float(tail[-1]) <= 0:
        return math.nan
    slope = float((tail[:-1] / tail[-1]).log().mean())
    return 1 + 1 / slope if slope > 0 else math.inf

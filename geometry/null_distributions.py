"""What norms and cosines of random points are distributed as, in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special
import torch
from torch import Tensor

from geometric_invariants.geometry.embedding import PERCENTILES

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NullDistribution:
    """Mean, population std, the share below given values, and the values below which shares lie."""

    mean: float
    std: float
    share_below: Callable[[Numbers], Any]
    quantiles: Callable[[Numbers], Any]

    def percentiles(self) -> dict[float, float]:
        """Those of SPEC G4, by their share."""
        found = self.quantiles(np.array(PERCENTILES))
        return dict(zip(PERCENTILES, found.tolist(), strict=True))

    def share_near(self, mark: float, radius: float) -> float:
        """Share less than `radius` from a mark."""
        low, high = self.share_below(np.array([mark - radius, mark + radius]))
        return float(high - low)

    def shares(self, edges: Tensor) -> Tensor:
        """Share between neighbouring edges [bins + 1] → [bins] float64."""
        return torch.from_numpy(np.diff(self.share_below(edges.double().numpy())))


def gaussian_norms(d: int, std: float) -> NullDistribution:
    """Norms of Gaussian points of one std in ℝᵈ: χ_d, scaled. With √2 times the std, their
    distances. Source: SPEC G5, G6.
    """
    half = d / 2
    mean = math.sqrt(2) * math.exp(math.lgamma(half + 0.5) - math.lgamma(half))
    return NullDistribution(
        std * mean,
        std * math.sqrt(d - mean**2),
        lambda norms: scipy.special.gammainc(half, np.square(np.maximum(norms, 0) / std) / 2),
        lambda shares: std * np.sqrt(2 * scipy.special.gammaincinv(half, shares)),
    )


def random_cosines(d: int) -> NullDistribution:
    """Cosines of two random directions in ℝᵈ, d ≥ 2: (1 + c)/2 is Beta((d−1)/2, (d−1)/2).

    Source: SPEC G4.
    """
    shape = (d - 1) / 2
    return NullDistribution(
        0.0,
        1 / math.sqrt(d),
        lambda cosines: scipy.special.betainc(shape, shape, np.clip((1 + cosines) / 2, 0, 1)),
        lambda shares: 2 * scipy.special.betaincinv(shape, shape, shares) - 1,
    )

"""Values in ascending order, and what is asked of them: one sort answers all of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from geometric_invariants.geometry.embedding import PERCENTILES


@dataclass(frozen=True, eq=False)
class Distribution:
    """Values in ascending order [n], n ≥ 1, of their own float type."""

    ordered: npt.NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.ordered)

    @property
    def lowest(self) -> float:
        return float(self.ordered[0])

    @property
    def highest(self) -> float:
        return float(self.ordered[-1])

    @cached_property
    def mean(self) -> float:
        return float(self.ordered.mean(dtype=np.float64))

    @cached_property
    def std(self) -> float:
        """Population std."""
        return float(self.ordered.std(dtype=np.float64))

    def quantile(self, share: float) -> float:
        """The value below which `share` of them lie, by linear interpolation."""
        place = share * (len(self.ordered) - 1)
        below = int(place)
        above = min(below + 1, len(self.ordered) - 1)
        first, second = float(self.ordered[below]), float(self.ordered[above])
        return first + (second - first) * (place - below)

    def percentiles(self) -> dict[float, float]:
        """Those of SPEC G4, by their share; 0.5 is the median."""
        return {share: self.quantile(share) for share in PERCENTILES}

    def share_near(self, mark: float, radius: float) -> float:
        """Share of the values less than `radius` from a mark."""
        edges = np.array([mark - radius, mark + radius], self.ordered.dtype)
        first = np.searchsorted(self.ordered, edges[0], side="right")
        last = np.searchsorted(self.ordered, edges[1], side="left")
        return max(0, int(last) - int(first)) / len(self.ordered)

    def nearest(self, mark: float) -> float:
        """The value closest to a mark; of two, the smaller."""
        place = int(np.searchsorted(self.ordered, mark))
        beside = self.ordered[max(0, place - 1) : place + 1]
        return float(beside[np.abs(beside.astype(np.float64) - mark).argmin()])

    def shares(self, edges: Tensor) -> Tensor:
        """Share of the values between neighbouring edges, ascending [bins + 1] → [bins] float64.

        A bin holds its lower edge, the last one its upper edge too.
        """
        grid = edges.double().numpy()
        places = np.searchsorted(self.ordered, grid, side="left")
        places[-1] = np.searchsorted(self.ordered, grid[-1], side="right")
        return torch.from_numpy(np.diff(places) / len(self.ordered))


def distribution(values: Tensor) -> Distribution:
    """The distribution of values [n], any float type. Raises ValueError if there are none."""
    if not values.numel():
        raise ValueError("a distribution needs at least one value")
    values = values.detach().cpu()
    plain = values if values.dtype in {torch.float32, torch.float64} else values.double()
    return Distribution(np.sort(plain.numpy()))

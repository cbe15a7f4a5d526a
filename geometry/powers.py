"""Sums of powers of a tensor's entries, which may come in blocks (SPEC K1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Powers:
    """How many entries there are, how many are exactly zero, the largest, Σw² and Σw⁴."""

    numel: int = 0
    zeros: int = 0
    largest: float = 0.0
    squares: float = 0.0
    fourths: float = 0.0

    @classmethod
    def of(cls, entries: Tensor) -> Powers:
        """Those of a tensor of any shape and float type, perhaps empty, summed in float64."""
        if not entries.numel():
            return cls()
        wide = entries.detach().double()
        squares = wide.square()
        found = torch.stack(
            [
                (wide == 0).sum().double(),
                squares.max().sqrt(),
                squares.sum(),
                squares.square().sum(),
            ]
        )
        zeros, largest, second, fourth = found.tolist()
        return cls(entries.numel(), int(zeros), largest, second, fourth)

    def __add__(self, other: Powers) -> Powers:
        return Powers(
            self.numel + other.numel,
            self.zeros + other.zeros,
            max(self.largest, other.largest),
            self.squares + other.squares,
            self.fourths + other.fourths,
        )

    @property
    def rms(self) -> float:
        return math.sqrt(self.squares / self.numel) if self.numel else math.nan

    @property
    def kurtosis(self) -> float:
        """Mean fourth power over the squared mean square: 3 of Gaussian entries, nan of zeros."""
        if not 0 < self.squares < math.inf or not self.squares**2 > 0:
            return math.nan
        return self.fourths * self.numel / self.squares**2

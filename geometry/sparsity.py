"""How many entries of a weight are small: absolutely, and relative to its own scale (SPEC W2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

THRESHOLDS = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1)
_BLOCK = 1 << 20  # entries; a block and its comparisons stay near the CPU's cache


@dataclass(frozen=True, slots=True)
class Magnitudes:
    """Counts of |w| < t for each absolute threshold, and of |w| < t·rms for each relative one."""

    numel: int
    sum_of_squares: float
    largest: float
    non_finite: int
    below: tuple[int, ...]
    below_relative: tuple[int, ...]

    @property
    def rms(self) -> float:
        return math.sqrt(self.sum_of_squares / self.numel)

    def fraction_below(self, threshold: float) -> float:
        """Share of entries with |w| < threshold, one of THRESHOLDS."""
        return self.below[THRESHOLDS.index(threshold)] / self.numel

    def fraction_below_rms(self, threshold: float) -> float:
        """Share of entries with |w| < threshold · rms, threshold one of THRESHOLDS."""
        return self.below_relative[THRESHOLDS.index(threshold)] / self.numel


def magnitudes(tensor: Tensor) -> Magnitudes:
    """Threshold counts, Σw², max |w| and the number of non-finite entries of a tensor.

    Any shape and float type; comparisons give what comparing in float64 gives. Non-finite entries
    are counted and count as below no threshold. Raises ValueError if empty. Source: SPEC W2.
    """
    if tensor.numel() == 0:
        raise ValueError("an empty tensor has no magnitudes")
    blocks = tensor.detach().reshape(-1).split(_BLOCK)
    total = sum(_sum_of_squares(block) for block in blocks)
    rms = math.sqrt(total / tensor.numel()) if math.isfinite(total) else 0.0
    edges = [*THRESHOLDS, *(t * rms for t in THRESHOLDS)]
    thresholds = edges if tensor.dtype == torch.float64 else [_at_least(t) for t in edges]
    counts = [0] * len(thresholds)
    largest = 0.0
    for block in blocks:
        magnitude = block.abs() if block.dtype == torch.float64 else block.float().abs()
        largest = max(largest, magnitude.max().item())
        for i, threshold in enumerate(thresholds):
            counts[i] += int(torch.count_nonzero(magnitude < threshold))
    finite = math.isfinite(total)
    return Magnitudes(
        numel=tensor.numel(),
        sum_of_squares=total,
        largest=largest,
        non_finite=0 if finite else int(torch.count_nonzero(~torch.isfinite(tensor))),
        below=tuple(counts[: len(THRESHOLDS)]),
        below_relative=tuple(counts[len(THRESHOLDS) :]),
    )


def _sum_of_squares(block: Tensor) -> float:
    wide = block.double()
    return torch.dot(wide, wide).item()


def _at_least(threshold: float) -> float:
    """The smallest float32 not below the threshold.

    For float32 and narrower entries, `w <` this is exactly `w < threshold` in float64; torch
    rounds a Python scalar to the tensor's type, which may round it down.
    """
    rounded = torch.tensor(threshold, dtype=torch.float32)
    if rounded.double().item() < threshold:
        rounded = torch.nextafter(rounded, torch.tensor(math.inf))
    return rounded.item()

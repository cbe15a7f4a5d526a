"""How many entries of a weight are small: absolutely, and relative to its own scale (SPEC W2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from geometric_invariants.geometry.kernels import magnitudes as kernel
from geometric_invariants.geometry.kernels.magnitudes import Pass
from geometric_invariants.geometry.powers import Powers
from geometric_invariants.geometry.row_blocks import RowBlocks

THRESHOLDS = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1)
LOG_EDGES = tuple(-8 + k / 8 for k in range(81))  # log₁₀|w|
_MOST_BINNED = 1 << 14
_BLOCK = 1 << 20  # entries; a block and its comparisons stay near the CPU's cache


@dataclass(frozen=True, slots=True)
class Magnitudes:
    """Counts of |w| < t for each absolute threshold, and of |w| < t·rms for each relative one.

    `binned` are counts by log₁₀|w| between `LOG_EDGES`, of some entries spread over the whole
    tensor, at most about 16,384; what is smaller or larger stands in the first or last bin.
    `zeros` is the share of exact zeros among those entries, `kurtosis` their mean fourth power over
    that of a variance: 3 of Gaussian ones, nan of zeros.
    """

    numel: int
    sum_of_squares: float
    sum_of_magnitudes: float
    largest: float
    non_finite: int
    below: tuple[int, ...]
    below_relative: tuple[int, ...]
    binned: tuple[int, ...]
    zeros: float = 0.0
    kurtosis: float = math.nan

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
    """Threshold counts, Σw², Σ|w|, max |w| and the number of non-finite entries of a tensor.

    Any shape and float type; comparisons give what comparing in float64 gives. Non-finite entries
    are counted and count as below no threshold. Raises ValueError if empty. Source: SPEC W2.
    """
    whole = tensor.detach().contiguous()
    return magnitudes_of(lambda: iter((whole,)))


def magnitudes_of(blocks: RowBlocks) -> Magnitudes:
    """The same of a tensor that comes in blocks of its rows; they are asked for twice."""
    numel, columns, sums = 0, 1, Pass((), 0.0, 0.0, 0.0)
    for block in blocks():
        if block.numel() == 0:
            raise ValueError("an empty tensor has no magnitudes")
        numel += block.numel()
        columns = block.shape[-1] if block.ndim else 1
        sums = _added(sums, _first_pass(block.reshape(-1)))
    finite = math.isfinite(sums.squares)
    rms = math.sqrt(sums.squares / numel) if finite else 0.0
    thresholds = [*(() if sums.below else THRESHOLDS), *(t * rms for t in THRESHOLDS)]
    step, place, non_finite = _step(numel, columns), 0, 0
    counts, binned = [0] * len(thresholds), [0] * (len(LOG_EDGES) - 1)
    powers = Powers()
    for block in blocks():
        flat = block.reshape(-1)
        counts = _sum(counts, _below(flat, _edges(flat, thresholds)))
        entries = flat[-place % step :: step]
        binned = _sum(binned, _binned(entries))
        powers += Powers.of(entries)
        non_finite += 0 if finite else int(torch.count_nonzero(~torch.isfinite(flat)))
        place += len(flat)
    return Magnitudes(
        numel=numel,
        sum_of_squares=sums.squares,
        sum_of_magnitudes=sums.total,
        largest=sums.largest,
        non_finite=non_finite,
        below=sums.below or tuple(counts[: len(THRESHOLDS)]),
        below_relative=tuple(counts[-len(THRESHOLDS) :]),
        binned=tuple(binned),
        zeros=powers.zeros / max(1, powers.numel),
        kurtosis=powers.kurtosis,
    )


@dataclass(frozen=True, slots=True)
class Small:
    """How many numbers there are, and how many of them have |w| < t for each of THRESHOLDS."""

    numel: int = 0
    below: tuple[int, ...] = (0,) * len(THRESHOLDS)

    def __add__(self, other: Small) -> Small:
        both = zip(self.below, other.below, strict=True)
        return Small(self.numel + other.numel, tuple(a + b for a, b in both))

    def fraction_below(self, threshold: float) -> float:
        """Share with |w| < threshold, one of THRESHOLDS; nan of nothing."""
        return self.below[THRESHOLDS.index(threshold)] / self.numel if self.numel else math.nan


def small(tensor: Tensor) -> Small:
    """The threshold counts alone of a tensor of any shape, perhaps empty. Source: SPEC W2."""
    flat = tensor.detach().reshape(-1)
    return Small(len(flat), _below(flat, _edges(flat, THRESHOLDS))) if len(flat) else Small()


def gaussian_bins(std: float) -> Tensor:
    """Shares of N(0, std²) numbers in the bins of `LOG_EDGES`, [bins] float64. Source: SPEC §8."""
    edges = 10 ** torch.tensor(LOG_EDGES, dtype=torch.float64)
    below = torch.special.erf(edges / (math.sqrt(2) * max(std, 1e-300)))
    below[0], below[-1] = 0, 1
    shares: Tensor = below.diff()
    return shares


def _step(numel: int, columns: int) -> int:
    """Every how many entries one is binned: no divisor in common with the columns."""
    step = -(-numel // _MOST_BINNED)
    while math.gcd(step, columns) > 1:
        step += 1
    return step


def _binned(entries: Tensor) -> list[int]:
    """Counts by log₁₀|w| of entries [n]."""
    inner = 10 ** torch.tensor(LOG_EDGES[1:-1], dtype=torch.float64)
    found = torch.bucketize(entries.double().abs(), inner.to(entries.device), right=True)
    counts: list[int] = torch.bincount(found, minlength=len(inner) + 1).tolist()
    return counts


def _first_pass(flat: Tensor) -> Pass:
    """Sums and the maximum; on a GPU the counts below THRESHOLDS too."""
    edges = _edges(flat, THRESHOLDS)
    return kernel.one_pass(flat, edges) if kernel.is_available(flat, edges) else _sums(flat)


def _added(one: Pass, other: Pass) -> Pass:
    """Both together; `one` may be of nothing."""
    below = tuple(_sum(one.below, other.below)) if one.below else other.below
    largest = max(one.largest, other.largest)
    return Pass(below, largest, one.total + other.total, one.squares + other.squares)


def _sum(ours: Sequence[int], theirs: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(ours, theirs, strict=True)]


def _edges(tensor: Tensor, thresholds: Sequence[float]) -> list[float]:
    """Thresholds in the tensor's own type, float32 for narrower ones, never rounded down."""
    return list(thresholds) if tensor.dtype == torch.float64 else [_at_least(t) for t in thresholds]


def _below(tensor: Tensor, edges: Sequence[float]) -> tuple[int, ...]:
    if kernel.is_available(tensor, edges):
        return kernel.one_pass(tensor, edges).below
    counts = [0] * len(edges)
    for block in tensor.split(_BLOCK):
        magnitude = block.abs() if block.dtype == torch.float64 else block.float().abs()
        for i, edge in enumerate(edges):
            counts[i] += int(torch.count_nonzero(magnitude < edge))
    return tuple(counts)


def _sums(tensor: Tensor) -> Pass:
    """max |w|, Σ|w| and Σw², the sums in float64; no counts."""
    largest = total = squares = 0.0
    for block in tensor.split(_BLOCK):
        wide = block.double()
        magnitude = wide.abs()
        largest = max(largest, magnitude.max().item())
        total += magnitude.sum().item()
        squares += torch.dot(wide, wide).item()
    return Pass((), largest, total, squares)


@cache
def _at_least(threshold: float) -> float:
    """The smallest float32 not below the threshold.

    For float32 and narrower entries, `w <` this is exactly `w < threshold` in float64; torch
    rounds a Python scalar to the tensor's type, which may round it down.
    """
    rounded = torch.tensor(threshold, dtype=torch.float32)
    if rounded.double().item() < threshold:
        rounded = torch.nextafter(rounded, torch.tensor(math.inf))
    return rounded.item()

"""A value with its 95 % interval, and the sampling that makes the interval narrow enough.

Everything random draws from a `torch.Generator` on the CPU, so that the same seed gives the same
numbers whatever device does the arithmetic.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import scipy.special
import torch
from torch import Tensor

Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the 95 % interval it was obtained with.

    `samples` is 0 where the value is not sampled: computed from all there is, or a closed form
    whose interval is then the spread of the random variable itself.
    """

    value: float
    low: float
    high: float
    samples: int = 0
    method: str = "exact"

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def overlaps(self, other: Estimate) -> bool:
        """Whether the two intervals share a point."""
        return self.low <= other.high and other.low <= self.high

    def straddles(self, edge: float) -> bool:
        """Whether the interval cannot tell on which side of `edge` the value lies."""
        return self.low < edge < self.high


def exact(value: float, method: str = "exact") -> Estimate:
    """An estimate without uncertainty."""
    return Estimate(float(value), float(value), float(value), 0, method)


def normal(value: float, std: float, samples: int = 0, method: str = "normal") -> Estimate:
    """value ± 1.96 std."""
    return Estimate(value, value - Z95 * std, value + Z95 * std, samples, method)


def mean(x: Tensor) -> Estimate:
    """Mean of independent draws x [n], by the central limit theorem. Raises ValueError if n < 2."""
    x = _draws(x)
    return normal(x.mean().item(), x.std().item() / math.sqrt(len(x)), len(x), "central limit")


def coefficient_of_variation(x: Tensor) -> Estimate:
    """std/mean (population std) of independent draws x [n], by the delta method.

    The influence of one draw on s/m is ((x − m)² − s²) / (2 s m) − s (x − m) / m²; the estimate's
    standard error is the std of that over √n. Raises ValueError if n < 2.
    """
    x = _draws(x)
    m, s = x.mean(), x.std(correction=0)
    if s == 0:
        return Estimate(0.0, 0.0, 0.0, len(x), "delta method")
    centred = x - m
    influence = (centred.square() - s.square()) / (2 * s * m) - s * centred / m.square()
    error = influence.std(correction=0).item() / math.sqrt(len(x))
    return normal((s / m).item(), error, len(x), "delta method")


def ratio(numerator: Estimate, denominator: Estimate) -> Estimate:
    """Quotient of two independent estimates, first-order error propagation."""
    value = numerator.value / denominator.value
    relative = math.hypot(
        numerator.half_width / numerator.value, denominator.half_width / denominator.value
    )
    return Estimate(
        value,
        value - abs(value) * relative,
        value + abs(value) * relative,
        max(numerator.samples, denominator.samples),
        "delta method",
    )


def predicted(draws: Sequence[float], method: str = "prediction interval") -> Estimate:
    """Mean of a few like numbers, with the interval that a further one falls into.

    mean ± t s √(1 + 1/n), t being Student's 97.5 % quantile of n − 1 degrees: exact for normal
    numbers. Raises ValueError if n < 2.
    """
    centre, n, reach = _student(draws)
    reach *= math.sqrt(1 + 1 / n)
    return Estimate(centre, centre - reach, centre + reach, 0, f"{method}, {n} seeds")


def mean_of_few(draws: Sequence[float]) -> Estimate:
    """Mean of a few like numbers ± t s/√n: exact for normal ones. Raises ValueError if n < 2."""
    centre, n, reach = _student(draws)
    reach /= math.sqrt(n)
    return Estimate(centre, centre - reach, centre + reach, n, "Student's t")


def farthest(null: Estimate, n: int, side: float = math.inf) -> Estimate:
    """Where the farthest of n independent normal numbers lies from their common centre.

    `null` is one of them, with its 95 % interval. Value and interval are the median and the central
    95 % of max |xᵢ − centre|, laid off from the centre on the side where `side` lies: the null of
    the worst of n parts. Raises ValueError if n < 1.
    """
    if n < 1:
        raise ValueError(f"the farthest of {n} numbers is none")
    std = null.half_width / Z95 * (-1 if side < null.value else 1)
    # P(max |z| ≤ r) = (2 Φ(r) − 1)ⁿ
    near, middle, far = (
        null.value + std * float(scipy.special.ndtri((1 + share ** (1 / n)) / 2))
        for share in (0.025, 0.5, 0.975)
    )
    return Estimate(middle, min(near, far), max(near, far), 0, f"farthest of {n}")


def quantile_interval(draws: Tensor, value: float, method: str) -> Estimate:
    """`value` with the central 95 % of `draws` [n] as its interval."""
    low, high = torch.quantile(
        draws.double(), torch.tensor([0.025, 0.975], dtype=torch.float64)
    ).tolist()
    return Estimate(value, low, high, len(draws), method)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much a sampled quantity may draw, from which seed, and which edges it has to clear."""

    seed: int = 0
    samples: int = 100_000
    limit: int = 1_600_000
    edges: tuple[float, ...] = ()

    def at_least(self, samples: int) -> Sampling:
        """The same with no fewer draws than these."""
        if self.samples >= samples:
            return self
        return replace(self, samples=samples, limit=max(self.limit, samples))

    def generator(self, stream: str) -> torch.Generator:
        """A CPU generator for one named stream: independent of all other names and seeds."""
        digest = hashlib.sha256(f"{self.seed}/{stream}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def refine(
    draw: Callable[[int], Tensor], estimate: Callable[[Tensor], Estimate], sampling: Sampling
) -> tuple[Tensor, Estimate]:
    """Draw, and double the draws until no edge lies inside the interval or the limit is reached.

    `draw(n)` returns n further draws (fewer where some are unusable); returns all of them and the
    estimate they give. Stopping at the first clear interval makes its coverage a little less
    than nominal near an edge; a value whose interval straddles the edge at the limit stays so.
    """
    draws = draw(sampling.samples)
    result = estimate(draws)
    total = sampling.samples
    while any(map(result.straddles, sampling.edges)) and 2 * total <= sampling.limit:
        draws = torch.cat([draws, draw(total)])
        total *= 2
        result = estimate(draws)
    return draws, result


def _draws(x: Tensor) -> Tensor:
    if len(x) < 2:
        raise ValueError(f"an interval needs at least 2 draws, got {len(x)}")
    return x.detach().double().cpu()


def _student(draws: Sequence[float]) -> tuple[float, int, float]:
    """Mean, number, and Student's 97.5 % quantile times the std."""
    x = _draws(torch.tensor(draws, dtype=torch.float64))
    quantile = float(scipy.special.stdtrit(len(x) - 1, 0.975))
    return x.mean().item(), len(x), quantile * x.std().item()

"""Numbers to shares of an axis, with ticks at round places whose labels differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

Range = tuple[float, float]

_STEPS = (1, 2, 5, 10)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Spans below this share of the numbers themselves are lost in the rounding of their places.
_LEAST_SPAN = 1e-9
_LEAST = 1e-300  # below it the steps between ticks are no longer normal numbers


class Tick(NamedTuple):
    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, low < high; both above zero where it is logarithmic."""

    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float | None:
        """Where a value lies: 0 at the low end, 1 at the high one; None where it has no place."""
        if not self.is_log:
            return (value - self.low) / (self.high - self.low)
        if value <= _LEAST:
            return None
        low, high = math.log10(self.low), math.log10(self.high)
        return (math.log10(value) - low) / (high - low)

    def ticks(self, most: int = 6) -> list[Tick]:
        """Round values within the axis in rising order, about `most` of them; no label twice."""
        powers = _powers(self.low, self.high, most) if self.is_log else []
        if len(powers) >= 2:
            return [Tick(value, _power(value)) for value in powers]
        multiples = _multiples(self.low, self.high, most)
        values = [v for v in multiples if not self.is_log or v > _LEAST]
        return _distinct(map(Tick, values, labels(values)))


def scale(numbers: Range | None, *, is_log: bool = False, from_zero: bool = False) -> Scale:
    """A scale a little wider than the numbers' range, 0 to 1 (log: 1 to 10) where there is none.

    `from_zero` keeps an end at zero as it is: bars stand on it.
    """
    low, high = numbers or ((1.0, 10.0) if is_log else (0.0, 1.0))
    if is_log:
        return _log_scale(low, high)
    margin = 0.04 * (high - low)
    if is_flat(low, high):
        largest = max(abs(low), abs(high))
        margin = 0.1 * largest if largest > _LEAST else 1.0
    below = low if from_zero and low == 0 else low - margin
    above = high if from_zero and low < high == 0 else high + margin
    return Scale(below, above)


def span(numbers: Iterable[float], *, is_log: bool = False) -> Range | None:
    """The least and the greatest of those numbers that the axis can hold; None without one."""
    kept = [number for number in numbers if not is_log or number > _LEAST]
    return (min(kept), max(kept)) if kept else None


def joined(ranges: Iterable[Range | None]) -> Range | None:
    """The least range that holds all of them."""
    return span(edge for one in ranges if one is not None for edge in one)


def is_flat(low: float, high: float) -> bool:
    """Whether two numbers are one as far as ticks between them could tell."""
    return high - low <= max(_LEAST, _LEAST_SPAN * max(abs(low), abs(high)))


def labels(values: Sequence[float]) -> list[str]:
    """Numbers with the digits that their least difference needs."""
    if not values:
        return []
    largest = max(map(abs, values)) or 1.0
    steps = [b - a for a, b in pairwise(values)]
    step = min((abs(s) for s in steps if s), default=largest)
    place = math.floor(math.log10(step) + 1e-9)
    if 1e-4 < largest < 1e6 and place > -5:
        return [f"{_unsigned_zero(v, step):,.{max(0, -place)}f}" for v in values]
    digits = min(16, max(0, math.floor(math.log10(largest)) - place))
    return [_scientific(_unsigned_zero(v, step), digits) for v in values]


def _log_scale(low: float, high: float) -> Scale:
    ends = math.log10(low), math.log10(high)
    margin = max(0.04 * (ends[1] - ends[0]), 0.02)
    below, above = (max(-307.0, ends[0] - margin), min(307.0, ends[1] + margin))
    return Scale(10.0**below, 10.0**above, is_log=True)


def _multiples(low: float, high: float, most: int) -> list[float]:
    """The multiples of 1, 2 or 5 times a power of ten within the ends, at most `most` of them."""
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * s for s in _STEPS if power * s >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [v for v in (k * step for k in range(first, last + 1)) if low <= v <= high]


def _powers(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, every k-th where there are many; 2 and 5 times them where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first > most:
        stride = -(-(last - first) // most)
        exponents = range(-(-first // stride) * stride, last + 1, stride)
        return [v for v in (10.0**e for e in exponents if e > -308) if low <= v <= high]
    times = (1, 2, 5) if 3 * (last - first) <= most + 2 else (1,)
    values = [float(f"{t}e{e}") for e in range(first, last + 1) for t in times]
    return [v for v in values if low <= v <= high]


def _power(value: float) -> str:
    """A number of one digit: plain where it is short, else with a power of ten."""
    return f"{value:,g}" if 1e-3 <= value < 1e6 else _scientific(value, 0)


def _scientific(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    if float(mantissa) == 0:
        return "0"
    power = f"10{int(exponent)}".replace("10", "", 1).translate(_SUPERSCRIPTS)
    return f"10{power}" if mantissa == "1" else f"{mantissa}·10{power}"


def _unsigned_zero(value: float, step: float) -> float:
    return 0.0 if abs(value) < step / 1e6 else value


def _distinct(ticks: Iterable[Tick]) -> list[Tick]:
    """Each label once: of ticks closer than a label can tell, the first."""
    kept: dict[str, Tick] = {}
    for tick in ticks:
        kept.setdefault(tick.label, tick)
    return list(kept.values())

"""What a cell says: the same words on the page, on the terminal and from `python -m invariants`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import get_args

from geometric_invariants.reports.decoding import is_number
from geometric_invariants.reports.results import Measurement, Reference, Standing, Value, Verdict

GLYPHS: dict[Verdict, str] = {
    "holds": "✓",
    "violated": "✗",
    "measured": "·",
    "not applicable": "–",
    "unavailable": "○",
    "error": "!",
}
STANDINGS: tuple[Standing, ...] = get_args(Standing)


def number(x: float | None) -> str:
    """Five digits, or a dash for none."""
    return "—" if x is None else f"{x:.5g}"


def with_interval(value: Value) -> str:
    """The number, and its 95 % interval where it has one."""
    shown = number(value.value)
    if value.low < value.high:
        shown += f" [{number(value.low)}, {number(value.high)}]"
    return shown


def reading(measurement: Measurement) -> str:
    """The verdict on random, and beside it what random weights show and how far that is.

    Empty where nothing random is known.
    """
    if measurement.value is None or measurement.random is None:
        return ""
    away = distance(measurement.value, measurement.random.value)
    beside = f"{shown_by_random(measurement.random)}, {away} away"
    return f"{measurement.standing}: {beside}" if measurement.standing else beside


def shown_by_random(random: Reference) -> str:
    """What random weights show, by name."""
    return f"{random.name} {with_interval(random.value)}"


def distance(value: Value, random: Value) -> str:
    """How far a value lies from what random weights show, in 95 % half-widths of both.

    The plain difference where neither has an interval. A number to read, never a verdict.
    """
    difference = abs(value.value - random.value)
    width = math.hypot(value.half_width, random.half_width)
    ratio = difference / width if width else math.inf
    return f"{ratio:.3g} half-widths" if is_number(ratio) else f"{difference:.3g}"


def verdicts(measurements: Iterable[Measurement]) -> str:
    """The verdicts on the claims, counted."""
    found = [m.verdict for m in measurements]
    return ", ".join(f"{found.count(v)} {v}" for v in GLYPHS if v in found)


def standings(measurements: Iterable[Measurement]) -> str:
    """The verdicts on random, counted; empty where there is none."""
    found = [m.standing for m in measurements]
    return "; ".join(f"{found.count(s)} × {s}" for s in STANDINGS if s in found)

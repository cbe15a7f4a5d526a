"""Ticks, their labels beside the plot, and named places: marks on x, levels on y."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geometric_invariants.reports.drawing.frame import LINE, Frame, path, px, shortened, text, width
from geometric_invariants.reports.drawing.scales import Scale, Tick

_LONGEST = 150.0
_SHORT = 30.0
_GAP = 7.0


@dataclass(frozen=True, slots=True)
class Names:
    """How labels of places 0, 1, … stand under a plot: each `every`-th, level or turned."""

    labels: tuple[str, ...]
    every: int
    turned: bool

    @property
    def height(self) -> float:
        """The px below the plot that they need."""
        if not self.turned:
            return LINE + 4
        return 0.71 * max(map(width, self.labels), default=0.0) + LINE + 2

    def reach(self, step: float) -> float:
        """The px left of the first place's middle that turned labels need."""
        shown = list(enumerate(self.labels))[:: self.every]
        beyond = [0.71 * width(label) - step * index for index, label in shown]
        return max(beyond, default=0.0) if self.turned else 0.0


def names(labels: Sequence[str], step: float) -> Names:
    """Labels `step` px apart, thinned or turned so that none lies over another."""
    cut = tuple(shortened(label, _LONGEST) for label in labels)
    widest = max(map(width, cut), default=0.0)
    if widest + _GAP <= step or widest <= _SHORT:
        return Names(cut, max(1, math.ceil((widest + _GAP) / step)), turned=False)
    return Names(cut, max(1, math.ceil((LINE + 4) / step)), turned=True)


def fitting(along: Scale, room: float) -> list[Tick]:
    """As many ticks as stand side by side in `room` px."""
    for most in (7, 6, 5, 4, 3, 2):
        ticks = along.ticks(most)
        if sum(width(tick.label) + 12 for tick in ticks) <= room:
            return ticks
    return along.ticks(1)


def y_axis(frame: Frame, ticks: Sequence[Tick]) -> list[str]:
    """A rule across the plot and a number left of it for each tick."""
    places = [(y, tick.label) for tick in ticks if (y := frame.down(tick.value)) is not None]
    across = px(frame.right - frame.left)
    rules = (f"M{px(frame.left)} {px(y)}h{across}" for y, _ in places)
    return [path("grid", rules), *(text("ty", frame.left - 5, y + 4, name) for y, name in places)]


def x_axis(frame: Frame, ticks: Sequence[Tick]) -> list[str]:
    """The line under the plot, and a stroke and a number for each tick."""
    places = [(x, tick.label) for tick in ticks if (x := frame.across(tick.value)) is not None]
    strokes = [f"M{px(x)} {px(frame.bottom)}v4" for x, _ in places]
    return [
        path("axis", [_ground(frame), *strokes]),
        *(text("tx", x, frame.bottom + LINE + 3, name) for x, name in places),
    ]


def named_axis(frame: Frame, shown: Names) -> list[str]:
    """The line under the plot with a label for each place."""
    drawn = [path("axis", [_ground(frame)])]
    for index in range(0, len(shown.labels), shown.every):
        x = frame.across(float(index))
        if x is None:
            continue
        label = shown.labels[index]
        if shown.turned:
            drawn.append(text("ty", x + 4, frame.bottom + LINE - 1, label, turned=True))
        else:
            drawn.append(text("tx", x, frame.bottom + LINE + 2, label))
    return drawn


def _ground(frame: Frame) -> str:
    return f"M{px(frame.left)} {px(frame.bottom)}H{px(frame.right)}"


@dataclass(frozen=True, slots=True)
class Marks:
    """Named places on x, and the row above the plot in which each name stands."""

    places: tuple[tuple[str, float, int], ...]

    @property
    def height(self) -> float:
        return LINE * (1 + max((row for *_, row in self.places), default=-1))

    def draw(self, frame: Frame) -> list[str]:
        """A dashed line down the plot from each name."""
        drawn = []
        for name, x, row in self.places:
            foot = frame.top - self.height + LINE * (row + 1)
            drawn.append(path("mark", [f"M{px(x)} {px(foot)}V{px(frame.bottom)}"]))
            drawn.append(text("tm", kept_inside(x, width(name), frame.right), foot - 3, name))
        return drawn


def marks(named: Mapping[str, float], across: Frame) -> Marks:
    """Names over the places they mark in the plot, in as many rows as keep them apart."""
    places = ((across.across(v), name) for name, v in named.items())
    found = sorted((x, n) for x, n in places if x is not None and across.left <= x <= across.right)
    ends: list[float] = []
    placed = []
    for x, name in found:
        shown = shortened(name, across.right - 4)
        middle = kept_inside(x, width(shown), across.right)
        start, end = middle - width(shown) / 2, middle + width(shown) / 2
        row = next((r for r, last in enumerate(ends) if last + 4 <= start), len(ends))
        ends[row:] = [end, *ends[row + 1 :]]
        placed.append((shown, x, row))
    return Marks(tuple(placed))


def levels(named: Mapping[str, float], frame: Frame) -> list[str]:
    """A dashed line across the plot at each place on y, its name over its right end."""
    drawn, taken = [], math.inf
    found = sorted(((y, n) for n, v in named.items() if (y := frame.down(v)) is not None))
    for y, name in reversed(found):
        foot = min(y - 3, taken - LINE)
        taken = foot
        shown = shortened(name, frame.right - frame.left)
        drawn.append(path("mark", [f"M{px(frame.left)} {px(y)}H{px(frame.right)}"]))
        drawn.append(text("tl", frame.right, foot, shown))
    return drawn


def kept_inside(x: float, wide: float, right: float) -> float:
    """The middle of a text over x that ends before the drawing does."""
    return max(wide / 2, min(x, right - wide / 2))

"""Common limits of axes: figures of one claim and one title are drawn on one scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from geometric_invariants.reports.drawing.scales import Range, joined
from geometric_invariants.reports.exhibits import Figure

_SIDE_BY_SIDE = ("bars", "boxes", "heatmap")


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that an axis must hold; None where it holds none. A heat map's y is its colour's.

    `x` is None too where x names its places.
    """

    x: Range | None = None
    y: Range | None = None


def together(limits: Iterable[Limits]) -> Limits:
    """The least limits that hold all of them."""
    every = list(limits)
    return Limits(joined(one.x for one in every), joined(one.y for one in every))


def legible(own: Limits, common: Limits, log: str = "") -> Limits:
    """The common limits, without those on which a figure's own numbers would be a mere dot.

    A linear axis is left to the figure where its range is less than a tenth of the common one.
    """
    return Limits(
        common.x if "x" in log else _legible(own.x, common.x),
        common.y if "y" in log else _legible(own.y, common.y),
    )


def _legible(own: Range | None, common: Range | None) -> Range | None:
    if own is None or common is None:
        return common
    return common if 10 * (own[1] - own[0]) >= common[1] - common[0] else own


def is_named(drawn: Figure) -> bool:
    """Whether x names its places: then they stand side by side, 0, 1, …"""
    return any(isinstance(place, str) for place in drawn.x)


def by_name(drawn: Figure) -> bool:
    """Whether places on x stand side by side under their names, numbers too."""
    return drawn.kind in _SIDE_BY_SIDE or is_named(drawn)


def places(drawn: Figure) -> list[float]:
    """Where each x stands: the number itself, or its index where x names places."""
    if is_named(drawn):
        return [float(index) for index in range(len(drawn.x))]
    return [float(place) for place in drawn.x]


def names(drawn: Figure) -> list[str]:
    """Each x as a label."""
    return [place if isinstance(place, str) else f"{place:.6g}" for place in drawn.x]


def shown(drawn: Figure) -> list[float]:
    """Every number of the series that stands at an x, spreads, and levels beside them."""
    numbers = [*drawn.levels.values()]
    for name, values in drawn.series.items():
        found = [v for _, v in zip(drawn.x, values, strict=False)]
        numbers += [v for v in found if v is not None]
        for v, half in zip(found, drawn.spread.get(name, ()), strict=False):
            numbers += [] if v is None else [v - half, v + half]
    return numbers

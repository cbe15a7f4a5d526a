"""Dots: a few paths for each series, so that what lies over one another grows darker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geometric_invariants.reports.drawing.frame import Frame, path
from geometric_invariants.reports.drawing.limits import places
from geometric_invariants.reports.drawing.lines import extent
from geometric_invariants.reports.drawing.palette import classes
from geometric_invariants.reports.exhibits import Figure

__all__ = ["draw", "extent"]

Spot = tuple[int, int]

_LAYERS = 3
_FEW = 80
_BAND = 12  # px across: dots are written in bands of it, so that the steps between them are short


def draw(drawn: Figure, frame: Frame) -> list[str]:
    styles = classes(drawn.series)
    size = "d" if len(drawn.x) <= _FEW else "p"
    return [
        path(f"{size} {styles[name]}", _dots(layer))
        for name, values in drawn.series.items()
        for layer in _layers(frame, places(drawn), values)
    ]


def _layers(frame: Frame, x: Iterable[float], y: Iterable[float | None]) -> list[list[Spot]]:
    """Dots on whole px, dealt in turn, each place once in a layer."""
    spots: list[Spot] = []
    for a, b in zip(x, y, strict=False):
        across, down = frame.across(a), None if b is None else frame.down(b)
        if across is not None and down is not None:
            spots.append((round(across), round(down)))
    return [sorted(set(spots[layer::_LAYERS]), key=_order) for layer in range(_LAYERS)]


def _order(spot: Spot) -> tuple[int, int]:
    """Band by band, down one and up the next."""
    band = spot[0] // _BAND
    return band, spot[1] if band % 2 else -spot[1]


def _dots(spots: Iterable[Spot]) -> Iterator[str]:
    """A closed path of no length at each spot, from the last one: its round cap is the dot."""
    last = (0, 0)
    for spot in spots:
        right, down = spot[0] - last[0], spot[1] - last[1]
        yield f"m{right}{'' if down < 0 else ' '}{down}z"
        last = spot

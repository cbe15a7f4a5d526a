"""Series as lines: broken at gaps, with dots where there are few, and their spread as strokes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from geometric_invariants.reports.drawing.frame import Frame, path, px
from geometric_invariants.reports.drawing.limits import Limits, is_named, places, shown
from geometric_invariants.reports.drawing.palette import classes
from geometric_invariants.reports.drawing.scales import span
from geometric_invariants.reports.exhibits import Figure

_FEW = 16
Point = tuple[float, float]


def extent(drawn: Figure) -> Limits:
    across = None
    if not is_named(drawn):
        numbers = [*places(drawn), *drawn.marks.values()]
        across = span(numbers, is_log="x" in drawn.log)
    return Limits(across, span(shown(drawn), is_log="y" in drawn.log))


def draw(drawn: Figure, frame: Frame) -> list[str]:
    styles = classes(drawn.series)
    pieces = []
    for name, values in drawn.series.items():
        points = [_point(frame, x, y) for x, y in zip(places(drawn), values, strict=False)]
        spread = drawn.spread.get(name, ())
        style = styles[name]
        pieces.append(path(f"w {style}", whiskers(frame, places(drawn), values, spread)))
        pieces.append(path(f"l {style}", _stretches(points)))
        met = [point for point in points if point is not None]
        alone = met if len(met) <= _FEW else list(_lone(points))
        pieces.append(path(f"d {style}", (f"M{px(x)} {px(y)}z" for x, y in alone)))
    return pieces


def whiskers(
    frame: Frame,
    at: Sequence[float],
    values: Iterable[float | None],
    spread: Iterable[float],
) -> Iterator[str]:
    """A stroke as far below as above each value, down to the plot's foot where a log axis ends."""
    for x, value, half in zip(at, values, spread, strict=False):
        across = frame.across(x)
        if value is None or across is None or not half:
            continue
        ends = [frame.down(value - half), frame.down(value + half)]
        low, high = (frame.bottom if end is None else end for end in ends)
        yield f"M{px(across)} {px(low)}V{px(high)}"


def _point(frame: Frame, x: float, y: float | None) -> Point | None:
    across, down = frame.across(x), None if y is None else frame.down(y)
    return None if across is None or down is None else (across, down)


def _stretches(points: Sequence[Point | None]) -> Iterator[str]:
    """A line through the points, begun anew after each gap."""
    before: Point | None = None
    for point in points:
        if point is not None and before is not None:
            yield f"L{px(point[0])} {px(point[1])}"
        elif point is not None:
            yield f"M{px(point[0])} {px(point[1])}"
        before = point


def _lone(points: Sequence[Point | None]) -> Iterator[Point]:
    """Points between two gaps, through which no line goes."""
    beside = [None, *points, None]
    for before, point, after in zip(beside, points, beside[2:], strict=False):
        if point is not None and before is None and after is None:
            yield point

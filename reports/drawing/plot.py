"""The kinds that stand on two axes: the frame that their labels leave, axes, named places, body."""

from __future__ import annotations

from collections.abc import Callable

from geometric_invariants.reports.drawing import axes, bars, boxes, histogram, lines, points
from geometric_invariants.reports.drawing.frame import EDGE, HEIGHT, WIDTH, Frame, width
from geometric_invariants.reports.drawing.limits import Limits, by_name, names
from geometric_invariants.reports.drawing.scales import Scale, scale
from geometric_invariants.reports.exhibits import Figure, Kind

_LOWEST = 10.0
_Draw = Callable[[Figure, Frame], list[str]]
_DRAW: dict[Kind, _Draw] = {
    "lines": lines.draw,
    "bars": bars.draw,
    "histogram": histogram.draw,
    "points": points.draw,
    "boxes": boxes.draw,
}
_FROM_ZERO = {"bars", "histogram"}


def body(drawn: Figure, limits: Limits) -> tuple[float, list[str]]:
    """The height, and what is drawn within the limits."""
    up = scale(limits.y, is_log="y" in drawn.log, from_zero=drawn.kind in _FROM_ZERO)
    ticks = up.ticks(5)
    left = max((width(tick.label) for tick in ticks), default=0.0) + _LOWEST
    named = by_name(drawn)
    across = _named_scale(drawn) if named else scale(limits.x, is_log="x" in drawn.log)
    labels, step = names(drawn), (WIDTH - EDGE - left) / max(1, len(drawn.x))
    under = axes.names(labels, step)
    if named:
        left = max(left, under.reach(step) - step / 2)
    frame = Frame(across, up, left, WIDTH - EDGE, 0.0, HEIGHT)
    marks = axes.marks(drawn.marks, frame)
    top = EDGE + marks.height
    frame = Frame(across, up, left, WIDTH - EDGE, top, top + HEIGHT)
    if named:
        ground, height = axes.named_axis(frame, under), under.height
    else:
        ground, height = axes.x_axis(frame, axes.fitting(across, WIDTH - left)), 18.0
    parts = [*axes.y_axis(frame, ticks), *_DRAW[drawn.kind](drawn, frame), *ground]
    parts += marks.draw(frame) + axes.levels(drawn.levels, frame)
    return frame.bottom + height + 2, parts


def _named_scale(drawn: Figure) -> Scale:
    """Places 0, 1, …: in the middle of their share of the axis, edges of bins at its ends."""
    if drawn.kind == "histogram":
        return Scale(0.0, max(1.0, len(drawn.x) - 1.0))
    return Scale(-0.5, max(1, len(drawn.x)) - 0.5)

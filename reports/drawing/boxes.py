"""A box from quartile to quartile over each label, its median, and whiskers to the extremes."""

from __future__ import annotations

from collections.abc import Sequence

from geometric_invariants.reports.drawing.frame import Frame, path, px
from geometric_invariants.reports.drawing.limits import Limits, names, shown
from geometric_invariants.reports.drawing.palette import is_control
from geometric_invariants.reports.drawing.scales import span
from geometric_invariants.reports.exhibits import Figure

_WIDEST = 28.0
_NUMBERS = 5


def extent(drawn: Figure) -> Limits:
    return Limits(None, span(shown(drawn), is_log="y" in drawn.log))


def reading(drawn: Figure) -> str:
    """What whiskers, box and line are, by the series' names; empty where they are not five."""
    if len(drawn.series) != _NUMBERS:
        return ""
    lowest, lower, middle, upper, highest = drawn.series
    return f"whiskers: {lowest} – {highest}; box: {lower} – {upper}; line: {middle}"


def draw(drawn: Figure, frame: Frame) -> list[str]:
    half = min(_WIDEST, 0.6 * (frame.right - frame.left) / max(1, len(drawn.x))) / 2
    whiskers, boxes, medians = [], {"s0": "", "c0": ""}, []
    for index, name in enumerate(names(drawn)):
        column = (values[index] for values in drawn.series.values() if index < len(values))
        downs = [None if value is None else frame.down(value) for value in column]
        met, across = [down for down in downs if down is not None], frame.across(float(index))
        if across is None or not met:
            continue
        whiskers.append(f"M{px(across)} {px(max(met))}V{px(min(met))}")
        if len(downs) == _NUMBERS:
            boxes["c0" if is_control(name) else "s0"] += _box(across, half, downs)
            medians.append(_stroke(across, half, downs[2]))
    return [
        path("q", whiskers),
        *(path(f"b {style}", pieces) for style, pieces in boxes.items()),
        path("m", medians),
    ]


def _box(across: float, half: float, downs: Sequence[float | None]) -> str:
    lower, upper = downs[1], downs[3]
    if lower is None or upper is None:
        return ""
    return f"M{px(across - half)} {px(lower)}V{px(upper)}h{px(2 * half)}V{px(lower)}z"


def _stroke(across: float, half: float, down: float | None) -> str:
    return "" if down is None else f"M{px(across - half)} {px(down)}h{px(2 * half)}"

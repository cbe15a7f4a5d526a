"""The value and its controls as points with 95 % intervals, over the band."""

from __future__ import annotations

from html import escape

from geometric_invariants.reports.drawing.axes import fitting, kept_inside, x_axis
from geometric_invariants.reports.drawing.frame import (
    EDGE,
    LINE,
    WIDTH,
    Frame,
    path,
    px,
    shortened,
    text,
    width,
)
from geometric_invariants.reports.drawing.scales import Scale, scale, span
from geometric_invariants.reports.results import Measurement, Value
from geometric_invariants.reports.wording import with_interval

_ROW, _UNDER = 34, 22
_NUMBERS = 150.0
_CLAIMED = "claimed"


def interval(measurement: Measurement) -> str:
    """One row each for the value, its controls and random weights, with their numbers.

    Empty where nothing was measured.
    """
    m = measurement
    if m.value is None:
        return ""
    rows = [("measured", m.value, "s0")]
    rows += [(control.name, control.value, "c0") for control in m.controls]
    if m.random is not None and m.random not in m.controls:
        rows.append((m.random.name, m.random.value, "c0"))
    edges = [edge for edge in m.band or () if edge is not None]
    numbers = [edge for _, v, _ in rows for edge in (v.low, v.value, v.high)] + edges
    across, height = scale(span(numbers)), _ROW * len(rows) + (LINE if m.band else 0) + 4
    frame = Frame(across, Scale(0, 1), EDGE, WIDTH - EDGE, 2, height)
    drawn = [*_band(m, frame), *x_axis(frame, fitting(across, WIDTH - 2 * EDGE))]
    for index, row in enumerate(rows):
        drawn += _row(*row, frame, _ROW * index + 2)
    label = escape(f"{m.title or m.claim}: value, band and controls", quote=True)
    return (
        f'<svg class="interval" viewBox="0 0 {WIDTH} {height + _UNDER}" role="img"'
        f' aria-label="{label}">{"".join(drawn)}</svg>'
    )


def _band(measurement: Measurement, frame: Frame) -> list[str]:
    if measurement.band is None:
        return []
    low, high = (None if edge is None else frame.across(edge) for edge in measurement.band)
    left = frame.left if low is None else low
    wide = max(1.5, (frame.right if high is None else high) - left)
    foot, top = px(frame.bottom), px(frame.top)
    middle = kept_inside(left + wide / 2, width(_CLAIMED), frame.right)
    return [
        path("band", [f"M{px(left)} {foot}V{top}h{px(wide)}V{foot}z"]),
        text("tx", middle, frame.bottom - 4, _CLAIMED),
    ]


def _row(name: str, value: Value, style: str, frame: Frame, top: float) -> list[str]:
    low, middle, high = (frame.across(v) or 0.0 for v in (value.low, value.value, value.high))
    across = top + 24
    return [
        text("tt", frame.left, top + 13, shortened(name, frame.right - frame.left - _NUMBERS)),
        text("ty", frame.right, top + 13, with_interval(value)),
        path(f"w {style}", [f"M{px(low)} {px(across)}H{px(high)}"]),
        path(f"d {style}", [f"M{px(middle)} {px(across)}z"]),
    ]

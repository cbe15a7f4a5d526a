"""A bar for each series side by side over each label, from zero (log: from the plot's foot)."""

from __future__ import annotations

from geometric_invariants.reports.drawing.frame import Frame, path, px
from geometric_invariants.reports.drawing.limits import Limits, shown
from geometric_invariants.reports.drawing.lines import whiskers
from geometric_invariants.reports.drawing.palette import classes
from geometric_invariants.reports.drawing.scales import span
from geometric_invariants.reports.exhibits import Figure

_SHARE = 0.8


def extent(drawn: Figure) -> Limits:
    is_log = "y" in drawn.log
    numbers = shown(drawn)
    return Limits(None, span(numbers if is_log or not numbers else [0.0, *numbers], is_log=is_log))


def draw(drawn: Figure, frame: Frame) -> list[str]:
    styles = classes(drawn.series)
    wide = _SHARE * (frame.right - frame.left) / max(1, len(drawn.x) * len(drawn.series))
    step = _SHARE / max(1, len(drawn.series))
    pieces, foot = [], frame.floor()
    for index, (name, values) in enumerate(drawn.series.items()):
        middles = [i - _SHARE / 2 + step * (index + 0.5) for i in range(len(drawn.x))]
        bars = []
        for middle, value in zip(middles, values, strict=False):
            across, down = frame.across(middle), None if value is None else frame.down(value)
            if across is not None and down is not None:
                bars.append(f"M{px(across - wide / 2)} {px(foot)}V{px(down)}h{px(wide)}V{px(foot)}")
        pieces.append(path(f"b {styles[name]}", bars))
        stroke = whiskers(frame, middles, values, drawn.spread.get(name, ()))
        pieces.append(path(f"w {styles[name]}", stroke))
    return pieces

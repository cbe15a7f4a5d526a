"""Which line, step, bar or dot is which series: text beside the drawing, so that it wraps."""

from __future__ import annotations

from html import escape

from geometric_invariants.reports.drawing import boxes
from geometric_invariants.reports.drawing.palette import classes
from geometric_invariants.reports.exhibits import Figure


def legend(drawn: Figure) -> str:
    """The series with their colours; of boxes, what each part of one is."""
    if drawn.kind == "heatmap":
        return ""
    if drawn.kind == "boxes":
        said = boxes.reading(drawn)
        return f'<p class="read">{escape(said)}</p>' if said else ""
    keys = (f'<li class="{style}">{escape(name)}' for name, style in classes(drawn.series).items())
    items = "".join(f"{key}</li>" for key in keys)
    return f'<ul class="keys {drawn.kind}">{items}</ul>' if items else ""

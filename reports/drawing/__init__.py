"""Figures as text and SVG: small, labelled, in the page's own colours.

The SVG is our own. Of three typical figures (two histograms, 24 × 24 cells, 800 points) matplotlib
3.11 wrote 21, 101 and 95 kB, Altair 17, 146 and 233 kB; these modules write 3, 6 and 5. Both put
colours into every element, where no style sheet and no dark scheme reaches them.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from geometric_invariants.reports.drawing import (
    bars,
    boxes,
    heatmap,
    histogram,
    lines,
    plot,
    points,
)
from geometric_invariants.reports.drawing.frame import WIDTH, px
from geometric_invariants.reports.drawing.interval import interval
from geometric_invariants.reports.drawing.legend import legend
from geometric_invariants.reports.drawing.limits import Limits, by_name, legible, together
from geometric_invariants.reports.drawing.strip import strip
from geometric_invariants.reports.exhibits import Figure, Kind

__all__ = ["Limits", "extent", "figure", "interval", "legible", "strip", "together"]

_EXTENT: dict[Kind, Callable[[Figure], Limits]] = {
    "lines": lines.extent,
    "bars": bars.extent,
    "histogram": histogram.extent,
    "points": points.extent,
    "heatmap": heatmap.extent,
    "boxes": boxes.extent,
}


def extent(drawn: Figure) -> Limits:
    """What the figure's axes must hold."""
    return _EXTENT[drawn.kind](drawn)


def figure(drawn: Figure, shared: Limits | None = None) -> str:
    """A figure with title, legend, axes and labels, as HTML; on `shared` limits where given.

    What has no place (a gap, zero on a logarithmic axis, a value beyond the last x) is left out.
    """
    own = extent(drawn)
    head = f"<figcaption>{escape(drawn.title)}</figcaption>"
    if own.y is None:
        return f'<figure class="plot">{head}<p class="read">no numbers to draw</p></figure>'
    draw = heatmap.body if drawn.kind == "heatmap" else plot.body
    height, parts = draw(drawn, own if shared is None else together((own, shared)))
    said = escape(f"{drawn.title}: {drawn.kind}", quote=True)
    return (
        f'<figure class="plot">{head}{legend(drawn)}{_y_label(drawn)}'
        f'<svg viewBox="0 0 {WIDTH} {px(height)}" role="img" aria-label="{said}">'
        f"{''.join(parts)}</svg>{_x_label(drawn)}</figure>"
    )


def _y_label(drawn: Figure) -> str:
    arrow = "↓" if drawn.kind == "heatmap" else "↑"
    return f'<p class="y">{arrow} {escape(drawn.y_label)}</p>' if drawn.y_label else ""


def _x_label(drawn: Figure) -> str:
    arrow = "" if by_name(drawn) else " →"
    return f'<p class="x">{escape(drawn.x_label)}{arrow}</p>' if drawn.x_label else ""

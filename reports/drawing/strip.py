"""Values by part, in their order, as dots over the parts' names."""

from __future__ import annotations

from collections.abc import Mapping

from geometric_invariants.reports.drawing import lines, plot
from geometric_invariants.reports.drawing.frame import WIDTH, px
from geometric_invariants.reports.exhibits import Figure


def strip(parts: Mapping[str, float]) -> str:
    """An SVG of at least two values; empty for fewer."""
    if len(parts) < 2:
        return ""
    drawn = Figure("values by part", "points", tuple(parts), {"value": tuple(parts.values())})
    height, pieces = plot.body(drawn, lines.extent(drawn))
    return (
        f'<svg class="parts" viewBox="0 0 {WIDTH} {px(height)}" role="img"'
        f' aria-label="values by part">{"".join(pieces)}</svg>'
    )

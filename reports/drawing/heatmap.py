"""A matrix as cells of stepped colour, with a scale that numbers the steps.

Cells of one step in one row are one stroke: a row is a line as thick as the row is tall. The cells
nearest the scale's ground (zero, or the least) are left as they are; gaps are dashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from geometric_invariants.reports.drawing.axes import named_axis, names
from geometric_invariants.reports.drawing.colours import STEPS, Colours, legend, style
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
from geometric_invariants.reports.drawing.limits import Limits
from geometric_invariants.reports.drawing.limits import names as column_names
from geometric_invariants.reports.drawing.scales import Scale, span
from geometric_invariants.reports.exhibits import Figure

_TALLEST, _ROWS = 26.0, 264.0
_WIDEST, _LONGEST = 36.0, 130.0
_MOST_NUMBERS = 150
_LIGHT = 0.6
_TOP = 38.0  # below the scale


def extent(drawn: Figure) -> Limits:
    """The range of the cells' values as y; it holds no place on x."""
    return Limits(None, span(_values(drawn)))


def body(drawn: Figure, limits: Limits) -> tuple[float, list[str]]:
    """The height, and what is drawn of a heat map with at least one value."""
    low, high = limits.y or (0.0, 0.0)
    colours, columns = Colours(low, high), column_names(drawn)
    rows = list(drawn.series)
    tall = min(_TALLEST, _ROWS / len(rows))
    labels = [shortened(name, _LONGEST) for name in rows]
    left = max(map(width, labels)) + EDGE
    wide = min(_WIDEST, (WIDTH - EDGE - left) / len(columns))
    under = names(columns, wide)
    left = max(left, under.reach(wide) - wide / 2)
    wide = min(_WIDEST, (WIDTH - EDGE - left) / len(columns))
    across = Scale(-0.5, len(columns) - 0.5)
    bottom = _TOP + tall * len(rows)
    frame = Frame(across, across, left, left + wide * len(columns), _TOP, bottom)
    parts = [*legend(colours, left), *_cells(drawn, colours, frame, wide, tall)]
    parts += _row_names(labels, frame, tall) + named_axis(frame, under)
    parts += _numbers(drawn, colours, frame, wide, tall)
    return bottom + under.height + 2, parts


def _values(drawn: Figure) -> list[float]:
    pairs = (zip(drawn.x, values, strict=False) for values in drawn.series.values())
    return [value for row in pairs for _, value in row if value is not None]


def _cells(drawn: Figure, colours: Colours, frame: Frame, wide: float, tall: float) -> list[str]:
    strokes: dict[int | None, list[str]] = {}
    for row, values in enumerate(drawn.series.values()):
        steps = [None if v is None else colours.step(v) for v in values[: len(drawn.x)]]
        for step, column, length in _runs(steps):
            piece = f"M{column + 0.3} {row}h.4" if step is None else f"M{column} {row}h{length}"
            strokes.setdefault(step, []).append(piece)
    grown = (path(style(step), pieces) for step, pieces in strokes.items() if step != 0)
    middle = frame.top + tall / 2
    matrix = f"matrix({wide:.3f} 0 0 {tall:.3f} {px(frame.left)} {px(middle)})"
    outline = f"M{px(frame.left)} {px(frame.top)}H{px(frame.right)}V{px(frame.bottom)}"
    return [
        f'<g class="h" transform="{matrix}">{"".join(grown)}</g>',
        path("axis", [f"{outline}H{px(frame.left)}z"]),
    ]


def _runs(steps: Sequence[int | None]) -> Iterator[tuple[int | None, int, int]]:
    """(step, first column, how many columns) of neighbours alike; gaps each alone."""
    start = 0
    for column, step in enumerate(steps):
        following = steps[column + 1] if column + 1 < len(steps) else "end"
        if step is None or following != step:
            yield step, start, column + 1 - start
            start = column + 1


def _row_names(labels: Sequence[str], frame: Frame, tall: float) -> list[str]:
    every = max(1, -int(-LINE // tall))
    return [
        text("ty", frame.left - 4, frame.top + tall * (row + 0.5) + 4, labels[row])
        for row in range(0, len(labels), every)
    ]


def _numbers(drawn: Figure, colours: Colours, frame: Frame, wide: float, tall: float) -> list[str]:
    """The values in their cells, where all of them have room there."""
    written = {v: f"{v:.2g}".replace("0.", ".", 1) for v in _values(drawn)}
    widest = max(map(width, written.values()))
    if tall < LINE or widest + 2 > wide or len(drawn.x) * len(drawn.series) > _MOST_NUMBERS:
        return []
    return [
        f'<text class="tx" y="{px(frame.top + tall * (row + 0.5) + 4)}">{"".join(cells)}</text>'
        for row, values in enumerate(drawn.series.values())
        if (cells := list(_written(values[: len(drawn.x)], written, colours, frame, wide)))
    ]


def _written(
    values: Sequence[float | None],
    written: Mapping[float, str],
    colours: Colours,
    frame: Frame,
    wide: float,
) -> Iterator[str]:
    """The numbers of one row, light where the cell is dark."""
    for column, value in enumerate(values):
        if value is not None:
            ink = ' class="to"' if abs(colours.step(value)) > _LIGHT * STEPS else ""
            x = px(frame.left + wide * (column + 0.5))
            yield f'<tspan{ink} x="{x}">{escape(written[value])}</tspan>'

"""Shares in bins as filled steps that show one another through; controls as steps without fill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from geometric_invariants.reports.drawing.frame import Frame, path, px
from geometric_invariants.reports.drawing.limits import Limits, is_named, places, shown
from geometric_invariants.reports.drawing.palette import classes
from geometric_invariants.reports.drawing.scales import span
from geometric_invariants.reports.exhibits import Figure


def extent(drawn: Figure) -> Limits:
    is_log, numbers = "y" in drawn.log, shown(drawn)
    high = span(numbers if is_log or not numbers else [0.0, *numbers], is_log=is_log)
    edges = [*places(drawn), *([] if is_named(drawn) else drawn.marks.values())]
    across = None if is_named(drawn) else span(edges, is_log="x" in drawn.log)
    return Limits(across, high)


def draw(drawn: Figure, frame: Frame) -> list[str]:
    styles = classes(drawn.series)
    edges = [frame.across(place) for place in places(drawn)]
    return [
        path(f"a {styles[name]}", _steps(frame, edges, values))
        for name, values in drawn.series.items()
    ]


def _steps(
    frame: Frame, edges: Sequence[float | None], values: Sequence[float | None]
) -> Iterator[str]:
    """The outline over the bins, down to the floor wherever a bin holds nothing that is drawn."""
    foot, before = px(frame.floor()), None
    for left, right, value in zip(edges, edges[1:], values, strict=False):
        down = None if value is None else frame.down(value)
        at = None if down is None or left is None or right is None else px(down)
        if at is None or right is None or left is None:
            yield "" if before is None else f"V{foot}"
            before = None
            continue
        if before is None:
            yield f"M{px(left)} {foot}"
        yield f"{'' if before == at else f'V{at}'}H{px(right)}"
        before = at
    yield "" if before is None else f"V{foot}"

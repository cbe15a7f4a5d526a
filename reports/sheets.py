"""All figures of a model as a sheet, grouped by claim; those of one title on one scale.

A figure whose numbers would be a mere dot on the common scale has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geometric_invariants.reports.anchors import anchor
from geometric_invariants.reports.drawing import Limits, extent, legible, together
from geometric_invariants.reports.exhibits import Figure
from geometric_invariants.reports.results import Measurement, Results

_Subject = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure, the id at which the page shows it, and the limits that it shares."""

    id: str
    figure: Figure
    limits: Limits


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one cell."""

    measurement: Measurement
    drawn: tuple[Drawn, ...]

    @property
    def count(self) -> int:
        return len(self.drawn)


def sheets(results: Results) -> dict[str, list[Group]]:
    """For each model that has figures its groups, in the order of the claims in the results."""
    limits = _limits(results)
    found: dict[str, list[Group]] = {}
    for m in results.measurements:
        if m.figures:
            drawn = tuple(
                Drawn(
                    figure_id(m, index),
                    figure,
                    legible(extent(figure), limits[_subject(m, figure)], figure.log),
                )
                for index, figure in enumerate(m.figures)
            )
            found.setdefault(m.model, []).append(Group(m, drawn))
    return found


def figure_id(measurement: Measurement, index: int) -> str:
    """Where the page shows the cell's figure of that index."""
    return anchor(measurement.model, measurement.claim, index)


def _limits(results: Results) -> dict[_Subject, Limits]:
    """What all figures of one subject need together."""
    extents: dict[_Subject, list[Limits]] = {}
    for m, figure in _figures(results):
        extents.setdefault(_subject(m, figure), []).append(extent(figure))
    return {subject: together(found) for subject, found in extents.items()}


def _figures(results: Results) -> Iterator[tuple[Measurement, Figure]]:
    return ((m, figure) for m in results.measurements for figure in m.figures)


def _subject(measurement: Measurement, figure: Figure) -> _Subject:
    return measurement.claim, figure.title, figure.kind, figure.log

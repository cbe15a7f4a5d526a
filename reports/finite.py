"""Numbers that are none (NaN, infinite) are taken out of a Measurement, and it says so."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping

from geometric_invariants.reports.decoding import is_number
from geometric_invariants.reports.exhibits import Cell, Figure, Table
from geometric_invariants.reports.results import (
    Band,
    Measurement,
    Provenance,
    Reference,
    Tolerance,
    Value,
)

_IS_NONE = "is not a number"


def finite(measurement: Measurement) -> Measurement:
    """The measurement without NaN, infinite numbers and numbers beyond ±1e300.

    Where the value or its interval is none, the verdict is "error" and there is no value. Whatever
    else is taken out (controls, parts, points of figures, costs) is named in a note.
    """
    m, sieve = _without_value_that_is_none(measurement), _Sieve()
    random = sieve.references("random weights:", () if m.random is None else (m.random,))
    cleaned = dataclasses.replace(
        m,
        band=None if m.band is None else _band(m.band, sieve),
        margin=sieve.number("the margin", m.margin),
        controls=sieve.references("control", m.controls),
        related=sieve.references("beside it:", m.related),
        random=random[0] if random else None,
        parts=sieve.mapping("part", m.parts),
        part_noise=sieve.number("the noise of parts", m.part_noise) or 0.0,
        figures=tuple(_figure(drawn, sieve) for drawn in m.figures),
        tables=tuple(_table(table, sieve) for table in m.tables),
        tolerance=_tolerance(m.tolerance, sieve),
        provenance=_provenance(m.provenance, sieve),
    )
    return dataclasses.replace(cleaned, notes=m.notes + sieve.notes)


class _Sieve:
    """Lets numbers through, and keeps the names of what is none."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{name} {_IS_NONE}" for name in self._names)

    def number(self, name: str, number: float | None) -> float | None:
        """The number, else None."""
        if number is None or is_number(number):
            return number
        self._names[name] = None
        return None

    def mapping(self, kind: str, named: Mapping[str, float]) -> dict[str, float]:
        """Those entries that are numbers."""
        kept = {name: self.number(f"{kind} {name}", number) for name, number in named.items()}
        return {name: number for name, number in kept.items() if number is not None}

    def references(self, kind: str, references: Iterable[Reference]) -> tuple[Reference, ...]:
        """Those whose value and interval are numbers."""
        kept = []
        for reference in references:
            if _is_finite(reference.value):
                kept.append(reference)
            else:
                self._names[f"{kind} {reference.name}"] = None
        return tuple(kept)


def _is_finite(value: Value) -> bool:
    return all(map(is_number, (value.value, value.low, value.high)))


def _without_value_that_is_none(m: Measurement) -> Measurement:
    if m.value is None or _is_finite(m.value):
        return m
    what = "the value's interval" if is_number(m.value.value) else "the value"
    where = f" ({m.worst_part})" if m.worst_part else ""
    return dataclasses.replace(
        m,
        verdict="error",
        value=None,
        margin=None,
        worst_part=None,
        message=f"{what} {_IS_NONE}{where}",
    )


def _band(band: Band, sieve: _Sieve) -> Band | None:
    """An infinite edge is no edge; a band with an edge that is NaN is no band."""
    if any(edge is not None and math.isnan(edge) for edge in band):
        sieve.number("an edge of the band", math.nan)
        return None
    low, high = (edge if edge is not None and is_number(edge) else None for edge in band)
    return low, high


def _figure(drawn: Figure, sieve: _Sieve) -> Figure:
    """Points that are none become gaps, places without one their text."""
    name = f'a number of the figure "{drawn.title}"'

    def place(x: float | str) -> float | str:
        return x if isinstance(x, str) or sieve.number(name, x) is not None else str(x)

    return dataclasses.replace(
        drawn,
        x=tuple(map(place, drawn.x)),
        series={key: tuple(sieve.number(name, v) for v in vs) for key, vs in drawn.series.items()},
        marks=sieve.mapping(f'in the figure "{drawn.title}"', drawn.marks),
        levels=sieve.mapping(f'in the figure "{drawn.title}"', drawn.levels),
        spread={
            key: tuple(sieve.number(name, v) or 0.0 for v in vs) for key, vs in drawn.spread.items()
        },
    )


def _table(table: Table, sieve: _Sieve) -> Table:
    """Cells that are none become empty."""
    name = f'a number of the table "{table.title}"'

    def cell(content: Cell) -> Cell:
        return content if isinstance(content, str) else sieve.number(name, content)

    rows = {label: tuple(map(cell, cells)) for label, cells in table.rows.items()}
    return dataclasses.replace(table, rows=rows)


def _tolerance(tolerance: Tolerance, sieve: _Sieve) -> Tolerance:
    return dataclasses.replace(
        tolerance,
        absolute=sieve.number("the tolerance", tolerance.absolute) or 0.0,
        relative=sieve.number("the tolerance", tolerance.relative) or 0.0,
        rounding=sieve.number("the tolerance", tolerance.rounding) or 0.0,
    )


def _provenance(provenance: Provenance, sieve: _Sieve) -> Provenance:
    return dataclasses.replace(
        provenance,
        seconds=sieve.number("the time taken", provenance.seconds) or 0.0,
        load_seconds=sieve.number("the time since opening", provenance.load_seconds) or 0.0,
    )

"""Tables as a terminal shows them, and tables and figures as a results file for the page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from geometric_invariants.fixtures.model import Model
from geometric_invariants.reports.exhibits import Cell, Figure, Table
from geometric_invariants.reports.files import write_results
from geometric_invariants.reports.results import Measurement, Provenance, Results, Value

_LONGEST = 60


def lines(shown: Table) -> list[str]:
    """A table in columns as wide as they must be, its title and meaning above."""
    head = ("", *shown.columns)
    cells = [(name, *map(_text, row)) for name, row in shown.rows.items()]
    widths = [max(len(row[i]) for row in (head, *cells)) for i in range(len(head))]
    meaning = f" ({shown.meaning})" if shown.meaning else ""
    body = (
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *cells)
    )
    return [f"{shown.title}{meaning}", *(f"  {line}" for line in body)]


def print_tables(tables: Iterable[Table]) -> None:
    """Every table, an empty line after each."""
    for shown in tables:
        print("\n".join(lines(shown)), end="\n\n")


def write_shown(
    file: Path,
    model: Model,
    command: str,
    value: tuple[str, float],
    tables: Iterable[Table],
    figures: Iterable[Figure],
    notes: Iterable[str] = (),
) -> None:
    """A results file of one cell, named for the command, that `python -m reports render` draws.

    `value` is the cell's headline: what it is, and its number.
    """
    meaning, number = value
    cell = Measurement(
        model=model.id,
        claim=command,
        verdict="measured",
        title=command,
        statement=meaning,
        source=f"python -m invariants {command}",
        value=Value(number, number, number),
        design=meaning,
        tables=tuple(tables),
        figures=tuple(figures),
        notes=tuple(notes),
        provenance=Provenance(
            checkpoint=model.checkpoint.sha256(),
            location=str(model.checkpoint.location),
            dtype=model.dtype,
            device=str(model.device),
        ),
    )
    write_results(Results((cell,)), file)


def _text(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell if len(cell) <= _LONGEST else f"{cell[: _LONGEST - 1]}…"
    return f"{cell:.0f}" if cell == round(cell) and abs(cell) >= 10 else f"{cell:.4g}"

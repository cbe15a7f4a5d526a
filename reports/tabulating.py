"""A table's cells as text: numbers of a column with the same decimals, as many as they need."""

from __future__ import annotations

import math
from collections.abc import Sequence

from geometric_invariants.reports.exhibits import Cell, Table

_DIGITS = 4
_MOST_DECIMALS = 6
_LARGEST = 1e9


def written(table: Table) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Each row's name and cells: (text, whether it is a number)."""
    columns = [column(cells) for cells in zip(*table.rows.values(), strict=True)]
    rows = zip(*columns, strict=True) if columns else ([] for _ in table.rows)
    return [
        (name, [(shown, not isinstance(cell, str)) for shown, cell in zip(row, cells, strict=True)])
        for (name, cells), row in zip(table.rows.items(), rows, strict=True)
    ]


def column(cells: Sequence[Cell]) -> list[str]:
    """The cells of one column: words as they are, a dash for none, numbers aligned."""
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    decimals = _decimals(numbers)
    return ["–" if c is None else c if isinstance(c, str) else _number(c, decimals) for c in cells]


def _decimals(numbers: Sequence[float]) -> int:
    """None among whole numbers, else what gives the largest four digits."""
    if all(float(number).is_integer() for number in numbers):
        return 0
    largest = max(map(abs, numbers))
    return min(_MOST_DECIMALS, max(0, _DIGITS - 1 - math.floor(math.log10(largest))))


def _number(number: float, decimals: int) -> str:
    """With these decimals; in digits of its own where they would leave fewer than two of them."""
    if abs(number) >= _LARGEST:
        return f"{number:.{_DIGITS}g}"
    if not float(number).is_integer() and abs(number) < 10.0 ** (1 - decimals):
        return f"{number:.3g}"
    return f"{number:,.{decimals}f}"

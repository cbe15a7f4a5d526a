"""What a measurement shows besides its value: figures and tables, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["lines", "bars", "histogram", "points", "heatmap", "boxes"]
Cell = float | str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """Numbers to draw: `series` over `x`.

    | kind      | x                      | series                                                 |
    |-----------|------------------------|--------------------------------------------------------|
    | lines     | numbers or labels      | a value per x, with `spread` as much above as below    |
    | bars      | labels                 | a value per label, side by side                        |
    | histogram | n + 1 edges of bins    | n shares                                               |
    | points    | numbers                | a value per x                                          |
    | heatmap   | columns                | a row each                                             |
    | boxes     | labels                 | lowest, lower quartile, median, upper quartile, highest |

    Labels of axes name the quantity and its unit. `log` names the axes with a logarithmic scale.
    `marks` are named places on x, `levels` on y. None is a gap. Raises ValueError for the spread
    of no series.
    """

    title: str
    kind: Kind
    x: tuple[float | str, ...]
    series: Mapping[str, tuple[float | None, ...]]
    marks: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    levels: Mapping[str, float] = field(default_factory=dict)
    x_label: str = ""
    y_label: str = ""
    log: Literal["", "x", "y", "xy"] = ""

    def __post_init__(self) -> None:
        for name in self.spread:
            if name not in self.series:
                raise ValueError(f"the spread of {name!r}, which is no series")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers or words under named columns; None is an empty cell.

    Raises ValueError for a row that has not as many cells as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[Cell, ...]]
    meaning: str = ""

    def __post_init__(self) -> None:
        for name, cells in self.rows.items():
            if len(cells) != len(self.columns):
                raise ValueError(
                    f"the row {name!r} of the table {self.title!r} has {len(cells)} cells under"
                    f" {len(self.columns)} columns"
                )

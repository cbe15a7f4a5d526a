"""Matrices in groups: by stack and role, and as lines over a stack's layers."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping

from geometric_invariants.fixtures.architecture.roles import Role, Weight
from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.invariants.drawn import Log, rounded
from geometric_invariants.invariants.quantities.groups import line_of, of_matrices
from geometric_invariants.reports.exhibits import Figure

_TABLES: tuple[Role, ...] = (
    *("embedding", "head", "position_bias", "position_embedding"),
    "table",
)


def is_table(weight: Weight) -> bool:
    """Whether it is looked up or compared with by row, instead of multiplied by."""
    return weight.role in _TABLES


def kind_of(weight: Weight) -> str:
    """self_attn, cross_attn, mlp, or the role itself."""
    kind = weight.role.rpartition("_")[0]
    return kind if kind in {"self_attn", "cross_attn", "mlp"} else weight.role


def shape(row: MatrixRow) -> tuple[int, int]:
    """Rows and columns of a matrix."""
    rows, columns = row.weight.shape
    return rows, columns


def by_role(rows: Iterable[MatrixRow]) -> dict[str, list[MatrixRow]]:
    """Rows by "stack role", experts' by "stack role, experts", in the order of layers."""
    groups: dict[str, list[MatrixRow]] = {}
    for row in rows:
        groups.setdefault(f"{row.weight.stack} {line_of(row.weight)}", []).append(row)
    return groups


def by_layer(
    title: str,
    rows: Iterable[MatrixRow],
    value: Callable[[MatrixRow], float],
    *,
    y_label: str,
    levels: Mapping[str, float],
    log: Log = "",
) -> tuple[Figure, ...]:
    """A figure per stack, of a line per role: a value of its matrix, or their mean, by layer.

    Experts have lines of their own, of the median over a layer's.
    """
    placed = (
        (group.rows[0].weight, line_of(group.rows[0].weight), group.median(value))
        for group in of_matrices(rows)
    )
    return lines_by_layer(title, placed, statistics.fmean, y_label=y_label, levels=levels, log=log)


def lines_by_layer(
    title: str,
    placed: Iterable[tuple[Weight, str, float]],
    together: Callable[[list[float]], float],
    *,
    y_label: str,
    levels: Mapping[str, float],
    log: Log = "",
) -> tuple[Figure, ...]:
    """A figure per stack from weights, the line that each counts to, and its value.

    Values of one line and layer are taken `together`; a weight of no layer is in no figure.
    """
    stacks: dict[str, dict[str, dict[int, list[float]]]] = {}
    for weight, name, value in placed:
        if weight.layer is not None:
            line = stacks.setdefault(weight.stack, {}).setdefault(name, {})
            line.setdefault(weight.layer, []).append(value)
    figures = []
    for stack, lines in stacks.items():
        layers = sorted({layer for found in lines.values() for layer in found})
        figures.append(
            Figure(
                f"{title}, {stack}",
                "lines",
                tuple(map(float, layers)),
                {name: _line(found, layers, together) for name, found in lines.items()},
                levels={name: rounded([level])[0] for name, level in levels.items()},
                x_label="layer",
                y_label=y_label,
                log=log,
            )
        )
    return tuple(figures)


def _line(
    line: dict[int, list[float]], layers: list[int], together: Callable[[list[float]], float]
) -> tuple[float | None, ...]:
    return tuple(rounded([together(line[layer])])[0] if layer in line else None for layer in layers)

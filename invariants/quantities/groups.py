"""Rows of a survey as a claim counts them: a matrix by itself, the experts of a layer together.

Experts outnumber a layer's other matrices a hundredfold. Where the value is a median over matrices,
a layer's experts of one role and shape count as one, by the median over them, so that the value is
not theirs alone; where it is a share (of entries, of neurons) every entry and neuron counts once,
experts' too, and the share without them stands beside it. By layer a part has their median or share
as a whole, a table how far they differ and which of them is the least and the greatest.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.survey_rows import MatrixRow, NeuronRow
from geometric_invariants.invariants.drawn import table
from geometric_invariants.reports.exhibits import Table

Row = TypeVar("Row", bound=MatrixRow | NeuronRow)
_COLUMNS = (
    *("experts", "median", "std", "least", "lower quartile", "upper quartile", "greatest"),
    *("expert of the least", "expert of the greatest"),
)


@dataclass(frozen=True, slots=True)
class Group(Generic[Row]):
    """One row, or the rows of a layer's experts of one role and shape; no two have one label."""

    label: str
    rows: tuple[Row, ...]
    of_experts: bool

    def median(self, value: Callable[[Row], float]) -> float:
        """The row's value, or the median over the experts."""
        return statistics.median(map(value, self.rows))


def of_matrices(rows: Iterable[MatrixRow]) -> list[Group[MatrixRow]]:
    """Matrices by "decoder layer 3 mlp_up", experts' by "decoder layer 3 experts mlp_up"; those of
    no layer by the tensor's name, without what a model's class puts before it.
    """

    def label(row: MatrixRow) -> str:
        weight = row.weight
        if weight.expert is not None:
            return f"{_place(weight.stack, weight.layer)} experts {weight.role}"
        if weight.layer is None:
            return ".".join(weight.tensor.split(".")[-3:])
        return weight.label

    def kind(row: MatrixRow) -> Hashable:
        weight = row.weight
        if weight.expert is None:
            return id(row)
        return weight.stack, weight.layer, weight.role, weight.shape

    return _grouped(rows, label, kind, lambda row: (row.weight.tensor, row.weight.expert))


def of_neurons(rows: Iterable[NeuronRow]) -> list[Group[NeuronRow]]:
    """MLPs by "decoder layer 3", experts' by "decoder layer 3 experts"."""

    def label(row: NeuronRow) -> str:
        place = _place(row.stack, row.layer)
        return place if row.expert is None else f"{place} experts"

    def kind(row: NeuronRow) -> Hashable:
        return id(row) if row.expert is None else (row.stack, row.layer, row.summary.neurons)

    return _grouped(rows, label, kind, lambda row: (row.tensor, row.expert))


def line_of(weight: Weight) -> str:
    """What stands for a weight's role where roles are told apart: experts have one of their own."""
    return weight.role if weight.expert is None else f"{weight.role}, experts"


def without_experts(rows: Iterable[MatrixRow]) -> list[MatrixRow]:
    """Rows of what every token meets."""
    return [row for row in rows if row.weight.expert is None]


def told_apart(labels: Sequence[str], further: Sequence[str], *, number: bool = True) -> list[str]:
    """The labels, each with what `further` says of it where several are alike; then by number.

    >>> told_apart(["a", "b", "b"], ["x", "y", "z"])
    ['a', 'b, y', 'b, z']
    """
    alike = Counter(labels)
    longer = [f"{a}, {b}" if alike[a] > 1 else a for a, b in zip(labels, further, strict=True)]
    if not number:
        return longer
    alike, seen = Counter(longer), Counter[str]()
    found = []
    for label in longer:
        seen[label] += 1
        found.append(f"{label}, {seen[label]}" if alike[label] > 1 else label)
    return found


def experts_by_layer(
    title: str, groups: Iterable[Group[Row]], value: Callable[[Row], float], meaning: str
) -> tuple[Table, ...]:
    """How a value differs among the experts of each layer; no table where there are none."""
    rows = {g.label: _cells(g, value) for g in groups if g.of_experts}
    return (table(title, _COLUMNS, rows, meaning),) if rows else ()


def _cells(group: Group[Row], value: Callable[[Row], float]) -> tuple[float, ...]:
    values: list[tuple[float, int]] = [(value(row), _expert(row)) for row in group.rows]
    numbers = [number for number, _ in values]
    return (
        len(values),
        statistics.median(numbers),
        statistics.pstdev(numbers),
        *np.quantile(numbers, (0, 0.25, 0.75, 1)).tolist(),
        *(min(values)[1], max(values)[1]),
    )


def _expert(row: MatrixRow | NeuronRow) -> int:
    expert = row.weight.expert if isinstance(row, MatrixRow) else row.expert
    assert expert is not None
    return expert


def _grouped(
    rows: Iterable[Row],
    label: Callable[[Row], str],
    kind: Callable[[Row], Hashable],
    stored: Callable[[Row], tuple[str, int | None]],
) -> list[Group[Row]]:
    """In the order of first rows. Two groups of one label are told apart by the first's tensor."""
    members: dict[Hashable, list[Row]] = {}
    for row in rows:
        members.setdefault(kind(row), []).append(row)
    found = list(members.values())
    labels = told_apart([label(rows[0]) for rows in found], [stored(rows[0])[0] for rows in found])
    return [
        Group(name, tuple(rows), stored(rows[0])[1] is not None)
        for name, rows in zip(labels, found, strict=True)
    ]


def _place(stack: str, layer: int | None) -> str:
    return stack if layer is None else f"{stack} layer {layer}"

"""How far each tensor lies from a baseline's: sketches of all parameters, for the gate."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from operator import mul
from typing import Literal

import torch

from geometric_invariants.fixtures.architecture import naming
from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_sketches import SketchRow
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.sketch import Free, signs
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.groups import told_apart
from geometric_invariants.reports.sketches import Sketches, TensorSketch, packed_sketches

_LEAST_BIAS = 0.01  # of its matrix's norm: what unit inputs through it outweigh a hundredfold


def weight_change(model: Model) -> Finding:
    """Share of the parameters that are sketched for a baseline.

    The sketches of all tensors go along, those of a layer's experts as one.
    """
    found = _placed(model)
    if not found:
        raise NotApplicableError("the checkpoint has no parameter")
    rows = [row.sketch for row in model.survey.sketches]
    numbers = sum(max(1, one.rows) * one.columns for one in rows)
    norm = math.hypot(*(one.norm for one in rows))
    return Finding(
        estimate=exact(numbers / model.parameters),
        design="parameters of the files",
        related=(
            Named("tensors", exact(len(found)), "a layer's experts of one role count as one"),
            Named("norm", exact(norm), "of all of them, Frobenius"),
        ),
        sketches=() if model.is_twin else _by_shape(model, found),
    )


def _placed(model: Model) -> dict[str, tuple[TensorSketch, SketchRow]]:
    """By place, which files of other formats share; by its name what has no role."""
    groups: dict[Hashable, list[SketchRow]] = defaultdict(list)
    for row in model.survey.sketches:
        groups[_group(row)].append(row)
    firsts = [rows[0] for rows in groups.values()]
    modules = [row.tensor.split(".")[-2:][0] for row in firsts]
    places = told_apart([_label(row) for row in firsts], modules)
    norms = {row.weight: row.sketch.norm for row in model.survey.sketches if not row.is_bias}
    return {
        place: (_summed(rows, norms), rows[0])
        for place, rows in zip(places, groups.values(), strict=True)
    }


def _group(row: SketchRow) -> Hashable:
    weight = row.weight
    if weight is None or weight.expert is None:
        return id(row)
    one = row.sketch
    return weight.stack, weight.layer, weight.role, row.is_bias, one.rows, one.columns, one.free


def _label(row: SketchRow) -> str:
    weight = row.weight
    if weight is None:
        return row.tensor
    label = replace(weight, expert=None).label
    experts = "" if weight.expert is None else " of experts"
    module = naming.within_layer(row.tensor).rpartition(".")[0] if _is_by_name(row) else ""
    return f"{label}{' bias' if row.is_bias else ''}{experts}{f', {module}' if module else ''}"


def _is_by_name(row: SketchRow) -> bool:
    """Whether only its name tells it from others: what has no role, and a layer's norms."""
    weight = row.weight
    return weight is None or (weight.role == "layernorm" and weight.layer is not None)


def _summed(rows: list[SketchRow], norms: Mapping[Weight | None, float]) -> TensorSketch:
    """Of a layer's experts the sum, each with a sign of its own, which tells of all their norms."""
    first = rows[0].sketch
    if len(rows) == 1:
        least = _LEAST_BIAS * norms.get(rows[0].weight, 0.0) if rows[0].is_bias else 0.0
        scale = max(first.norm, least)
        return TensorSketch(first.norm, scale, rows[0].error, first.products, first.sums)
    experts = [row.weight.expert or 0 for row in rows if row.weight is not None]
    drawn = signs(torch.tensor(experts)).tolist()

    def summed(numbers: Iterable[tuple[float, ...]]) -> tuple[float, ...]:
        return tuple(sum(map(mul, drawn, column)) for column in zip(*numbers, strict=True))

    norm = math.hypot(*(row.sketch.norm for row in rows))
    return TensorSketch(
        norm,
        norm,
        math.hypot(*(row.error for row in rows)),
        summed(row.sketch.products for row in rows),
        summed(row.sketch.sums for row in rows),
    )


def _by_shape(
    model: Model, found: dict[str, tuple[TensorSketch, SketchRow]]
) -> tuple[Sketches, ...]:
    alike: dict[_Kind, dict[str, TensorSketch]] = defaultdict(dict)
    for place, (one, row) in found.items():
        alike[_kind(model, row)][place] = one
    return tuple(
        Sketches(
            kind.rows,
            kind.columns,
            tuple(ones),
            packed_sketches(ones.values()),
            kind.free.side,
            kind.free.period,
            kind.encoding,
            kind.beside,
            kind.by_name,
        )
        for kind, ones in alike.items()
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """What the tensors of one `Sketches` have in common."""

    rows: int
    columns: int
    free: Free
    encoding: str
    beside: Literal["", "output", "task"]
    by_name: bool


def _kind(model: Model, row: SketchRow) -> _Kind:
    encoding = model.checkpoint.tensors[row.tensor].stored_as if row.error else ""
    one = row.sketch
    return _Kind(one.rows, one.columns, one.free, encoding, _beside(row), _is_by_name(row))


def _beside(row: SketchRow) -> Literal["", "output", "task"]:
    """Whether it stands outside all layers, where a task may replace it, or a file leave it out."""
    weight = row.weight
    if weight is None:
        return "" if naming.is_of_a_layer(row.tensor) else "task"
    if weight.layer is not None or "embedding" in weight.role:
        return ""
    if weight.role == "layernorm":
        return "output" if weight.stack == "shared" else ""
    return "output" if weight.role == "head" else "task"

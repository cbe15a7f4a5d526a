"""Whether a checkpoint is whole: what names, shapes and zeros tell (SPEC K1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator

from geometric_invariants.fixtures.architecture.completeness import completeness
from geometric_invariants.fixtures.architecture.naming import pattern
from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_zeros import ZeroRow
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Finding, Named

_SHOWN, _NAMED = 24, 3
_FEWEST, _RARE = 4, 4  # siblings, and of how many of them one may be blank


def lost_tensors(model: Model) -> Finding:
    """How many tensors are lost, mis-shaped or of no module, by the config's modules and layers."""
    found = completeness(model.checkpoint)
    lines = [fault.line for fault in found.faults]
    kinds = [fault.kind for fault in found.faults]
    rows = {fault.tensor: (fault.kind, fault.why) for fault in found.faults[:_SHOWN]}
    alone = () if found.by_tree else ("no modules of the config's type: layers told by each other",)
    return Finding(
        estimate=exact(len(lines), "names and shapes"),
        design="tensors that layers and the config's modules miss",
        related=tuple(
            Named(kind, exact(kinds.count(kind)), "tensors")
            for kind in ("lost", "mis-shaped", "unexpected")
        ),
        tables=(table("tensors at fault", ("kind", "why"), rows),) if rows else (),
        notes=(*alone, *found.doubts[:_SHOWN]),
        where=_listed(lines),
    )


def blank_weights(model: Model) -> Finding:
    """How many tensors, or runs of rows of 64 KiB, are exactly zero where their like are not.

    Like are tensors of one name but for numbers, four or more, of which at most a quarter is blank:
    what is zero in most layers is meant so.
    """
    blanks = list(_blanks(model))
    return Finding(
        estimate=exact(len(blanks), "exact zeros"),
        design="tensors and runs of rows of 64 KiB",
        where=_listed(blanks),
    )


def _blanks(model: Model) -> Iterator[str]:
    """A line for each, in the order of the files."""
    found = model.reading.zeros
    if not found:
        return
    siblings = Counter(_like(model, w.tensor, w) for w in model.layout.weights)
    siblings.update(_like(model, name, None) for name in model.layout.vectors)
    blank = Counter(_like(model, row.tensor, row.weight) for row in found)
    for row in found:
        like = _like(model, row.tensor, row.weight)
        if siblings[like] >= _FEWEST and blank[like] * _RARE <= siblings[like]:
            yield from _lines(row)


def _like(model: Model, tensor: str, weight: Weight | None) -> Hashable:
    """What a weight, or a tensor of no role, has in common with those of other layers."""
    if weight is None:
        return pattern(tensor), model.checkpoint.tensors[tensor].shape
    return pattern(tensor), weight.role, weight.stack, weight.shape


def _lines(row: ZeroRow) -> Iterator[str]:
    name = row.tensor if row.weight is None else f"{row.weight.label} ({row.tensor})"
    if not row.runs:
        yield f"{name} is zero"
    for first, last in row.runs:
        yield f"rows {first} – {last} of {name} are zero"


def _listed(lines: list[str]) -> str:
    more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    return "; ".join(lines[:_NAMED]) + more

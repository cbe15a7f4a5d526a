"""What an adapter changes of its base: norm and rank of the update of every tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.storage.adapters import AdaptedCheckpoint, Change
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.low_rank import numerical_rank, product_singular_values
from geometric_invariants.geometry.spectrum import stable_rank
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Named
from geometric_invariants.reports.exhibits import Table

_COLUMNS = ("form", "‖ΔW‖", "‖ΔW‖ / ‖W‖", "rank", "stable rank")
_MEANING = (
    "ΔW is what the adapter adds to the base's W (Frobenius norms), before the sum is rounded to"
    " the base's dtype; ranks are those of scale · B A"
)
_KEPT = "changes of the adapter"


@dataclass(frozen=True, slots=True)
class Update:
    """The change of one tensor, what it is called, and the ranks of a low-rank one."""

    label: str
    change: Change
    is_matrix: bool
    rank: int | None = None
    stable: float | None = None


def update(model: Model) -> tuple[Named, ...]:
    """‖ΔW‖ / ‖W‖ over all that an adapter changes; nothing for a model without one."""
    found = _updates(model)
    relative, matrices = _relative(found), sum(one.is_matrix for one in found)
    if relative is None:
        return ()
    meaning = (
        f"‖ΔW‖ / ‖W‖ over the {len(found)} tensors that it changes, {matrices} of them matrices"
    )
    return (Named("update of the adapter", exact(relative), meaning),)


def by_layer(model: Model) -> tuple[Table, ...]:
    """Norm and rank of the update of each matrix; vectors together."""
    found = _updates(model)
    if not found:
        return ()
    rows: dict[str, tuple[float | str | None, ...]] = {}
    for one in (one for one in found if one.is_matrix):
        norm, share = one.change.norm, _relative([one])
        rows[one.label] = (one.change.form, norm, share, one.rank, one.stable)
    vectors = [one for one in found if not one.is_matrix]
    if vectors:
        norm = math.hypot(*(one.change.norm for one in vectors))
        rows[f"{len(vectors)} vectors"] = ("together", norm, _relative(vectors), None, None)
    return (table("update of the adapter", _COLUMNS, rows, _MEANING),)


def _updates(model: Model) -> list[Update]:
    """The changes of a model's adapter, worked out once."""
    checkpoint = model.checkpoint
    if not isinstance(checkpoint, AdaptedCheckpoint):
        return []
    if _KEPT not in model.memory:
        labels = _labels(model)
        model.memory[_KEPT] = [
            _measured(checkpoint, name, labels.get(name, name)) for name in checkpoint.changed
        ]
    found: list[Update] = model.memory[_KEPT]
    return found


def _measured(checkpoint: AdaptedCheckpoint, name: str, label: str) -> Update:
    change, is_matrix = checkpoint.change(name), len(checkpoint.tensors[name].shape) > 1
    if change.factors is None:
        return Update(label, change, is_matrix)
    left, right = change.factors
    values = product_singular_values(left, right)
    rank = numerical_rank(values, (left.shape[0], right.shape[1]))
    return Update(label, change, is_matrix, rank, stable_rank(values))


def _labels(model: Model) -> dict[str, str]:
    """What the weights of each tensor do, one of several that are stored as one after the other."""
    labels: dict[str, list[str]] = {}
    for weight in model.layout.weights:
        name = weight.tensor if weight.role == "other" else weight.label
        labels.setdefault(weight.tensor, []).append(name)
    return {tensor: ", ".join(dict.fromkeys(names)) for tensor, names in labels.items()}


def _relative(updates: list[Update]) -> float | None:
    """‖ΔW‖ / ‖W‖ over all of them; None where the base holds nothing there."""
    base = math.hypot(*(one.change.base for one in updates))
    return math.hypot(*(one.change.norm for one in updates)) / base if base else None

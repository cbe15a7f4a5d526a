"""What became of a layer whose neurons do not belong to their partners: the likely kinds, tried."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.weight_reading import read_weight
from geometric_invariants.geometry.embedding import row_norms
from geometric_invariants.geometry.pairing import vector_pairing
from geometric_invariants.geometry.powers import Powers

_CLEAR = 8.0  # |z| at which partners have found each other
_MOST_OTHERS = 128  # layers whose partners are tried
_ROLLS = {2: "halves exchanged", 4: "moved by a quarter"}


def likely_fault(model: Model, into: Weight) -> str:
    """How a layer's up or gate rows come to have other partners, in words; "" where nothing tells.

    Reads the layer again, and where that does not tell, the down projections of other layers.
    """
    partners = list(_partners(model, into))
    own = [weight for weight in partners if _place(weight) == _place(into)]
    if len(own) != 1:
        return ""
    up = read_weight(model.checkpoint, into, model.device)
    down = read_weight(model.checkpoint, own[0], model.device)
    for name, one, other in _undone(up, down):
        if _belong(one, other):
            return name
    drawn = [w.role for w, matrix in ((into, up), (own[0], down)) if _looks_drawn(matrix)]
    for weight in partners[:_MOST_OTHERS]:
        if weight is not own[0] and _belong(up, read_weight(model.checkpoint, weight, up.device)):
            return f"they are those of {weight.label}"
    if drawn:
        return f"{' or '.join(drawn)} looks drawn afresh"
    return "in another order, or another model's"


def _partners(model: Model, into: Weight) -> Iterator[Weight]:
    """Down projections of this stack and shape."""
    rows, columns = into.shape
    for weight in model.layout.having("mlp_down"):
        if weight.stack == into.stack and weight.shape == (columns, rows):
            yield weight


def _place(weight: Weight) -> tuple[int | None, int | None, str]:
    return weight.layer, weight.expert, weight.module


def _undone(up: Tensor, down: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Faults by name, each with the two sides that it would have been made of."""
    neurons = len(up)
    for parts, name in _ROLLS.items():
        for step in (1, parts - 1):
            yield name, up.roll(step * neurons // parts, 0), down
    for step, late in ((-1, "one element late"), (1, "one element early")):
        yield late, _moved(up, step), down
        yield f"{late} in the down projection", up, _moved(down, step)
        yield "moved by one row", up.roll(step, 0), down
    if up.shape[0] == up.shape[1]:
        yield "transposed", up.mT, down


def _moved(matrix: Tensor, step: int) -> Tensor:
    return matrix.reshape(-1).roll(step).view(matrix.shape)


def _belong(up: Tensor, down: Tensor) -> bool:
    return vector_pairing(up, down.mT).magnitude.z > _CLEAR


def _looks_drawn(matrix: Tensor) -> bool:
    """Whether entries are Gaussian of one std, by fourth moment and the spread of rows' norms."""
    kurtosis, norms = Powers.of(matrix).kurtosis, row_norms(matrix)
    even = norms.std() < 1.5 * norms.mean() / math.sqrt(2 * matrix.shape[1])
    return bool(even) and abs(kurtosis - 3) < 0.02 + 5 * math.sqrt(24 / matrix.numel())

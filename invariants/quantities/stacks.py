"""Which rows of a survey a claim is about, where a model holds several networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from geometric_invariants.fixtures.model import Model

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Stacks(Generic[Row]):
    """Rows of the judged stack, and those of others (a CLIP's text tower), which are shown apart.

    `apart` is empty where a model is one network, whatever its stacks.
    """

    judged: list[Row]
    apart: dict[str, list[Row]]

    @property
    def all(self) -> list[Row]:
        return [*self.judged, *(row for rows in self.apart.values() for row in rows)]


def by_stack(model: Model, rows: Iterable[Row], stack: Callable[[Row], str]) -> Stacks[Row]:
    """Rows of a survey, told apart by `Layout.judged_stack`; `stack` names a row's own.

    All are judged where the checkpoint holds nothing of that stack: one tower, stored alone.
    """
    only = model.layout.judged_stack
    whole = all(weight.stack != only for weight in model.layout.weights)
    judged: list[Row] = []
    apart: dict[str, list[Row]] = {}
    for row in rows:
        if whole or stack(row) == only:
            judged.append(row)
        else:
            apart.setdefault(stack(row), []).append(row)
    return Stacks(judged, apart)

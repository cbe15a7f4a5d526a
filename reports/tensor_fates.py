"""What became of a tensor, where its sketch leaves no doubt: transposed, moved, scaled, exchanged.

The sketch of a transposed matrix is its sketch transposed, that of a matrix moved by a row or by an
element its sketch so moved, but for the edge. A fate is told where it explains all but a quarter of
the change: of 16 numbers that have nothing in common, one in ten million pairs comes so near.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import mul

from geometric_invariants.reports.sketches import SHIFTS, Sketches, TensorSketch

_FEWEST = 4 * SHIFTS  # entries along a side: of fewer, shifted signs are too much alike
_LEFT = 0.25  # of a change, unexplained
_UNLIKE = 2.0  # standard deviations of a correlation
_CLOSE = 0.02  # of a factor to −1
_PLACES = [(a, b) for a in range(SHIFTS) for b in range(SHIFTS) if a != b]
_KEPT = frozenset(_PLACES)
Products = tuple[float, ...]
_Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Fate:
    """A kind, to count by, and the words for one tensor; both empty where nothing is sure.

    `explains`: it says what the tensor holds now, so that no permutation of its rows does.
    """

    kind: str = ""
    text: str = ""
    explains: bool = True


NO_FATE = Fate(explains=False)


def fate(
    kind: Sketches, old: TensorSketch, new: TensorSketch, others: Iterable[tuple[str, TensorSketch]]
) -> Fate:
    """What became of a tensor; `others` are further ones of its shape, as they were, by place."""
    if new.norm == 0:
        return Fate("all zeros", "all zeros")
    if old.norm == 0:
        return Fate("of zeros", "where all was zero")
    if min(kind.columns, kind.rows or kind.columns) < _FEWEST:
        return NO_FATE
    change, _ = spread(kind, old.products, new.products)
    for name, before, after in _moves(kind, old.products, new.products):
        if before and math.dist(before, after) / math.sqrt(len(before)) <= _LEFT * change:
            return Fate(name, name)
    for place, other in others:
        if other.norm and spread(kind, other.products, new.products)[0] <= _LEFT * change:
            return Fate("exchanged or copied", f"it holds what {place} held")
    return _beside(kind, old, new, change)


def _beside(kind: Sketches, old: TensorSketch, new: TensorSketch, change: float) -> Fate:
    """Whether it is the same but for a factor, or has nothing in common with it."""
    before, after = (_compared(kind, one) for one in (old.products, new.products))
    both, own, other = sum(map(mul, before, after)), math.hypot(*before), math.hypot(*after)
    if not own or not other:
        return NO_FATE
    factor, root = both / own**2, math.sqrt(len(before))
    left = math.dist([factor * number for number in before], after)
    if left <= _LEFT * min(change * root, other):
        if abs(factor + 1) < _CLOSE:
            return Fate("sign flipped", "sign flipped")
        return Fate("scaled", f"scaled by {factor:.3g}")
    if change > old.norm and abs(both) < _UNLIKE / root * own * other:
        return Fate(
            "unlike what they were", "it has nothing in common with what it was", explains=False
        )
    return NO_FATE


def spread(kind: Sketches, old: Products, new: Products) -> tuple[float, int]:
    """The root mean square of the differences of products, and of how many.

    Not of those with one row of signs for both sides, in which a trace counts many times.
    """
    before, after = _compared(kind, old), _compared(kind, new)
    return math.dist(before, after) / math.sqrt(len(before)), len(before)


def _compared(kind: Sketches, products: Products) -> Products:
    if kind.is_vector:
        return products
    return tuple(products[SHIFTS * a + b] for a, b in _PLACES)


def _moves(
    kind: Sketches, old: Products, new: Products
) -> Iterator[tuple[str, Products, Products]]:
    """By name, products of the moved old tensor beside those of the new one."""
    if kind.is_vector:
        if not kind.free:
            yield "moved by one", old[1:], new[:-1]
            yield "moved by one", old[:-1], new[1:]
        return
    if kind.rows == kind.columns:
        yield "transposed", *_pairs(old, new, [((b, a), (a, b)) for a, b in _PLACES])
    for step in (1, -1):
        yield "moved by a row", *_pairs(old, new, [((a + step, b), (a, b)) for a, b in _PLACES])
        yield (
            "moved by an element",
            *_pairs(old, new, [((a, b + step), (a, b)) for a, b in _PLACES]),
        )


def _pairs(
    old: Products, new: Products, places: Iterable[tuple[_Place, _Place]]
) -> tuple[Products, Products]:
    """What stood at one place beside what stands at the other, where both are compared."""
    kept = [(x, y) for x, y in places if x in _KEPT]
    return tuple(old[SHIFTS * a + b] for (a, b), _ in kept), tuple(
        new[SHIFTS * a + b] for _, (a, b) in kept
    )

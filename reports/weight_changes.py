"""How far did each tensor move, as a share of its norm? Estimated from two sketches.

Where the order of neurons or heads is free, products of all entries with signs and sums over that
side both estimate it, and the smaller counts: a consistent permutation moves the first alone, an
offset that all neurons share counts many times in the second. Where it is plain what became of a
tensor, it was no permutation, and the first counts. The difference of the norms is a lower bound
without noise. Tensors that are stored in another encoding may lie as much farther apart as rounding
explains; vectors half as far apart as matrices, or by 0.015 less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from geometric_invariants.reports.results import Tolerance
from geometric_invariants.reports.sketches import Sketches, TensorSketch
from geometric_invariants.reports.tensor_fates import NO_FATE, Fate, fate, spread

_OF_VECTORS, _MOST_LESS = 0.5, 0.015  # of a tolerance, and less than it by at most


@dataclass(slots=True)
class WeightChanges:
    """One line if tensors moved, one for each that is gone, and that was not judged."""

    moved: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor's sketch with its place, and what it has in common with others of its shape."""

    place: str
    one: TensorSketch
    kind: Sketches


@dataclass(frozen=True, slots=True)
class Estimate:
    """‖W' − W‖ over what it is held against, and one standard deviation of it."""

    value: float
    noise: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """How far a tensor moved, and may; a standard deviation of the estimate is granted too."""

    place: str
    scale: float
    estimate: Estimate
    allowed: float
    fate: Fate

    @property
    def excess(self) -> float:
        """What it moved by, over what it may; at most 1 where it is within."""
        least = self.estimate.value - self.estimate.noise
        return least / self.allowed if self.allowed else math.inf * (least > 0)


def compare(
    old: Iterable[Sketches], new: Iterable[Sketches], tolerance: Tolerance
) -> WeightChanges:
    """Every tensor of the baseline with that of the same place; new ones with nothing."""
    before, after = _by_place(old), _by_place(new)
    found, changes, renamed = WeightChanges(), [], _are_renamed(before, after)
    for place, one in before.items():
        other = after.get(place)
        if other is None:
            is_missed = not (one.kind.beside or (one.kind.by_name and renamed))
            lines = found.gone if is_missed else found.uncompared
            lines.append(f"{place} of the baseline is gone")
        elif one.kind.shape != other.kind.shape:
            shapes = " → ".join(each.kind.shape_in_words for each in (one, other))
            found.uncompared.append(f"{place}: {shapes}, its change was not estimated")
        elif one.kind.beside == "task":
            found.uncompared += _of_a_task(change(one, other, before, tolerance))
        else:
            changes.append(change(one, other, before, tolerance))
    if any(one.excess > 1 for one in changes):
        found.moved.append(_line(changes))
    return found


def excess(old: Iterable[Sketches], new: Iterable[Sketches], tolerance: Tolerance) -> float:
    """The most that a tensor of both moved, over what it may; 0 where nothing was compared."""
    before, after = _by_place(old), _by_place(new)
    both = ((one, after[place]) for place, one in before.items() if place in after)
    return max(
        (
            change(one, other, before, tolerance).excess
            for one, other in both
            if one.kind.shape == other.kind.shape and one.kind.beside != "task"
        ),
        default=0.0,
    )


def change(old: Placed, new: Placed, before: Mapping[str, Placed], tolerance: Tolerance) -> Change:
    """How far two tensors of one shape lie apart; `before` are all of the baseline's, by place."""
    scale, allowed = old.one.scale, tolerance.absolute + tolerance.relative
    if old.kind.is_vector:
        allowed = max(_OF_VECTORS * allowed, allowed - _MOST_LESS)
    if old.kind.encoding != new.kind.encoding and scale:
        allowed += tolerance.rounding * math.hypot(old.one.error, new.one.error) / scale
    by_products = _estimate(*spread(old.kind, old.one.products, new.one.products), scale)
    fate_of = _fate(old, new, before) if by_products.value > allowed else NO_FATE
    found = [by_products]
    if not fate_of.explains and old.one.sums and old.kind.order == new.kind.order:
        sums = math.dist(old.one.sums, new.one.sums) / math.sqrt(len(old.one.sums))
        found.append(_estimate(sums, len(old.one.sums), scale))
    least = _estimate(abs(new.one.norm - old.one.norm), None, scale)
    estimate = max(min(found, key=_value), least, key=_value)
    return Change(old.place, scale, estimate, allowed, fate_of)


def _value(estimate: Estimate) -> float:
    return estimate.value


def _estimate(size: float, numbers: int | None, scale: float) -> Estimate:
    """A root mean square of so many numbers, or an exact size, over a scale."""
    if scale == 0:
        return Estimate(math.inf if size else 0.0)
    return Estimate(size / scale, size / scale / math.sqrt(2 * numbers) if numbers else 0.0)


def _fate(old: Placed, new: Placed, before: Mapping[str, Placed]) -> Fate:
    others = (
        (place, other.one)
        for place, other in before.items()
        if place != old.place and other.kind.shape == new.kind.shape
    )
    return fate(new.kind, old.one, new.one, others)


def _by_place(sketches: Iterable[Sketches]) -> dict[str, Placed]:
    return {place: Placed(place, one, kind) for kind in sketches for place, one in kind.tensors()}


def _are_renamed(before: Mapping[str, Placed], after: Mapping[str, Placed]) -> bool:
    """Whether no place that holds a name is in both: files of two formats."""
    return not any(one.kind.by_name and place in after for place, one in before.items())


def _of_a_task(one: Change) -> list[str]:
    """A remark where what a task replaces was replaced."""
    if one.excess <= 1:
        return []
    return [f"{one.place}, which a task replaces, changed by {one.estimate.value:.2g} of its norm"]


def _line(changes: list[Change]) -> str:
    """The tensor that moved farthest beyond its tolerance, and how many more did."""
    worst, *more = sorted((one for one in changes if one.excess > 1), key=lambda one: -one.excess)
    noise = f" ± {worst.estimate.noise:.2g}" if worst.estimate.noise else ""
    line = f"{worst.place} changed by {worst.estimate.value:.2g}{noise} of its norm"
    line += f", {worst.fate.text}" if worst.fate.text else ""
    line += f"; tolerance {worst.allowed:.2g}"
    if more:
        line += f"; so did {len(more)} more of {len(changes)} tensors{_counted(more)}"
    return f"{line}; all weights together by {_together(changes):.2g}"


def _counted(changes: list[Change]) -> str:
    """How many of them met the same fate, in brackets."""
    counts = Counter(one.fate.kind for one in changes if one.fate.kind)
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return f" ({listed})" if listed else ""


def _together(changes: list[Change]) -> float:
    """The share of the norm of all tensors by which they moved."""
    known = [one for one in changes if one.scale]
    norm = math.hypot(*(one.scale for one in known))
    return math.hypot(*(one.estimate.value * one.scale for one in known)) / norm if norm else 0.0

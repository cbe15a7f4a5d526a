"""Whether a checkpoint is whole: what names, shapes and zeros tell (SPEC K1)."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

from geometric_invariants.fixtures.architecture.completeness import completeness
from geometric_invariants.fixtures.architecture.naming import pattern
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.fixtures.survey_sketches import VectorRow
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Finding, Named
from geometric_invariants.reports.exhibits import Table

_SHOWN, _NAMED = 24, 3
_RUN = 1 << 16  # bytes of zeros
_FEWEST, _RARE = 4, 4  # siblings, and of how many of them one may be blank
_HUGE = 1000.0  # times the root mean square; super weights reach a few hundred


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
    blanks = [*_blank_matrices(model), *_blank_vectors(model.survey.vectors)]
    statistics_of = _statistics(model)
    huge = [
        f"{name}: the largest magnitude is {found.peak:.0f} root mean squares"
        for name, found in statistics_of.items()
        if _HUGE < found.peak < math.inf
    ]
    matrices = [found for found in statistics_of.values() if found.is_matrix]
    return Finding(
        estimate=exact(len(blanks), "exact zeros"),
        design="tensors and runs of rows of 64 KiB",
        related=(
            Named("share of exact zeros", exact(_mean(m.zeros for m in matrices)), "of matrices"),
            Named("largest magnitude", exact(_most(m.peak for m in matrices)), "over the rms"),
            Named("kurtosis", exact(_most(m.kurtosis for m in matrices)), "largest; Gaussian: 3"),
        ),
        tables=() if model.is_twin else _tables(statistics_of),
        notes=tuple(huge[:_SHOWN]),
        where=_listed(blanks),
    )


@dataclass(frozen=True, slots=True)
class _Statistics:
    is_matrix: bool
    numel: int
    rms: float
    peak: float
    kurtosis: float
    zeros: float


def _statistics(model: Model) -> dict[str, _Statistics]:
    """Of every tensor; of a matrix kurtosis and zeros over at most 16,384 entries."""
    found: dict[str, _Statistics] = {}
    for row in model.survey.matrices:
        many, weight = row.magnitudes, row.weight
        expert = "" if weight.cut.index is None else f", expert {weight.cut.index}"
        cut = f", {weight.role}" if weight.cut.rows else ""
        found[f"{weight.tensor}{expert}{cut}"] = _Statistics(
            True, many.numel, many.rms, _over(many.largest, many.rms), many.kurtosis, many.zeros
        )
    for vector in model.survey.vectors:
        own = vector.powers
        if own.numel:
            peak, zeros = _over(own.largest, own.rms), own.zeros / own.numel
            found[vector.tensor] = _Statistics(False, own.numel, own.rms, peak, own.kurtosis, zeros)
    return found


def _blank_matrices(model: Model) -> Iterator[str]:
    siblings: dict[Hashable, list[MatrixRow]] = defaultdict(list)
    for row in model.survey.matrices:
        weight = row.weight
        siblings[pattern(weight.tensor), weight.role, weight.stack, weight.shape].append(row)
    for rows in siblings.values():
        runs = {row.weight: list(_zero_runs(model, row)) for row in rows}
        blank = [row.weight for row in rows if runs[row.weight]]
        if len(rows) >= _FEWEST and len(blank) * _RARE <= len(rows):
            for weight in blank:
                for first, last in runs[weight]:
                    yield f"rows {first} – {last} of {weight.label} ({weight.tensor}) are zero"


def _zero_runs(model: Model, row: MatrixRow) -> Iterator[tuple[int, int]]:
    """First and last rows of the runs of blocks of zeros that are long enough, or all rows."""
    profile = row.profile
    info = model.checkpoint.tensors[row.weight.tensor]
    needed = _RUN / (profile.columns * info.readable_dtype.itemsize)
    start: int | None = None
    for block, norm in enumerate((*profile.norms, 1.0)):
        if norm == 0 and start is None:
            start = block * profile.step
        elif norm != 0 and start is not None:
            end = min(profile.rows, block * profile.step)
            if end - start >= min(needed, profile.rows):
                yield start, end - 1
            start = None


def _blank_vectors(vectors: tuple[VectorRow, ...]) -> Iterator[str]:
    siblings: dict[tuple[str, int], list[VectorRow]] = defaultdict(list)
    for vector in vectors:
        siblings[pattern(vector.tensor), vector.powers.numel].append(vector)
    for (_, numel), rows in siblings.items():
        blank = [row.tensor for row in rows if row.powers.zeros == numel]
        if numel > 1 and len(rows) >= _FEWEST and len(blank) * _RARE <= len(rows):
            yield from (f"{name} is zero" for name in blank)


def _tables(found: Mapping[str, _Statistics]) -> tuple[Table, ...]:
    """The tensors that stand out most, by each of three statistics."""
    shown: dict[str, _Statistics] = {}
    for value in (_peak, _kurtosis, _zeros):
        finite = [one for one in found.items() if math.isfinite(value(one[1]))]
        shown |= dict(sorted(finite, key=lambda one: -value(one[1]))[:8])
    rows = {
        name: (one.numel, one.rms, _or_none(one.peak), _or_none(one.kurtosis), one.zeros)
        for name, one in shown.items()
    }
    columns = ("entries", "rms", "largest over rms", "kurtosis", "share of exact zeros")
    meaning = "those that stand out most; of a matrix the last two over at most 16,384 entries"
    return (table("statistics of tensors", columns, rows, meaning),)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _peak(one: _Statistics) -> float:
    return one.peak


def _kurtosis(one: _Statistics) -> float:
    return one.kurtosis


def _zeros(one: _Statistics) -> float:
    return one.zeros


def _over(largest: float, rms: float) -> float:
    return largest / rms if rms > 0 else math.nan


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return statistics.fmean(found) if found else 0.0


def _most(values: Iterator[float]) -> float:
    return max((value for value in values if math.isfinite(value)), default=0.0)


def _listed(lines: list[str]) -> str:
    more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    return "; ".join(lines[:_NAMED]) + more

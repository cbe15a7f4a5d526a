"""Magnitudes of single tensors: what stands out of a matrix, and zeros in it (SPEC K1)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.reports.exhibits import Table

_SHOWN = 24
_HUGE = 1000.0  # times the root mean square; super weights reach a few hundred


def peak_magnitude(model: Model) -> Finding:
    """Largest magnitude over the root mean square, the greatest of all matrices.

    Beside it kurtosis and exact zeros of every tensor. Large ones are no fault by themselves: a
    few weights carry much in trained models (M. Yu et al., arXiv 2411.07191).
    """
    peaks: dict[str, float] = {}
    for row in model.survey.matrices:
        weight = row.weight
        if weight.layer is None and "embedding" not in weight.role:
            continue  # a task may replace it
        layer = "" if weight.layer is None else f" layer {weight.layer}"
        label = f"{weight.stack}{layer} {weight.role}"
        peak = _over(row.magnitudes.largest, row.magnitudes.rms)
        if math.isfinite(peak):
            peaks[label] = max(peak, peaks.get(label, 0.0))
    if not peaks:
        raise NotApplicableError("the checkpoint has no two-dimensional weight")
    statistics_of = _statistics(model)
    huge = [
        f"{name}: the largest magnitude is {found.peak:.0f} root mean squares"
        for name, found in statistics_of.items()
        if _HUGE < found.peak < math.inf
    ]
    matrices = [found for found in statistics_of.values() if found.is_matrix]
    return Finding(
        estimate=exact(max(peaks.values())),
        design="matrices, those of a layer's experts together",
        related=(
            Named("share of exact zeros", exact(_mean(m.zeros for m in matrices)), "of matrices"),
            Named("kurtosis", exact(_most(m.kurtosis for m in matrices)), "largest; Gaussian: 3"),
        ),
        parts=peaks,
        tables=() if model.is_twin else _tables(statistics_of),
        notes=tuple(huge[:_SHOWN]),
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

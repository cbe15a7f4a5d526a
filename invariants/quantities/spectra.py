"""Quantities of the singular values of weight matrices (SPEC W1).

The value is the median over a model's matrices of a statistic that does not grow with them; tables
(embedding, head, positions) are no part of it. By role stand the source's own numbers: the mean
over a role's matrices, not divided by their size.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from fixtures.architecture.roles import Role
from fixtures.model import Model
from fixtures.survey_rows import MatrixRow
from geometry import controls
from geometry.estimate import exact
from geometry.spectrum import SpectrumSummary
from invariants.finding import Finding, Named, NotApplicableError
from invariants.quantities.stacks import by_stack

_TABLES: tuple[Role, ...] = ("embedding", "head", "position_bias", "position_embedding")


@dataclass(frozen=True, slots=True)
class _Statistic:
    """A number of one spectrum, and whether it counts singular values, so that it is divided."""

    name: str
    of: Callable[[SpectrumSummary], float]
    counts: bool = False

    def scale_free(self, summary: SpectrumSummary, size: int) -> float:
        """The same for matrices of any size, over how many singular values there are."""
        return self.of(summary) / size if self.counts else self.of(summary)


def stable_rank(model: Model) -> Finding:
    """Median over matrices of ‖W‖_F²/σ₁² over min(m, n)."""
    return _spectral(model, _Statistic("stable rank", lambda s: s.stable_rank, counts=True))


def spectral_participation_ratio(model: Model) -> Finding:
    """Median over matrices of (Σσ)²/Σσ² over min(m, n)."""
    ratio = _Statistic("participation ratio", lambda s: s.participation_ratio, counts=True)
    return _spectral(model, ratio)


def active_fraction(model: Model) -> Finding:
    """Median over matrices of the share of σ above 0.01 σ₁."""
    return _spectral(model, _Statistic("active fraction", lambda s: s.active_fraction))


def rank_90(model: Model) -> Finding:
    """Median over matrices of the rank that holds 90 % of Σσ, over min(m, n)."""
    return _spectral(model, _Statistic("rank for 90 %", lambda s: s.rank_90, counts=True))


def condition_number(model: Model) -> Finding:
    """Median over matrices of σ₁/σ_min."""
    note = f"stored as {model.dtype}: rounding alone bounds how small σ_min can be"
    return _spectral(model, _Statistic("condition", lambda s: s.condition), note)


def _spectral(model: Model, statistic: _Statistic, *notes: str) -> Finding:
    matrices = by_stack(model, model.survey.matrices, lambda row: row.weight.stack)
    judged = [row for row in matrices.judged if row.weight.role not in _TABLES]
    if not judged:
        raise NotApplicableError("the checkpoint has no matrix beside its tables")
    null = controls.random_median([_shape(row) for row in judged], statistic.scale_free)
    return Finding(
        estimate=exact(_median(judged, statistic)),
        design=f"{statistic.name}, median over all matrices but tables",
        controls=(Named("random matrices", null, "Gaussian matrices of the same shapes"),),
        related=(
            *_by_role(matrices.all, statistic),
            Named("matrices", exact(len(judged)), "tables apart"),
        ),
        parts={_part(row): _scale_free(row, statistic) for row in matrices.all},
        notes=notes,
    )


def _by_role(rows: list[MatrixRow], statistic: _Statistic) -> tuple[Named, ...]:
    """By stack and role: mean and std over matrices as the source prints them, and our median."""
    groups: dict[str, list[MatrixRow]] = {}
    for row in rows:
        groups.setdefault(f"{row.weight.stack} {row.weight.role}", []).append(row)
    found = []
    for name, members in groups.items():
        values = [statistic.of(row.spectrum) for row in members]
        found += [
            Named(f"{name}: mean", exact(statistics.fmean(values)), f"{statistic.name} itself"),
            Named(f"{name}: std", exact(statistics.pstdev(values)), "over the role's matrices"),
            Named(f"{name}: median", exact(_median(members, statistic)), "of any size"),
        ]
    return tuple(found)


def _median(rows: list[MatrixRow], statistic: _Statistic) -> float:
    return statistics.median(_scale_free(row, statistic) for row in rows)


def _scale_free(row: MatrixRow, statistic: _Statistic) -> float:
    return statistic.scale_free(row.spectrum, min(row.weight.shape))


def _shape(row: MatrixRow) -> tuple[int, int]:
    rows, columns = row.weight.shape
    return rows, columns


def _part(row: MatrixRow) -> str:
    return row.weight.tensor if row.weight.layer is None else row.weight.label

"""Quantities of the singular values of weight matrices (SPEC W1).

The value is the median over a model's matrices of a statistic that does not grow with them; tables
(embedding, head, positions) are no part of it, and the experts of a layer count as one, by the
median over them. By role stand the source's own numbers: the mean
over a role's matrices, not divided by their size.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.geometry import controls
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.spectrum import SpectrumSummary
from geometric_invariants.invariants.drawn import Log, table
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.groups import Group, experts_by_layer, of_matrices
from geometric_invariants.invariants.quantities.layer_lines import (
    by_layer,
    by_role,
    is_table,
    shape,
)
from geometric_invariants.invariants.quantities.spectra_exhibits import (
    spectra_by_kind,
    values_by_role,
)
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.reports.exhibits import Figure, Table


@dataclass(frozen=True, slots=True)
class _Statistic:
    """A number of one spectrum, and whether it counts singular values, so that it is divided."""

    name: str
    of: Callable[[SpectrumSummary], float]
    counts: bool = False
    log: Log = ""

    def scale_free(self, summary: SpectrumSummary, size: int) -> float:
        """The same for matrices of any size, over how many singular values there are."""
        return self.of(summary) / size if self.counts else self.of(summary)

    def at_random(self, m: int, n: int) -> float:
        """Its mean over random matrices of a shape."""
        return statistics.fmean(self.of(summary) for summary in controls.gaussian_spectra(m, n))


def stable_rank(model: Model) -> Finding:
    """Median over matrices of ‖W‖_F²/σ₁² over min(m, n)."""
    statistic = _Statistic("stable rank", lambda s: s.stable_rank, counts=True)
    if model.is_twin:
        return _spectral(model, statistic)
    matrices = model.survey.matrices
    return _spectral(
        model,
        statistic,
        figures=spectra_by_kind(matrices),
        tables=(values_by_role(matrices),),
    )


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
    statistic = _Statistic("condition", lambda s: s.condition, log="y")
    return _spectral(model, statistic, notes=(note,))


def _spectral(
    model: Model,
    statistic: _Statistic,
    *,
    figures: tuple[Figure, ...] = (),
    tables: tuple[Table, ...] = (),
    notes: tuple[str, ...] = (),
) -> Finding:
    matrices = by_stack(model, model.survey.matrices, lambda row: row.weight.stack)
    judged = of_matrices(row for row in matrices.judged if not is_table(row.weight))
    if not judged:
        raise NotApplicableError("the checkpoint has no matrix beside its tables")
    every = of_matrices(matrices.all)
    if not model.is_twin:
        by_expert = experts_by_layer(
            f"{statistic.name} of experts",
            every,
            lambda row: _scale_free(row, statistic),
            "over the experts of a layer, for matrices of any size",
        )
        tables = (_by_role(matrices.all, statistic), *by_expert, *tables)
        figures = (*_lines(matrices.all, statistic), *figures)
    as_one = ", a layer's experts as one" if any(g.of_experts for g in judged) else ""
    return Finding(
        estimate=exact(_middle(judged, statistic)),
        design=f"{statistic.name}, median over all matrices but tables{as_one}",
        controls=(_random(judged, statistic),),
        related=(
            Named("matrices", exact(sum(len(g.rows) for g in judged)), "tables apart"),
            *_with_and_without(judged, statistic),
        ),
        parts={group.label: _middle([group], statistic) for group in every},
        figures=figures,
        tables=tables,
        notes=notes,
    )


def _random(judged: list[Group[MatrixRow]], statistic: _Statistic) -> Named:
    shapes, counts = [shape(g.rows[0]) for g in judged], [len(g.rows) for g in judged]
    null = controls.random_median(shapes, statistic.scale_free, counts)
    return Named("random matrices", null, "Gaussian matrices of the same shapes")


def _with_and_without(judged: list[Group[MatrixRow]], statistic: _Statistic) -> tuple[Named, ...]:
    """How much of the value is the experts': counted one by one, and left out."""
    experts = sum(len(group.rows) for group in judged if group.of_experts)
    if not experts:
        return ()
    one_by_one = exact(_median([row for group in judged for row in group.rows], statistic))
    others = [group for group in judged if not group.of_experts]
    left = (Named("without experts", exact(_middle(others, statistic)), "what all tokens meet"),)
    return (
        Named("experts one by one", one_by_one, f"median of which {experts} matrices are experts'"),
        *(left if others else ()),
    )


def _by_role(rows: list[MatrixRow], statistic: _Statistic) -> Table:
    """By stack and role: mean and std over matrices as the source prints them, and our median."""
    found = {}
    for name, members in by_role(rows).items():
        values = [statistic.of(row.spectrum) for row in members]
        drawn = [statistic.at_random(*shape(row)) for row in members if not is_table(row.weight)]
        found[name] = (
            statistics.fmean(values),
            statistics.pstdev(values),
            statistics.fmean(drawn) if drawn else None,
            _median(members, statistic),
            len(members),
        )
    over = "over min(m, n)" if statistic.counts else "itself"
    return table(
        f"{statistic.name} by role",
        ("mean", "std", "mean of random", "median, any size", "matrices"),
        found,
        "over a role's matrices; random: Gaussian, of their shapes, of layers' matrices alone; the"
        f" median is {over}",
    )


def _lines(rows: list[MatrixRow], statistic: _Statistic) -> tuple[Figure, ...]:
    layered = [r for r in rows if r.weight.layer is not None and not is_table(r.weight)]
    shapes = sorted({shape(row) for row in layered})
    nulls = {f"random {m} × {n}": statistic.at_random(m, n) for m, n in shapes}
    return by_layer(
        f"{statistic.name} by layer",
        layered,
        lambda row: statistic.of(row.spectrum),
        y_label=statistic.name,
        levels=nulls,
        log=statistic.log,
    )


def _middle(groups: list[Group[MatrixRow]], statistic: _Statistic) -> float:
    return statistics.median(g.median(lambda row: _scale_free(row, statistic)) for g in groups)


def _median(rows: list[MatrixRow], statistic: _Statistic) -> float:
    return statistics.median(_scale_free(row, statistic) for row in rows)


def _scale_free(row: MatrixRow, statistic: _Statistic) -> float:
    return statistic.scale_free(row.spectrum, min(row.weight.shape))

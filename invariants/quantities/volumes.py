"""Volumes of pentachora of rows of the token-embedding table (SPEC G2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import controls, embedding, estimate, simplex
from geometric_invariants.geometry.distribution import distribution
from geometric_invariants.geometry.embedding import Moments
from geometric_invariants.geometry.estimate import Estimate, Sampling, exact
from geometric_invariants.geometry.simplex import PentachoronDraws, VolumeStatistics
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.finding import Finding, Named
from geometric_invariants.invariants.quantities.table import (
    moments,
    naming_the_table,
    shared,
    stored_table,
    token_table,
)
from geometric_invariants.reports.exhibits import Cell, Figure, Table

_FEWEST = 1_000  # the source's own sample, however few draws are asked for
_RELATED = 50_000
_CONTROL_NUMBERS = 20_000_000  # that a control draws at most, whatever the width


def pentachoron_cv(model: Model, sampling: Sampling) -> Finding:
    """CV of pentachoron volumes over the rows of the table, with both halves of its cause."""
    table = token_table(model)
    modest = _modest(sampling)
    with naming_the_table(model):
        ample = sampling.at_least(_FEWEST)
        volumes = simplex.statistics_of(_pentachora(model, ample), ample)
    design = "CV over random pentachora of rows"
    control = Named(
        "i.i.d. Gaussian",
        controls.gaussian_pentachoron_cv(table.rows.shape[1]),
        "what a randomly initialised table of this width shows",
    )
    if model.is_twin:
        return Finding(volumes.cv, design, (control,))
    with naming_the_table(model):
        directions = simplex.volume_statistics(table.rows, modest, unit=True)
        random = {
            "i.i.d. Gaussian": _isotropic(model, modest),
            "Gaussian, stds by dimension": _per_dimension(model, modest),
            "norm-matched": _norm_matched(model, modest),
        }
    dropped = f"{volumes.dropped} simplices with V² ≤ 0 dropped"
    return Finding(
        estimate=volumes.cv,
        design=design,
        controls=(control,),
        related=(
            Named("directions alone", directions.cv, "all rows scaled to unit norm"),
            Named(
                "norms alone",
                estimate.coefficient_of_variation(random["norm-matched"]),
                "every row's own norm in a random direction",
            ),
            Named("mean volume", volumes.mean, "in units of the table's fourth power"),
            *table.in_use(lambda used: _in_use(model, used, modest).cv),
            *table.extent,
        ),
        figures=(_against_controls(volumes, random),),
        tables=(_by_kind(volumes, directions, random),),
        notes=(*table.notes, *((dropped,) if volumes.dropped else ())),
    )


def volume_ratio_to_gaussian(model: Model, sampling: Sampling) -> Finding:
    """Mean pentachoron volume over that of Gaussian points with each dimension's own std."""
    table = token_table(model)
    modest = _modest(sampling)
    with naming_the_table(model):
        own = controls.per_dimension_gaussian_mean(
            moments(model).stds, _per_dimension(model, modest)
        )
        edges = tuple(edge * own.value for edge in sampling.edges)
        scaled = dataclasses.replace(sampling, edges=edges).at_least(_FEWEST)
        draws = _pentachora(model, scaled)
        mean = simplex.statistics_of(draws, scaled, edges_of="mean").mean
    judged = estimate.ratio(mean, own)
    design = "mean over random pentachora, over Gaussian points of each dimension's own std"
    control = Named("Gaussian points", exact(1.0), "a random table, by definition")
    if model.is_twin:
        return Finding(judged, design, (control,))

    def ratio_in_use(used: Tensor) -> Estimate:
        volumes = _in_use(model, used, modest).mean
        stds = embedding.moments(used).stds
        matched = _by_dimension(stds, modest)
        return estimate.ratio(volumes, controls.per_dimension_gaussian_mean(stds, matched))

    means = {
        "rows of the table": mean,
        "Gaussian, stds by dimension": own,
        "i.i.d. Gaussian": _isotropic_mean(moments(model)),
        "norm-matched": estimate.mean(_norm_matched(model, modest)),
    }
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(
            Named(
                "to i.i.d. Gaussian",
                estimate.ratio(mean, means["i.i.d. Gaussian"]),
                "Gaussian points of the table's overall std",
            ),
            Named(
                "to norm-matched",
                estimate.ratio(mean, means["norm-matched"]),
                "every row's own norm in a random direction",
            ),
            *table.in_use(ratio_in_use),
            *table.extent,
        ),
        tables=(_mean_volumes(means, mean),),
        notes=table.notes,
    )


def _pentachora(model: Model, sampling: Sampling) -> PentachoronDraws:
    """Of the table's rows, drawn once for both quantities."""
    key = f"pentachora {sampling.seed} {sampling.samples}"
    return shared(model, key, lambda: PentachoronDraws(stored_table(model), sampling))


def _in_use(model: Model, used: Tensor, sampling: Sampling) -> VolumeStatistics:
    """Of the rows of tokens in use, for both quantities."""
    key = f"volumes of tokens in use {sampling}"
    return shared(model, key, lambda: simplex.volume_statistics(used, sampling))


def _isotropic(model: Model, sampling: Sampling) -> Tensor:
    of, generator = moments(model), sampling.generator("isotropic")
    return controls.gaussian_volumes(len(of.stds), of.overall_std, sampling.samples, generator)


def _norm_matched(model: Model, sampling: Sampling) -> Tensor:
    def draw() -> Tensor:
        of, generator = moments(model), sampling.generator("norm-matched")
        return controls.norm_matched_volumes(of.norms, len(of.stds), sampling.samples, generator)

    return shared(model, f"norm-matched volumes {sampling}", draw)


def _per_dimension(model: Model, sampling: Sampling) -> Tensor:
    return shared(
        model,
        f"per-dimension volumes {sampling}",
        lambda: _by_dimension(moments(model).stds, sampling),
    )


def _by_dimension(stds: Tensor, sampling: Sampling) -> Tensor:
    generator = sampling.generator("per-dimension Gaussian")
    count = max(1_000, min(sampling.samples // 5, _CONTROL_NUMBERS // (5 * len(stds))))
    return controls.per_dimension_gaussian_volumes(stds, count, generator)


def _isotropic_mean(of: Moments) -> Estimate:
    return exact(controls.gaussian_pentachoron_mean(len(of.stds), of.overall_std))


def _against_controls(volumes: VolumeStatistics, random: Mapping[str, Tensor]) -> Figure:
    series = {"rows of the table": volumes.volumes, **random}
    unit = volumes.mean.value
    return drawn.histogram(
        "pentachoron volumes",
        {name: (one / unit).log10() for name, one in series.items() if len(one)},
        x_label="log₁₀ of volume / mean volume of the table's rows",
    )


def _by_kind(
    volumes: VolumeStatistics, directions: VolumeStatistics, random: Mapping[str, Tensor]
) -> Table:
    return drawn.table(
        "random pentachora",
        ("valid", "dropped", "mean", "std", "CV", "min", "median", "max"),
        {
            "rows of the table": _described(volumes.volumes, volumes.dropped),
            "directions alone": _described(directions.volumes, directions.dropped),
            **{name: _described(one, None) for name, one in random.items()},
        },
        "volumes, those with V² ≤ 0 dropped; directions alone: rows of unit norm",
    )


def _described(volumes: Tensor, dropped: int | None) -> tuple[Cell, ...]:
    if not len(volumes):
        return 0, dropped, None, None, None, None, None, None
    of = distribution(volumes)
    ends = of.lowest, of.quantile(0.5), of.highest
    return len(of), dropped, of.mean, of.std, of.std / of.mean, *ends


def _mean_volumes(means: dict[str, Estimate], table: Estimate) -> Table:
    return drawn.table(
        "mean volumes",
        ("mean volume", "half-width", "ratio of the table's to it"),
        {name: (m.value, m.half_width, table.value / m.value) for name, m in means.items()},
        "of random pentachora, in units of the table's fourth power",
    )


def _modest(sampling: Sampling) -> Sampling:
    """The draws of what stands beside a value."""
    samples = max(_FEWEST, min(sampling.samples, _RELATED))
    return dataclasses.replace(sampling, samples=samples, limit=samples, edges=())

"""Volumes of pentachora of rows of the token-embedding table (SPEC G2)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from fixtures.model import Model
from geometry import controls, embedding, estimate, simplex
from geometry.estimate import Estimate, Sampling, exact
from invariants.finding import Finding, Named
from invariants.quantities.table import naming_the_table, token_table

_FEWEST = 1_000  # the source's own sample, however few draws are asked for
_RELATED = 50_000
_CONTROL_NUMBERS = 20_000_000  # that a control draws at most, whatever the width


def pentachoron_cv(model: Model, sampling: Sampling) -> Finding:
    """CV of pentachoron volumes over the rows of the table, with both halves of its cause."""
    table = token_table(model)
    modest = _modest(sampling)
    with naming_the_table(model):
        volumes = simplex.volume_statistics(table.rows, sampling.at_least(_FEWEST))
        directions = simplex.volume_statistics(table.rows, modest, unit=True).cv
        norms = _norm_matched(table.rows, modest)
    dropped = f"{volumes.dropped} simplices with V² ≤ 0 dropped"
    return Finding(
        estimate=volumes.cv,
        design="CV over random pentachora of rows",
        controls=(
            Named(
                "i.i.d. Gaussian",
                controls.gaussian_pentachoron_cv(table.rows.shape[1]),
                "what a randomly initialised table of this width shows",
            ),
        ),
        related=(
            Named("directions alone", directions, "all rows scaled to unit norm"),
            Named(
                "norms alone",
                estimate.coefficient_of_variation(norms),
                "every row's own norm in a random direction",
            ),
            Named("mean volume", volumes.mean, "in units of the table's fourth power"),
            *table.in_use(lambda used: simplex.volume_statistics(used, modest).cv),
            *table.extent,
        ),
        notes=(*table.notes, *((dropped,) if volumes.dropped else ())),
    )


def volume_ratio_to_gaussian(model: Model, sampling: Sampling) -> Finding:
    """Mean pentachoron volume over that of Gaussian points with each dimension's own std."""
    table = token_table(model)
    modest = _modest(sampling)
    with naming_the_table(model):
        own, overall = _gaussian_means(table.rows, modest)
        edges = tuple(edge * own.value for edge in sampling.edges)
        scaled = dataclasses.replace(sampling, edges=edges).at_least(_FEWEST)
        mean = simplex.volume_statistics(table.rows, scaled, edges_of="mean").mean
        matched = estimate.mean(_norm_matched(table.rows, modest))

    def ratio_in_use(used: Tensor) -> Estimate:
        volumes = simplex.volume_statistics(used, modest).mean
        return estimate.ratio(volumes, _gaussian_means(used, modest)[0])

    return Finding(
        estimate=estimate.ratio(mean, own),
        design="mean over random pentachora, over Gaussian points of each dimension's own std",
        controls=(Named("Gaussian points", exact(1.0), "a random table, by definition"),),
        related=(
            Named(
                "to i.i.d. Gaussian",
                estimate.ratio(mean, overall),
                "Gaussian points of the table's overall std",
            ),
            Named(
                "to norm-matched",
                estimate.ratio(mean, matched),
                "every row's own norm in a random direction",
            ),
            *table.in_use(ratio_in_use),
            *table.extent,
        ),
        notes=table.notes,
    )


def _gaussian_means(table: Tensor, sampling: Sampling) -> tuple[Estimate, Estimate]:
    """Mean volume of Gaussian points: with each dimension's own std, and with the overall one."""
    means, stds = embedding.column_moments(table)
    overall = (stds.square().mean() + means.square().mean() - means.mean().square()).sqrt().item()
    generator = sampling.generator("per-dimension Gaussian")
    count = max(1_000, min(sampling.samples // 5, _CONTROL_NUMBERS // (5 * len(stds))))
    own = controls.per_dimension_gaussian_mean(stds, count, generator)
    return own, exact(controls.gaussian_pentachoron_mean(table.shape[1], overall))


def _norm_matched(table: Tensor, sampling: Sampling) -> Tensor:
    generator = sampling.generator("norm-matched")
    norms = embedding.row_norms(table)
    return controls.norm_matched_volumes(norms, table.shape[1], sampling.samples, generator)


def _modest(sampling: Sampling) -> Sampling:
    """The draws of what stands beside a value."""
    samples = max(_FEWEST, min(sampling.samples, _RELATED))
    return dataclasses.replace(sampling, samples=samples, limit=samples, edges=())

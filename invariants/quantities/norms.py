"""Norms of the rows of the token-embedding table and distances between them (SPEC G5, G6)."""

from __future__ import annotations

import math

from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import null_distributions, pairs
from geometric_invariants.geometry.distribution import Distribution, distribution
from geometric_invariants.geometry.embedding import Moments
from geometric_invariants.geometry.estimate import Sampling, exact
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.finding import Finding, Named
from geometric_invariants.invariants.quantities.distributions import (
    STATISTICS,
    histogram,
    null_statistics,
    statistics,
)
from geometric_invariants.invariants.quantities.table import (
    TokenTable,
    moments,
    naming_the_table,
    token_table,
)
from geometric_invariants.reports.exhibits import Table

_RANDOM = "i.i.d. Gaussian"


def embedding_norm(model: Model, sampling: Sampling) -> Finding:
    """CV of the row norms, which alone can put the pentachoron CV into its band."""
    table = token_table(model)
    found, width = moments(model), table.rows.shape[1]
    judged, design = exact(_cv(found.norms)), "norms of all rows"
    control = Named(
        _RANDOM,
        exact((1 / (2 * width)) ** 0.5, "closed form"),
        "norms of random rows, 1/√(2d) to first order",
    )
    if model.is_twin:
        return Finding(judged, design, (control,))
    with naming_the_table(model):
        distances = pairs.sampled_distances(table.rows, sampling)
    norms = distribution(found.norms)
    null = null_distributions.gaussian_norms(width, found.overall_std)
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(
            Named("mean norm", exact(norms.mean), "of a row"),
            *table.in_use(lambda used: exact(_cv(used)), of=found.norms),
            Named("rows of norm zero", exact(int((found.norms < 1e-6).sum())), "norm below 1e-6"),
            Named("mean distance", exact(distances.mean), "between sampled rows"),
            Named("CV of distances", exact(distances.std / distances.mean), "the same"),
            *table.extent,
        ),
        figures=(
            histogram("row norms", {"rows": norms}, {_RANDOM: null}, x_label="norm of a row"),
        ),
        tables=(
            _norms_and_distances(norms, distances, found, width),
            _extremes(table, found.norms),
            _dimension_moments(found),
        ),
        notes=table.notes,
    )


def _norms_and_distances(
    norms: Distribution, distances: Distribution, found: Moments, width: int
) -> Table:
    random = (
        null_distributions.gaussian_norms(width, found.overall_std * factor)
        for factor in (1.0, math.sqrt(2), math.sqrt(2 / width))
    )
    scaled = Distribution(distances.ordered / math.sqrt(width))
    measured = {"norm": norms, "distance": distances, "distance over √d": scaled}
    rows = {name: statistics(one) for name, one in measured.items()}
    nulls = {f"{name}, {_RANDOM}": null_statistics(r) for name, r in zip(rows, random, strict=True)}
    return drawn.table(
        "norms and distances",
        STATISTICS,
        {name: row for pair in zip(rows.items(), nulls.items(), strict=True) for name, row in pair},
        "norms of all rows, distances of pairs of sampled rows; of Gaussian rows in closed form",
    )


def _extremes(table: TokenTable, norms: Tensor) -> Table:
    ends = {"smallest": int(norms.argmin()), "largest": int(norms.argmax())}
    return drawn.table(
        "rows of the extreme norms",
        ("norm", "row", "token"),
        {name: (norms[row].item(), row, table.token(row)) for name, row in ends.items()},
    )


def _dimension_moments(found: Moments) -> Table:
    return drawn.table(
        "moments of the dimensions",
        ("mean", "std", f"mean, {_RANDOM}"),
        {
            "mean of a dimension": (*_mean_and_std(found.means), 0.0),
            "std of a dimension": (*_mean_and_std(found.stds), found.overall_std),
        },
        "mean and std over the dimensions of each one's mean and std over all rows",
    )


def _mean_and_std(values: Tensor) -> tuple[float, float]:
    return values.mean().item(), values.std(correction=0).item()


def _cv(norms: Tensor) -> float:
    mean, std = _mean_and_std(norms)
    return std / mean

"""Covariance and cosines of the rows of the token-embedding table (SPEC G3, G4)."""

from __future__ import annotations

import math

from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import controls, embedding, null_distributions, pairs
from geometric_invariants.geometry.distribution import Distribution
from geometric_invariants.geometry.embedding import CovarianceSpectrum
from geometric_invariants.geometry.estimate import Sampling, exact
from geometric_invariants.geometry.null_distributions import NullDistribution
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
    cosine_moments,
    moments,
    naming_the_table,
    token_table,
)
from geometric_invariants.reports.exhibits import Figure, Table

_SAMPLED_ROWS = 10_000  # of a covariance, where the source samples rows (S13a)
_OF_SAMPLED_ROWS = frozenset({"qwen35_08b", "qwen35_4b"})
_SHARES = (0.8, 0.9, 0.95, 0.99)  # of the variance
_SHOWN_EIGENVALUES = 20
_MARKED = (0.0, 0.29154, 0.29514)  # of the cosines' marks, those on the figure
_RANDOM = "i.i.d. Gaussian"


def embedding_participation_ratio(model: Model, sampling: Sampling) -> Finding:
    """Participation ratio of the table's covariance over its width.

    Over all rows; for the models whose source samples them, over 10,000, with the other beside it.
    """
    table = token_table(model)
    count, width = table.rows.shape
    with naming_the_table(model):
        whole = embedding.covariance_spectrum(table.rows)
    ratio = exact(whole.participation_ratio)
    if model.id in _OF_SAMPLED_ROWS:
        count = min(count, _SAMPLED_ROWS)
        judged = embedding.sampled_participation_ratio(table.rows, count, sampling)
        design, beside = "covariance of 10,000 random rows", [Named("all rows", ratio, "exact")]
    else:
        judged, design, beside = ratio, "covariance of all rows", []
    null = controls.gaussian_participation_ratio(count, width)
    control = Named(_RANDOM, null, "as many rows of an isotropic random table")
    if model.is_twin:
        return Finding(judged, design, (control,))
    if model.id not in _OF_SAMPLED_ROWS:
        beside = _of_sampled_rows(table, sampling)
    isotropic = CovarianceSpectrum(
        controls.gaussian_covariance_eigenvalues(
            len(table.rows), width, math.sqrt(whole.total_variance / width)
        )
    )
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(
            *beside,
            Named("undivided", exact(ratio.value * width), "participation ratio over all rows"),
            Named("total variance", exact(whole.total_variance), "trace of the covariance"),
            *table.in_use(
                lambda used: exact(embedding.covariance_spectrum(used).participation_ratio),
            ),
            *table.extent,
        ),
        figures=_spectra(whole, isotropic),
        tables=(_largest_eigenvalues(whole, isotropic), _dimensions(whole, isotropic)),
        notes=table.notes,
    )


def _of_sampled_rows(table: TokenTable, sampling: Sampling) -> list[Named]:
    """The participation ratio of 10,000 rows, beside that of a larger table."""
    if len(table.rows) <= _SAMPLED_ROWS:
        return []
    sampled = embedding.sampled_participation_ratio(table.rows, _SAMPLED_ROWS, sampling)
    return [Named("10,000 random rows", sampled, "a sample of rows shows less")]


def _spectra(whole: CovarianceSpectrum, isotropic: CovarianceSpectrum) -> tuple[Figure, Figure]:
    both = {"table": whole, _RANDOM: isotropic}
    return (
        drawn.spectrum(
            "eigenspectrum",
            {name: one.eigenvalues for name, one in both.items()},
            y_label="eigenvalue of the covariance",
        ),
        drawn.spectrum(
            "cumulative variance",
            {name: _cumulative(one) for name, one in both.items()},
            x_label="dimensions",
            y_label="share of the variance",
            log="",
            levels={f"{share:.0%}": share for share in _SHARES},
        ),
    )


def _largest_eigenvalues(whole: CovarianceSpectrum, isotropic: CovarianceSpectrum) -> Table:
    cumulative, random = (_cumulative(one) for one in (whole, isotropic))
    return drawn.table(
        "largest eigenvalues",
        ("eigenvalue", "share", "cumulative share", "cumulative share at random"),
        {
            str(rank + 1): (
                value,
                value / whole.total_variance,
                cumulative[rank].item(),
                random[rank].item(),
            )
            for rank, value in enumerate(whole.eigenvalues[:_SHOWN_EIGENVALUES].tolist())
        },
        "of the covariance of all rows, by rank; at random: i.i.d. Gaussian rows",
    )


def _dimensions(whole: CovarianceSpectrum, isotropic: CovarianceSpectrum) -> Table:
    width = len(whole.eigenvalues)
    return drawn.table(
        "dimensions for a share of the variance",
        ("dimensions", "of the width", "at random"),
        {
            f"{share:.0%}": (
                whole.dimensions_for(share),
                whole.dimensions_for(share) / width,
                isotropic.dimensions_for(share),
            )
            for share in _SHARES
        },
        "principal axes needed; at random: those of i.i.d. Gaussian rows",
    )


def _cumulative(one: CovarianceSpectrum) -> Tensor:
    return one.eigenvalues.cumsum(0) / one.total_variance


def mean_pairwise_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine over all pairs of rows: the value that 5,000 sampled rows estimate."""
    table = token_table(model)
    with naming_the_table(model):
        over_all = cosine_moments(model)
    judged, design = exact(over_all.mean), "all pairs of rows"
    control = Named(
        "random directions",
        controls.gaussian_mean_cosine(*table.rows.shape),
        "rows of a random table",
    )
    if model.is_twin:
        return Finding(judged, design, (control,))
    sample = pairs.sampled_cosines(table.rows, moments(model).norms, sampling)
    null = null_distributions.random_cosines(table.rows.shape[1])
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(
            Named("std over pairs", exact(over_all.std), "over all pairs"),
            Named("sampled rows", exact(sample.mean), "the source's way: 5,000 rows"),
            *table.in_use(lambda used: exact(pairs.cosine_moments(used).mean)),
            *table.extent,
        ),
        figures=(
            histogram(
                "pairwise cosines",
                {"sampled rows": sample},
                {"random directions": null},
                x_label="cosine of two rows",
                marks={f"{mark:g}": mark for mark in _MARKED},
            ),
        ),
        tables=(
            drawn.table(
                "distribution of pairwise cosines",
                STATISTICS,
                {"sampled rows": statistics(sample), "random directions": null_statistics(null)},
                "of pairs of sampled rows; of random directions in closed form",
            ),
            _near_marks(sample, null),
        ),
        notes=table.notes,
    )


def _near_marks(sample: Distribution, null: NullDistribution) -> Table:
    return drawn.table(
        "cosines near the marks",
        ("share", "share at random", "nearest"),
        {
            f"{mark:g}": (
                sample.share_near(mark, pairs.NEAR),
                null.share_near(mark, pairs.NEAR),
                sample.nearest(mark),
            )
            for mark in pairs.COSINE_MARKS
        },
        f"share of sampled pairs less than {pairs.NEAR:g} from a mark, and the nearest cosine",
    )

"""Quantities of the token-embedding table (SPEC G3 – G8)."""

from __future__ import annotations

import torch
from torch import Tensor

from fixtures.corpora import CATEGORIES
from fixtures.model import Model
from geometry import controls, embedding, estimate, pairs
from geometry.estimate import Estimate, Sampling, exact
from invariants.finding import Finding, Named, NotApplicableError
from invariants.quantities.table import (
    TokenTable,
    naming_the_table,
    rows_of,
    stored_table,
    token_table,
    vocabulary,
)
from reports.exhibits import Figure

_SAMPLED_ROWS = 10_000  # of a covariance, where the source samples rows (S13a)
_OF_SAMPLED_ROWS = frozenset({"qwen35_08b", "qwen35_4b"})


def embedding_participation_ratio(model: Model, sampling: Sampling) -> Finding:
    """Participation ratio of the table's covariance over its width.

    Over all rows; for the models whose source samples them, over 10,000, with the other beside it.
    """
    table = token_table(model)
    count, width = table.rows.shape
    with naming_the_table(model):
        spectrum = embedding.covariance_spectrum(table.rows)
    whole = exact(spectrum.participation_ratio)
    if model.id in _OF_SAMPLED_ROWS:
        count = min(count, _SAMPLED_ROWS)
        judged = embedding.sampled_participation_ratio(table.rows, count, sampling)
        design = "covariance of 10,000 random rows"
        beside = [Named("all rows", whole, "exact")]
    else:
        judged, design = whole, "covariance of all rows"
        beside = _of_sampled_rows(model, table, sampling)
    dimensions = {
        f"dimensions for {share:.0%} of variance": exact(spectrum.dimensions_for(share))
        for share in (0.8, 0.9, 0.95, 0.99)
    }
    return Finding(
        estimate=judged,
        design=design,
        controls=(
            Named(
                "i.i.d. Gaussian",
                controls.gaussian_participation_ratio(count, width),
                "as many rows of an isotropic random table",
            ),
        ),
        related=(
            *beside,
            *(Named(name, value, f"of {width}") for name, value in dimensions.items()),
            Named("total variance", exact(spectrum.total_variance), "trace of the covariance"),
            *table.in_use(
                lambda used: exact(embedding.covariance_spectrum(used).participation_ratio),
            ),
            *table.extent,
        ),
        notes=table.notes,
    )


def mean_pairwise_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine over all pairs of rows: the value that 5,000 sampled rows estimate."""
    table = token_table(model)
    with naming_the_table(model):
        summary = pairs.cosine_summary(table.rows, sampling)
    marks = {
        f"{share:.0%} percentile": exact(value) for share, value in summary.percentiles.items()
    }
    return Finding(
        estimate=exact(summary.moments.mean),
        design="all pairs of rows",
        controls=(
            Named(
                "random directions",
                controls.gaussian_mean_cosine(*table.rows.shape),
                "rows of a random table",
            ),
        ),
        related=(
            Named("std over pairs", exact(summary.moments.std), "over all pairs"),
            Named(
                "sampled rows",
                exact(summary.sampled_mean),
                "the source's way: 5,000 rows",
            ),
            *table.in_use(lambda used: exact(pairs.cosine_moments(used).mean)),
            *(Named(name, value, "of sampled pairs") for name, value in marks.items()),
            *table.extent,
        ),
        notes=(
            *table.notes,
            *(
                f"{share:.2%} of sampled pairs lie within 0.01 of {mark:g}; the nearest is"
                f" {summary.nearest[mark]:.5f}"
                for mark, share in summary.near.items()
            ),
        ),
    )


def digit_distance_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of |i − j| with the cosine of the first pieces that digits i and j encode to.

    Those are the source's rows; the bare pieces, without a mark of a word's beginning, beside it.
    """
    table, words = stored_table(model), vocabulary(model)
    rows, bare = words.digits(), words.bare_digits()
    if rows is None:
        raise NotApplicableError("the ten digits do not begin with ten pieces of this vocabulary")
    summary = embedding.digit_summary(rows_of(model, table, rows))
    steps = torch.arange(10.0)
    gaps = (steps[:, None] - steps).abs()
    return Finding(
        estimate=exact(summary.correlation),
        design="45 pairs of digits",
        controls=(
            Named(
                "digits shuffled",
                controls.shuffled_correlation(gaps, summary.cosines, sampling),
                "the same ten rows in random order",
            ),
        ),
        related=(
            Named("|i − j| = 1", exact(summary.adjacent), "mean cosine of neighbours"),
            Named("|i − j| > 1", exact(summary.distant), "mean cosine of the others"),
            Named("gap", exact(summary.gap), "difference of the two"),
            *_bare_digits(model, table, bare if bare != rows else None),
        ),
        figures=(
            Figure(
                "cosines of the digits",
                "heatmap",
                tuple("0123456789"),
                {str(i): tuple(row) for i, row in enumerate(summary.cosines.tolist())},
            ),
        ),
    )


def _bare_digits(model: Model, table: Tensor, rows: list[int] | None) -> tuple[Named, ...]:
    if rows is None:
        return ()
    found = embedding.digit_summary(rows_of(model, table, rows)).correlation
    return (Named("bare pieces", exact(found), "of the pieces 0 … 9 without a space's mark"),)


def category_lift(model: Model, sampling: Sampling) -> Finding:
    """Mean over word categories of the cosine inside a category above the global mean."""
    table = stored_table(model)
    known = vocabulary(model)
    groups = {name: known.category(words) for name, words in CATEGORIES.items()}
    mean = pairs.cosine_moments(table).mean
    summary = embedding.category_summary(table, groups, mean)
    if not summary.lift:
        raise NotApplicableError("no category has three single-token words")
    lifts = torch.tensor(list(summary.lift.values()), dtype=torch.float64)
    return Finding(
        estimate=exact(lifts.mean().item()),
        design="cosine inside word categories, above the mean over all pairs of rows",
        controls=(_shuffled_categories(table, summary, mean, sampling),),
        related=tuple(
            Named(name, exact(value), f"cosine inside, {summary.members[name]} words")
            for name, value in summary.intra.items()
        ),
        parts=dict(summary.lift),
    )


def embedding_norm(model: Model, sampling: Sampling) -> Finding:
    """CV of the row norms, which alone can put the pentachoron CV into its band."""
    table = token_table(model)
    summary = embedding.norm_summary(table.rows)
    with naming_the_table(model):
        distances = pairs.distance_summary(table.rows, sampling)
    width = table.rows.shape[1]
    return Finding(
        estimate=exact(summary.std / summary.mean),
        design="norms of all rows",
        controls=(
            Named(
                "i.i.d. Gaussian",
                exact((1 / (2 * width)) ** 0.5, "closed form"),
                "norms of random rows, 1/√(2d) to first order",
            ),
        ),
        related=(
            Named("mean norm", exact(summary.mean), "of a row"),
            Named("smallest norm", exact(summary.lowest), f"row {summary.lowest_row}"),
            Named("largest norm", exact(summary.highest), f"row {summary.highest_row}"),
            *table.in_use(lambda used: exact(_norm_cv(used))),
            Named("rows of norm zero", exact(summary.zero_rows), "norm below 1e-6"),
            Named("mean distance", exact(distances.mean), "between sampled rows"),
            Named("mean distance / √d", exact(distances.mean / distances.scale), "the same"),
            Named("CV of distances", exact(distances.cv), "between sampled rows"),
            Named("std of dimension means", exact(summary.std_of_means), "over dimensions"),
            Named("mean of dimension stds", exact(summary.mean_of_stds), "over dimensions"),
            *table.extent,
        ),
        notes=table.notes,
    )


def _of_sampled_rows(model: Model, table: TokenTable, sampling: Sampling) -> list[Named]:
    """The participation ratio of 10,000 rows, beside that of a larger table; a twin needs none."""
    if model.is_twin or len(table.rows) <= _SAMPLED_ROWS:
        return []
    sampled = embedding.sampled_participation_ratio(table.rows, _SAMPLED_ROWS, sampling)
    return [Named("10,000 random rows", sampled, "a sample of rows shows less")]


def _norm_cv(table: Tensor) -> float:
    norms = embedding.row_norms(table)
    return (norms.std(correction=0) / norms.mean()).item()


def _shuffled_categories(
    table: Tensor, summary: embedding.CategorySummary, mean: float, sampling: Sampling
) -> Named:
    """The same categories filled with random rows."""
    generator = sampling.generator("shuffled categories")
    lifts = []
    for _ in range(100):
        groups = {
            name: torch.randint(len(table), (size,), generator=generator).tolist()
            for name, size in summary.members.items()
        }
        drawn = embedding.category_summary(table, groups, mean).lift
        lifts.append(sum(drawn.values()) / len(drawn))
    draws = torch.tensor(lifts, dtype=torch.float64)
    null: Estimate = estimate.quantile_interval(draws, draws.mean().item(), "random rows")
    return Named("random rows", null, "categories of the same sizes, filled at random")

"""Quantities of the token-embedding table (SPEC G2 – G8)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from fixtures.corpora import CATEGORIES
from fixtures.errors import CheckpointError
from fixtures.model import Model
from fixtures.vocabulary import Vocabulary
from geometry import controls, embedding, estimate, simplex
from geometry.estimate import Estimate, Sampling, exact
from invariants.finding import Finding, Named, NotApplicableError
from reports.results import Figure

_RELATED_SAMPLES = 50_000
_CONTROL_NUMBERS = 20_000_000  # that a control draws at most, whatever the width


def pentachoron_cv(model: Model, sampling: Sampling) -> Finding:
    """CV of pentachoron volumes over the rows of the table, with both halves of its cause."""
    table = _table(model)
    d = table.shape[1]
    volumes = _volumes(model, table, sampling)
    modest = _modest(sampling)
    directions = simplex.volume_statistics(table, modest, unit=True).cv
    norms = _norm_matched(table, modest)
    return Finding(
        estimate=volumes.cv,
        design=_design(table),
        controls=(
            Named(
                "i.i.d. Gaussian",
                controls.gaussian_pentachoron_cv(d),
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
            *_without_unused(model, lambda used: simplex.volume_statistics(used, modest).cv),
        ),
        notes=(f"{volumes.dropped} simplices with V² ≤ 0 dropped",) if volumes.dropped else (),
    )


def volume_ratio_to_gaussian(model: Model, sampling: Sampling) -> Finding:
    """Mean pentachoron volume over that of Gaussian tables; i.i.d. with the overall std first."""
    table = _table(model)
    means, stds = embedding.column_moments(table)
    spread = (stds.square().mean() + means.square().mean() - means.mean().square()).sqrt().item()
    mean = _volumes(model, table, sampling).mean
    isotropic = exact(controls.gaussian_pentachoron_mean(table.shape[1], spread))
    modest = _modest(sampling)
    generator = modest.generator("per-dimension Gaussian")
    count = max(1_000, min(modest.samples // 5, _CONTROL_NUMBERS // (5 * len(stds))))
    anisotropic = controls.per_dimension_gaussian_volumes(stds, count, generator)
    return Finding(
        estimate=estimate.ratio(mean, isotropic),
        design=_design(table),
        controls=(Named("i.i.d. Gaussian", exact(1.0), "a random table, by definition"),),
        related=(
            Named(
                "to per-dimension Gaussian",
                estimate.ratio(mean, estimate.mean(anisotropic)),
                "a Gaussian table with each dimension's own std",
            ),
            Named(
                "to norm-matched",
                estimate.ratio(mean, estimate.mean(_norm_matched(table, modest))),
                "every row's own norm in a random direction",
            ),
        ),
    )


def embedding_participation_ratio(model: Model, sampling: Sampling) -> Finding:
    """Participation ratio of the table's covariance over its width."""
    del sampling
    table = _table(model)
    spectrum = embedding.covariance_spectrum(table)
    dimensions = {
        f"dimensions for {share:.0%} of variance": exact(spectrum.dimensions_for(share))
        for share in (0.8, 0.9, 0.95, 0.99)
    }
    return Finding(
        estimate=exact(spectrum.participation_ratio),
        design=_design(table),
        controls=(
            Named(
                "i.i.d. Gaussian",
                controls.gaussian_participation_ratio(*table.shape),
                "an isotropic random table of this shape",
            ),
        ),
        related=(
            *(Named(name, value, f"of {table.shape[1]}") for name, value in dimensions.items()),
            Named("total variance", exact(spectrum.total_variance), "trace of the covariance"),
            *_without_unused(
                model,
                lambda used: exact(embedding.covariance_spectrum(used).participation_ratio),
            ),
        ),
    )


def mean_pairwise_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine over all pairs of rows: the value that 5,000 sampled rows estimate."""
    table = _table(model)
    summary = embedding.cosine_summary(table, sampling)
    marks = {
        f"{share:.0%} percentile": exact(value) for share, value in summary.percentiles.items()
    }
    return Finding(
        estimate=exact(summary.moments.mean),
        design=_design(table),
        controls=(
            Named(
                "random directions",
                controls.gaussian_mean_cosine(*table.shape),
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
            *_without_unused(model, lambda used: exact(embedding.cosine_moments(used).mean)),
            *(Named(name, value, "of sampled pairs") for name, value in marks.items()),
        ),
        notes=tuple(
            f"{share:.2%} of sampled pairs lie within 0.01 of {mark:g}; the nearest is"
            f" {summary.nearest[mark]:.5f}"
            for mark, share in summary.near.items()
        ),
    )


def digit_distance_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson correlation of |i − j| with the cosine of the tokens of digits i and j."""
    table = _table(model)
    rows = _vocabulary(model).digits()
    if rows is None:
        raise NotApplicableError("the ten digits are not single tokens of this vocabulary")
    summary = embedding.digit_summary(_rows(model, table, rows))
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


def category_lift(model: Model, sampling: Sampling) -> Finding:
    """Mean over word categories of the cosine inside a category above the global mean."""
    table = _table(model)
    vocabulary = _vocabulary(model)
    groups = {name: vocabulary.category(words) for name, words in CATEGORIES.items()}
    mean = embedding.cosine_moments(table).mean
    summary = embedding.category_summary(table, groups, mean)
    if not summary.lift:
        raise NotApplicableError("no category has three single-token words")
    lifts = torch.tensor(list(summary.lift.values()), dtype=torch.float64)
    return Finding(
        estimate=exact(lifts.mean().item()),
        design=f"{len(lifts)} categories, {sum(summary.members.values())} words",
        controls=(_shuffled_categories(table, summary, mean, sampling),),
        related=tuple(
            Named(name, exact(value), f"cosine inside, {summary.members[name]} words")
            for name, value in summary.intra.items()
        ),
        parts=dict(summary.lift),
    )


def embedding_norm(model: Model, sampling: Sampling) -> Finding:
    """CV of the row norms, which alone can put the pentachoron CV into its band."""
    table = _table(model)
    summary = embedding.norm_summary(table)
    distances = embedding.distance_summary(table, sampling)
    d = table.shape[1]
    return Finding(
        estimate=exact(summary.std / summary.mean),
        design=_design(table),
        controls=(
            Named(
                "i.i.d. Gaussian",
                exact((1 / (2 * d)) ** 0.5, "closed form"),
                "norms of random rows, 1/√(2d) to first order",
            ),
        ),
        related=(
            Named("mean norm", exact(summary.mean), "of a row"),
            Named("smallest norm", exact(summary.lowest), f"row {summary.lowest_row}"),
            Named("largest norm", exact(summary.highest), f"row {summary.highest_row}"),
            *_without_unused(model, lambda used: exact(_norm_cv(used))),
            Named("rows of norm zero", exact(summary.zero_rows), "norm below 1e-6"),
            Named("mean distance", exact(distances.mean), "between sampled rows"),
            Named("mean distance / √d", exact(distances.mean / distances.scale), "the same"),
            Named("CV of distances", exact(distances.cv), "between sampled rows"),
            Named("std of dimension means", exact(summary.std_of_means), "over dimensions"),
            Named("mean of dimension stds", exact(summary.mean_of_stds), "over dimensions"),
        ),
    )


def _without_unused(model: Model, quantity: Callable[[Tensor], Estimate]) -> tuple[Named, ...]:
    """The same quantity over the rows of tokens that the vocabulary does not mark as unused."""
    unused = [] if model.is_twin or model.vocabulary is None else model.vocabulary.unused()
    table = _table(model)
    kept = torch.ones(len(table), dtype=torch.bool)
    kept[[row for row in unused if row < len(table)]] = False
    count = len(table) - int(kept.sum())
    if not count:
        return ()
    value = quantity(table[kept.to(table.device)])
    return (Named(f"without {count} unused rows", value, "tokens marked unused left out"),)


def _norm_cv(table: Tensor) -> float:
    norms = embedding.row_norms(table)
    return (norms.std(correction=0) / norms.mean()).item()


def _table(model: Model) -> Tensor:
    if model.embedding is None:
        raise NotApplicableError("the model has no token-embedding table")
    return model.embedding


def _volumes(model: Model, table: Tensor, sampling: Sampling) -> simplex.VolumeStatistics:
    try:
        return simplex.volume_statistics(table, sampling)
    except ValueError as error:
        raise _at_fault(model, error) from error


def _rows(model: Model, table: Tensor, rows: list[int]) -> Tensor:
    if max(rows) >= len(table):
        raise CheckpointError(
            f"{model.checkpoint.folder}: the tokenizer names row {max(rows)}, "
            f"the embedding has {len(table)}"
        )
    return table[torch.tensor(rows, device=table.device)]


def _at_fault(model: Model, error: ValueError) -> CheckpointError:
    weight = model.layout.token_embedding
    assert weight is not None
    file = model.checkpoint.tensors[weight.tensor].file
    return CheckpointError(f"{file}: {weight.tensor} {list(weight.shape)}: {error}")


def _vocabulary(model: Model) -> Vocabulary:
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    return model.vocabulary


def _norm_matched(table: Tensor, sampling: Sampling) -> Tensor:
    generator = sampling.generator("norm-matched")
    norms = embedding.row_norms(table)
    return controls.norm_matched_volumes(norms, table.shape[1], sampling.samples, generator)


def _modest(sampling: Sampling) -> Sampling:
    samples = min(sampling.samples, _RELATED_SAMPLES)
    return dataclasses.replace(sampling, samples=samples, limit=samples, edges=())


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


def _design(table: Tensor) -> str:
    return f"table of {table.shape[0]} × {table.shape[1]}"

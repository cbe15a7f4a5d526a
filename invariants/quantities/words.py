"""Rows of the embedding table that stand for digits, words, characters, special tokens.

SPEC G7, G8, G10.
"""

from __future__ import annotations

import string
from collections.abc import Mapping

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.texts.corpora import CATEGORIES
from geometric_invariants.fixtures.texts.vocabulary import Vocabulary
from geometric_invariants.geometry import controls, embedding, estimate
from geometric_invariants.geometry.embedding import CategorySummary, DigitSummary
from geometric_invariants.geometry.estimate import Sampling, exact, normal
from geometric_invariants.geometry.pairs import CosineMoments
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.table import (
    cosine_moments,
    moments,
    rows_of,
    stored_table,
    vocabulary,
)
from geometric_invariants.reports.exhibits import Figure, Table

_DRAWS = 100  # of categories of random rows
_LAST = 100  # rows of the table: the source's fourth group of tokens
_CHARACTERS = {
    "digits": string.digits,
    "upper case": string.ascii_uppercase,
    "lower case": string.ascii_lowercase,
}


def digit_distance_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of |i − j| with the cosine of the first pieces that digits i and j encode to.

    Those are the source's rows; the bare pieces, without a mark of a word's beginning, beside it.
    """
    table, words = stored_table(model), vocabulary(model)
    rows, bare = words.digits(), words.bare_digits()
    if rows is None:
        raise NotApplicableError("the ten digits do not begin with ten pieces of this vocabulary")
    summary = embedding.digit_summary(rows_of(model, table, rows))
    judged, design = exact(summary.correlation), "45 pairs of digits"
    steps = torch.arange(10.0)
    gaps = (steps[:, None] - steps).abs()
    null = controls.shuffled_correlation(gaps, summary.cosines, sampling)
    control = Named("digits shuffled", null, "the same ten rows in random order")
    if model.is_twin:
        return Finding(judged, design, (control,))
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(
            Named("|i − j| = 1", exact(summary.adjacent), "mean cosine of neighbours"),
            Named("|i − j| > 1", exact(summary.distant), "mean cosine of the others"),
            Named("gap", exact(summary.gap), "difference of the two"),
            *_bare_digits(model, table, bare if bare != rows else None),
        ),
        figures=(_digit_map(summary), _by_distance(summary, cosine_moments(model))),
        tables=(_digit_rows(words, rows, bare),),
    )


def _bare_digits(model: Model, table: Tensor, rows: list[int] | None) -> tuple[Named, ...]:
    if rows is None:
        return ()
    found = embedding.digit_summary(rows_of(model, table, rows)).correlation
    return (Named("bare pieces", exact(found), "of the pieces 0 … 9 without a space's mark"),)


def _digit_map(summary: DigitSummary) -> Figure:
    return drawn.heatmap(
        "cosines of the digits",
        string.digits,
        string.digits,
        summary.cosines,
        x_label="digit",
        y_label="digit",
    )


def _by_distance(summary: DigitSummary, overall: CosineMoments) -> Figure:
    """The correlation's own picture: mean cosine of the pairs of digits i and j by |i − j|."""
    gaps = range(1, 10)
    means = [summary.cosines.diagonal(gap).mean().item() for gap in gaps]
    return Figure(
        "cosine of digits by their difference",
        "lines",
        tuple(map(float, gaps)),
        {"digits": drawn.rounded(means)},
        levels={"mean over all pairs of rows": overall.mean},
        x_label="|i − j|",
        y_label="mean cosine",
    )


def _digit_rows(words: Vocabulary, rows: list[int], bare: list[int] | None) -> Table:
    return drawn.table(
        "rows of the digits",
        ("row", "token", "bare row"),
        {
            str(digit): (row, words.name(row), bare[digit] if bare else None)
            for digit, row in enumerate(rows)
        },
        "the first piece that a digit encodes to; bare: without a mark of a word's beginning",
    )


def category_lift(model: Model, sampling: Sampling) -> Finding:
    """Mean over word categories of the cosine inside a category above the global mean."""
    table = stored_table(model)
    words = vocabulary(model)
    groups = {name: words.category(of) for name, of in CATEGORIES.items()}
    overall = cosine_moments(model)
    summary = embedding.category_summary(table, groups, overall.mean)
    if not summary.lift:
        raise NotApplicableError("no category has three single-token words")
    lifts = torch.tensor(list(summary.lift.values()), dtype=torch.float64)
    random = _random_categories(table, summary.members, sampling)
    drawn_lifts = torch.stack(list(random.values())).mean(0) - overall.mean
    judged = exact(lifts.mean().item())
    null = estimate.quantile_interval(drawn_lifts, drawn_lifts.mean().item(), "random rows")
    control = Named("random rows", null, "categories of the same sizes, filled at random")
    design = "cosine inside word categories, above the mean over all pairs of rows"
    if model.is_twin:
        return Finding(judged, design, (control,))
    names = tuple(summary.intra)
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(Named("mean over all pairs", exact(overall.mean), "the mean lifted over"),),
        parts=dict(summary.lift),
        figures=(
            _category_bars(summary, random, overall),
            drawn.heatmap(
                "cosines between category centroids",
                names,
                names,
                summary.centroids,
                x_label="category",
                y_label="category",
            ),
        ),
        tables=(_categories(summary, random), _token_groups(model, table, words, overall)),
    )


def _random_categories(
    table: Tensor, members: Mapping[str, int], sampling: Sampling
) -> dict[str, Tensor]:
    """Mean cosine inside categories of the same sizes filled with random rows, [draws] each."""
    generator = sampling.generator("shuffled categories")
    return {
        name: embedding.random_group_cosines(table, size, _DRAWS, generator)
        for name, size in members.items()
    }


def _category_bars(
    summary: CategorySummary, random: Mapping[str, Tensor], overall: CosineMoments
) -> Figure:
    return Figure(
        "cosine inside categories",
        "bars",
        tuple(summary.intra),
        {
            "words": drawn.rounded(list(summary.intra.values())),
            "random rows": drawn.rounded([draws.mean().item() for draws in random.values()]),
        },
        levels={"mean over all pairs": overall.mean},
        x_label="category",
        y_label="mean cosine",
    )


def _categories(summary: CategorySummary, random: Mapping[str, Tensor]) -> Table:
    return drawn.table(
        "word categories",
        ("words", "cosine inside", "lift", "random rows, std"),
        {
            name: (summary.members[name], cosine, summary.lift[name], random[name].std().item())
            for name, cosine in summary.intra.items()
        },
        "single-token words of each list; lift: above the mean over all pairs of rows",
    )


def _token_groups(model: Model, table: Tensor, words: Vocabulary, overall: CosineMoments) -> Table:
    groups = {name: words.characters(wanted) for name, wanted in _CHARACTERS.items()}
    groups[f"last {_LAST}"] = list(range(max(0, len(table) - _LAST), len(table)))
    rows: dict[str, tuple[float | None, ...]] = {
        name: _group(rows_of(model, table, group), overall) if len(group) > 1 else _absent(group)
        for name, group in groups.items()
    }
    rows["all pairs of rows"] = (len(table), overall.mean, overall.std, 0.0)
    return drawn.table(
        "token groups",
        ("rows", "mean cosine", "std", "lift"),
        rows,
        "tokens that are one ASCII character alone, without a mark of a word's beginning, and the"
        " rows of the highest numbers; lift: above the mean over all pairs of rows",
    )


def _group(rows: Tensor, overall: CosineMoments) -> tuple[float | None, ...]:
    cosines = embedding.cosines_within(rows)
    mean, std = cosines.mean().item(), cosines.std(correction=0).item()
    return len(rows), mean, std, mean - overall.mean


def _absent(group: list[int]) -> tuple[float | None, ...]:
    return len(group), None, None, None


def special_token_norm(model: Model) -> Finding:
    """Mean norm of the special tokens' rows over the mean norm of all rows."""
    table = model.embedding
    if table is None or model.vocabulary is None:
        raise NotApplicableError("no token-embedding table, or no tokenizer beside it")
    named = model.vocabulary.special()
    special = {name: row for name, row in named.items() if row < len(table)}
    rowless = [name for name in named if name not in special]
    if len(special) < 2:
        raise NotApplicableError("the vocabulary has no special tokens of a known name")
    every = moments(model).norms
    norms = every[list(special.values())]
    mean, std = every.mean().item(), every.std(correction=0).item()
    judged, design = exact(norms.mean().item() / mean), ", ".join(special)
    null = normal(1.0, std / mean / len(special) ** 0.5, method="closed form")
    control = Named("random rows", null, "as many, at random")
    if model.is_twin:
        return Finding(judged, design, (control,))
    cosines = embedding.cosine_matrix(rows_of(model, table, list(special.values())))
    above = cosines[torch.ones_like(cosines, dtype=torch.bool).triu(1)]
    random = normal(0.0, table.shape[1] ** -0.5, method="closed form")
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(
            Named("mean cosine", exact(above.mean().item()), "between special tokens"),
            Named("largest cosine", exact(above.max().item()), "the same"),
            Named("smallest cosine", exact(above.min().item()), "the same"),
            Named("cosine at random", random, "of two random directions"),
        ),
        parts=dict(zip(special, norms.tolist(), strict=True)),
        figures=(
            drawn.heatmap(
                "cosines of the special tokens",
                tuple(special),
                tuple(special),
                cosines,
                x_label="token",
                y_label="token",
            ),
        ),
        tables=(
            drawn.table(
                "norms of the special tokens",
                ("row", "norm", "over the mean norm"),
                {
                    name: (row, every[row].item(), every[row].item() / mean)
                    for name, row in special.items()
                },
            ),
        ),
        notes=(f"the embedding has no row for {', '.join(rowless)}",) if rowless else (),
    )

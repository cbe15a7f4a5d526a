"""One model's token embedding laid over a smaller one's (SPEC S13b)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fixtures.errors import InputError
from fixtures.model import Model
from fixtures.vocabulary import Vocabulary
from geometry import embedding, relations
from geometry.alignment import Projection, project
from geometry.embedding import DigitSummary
from geometry.estimate import Sampling
from invariants.finding import NotApplicableError


class PairError(InputError):
    """Two models cannot be compared."""


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits' cosines in the smaller table, and in the larger as mapped.

    `structure` is the correlation of the mapped digits' 45 cosines with the native ones, `null`
    the same through the map of shuffled anchors.
    """

    native: DigitSummary
    mapped: DigitSummary
    structure: float
    null: float


@dataclass(frozen=True)
class Comparison:
    """The projection of `larger` onto `smaller` by their common tokens, named in `tokens`."""

    larger: str
    smaller: str
    shapes: tuple[tuple[int, int], tuple[int, int]]
    tokens: tuple[str, ...]
    vocabularies: tuple[int, int]
    projection: Projection
    digits: Digits | None

    def named(self, places: tuple[tuple[int, float], ...]) -> list[tuple[str, float]]:
        """Tokens of places among the held-out ones, with their values."""
        held = self.projection.held_out
        return [(self.tokens[int(held[i])], value) for i, value in places]


def compare(first: Model, second: Model, sampling: Sampling) -> Comparison:
    """The wider of two tables laid over the narrower; the second is the target of equal widths.

    Tokens are matched by their strings. Raises NotApplicableError where a model has no table or no
    tokenizer, PairError where the vocabularies share too few tokens.
    """
    tables, vocabularies = zip(*(_table(model) for model in (first, second)), strict=True)
    models = (first, second)
    if tables[0].shape[1] < tables[1].shape[1]:
        models, tables, vocabularies = models[::-1], tables[::-1], vocabularies[::-1]
    source, target = tables
    tokens, pairs = common_tokens(vocabularies, (len(source), len(target)))
    names = f"{models[0].id} and {models[1].id}"
    if not tokens:
        raise PairError(f"{names}: their vocabularies have no token in common")
    try:
        projection = project(source, target.to(source.device), pairs, sampling)
    except ValueError as error:
        raise PairError(f"{names}: {error}") from error
    return Comparison(
        larger=models[0].id,
        smaller=models[1].id,
        shapes=(tuple(source.shape), tuple(target.shape)),
        tokens=tokens,
        vocabularies=(len(vocabularies[0].tokens), len(vocabularies[1].tokens)),
        projection=projection,
        digits=_digits(vocabularies, source, target, projection),
    )


def common_tokens(
    vocabularies: tuple[Vocabulary, Vocabulary], rows: tuple[int, int]
) -> tuple[tuple[str, ...], tuple[Tensor, Tensor]]:
    """The tokens spelled alike in both, in the second's order, and their rows in both tables."""
    first, second = (vocabulary.tokens for vocabulary in vocabularies)
    shared = sorted(
        (row, first[token], token)
        for token, row in second.items()
        if token in first and row < rows[1] and first[token] < rows[0]
    )
    places = torch.tensor([found[:2] for found in shared], dtype=torch.int64).view(-1, 2)
    return tuple(token for *_, token in shared), (places[:, 1], places[:, 0])


def _table(model: Model) -> tuple[Tensor, Vocabulary]:
    if model.embedding is None:
        raise NotApplicableError(f"{model.id} has no token-embedding table")
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    return model.embedding, model.vocabulary


def _digits(
    vocabularies: tuple[Vocabulary, Vocabulary],
    source: Tensor,
    target: Tensor,
    projection: Projection,
) -> Digits | None:
    rows = [vocabulary.digits() or vocabulary.bare_digits() for vocabulary in vocabularies]
    if rows[0] is None or rows[1] is None:
        return None
    if max(rows[0]) >= len(source) or max(rows[1]) >= len(target):
        return None
    larger = source[torch.tensor(rows[0], device=source.device)]
    native = embedding.digit_summary(target[torch.tensor(rows[1], device=target.device)])
    mapped = embedding.digit_summary(projection.map(larger))
    null = embedding.digit_summary(projection.map(larger, null=True))
    i, j = torch.triu_indices(10, 10, 1)
    return Digits(
        native=native,
        mapped=mapped,
        structure=relations.pearson(mapped.cosines[i, j], native.cosines[i, j]),
        null=relations.pearson(null.cosines[i, j], native.cosines[i, j]),
    )

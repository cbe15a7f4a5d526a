"""One model's token embedding laid over a smaller one's (SPEC S13b)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.texts.vocabulary import Vocabulary
from geometric_invariants.geometry import embedding, relations
from geometric_invariants.geometry.embedding import DigitSummary
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.projection import Laid, Projection, lay, project
from geometric_invariants.invariants.finding import NotApplicableError


class PairError(InputError):
    """Two models cannot be compared."""


@dataclass(frozen=True, slots=True)
class MappedDigits:
    """The larger table's digits as mapped: their own cosines, and each one's with the native digit.

    `structure` is the correlation of their 45 cosines with the native ones, `difference` the mean
    absolute difference of those.
    """

    summary: DigitSummary
    alignment: tuple[float, ...]
    structure: float
    difference: float


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits in the smaller table, and in the larger as mapped by true and shuffled anchors."""

    native: DigitSummary
    mapped: MappedDigits
    null: MappedDigits


@dataclass(frozen=True)
class Beside:
    """Two tables laid over each other by their common tokens, the wider first.

    `tokens` and `rows` [tokens], their places in the smaller table, are of all tokens in common.
    """

    larger: Model
    smaller: Model
    tables: tuple[Tensor, Tensor]
    vocabularies: tuple[Vocabulary, Vocabulary]
    tokens: tuple[str, ...]
    rows: Tensor
    laid: Laid


@dataclass(frozen=True)
class Comparison:
    """How a table lies over another: the projection, and what it makes of the digits."""

    beside: Beside
    projection: Projection
    digits: Digits | None

    @property
    def larger(self) -> str:
        return self.beside.larger.id

    @property
    def smaller(self) -> str:
        return self.beside.smaller.id

    @property
    def ids(self) -> Tensor:
        """Rows of the held-out tokens in the smaller table."""
        return self.beside.rows[self.beside.laid.held_out]

    def named(self, places: tuple[tuple[int, float], ...]) -> list[tuple[str, float]]:
        """Tokens of places among the held-out ones, with their values."""
        held = self.beside.laid.held_out
        return [(self.beside.tokens[int(held[i])], value) for i, value in places]


def compare(first: Model, second: Model, sampling: Sampling) -> Comparison:
    """The wider of two tables laid over the narrower, measured with its null.

    Raises what `lay_over` raises.
    """
    beside = lay_over(first, second, sampling)
    projection = project(beside.laid, sampling)
    return Comparison(beside, projection, _digits(beside, projection))


def lay_over(first: Model, second: Model, sampling: Sampling) -> Beside:
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
        laid = lay(source, target.to(source.device), pairs, sampling)
    except ValueError as error:
        raise PairError(f"{names}: {error}") from error
    return Beside(*models, tables, vocabularies, tokens, pairs[1], laid)


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


def _digits(beside: Beside, projection: Projection) -> Digits | None:
    source, target = beside.tables
    rows = [words.digits() or words.bare_digits() for words in beside.vocabularies]
    if rows[0] is None or rows[1] is None:
        return None
    if max(rows[0]) >= len(source) or max(rows[1]) >= len(target):
        return None
    larger = source[torch.tensor(rows[0], device=source.device)]
    own = target[torch.tensor(rows[1], device=target.device)].to(source.device)
    native = embedding.digit_summary(own)

    def mapped(*, null: bool) -> MappedDigits:
        there = projection.map(larger, null=null)
        summary = embedding.digit_summary(there)
        i, j = torch.triu_indices(10, 10, 1)
        pair = summary.cosines[i, j], native.cosines[i, j]
        return MappedDigits(
            summary,
            tuple(embedding.row_cosines(there, own.double()).tolist()),
            relations.pearson(*pair),
            (pair[0] - pair[1]).abs().mean().item(),
        )

    return Digits(native, mapped(null=False), mapped(null=True))

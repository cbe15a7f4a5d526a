"""The token-embedding table that quantities read, and which of its rows tokens stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.texts.vocabulary import Vocabulary
from geometric_invariants.geometry import embedding, pairs
from geometric_invariants.geometry.embedding import Moments
from geometric_invariants.geometry.estimate import Estimate, exact
from geometric_invariants.geometry.pairs import CosineMoments
from geometric_invariants.invariants.finding import Named, NotApplicableError

T = TypeVar("T")

_FEWEST_ROWS = 5  # a pentachoron's


@dataclass(frozen=True, slots=True)
class TokenTable:
    """A table [rows, d] as stored, and the part of it that tokens in use stand for.

    `kept` [rows] tells that part; None where it is the whole table, or not known. `notes` say
    how many rows are nobody's, or why that is not known.
    """

    rows: Tensor
    words: Vocabulary | None = None
    kept: Tensor | None = None
    notes: tuple[str, ...] = ()

    @property
    def extent(self) -> tuple[Named, ...]:
        """Rows and width, to be shown beside a value."""
        rows, width = self.rows.shape
        return Named("rows", exact(rows), "of the table"), Named("width", exact(width), "of a row")

    def token(self, row: int) -> str:
        """The token of a row, empty where there is none or it is not known."""
        return "" if self.words is None else self.words.name(row)

    def in_use(
        self, quantity: Callable[[Tensor], Estimate], of: Tensor | None = None
    ) -> tuple[Named, ...]:
        """The same quantity over the rows of tokens in use, where those are not all rows.

        `of` [rows, …] is what is known of each row where that is not the row itself.
        """
        if self.kept is None:
            return ()
        whole = self.rows if of is None else of
        used = whole[self.kept.to(whole.device)]
        meaning = "rows without a token, and of tokens marked unused, left out"
        return (Named(f"over {len(used)} tokens' rows", quantity(used), meaning),)


def token_table(model: Model) -> TokenTable:
    """The model's table with what its tokenizer says of the rows.

    A twin's tokens are its model's, so it has rows alone. A tokenizer that cannot be read costs the
    tokens, not the rows. Raises NotApplicableError for a model without a table.
    """
    rows = stored_table(model)
    if model.is_twin:
        return TokenTable(rows)
    try:
        words = model.vocabulary
    except CheckpointError as error:
        return TokenTable(rows, notes=(f"rows without a token are not known: {error}",))
    return TokenTable(rows) if words is None else _told_apart(rows, words)


def shared(model: Model, key: str, make: Callable[[], T]) -> T:
    """What several quantities of a model ask for, made when the first of them does."""
    if key not in model.memory:
        model.memory[key] = make()
    found: T = model.memory[key]
    return found


def moments(model: Model) -> Moments:
    """Norms of the table's rows and moments of its dimensions, from one pass for all quantities."""
    return shared(model, "moments of the table", lambda: embedding.moments(stored_table(model)))


def cosine_moments(model: Model) -> CosineMoments:
    """Mean and std of the cosine over all pairs of rows, from one pass for all quantities."""
    return shared(
        model, "cosine moments of the table", lambda: pairs.cosine_moments(stored_table(model))
    )


def stored_table(model: Model) -> Tensor:
    """The table [rows, d] as stored. Raises NotApplicableError for a model without one."""
    if model.embedding is None:
        raise NotApplicableError("the model has no token-embedding table")
    return model.embedding


def vocabulary(model: Model) -> Vocabulary:
    """The model's vocabulary, for quantities that need words.

    Raises NotApplicableError without a tokenizer, CheckpointError for one that cannot be read.
    """
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    return model.vocabulary


def rows_of(model: Model, table: Tensor, rows: list[int]) -> Tensor:
    """Rows of a table by number. Raises CheckpointError where the tokenizer names more rows."""
    if max(rows) >= len(table):
        raise CheckpointError(
            f"{model.checkpoint.folder}: the tokenizer names row {max(rows)}, "
            f"the embedding has {len(table)}"
        )
    return table[torch.tensor(rows, device=table.device)]


@contextmanager
def naming_the_table(model: Model) -> Iterator[None]:
    """What is wrong with a table's shape or values becomes an error that says where it lies.

    Raises CheckpointError, naming file and tensor, for a ValueError inside.
    """
    try:
        yield
    except ValueError as error:
        weight = model.layout.token_embedding
        assert weight is not None
        file = model.checkpoint.tensors[weight.tensor].file
        where = f"{file}: {weight.tensor} {list(weight.shape)}"
        raise CheckpointError(f"{where}: {error}") from error


def _told_apart(rows: Tensor, words: Vocabulary) -> TokenTable:
    unused = torch.zeros(len(rows), dtype=torch.bool)
    named = torch.zeros_like(unused)
    named[[row for row in set(words.tokens.values()) if row < len(rows)]] = True
    unused[[row for row in words.unused() if row < len(rows)]] = True
    notes = tuple(
        f"{count} of {len(rows)} rows {what}"
        for count, what in (
            (int((~named).sum()), "belong to no token of the tokenizer"),
            (int((named & unused).sum()), "belong to tokens that the tokenizer marks as unused"),
        )
        if count
    )
    kept = named & ~unused
    is_part = _FEWEST_ROWS <= int(kept.sum()) < len(rows)
    return TokenTable(rows, words, kept if is_part else None, notes)

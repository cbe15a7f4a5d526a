"""The output head beside the token-embedding table (SPEC G11)."""

from __future__ import annotations

import torch
from torch import Tensor

from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.head import expects_head, tied_by_config
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import embedding, null_distributions
from geometric_invariants.geometry.distribution import distribution
from geometric_invariants.geometry.estimate import Sampling, exact, normal
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.distributions import (
    STATISTICS,
    histogram,
    statistics,
)
from geometric_invariants.reports.exhibits import Table

_OTHERS = 10_000  # tokens whose rows are set beside those of others


def embedding_head_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine of a token's embedding row with its row of the output head; 1 where tied.

    Tied is a fact of file and config: a head that repeats the table, or none where the config ties
    it. Raises CheckpointError where the config says that the head is its own and none is stored.
    """
    table = model.embedding
    if table is None:
        raise NotApplicableError("the model has no token-embedding table")
    heads = [w for w in model.layout.having("head") if w.shape[1:] == table.shape[1:]]
    if heads:
        return _apart(model, heads[0], table, sampling)
    if model.layout.tied_heads:
        return _tied(table, f"{model.layout.tied_heads[0]} is the table itself")
    if not expects_head(model.checkpoint):
        raise NotApplicableError("the model has no output head over its tokens")
    tied = tied_by_config(model.checkpoint)
    if tied is None:
        raise NotApplicableError("no head is stored, and no config says whether it is tied")
    if not tied:
        raise CheckpointError(
            f"{model.checkpoint.files[0]}: no output head is stored, but config.json says that it"
            " is not tied to the embedding (tie_word_embeddings = false)"
        )
    return _tied(table, "no head is stored: the config ties it to the embedding")


def _tied(table: Tensor, note: str) -> Finding:
    return Finding(
        estimate=exact(1.0, "one table"), design="rows", controls=(_null(table),), notes=(note,)
    )


def untied_head(model: Model) -> tuple[Weight, Tensor, Tensor] | None:
    """The head over tokens that is a table of its own, its rows, and those of the embedding.

    The embedding is the decoder's where it has its own; both are cut to the rows that both have.
    Raises CheckpointError where an entry is NaN or infinite.
    """
    table = model.embedding
    if table is None:
        return None
    heads = [w for w in model.layout.having("head") if w.shape[1:] == table.shape[1:]]
    if not heads:
        return None
    rows, table, _ = _both(model, heads[0], table)
    return heads[0], rows, table


def _both(model: Model, head: Weight, table: Tensor) -> tuple[Tensor, Tensor, list[str]]:
    """The rows that head and embedding both have, and what is to be said of them."""
    own = [w for w in model.layout.having("embedding") if w.stack == "decoder"]
    if own and own[0].shape == head.shape:
        table = own[0].cut.take(model.checkpoint.read(own[0].tensor)).to(table.device)
    rows = head.cut.take(model.checkpoint.read(head.tensor)).to(table.device)
    if not torch.isfinite(rows).all():
        file = model.checkpoint.tensors[head.tensor].file
        raise CheckpointError(f"{file}: {head.tensor} holds NaN or infinite entries")
    both = min(len(rows), len(table))
    notes = [f"head {list(rows.shape)}, embedding {list(table.shape)}"]
    if len(rows) != len(table):
        notes.append(f"their first {both} rows are compared")
    return rows[:both], table[:both], notes


def _apart(model: Model, head: Weight, table: Tensor, sampling: Sampling) -> Finding:
    """Cosines over the rows that both have."""
    rows, table, notes = _both(model, head, table)
    found = embedding.comparison(table, rows)
    judged = exact(found.cosines.mean().item())
    if model.is_twin:
        return Finding(judged, "rows", (_null(table),))
    cosines = distribution(found.cosines)
    others = distribution(_with_others(table, rows, sampling))
    named = {"own head row": cosines, "another token's head row": others}
    return Finding(
        estimate=judged,
        design="rows",
        controls=(_null(table),),
        related=(
            Named("std over tokens", exact(cosines.std), "of the cosine"),
            Named("smallest", exact(cosines.lowest), "over tokens"),
            Named("largest", exact(cosines.highest), "over tokens"),
            Named(
                "relative difference",
                exact(found.difference / found.first),
                "Frobenius norm of it over the embedding's",
            ),
        ),
        figures=(
            histogram(
                "embedding–head cosine",
                named,
                {"random directions": null_distributions.random_cosines(table.shape[1])},
                x_label="cosine of a token's embedding and head rows",
            ),
        ),
        tables=(
            drawn.table(
                "distribution of embedding–head cosines",
                STATISTICS,
                {name: statistics(values) for name, values in named.items()},
                "over all tokens; another token's head row: at most 10,000 tokens, at random",
            ),
            _sizes(found),
        ),
        notes=tuple(notes),
    )


def _sizes(found: embedding.Comparison) -> Table:
    sizes = {"embedding": found.first, "head": found.second, "difference": found.difference}
    return drawn.table(
        "Frobenius norms",
        ("norm", "over the embedding's"),
        {name: (size, size / found.first) for name, size in sizes.items()},
        "of the rows that both have",
    )


def _with_others(table: Tensor, rows: Tensor, sampling: Sampling) -> Tensor:
    """Cosines of embedding rows with the head row of another token."""
    generator = sampling.generator("other tokens' head rows")
    order = torch.randperm(len(table), generator=generator)[:_OTHERS].to(table.device)
    return embedding.row_cosines(table[order], rows[order.roll(1)]).cpu()


def _null(table: Tensor) -> Named:
    spread = 1 / (table.shape[1] * len(table)) ** 0.5
    return Named("random head", normal(0.0, spread, method="closed form"), "untied, at random")

"""What the files hold: parameters by component, head and table, what is measured (SPEC G11, K1)."""

from __future__ import annotations

import torch
from torch import Tensor

from fixtures.architecture.roles import Weight
from fixtures.errors import CheckpointError
from fixtures.head import expects_head, tied_by_config
from fixtures.model import Model
from geometry import embedding
from geometry.estimate import exact, normal
from invariants.finding import Finding, Named, NotApplicableError
from invariants.quantities.catalogue import by_component, catalogue, configuration, sharing


def manifest(model: Model) -> Finding:
    """Share of the parameters that are measured under a role; every tensor has an account.

    Raises CheckpointError where a parameter of any kind is NaN or infinite, or stored as codes.
    """
    account, survey = model.account, model.survey
    parts: dict[str, float] = {
        kind: account.numel(kind) / account.parameters
        for kind in dict.fromkeys(entry.kind for entry in account.entries)
    }
    return Finding(
        estimate=exact(account.share),
        design="parameters of the files",
        related=(
            Named("parameters", exact(account.parameters), "each once, without buffers"),
            Named("tensors", exact(len(model.checkpoint.tensors)), "stored"),
            Named("matrices", exact(len(survey.matrices)), "spectra and magnitudes of each"),
        ),
        parts=parts,
        tables=() if model.is_twin else (catalogue(model), configuration(model)),
        notes=account.listed(),
    )


def embedding_parameter_share(model: Model) -> Finding:
    """Share of the checkpoint's parameters that stands in the token embedding."""
    counts: dict[str, int] = {}
    for weight in model.layout.weights:
        component = f"{weight.stack} {weight.role.rpartition('_')[0] or weight.role}"
        counts[component] = counts.get(component, 0) + torch.Size(weight.shape).numel()
    total = model.parameters
    counts["biases and others"] = total - sum(counts.values())
    table = model.layout.token_embedding
    return Finding(
        estimate=exact(torch.Size(table.shape).numel() / total if table else 0.0),
        design="parameters of the files",
        related=(Named("parameters", exact(total), "as stored; a tied table counts once"),),
        parts={name: count / total for name, count in counts.items()},
        tables=() if model.is_twin else (by_component(model), sharing(model)),
    )


def embedding_head_cosine(model: Model) -> Finding:
    """Mean cosine of a token's embedding row with its row of the output head; 1 where tied.

    Tied is a fact of file and config: a head that repeats the table, or none where the config ties
    it. Raises CheckpointError where the config says that the head is its own and none is stored.
    """
    table = model.embedding
    if table is None:
        raise NotApplicableError("the model has no token-embedding table")
    heads = [w for w in model.layout.having("head") if w.shape[1:] == table.shape[1:]]
    if heads:
        return _apart(model, heads[0], table)
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


def _apart(model: Model, head: Weight, table: Tensor) -> Finding:
    """Cosines over the rows that both have; the table is the decoder's where it has its own."""
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
    table, rows = table[:both], rows[:both]
    cosines = embedding.row_cosines(table, rows)
    sizes = [_frobenius(table), _frobenius(rows), embedding.distance(table, rows)]
    return Finding(
        estimate=exact(cosines.mean().item()),
        design="rows",
        controls=(_null(table),),
        related=(
            Named("std over tokens", exact(cosines.std(correction=0).item()), "of the cosine"),
            Named("embedding norm", exact(sizes[0]), "Frobenius"),
            Named("head norm", exact(sizes[1]), "Frobenius"),
            Named("difference", exact(sizes[2]), "Frobenius norm of it"),
            Named("relative difference", exact(sizes[2] / sizes[0]), "over the embedding's norm"),
        ),
        notes=tuple(notes),
    )


def _null(table: Tensor) -> Named:
    spread = 1 / (table.shape[1] * len(table)) ** 0.5
    return Named("random head", normal(0.0, spread, method="closed form"), "untied, at random")


def _frobenius(table: Tensor) -> float:
    return embedding.row_norms(table).square().sum().sqrt().item()

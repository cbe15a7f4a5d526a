"""What the files hold: parameters by component, what is measured (SPEC G11, K1)."""

from __future__ import annotations

import torch

from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.finding import Finding, Named
from geometric_invariants.invariants.quantities import adapter
from geometric_invariants.invariants.quantities.catalogue import (
    by_component,
    by_rule,
    catalogue,
    configuration,
    sharing,
)
from geometric_invariants.reports.exhibits import Table


def manifest(model: Model) -> Finding:
    """Share of the parameters that are measured under a role; every tensor has an account.

    Raises CheckpointError where a parameter of any kind is NaN or infinite, or stored as codes.
    """
    account, _read = model.account, model.reading  # which finds every parameter finite
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
            Named(
                "matrices", exact(_matrices(model.layout.weights)), "each with its role, or of none"
            ),
            *adapter.update(model),
        ),
        parts=parts,
        tables=() if model.is_twin else _tables(model),
        notes=account.listed(),
    )


def _tables(model: Model) -> tuple[Table, ...]:
    return catalogue(model), by_rule(model), configuration(model), *adapter.by_layer(model)


def embedding_parameter_share(model: Model) -> Finding:
    """Share of the checkpoint's parameters that stands in the token embedding."""
    counts: dict[str, int] = {}
    for weight in model.layout.weights:
        if weight.layer is None and "embedding" not in weight.role:
            continue
        experts = "" if weight.expert is None else ", experts"
        component = f"{weight.stack} {weight.role.rpartition('_')[0] or weight.role}{experts}"
        counts[component] = counts.get(component, 0) + torch.Size(weight.shape).numel()
    total = model.parameters
    # What a task replaces is among the others, so that it may come and go.
    counts["others"] = total - sum(counts.values())
    table = model.layout.token_embedding
    return Finding(
        estimate=exact(torch.Size(table.shape).numel() / total if table else 0.0),
        design="parameters of the files",
        related=(Named("parameters", exact(total), "as stored; a tied table counts once"),),
        parts={name: count / total for name, count in counts.items()},
        tables=() if model.is_twin else (by_component(model), sharing(model)),
    )


def _matrices(weights: tuple[Weight, ...]) -> int:
    return sum(weight.role != "layernorm" for weight in weights)

"""What a checkpoint holds, as tables: matrices by role and rule, parameters by component, config,
and which tables are shared (SPEC G11, W1; K1).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch

from geometric_invariants.fixtures.architecture.account import KINDS, Kind
from geometric_invariants.fixtures.architecture.config_values import language_sections
from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.head import expects_head, tied_by_config
from geometric_invariants.fixtures.model import Model
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.quantities.groups import line_of
from geometric_invariants.invariants.quantities.layer_lines import kind_of
from geometric_invariants.reports.exhibits import Table

_OTHER_KINDS: dict[Kind, str] = {
    "vectors": "biases and other vectors",
    "not measured": "arrays of three or more dimensions",
    "codes": "codes",
}
_ACTIVATIONS = ("feed_forward_proj", "dense_act_fn", "hidden_act", "hidden_activation")


def catalogue(model: Model) -> Table:
    """Of every role: how many matrices, in which stacks, their parameters and shapes."""
    stacks = list(dict.fromkeys(weight.stack for weight in model.layout.weights))
    roles: dict[str, list[Weight]] = {}
    for weight in model.layout.weights:
        roles.setdefault(line_of(weight), []).append(weight)
    rows: dict[str, tuple[float | str, ...]] = {}
    for role, members in roles.items():
        shapes = Counter(" × ".join(map(str, weight.shape)) for weight in members)
        rows[role] = (
            len(members),
            *(sum(weight.stack == stack for weight in members) for stack in stacks),
            sum(_numel(weight) for weight in members),
            ", ".join(f"{count} of {shape}" for shape, count in shapes.items()),
        )
    return table("catalogue by role", ("weights", *stacks, "parameters", "shapes"), rows)


def by_component(model: Model) -> Table:
    """Parameters by stack and component, norms, biases and experts apart; each tensor once."""
    counts: Counter[str] = Counter()
    for weight in model.layout.weights:
        experts = "" if weight.expert is None else ", experts"
        counts[f"{weight.stack} {kind_of(weight)}{experts}"] += _numel(weight)
    for kind in KINDS:
        if kind in _OTHER_KINDS and model.account.numel(kind):
            counts[_OTHER_KINDS[kind]] = model.account.numel(kind)
    total = max(1, model.parameters)
    rows = {name: (count, count / total) for name, count in counts.items()}
    rows["all"] = (model.parameters, 1.0)
    return table("parameters by component", ("parameters", "share"), rows)


def by_rule(model: Model) -> Table:
    """What placed the weights: a family's names, patterns across families, guesses, none."""
    total = max(1, model.parameters)
    rows = {
        placed.rule: (placed.tensors, placed.numel, placed.numel / total)
        for placed in model.account.placements
    }
    return table(
        "weights by rule", ("tensors", "parameters", "share"), rows, "what told their role"
    )


def configuration(model: Model) -> Table:
    """The sizes of the model as its tensors have them, and its activation by the config."""
    layout = model.layout
    table_weight = layout.token_embedding
    queries = layout.having("self_attn_q")
    up = [weight for weight in layout.having("mlp_up") if weight.expert is None]
    experts = [weight for weight in layout.having("mlp_up") if weight.expert is not None]
    heads = _heads(model, queries[0]) if queries else None
    rows: dict[str, tuple[float | str | None]] = {
        "family": (layout.family,),
        "vocabulary": (table_weight.shape[0] if table_weight else None,),
        "d_model": (queries[0].shape[1] if queries else None,),
        "d_ff": (up[0].shape[0] if up else None,),
        **(_of_experts(experts) if experts else {}),
        "d_kv": (heads[1] if heads else None,),
        "heads": (heads[0] if heads else None,),
        "gated MLP": ("yes" if layout.having("mlp_gate") else "no",),
        "activation": (_activation(model.checkpoint.config),),
    }
    for stack in dict.fromkeys(weight.stack for weight in layout.weights):
        layers = {w.layer for w in layout.weights if w.stack == stack and w.layer is not None}
        if layers:
            rows[f"{stack} layers"] = (len(layers),)
    return table("configuration", ("value",), rows, "sizes by the tensors' shapes")


def _of_experts(up: list[Weight]) -> dict[str, tuple[float | str | None]]:
    """Experts of a layer and their width, of the layer that has most."""
    by_layer = Counter((weight.stack, weight.layer) for weight in up)
    widths = dict.fromkeys(weight.shape[0] for weight in up)
    return {
        "experts of a layer": (max(by_layer.values()),),
        "d_ff of an expert": (", ".join(map(str, widths)),),
    }


def sharing(model: Model) -> Table:
    """Whether encoder, decoder and head share the token embedding, by file and config."""
    stored = {name: name for name in model.checkpoint.tensors} | model.checkpoint.aliases
    shared = model.layout.token_embedding
    rows = {
        f"shared → {stack}": (_state(model, shared, f"{stack}.embed_tokens.weight", stored),)
        for stack in ("encoder", "decoder")
        if any(weight.stack == stack for weight in model.layout.weights)
    }
    rows["shared → head"] = (_head_state(model),)
    return table("embedding sharing", ("fact of file and config",), rows)


def _state(model: Model, shared: Weight | None, name: str, stored: dict[str, str]) -> str:
    """What the file says of a second name of the embedding."""
    found = next((full for full in stored if full.endswith(name)), None)
    if shared is None:
        return "the model has no token embedding"
    if found is None or stored[found] == shared.tensor:
        return "one tensor"
    if found in model.layout.copies:
        return "stored twice, the same numbers"
    return "a table of its own"


def _head_state(model: Model) -> str:
    if model.layout.tied_heads:
        return "tied: stored twice, the same numbers"
    if model.layout.having("head"):
        return "a table of its own"
    if not expects_head(model.checkpoint):
        return "the model has no output head"
    tied = tied_by_config(model.checkpoint)
    if tied is None:
        return "none is stored, and no config says why"
    return "tied by the config" if tied else "missing: the config says that it is not tied"


def _heads(model: Model, query: Weight) -> tuple[int, int] | None:
    try:
        heads = model.layout.heads(query)
    except CheckpointError:  # a config that does not fit costs what needs heads, not this table
        return None
    return (heads.heads, heads.head_dim) if heads else None


def _activation(config: Any) -> str | None:
    for part in language_sections(config):
        for key in _ACTIVATIONS:
            if isinstance(part.get(key), str):
                return str(part[key])
    return None


def _numel(weight: Weight) -> int:
    return torch.Size(weight.shape).numel()

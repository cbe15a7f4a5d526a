"""Quantities of the query–key geometry (SPEC W3)."""

from __future__ import annotations

import math
import statistics

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import AttentionRow
from geometric_invariants.geometry import controls
from geometric_invariants.geometry.estimate import Estimate, Sampling, exact
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities import attention_exhibits as exhibits
from geometric_invariants.invariants.quantities.attention_exhibits import QKLayer
from geometric_invariants.invariants.quantities.groups import told_apart
from geometric_invariants.invariants.quantities.stacks import Stacks, by_stack
from geometric_invariants.reports.exhibits import Figure


def self_attention_qk_balance(model: Model) -> Finding:
    """Mean over layers of the positive share of eigenvalues of sym(W_q W_kᵀ), self-attention.

    A share of the eigenvalues that are not zero to rounding.
    """
    layers = _layers(model, "self_attn")
    return _balance(model, "self_attn", layers, _mean_of_random(layers.judged))


def cross_attention_qk_balance(model: Model) -> Finding:
    """The same of cross-attention; the parts are what is judged, each decoder layer."""
    layers = _layers(model, "cross_attn")
    return _balance(model, "cross_attn", layers, _farthest_of_random(layers.judged))


def head_signed_mass(model: Model, sampling: Sampling) -> Finding:
    """Mean over heads of Σe/Σ|e| of sym(W_{q,h}ᵀ W_{k,h}): how much a head attends to likeness."""
    stacks = _rows(model, "self_attn")
    with_heads = by_stack(model, (row for row in stacks.all if row.heads), _stack)
    rows = with_heads.judged
    if not rows:
        raise NotApplicableError("no attention heads are known: the config would name them")
    count = sum(len(row.heads) for row in rows)
    missing = len(stacks.judged) - len(rows)
    parts = _parts(with_heads.all)
    return Finding(
        estimate=exact(_signed_mass(rows)),
        design="mean over all heads",
        controls=(_random_heads(rows[0], count, sampling),),
        related=(
            Named("heads", exact(count), f"of {rows[0].head_dim} dimensions"),
            *(
                Named(f"{stack}, apart", exact(_signed_mass(others)), "a network of its own")
                for stack, others in with_heads.apart.items()
            ),
        ),
        parts={name: _signed_mass([row]) for name, row in parts.items()},
        notes=(*_sylvester(rows), *_left_out(missing, "whose heads are not known")),
    )


def _random_heads(row: AttentionRow, count: int, sampling: Sampling) -> Named:
    if row.latent is not None:
        null = controls.random_latent_signed_mass(row.latent, row.width, count, sampling)
        return Named("random heads", null, "heads whose factors are Gaussian")
    null = controls.random_signed_mass(row.head_dim, row.width, count, sampling)
    return Named("random heads", null, "heads of Gaussian weights")


def _balance(model: Model, kind: str, layers: Stacks[QKLayer], null: Named) -> Finding:
    judged = layers.judged
    missing = len(_rows(model, kind).judged) - len(judged)
    return Finding(
        estimate=exact(statistics.fmean(layer.balance for layer in judged)),
        design="positive share of non-zero eigenvalues of sym(W_q W_kᵀ), mean over layers",
        controls=(null,),
        related=(
            Named(
                "layers", exact(len(judged)), f"of {judged[0].form.size} × {judged[0].form.size}"
            ),
            *(
                Named(
                    f"{stack}, apart",
                    exact(statistics.fmean(layer.balance for layer in others)),
                    "a network of its own: mean over its layers",
                )
                for stack, others in layers.apart.items()
            ),
        ),
        parts={layer.part: layer.balance for layer in layers.all},
        apart=frozenset(one.part for others in layers.apart.values() for one in others),
        figures=() if model.is_twin else _figures(layers.all),
        tables=() if model.is_twin else (exhibits.by_layer(layers.all), exhibits.trend(layers.all)),
        notes=(
            *_balanced_by_shape(judged),
            *_left_out(missing, "whose queries and keys have no common shape"),
        ),
    )


def _figures(layers: list[QKLayer]) -> tuple[Figure, ...]:
    return exhibits.eigenvalues(layers), exhibits.fractions(layers)


def _mean_of_random(layers: list[QKLayer]) -> Named:
    sizes = [layer.form.size for layer in layers if not layer.balances]
    if not sizes:
        return _any_weights()
    spread = math.hypot(*(controls.random_balance(size).half_width for size in sizes)) / len(layers)
    null = Estimate(0.5, 0.5 - spread, 0.5 + spread, 0, "closed form")
    return Named("random square weights", null, "their products balance at one half")


def _farthest_of_random(layers: list[QKLayer]) -> Named:
    """Where the layer farthest from one half lies, on the side where this model's own does."""
    free = [layer for layer in layers if not layer.balances]
    if not free:
        return _any_weights()
    smallest = min(layer.form.size for layer in free)
    own = max((layer.balance for layer in free), key=lambda balance: abs(balance - 0.5))
    return Named(
        "farthest layer of random square weights",
        controls.random_farthest_balance(smallest, len(free), own),
        "of as many layers the one farthest from one half",
    )


def _any_weights() -> Named:
    meaning = "Sylvester's law: thin queries and keys balance whatever the weights"
    return Named("any weights of these shapes", exact(0.5, "closed form"), meaning)


def _balanced_by_shape(layers: list[QKLayer]) -> tuple[str, ...]:
    """That a balance of one half says nothing, where shapes alone make it."""
    forced = [layer for layer in layers if layer.balances]
    if not forced:
        return ()
    ranks = ", ".join(f"{r} in {n}" for r, n in sorted({(x.rank, x.form.size) for x in forced}))
    return (
        f"in {len(forced)} of {len(layers)} layers the rank of W_q W_kᵀ is at most half its size"
        f" ({ranks}: keys are shared or thin): Sylvester's law gives any weights as many positive"
        " as negative eigenvalues, trained or not",
    )


def _layers(model: Model, kind: str) -> Stacks[QKLayer]:
    """Layers whose M = W_q W_kᵀ exists. Raises NotApplicableError if none has one."""
    rows = _parts(_rows(model, kind).all)
    layers = [
        QKLayer(
            name,
            row.stack,
            row.layer,
            row.output,
            row.width,
            row.rms,
            row.rank,
        )
        for name, row in rows.items()
        if row.output is not None
    ]
    found = by_stack(model, layers, lambda layer: layer.stack)
    if not found.judged:
        raise NotApplicableError(
            f"{kind}: query and key rows do not match, and no config says how keys are shared"
        )
    return found


def _signed_mass(rows: list[AttentionRow]) -> float:
    return statistics.fmean(head.signed_mass for row in rows for head in row.heads)


def _sylvester(rows: list[AttentionRow]) -> tuple[str, ...]:
    thin = [(row, head) for row in rows if 2 * row.head_dim <= row.width for head in row.heads]
    if not thin:
        return ()
    balanced = sum(h.signs.positive == h.signs.negative == row.head_dim for row, h in thin)
    return (
        f"{balanced} of {len(thin)} heads have as many positive as negative eigenvalues, one per"
        " dimension: Sylvester's law gives any weights that balance, trained or not",
    )


def _left_out(layers: int, why: str) -> tuple[str, ...]:
    return (f"{layers} layers left out, {why}",) if layers else ()


def _rows(model: Model, kind: str) -> Stacks[AttentionRow]:
    rows = (row for row in model.survey.attention if row.kind == kind)
    found = by_stack(model, rows, _stack)
    if not found.judged:
        raise NotApplicableError(f"no {kind} queries and keys were found among the weights")
    return found


def _stack(row: AttentionRow) -> str:
    return row.stack


def _parts(rows: list[AttentionRow]) -> dict[str, AttentionRow]:
    """Rows by "decoder layer 3", and by tensor where a layer has two attentions of a kind."""
    labels = [f"{row.stack} layer {row.layer}" for row in rows]
    return dict(zip(told_apart(labels, [row.tensor for row in rows]), rows, strict=True))

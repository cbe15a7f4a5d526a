"""Quantities of the query–key geometry (SPEC W3)."""

from __future__ import annotations

import math
import statistics

from fixtures.architecture.roles import Role
from fixtures.model import Model
from fixtures.survey_rows import AttentionRow
from geometry import controls
from geometry.estimate import Estimate, Sampling, exact
from invariants.finding import Finding, Named, NotApplicableError
from invariants.quantities import attention_exhibits as exhibits
from invariants.quantities.attention_exhibits import QKLayer
from invariants.quantities.stacks import Stacks, by_stack
from reports.exhibits import Figure


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
    first, count = rows[0], sum(len(row.heads) for row in rows)
    missing = len(stacks.judged) - len(rows)
    return Finding(
        estimate=exact(_signed_mass(rows)),
        design="mean over all heads",
        controls=(
            Named(
                "random heads",
                controls.random_signed_mass(first.head_dim, first.width, count, sampling),
                "heads of Gaussian weights",
            ),
        ),
        related=(
            Named("heads", exact(count), f"of {first.head_dim} dimensions"),
            *(
                Named(f"{stack}, apart", exact(_signed_mass(others)), "a network of its own")
                for stack, others in with_heads.apart.items()
            ),
        ),
        parts={_part(row): _signed_mass([row]) for row in with_heads.all},
        notes=(*_sylvester(rows), *_left_out(missing, "whose heads are not known")),
    )


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
        figures=() if model.is_twin else _figures(layers.all),
        tables=() if model.is_twin else (exhibits.by_layer(layers.all), exhibits.trend(layers.all)),
        notes=_left_out(missing, "whose queries and keys have no common shape"),
    )


def _figures(layers: list[QKLayer]) -> tuple[Figure, ...]:
    return exhibits.eigenvalues(layers), exhibits.fractions(layers)


def _mean_of_random(layers: list[QKLayer]) -> Named:
    sizes = [layer.form.size for layer in layers]
    spread = math.hypot(*(controls.random_balance(size).half_width for size in sizes)) / len(sizes)
    null = Estimate(0.5, 0.5 - spread, 0.5 + spread, 0, "closed form")
    return Named("random square weights", null, "their products balance at one half")


def _farthest_of_random(layers: list[QKLayer]) -> Named:
    """Where the layer farthest from one half lies, on the side where this model's own does."""
    smallest = min(layer.form.size for layer in layers)
    own = max((layer.balance for layer in layers), key=lambda balance: abs(balance - 0.5))
    return Named(
        "farthest layer of random square weights",
        controls.random_farthest_balance(smallest, len(layers), own),
        "of as many layers the one farthest from one half",
    )


def _layers(model: Model, kind: str) -> Stacks[QKLayer]:
    """Layers whose M = W_q W_kᵀ exists. Raises NotApplicableError if none has one."""
    q: Role = "cross_attn_q" if kind == "cross_attn" else "self_attn_q"
    k: Role = "cross_attn_k" if kind == "cross_attn" else "self_attn_k"
    rms = {
        (row.weight.stack, row.weight.layer, row.weight.role): row.magnitudes.rms
        for row in model.survey.matrices
    }
    layers = [
        QKLayer(
            row.stack,
            row.layer,
            row.output,
            row.width,
            (rms[row.stack, row.layer, q], rms[row.stack, row.layer, k]),
        )
        for row in _rows(model, kind).all
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


def _part(row: AttentionRow) -> str:
    return f"{row.stack} layer {row.layer}"

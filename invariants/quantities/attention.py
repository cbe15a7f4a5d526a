"""Quantities of the query–key geometry (SPEC W3)."""

from __future__ import annotations

import statistics

from fixtures.model import Model
from fixtures.survey_rows import AttentionRow
from geometry import controls
from geometry.estimate import Sampling, exact
from invariants.finding import Finding, Named, NotApplicableError


def self_attention_qk_balance(model: Model, sampling: Sampling) -> Finding:
    """Mean over layers of the positive share of eigenvalues of sym(W_q W_kᵀ), self-attention."""
    del sampling
    return _balance(model, "self_attn")


def cross_attention_qk_balance(model: Model, sampling: Sampling) -> Finding:
    """Mean over decoder layers of the positive share of sym(W_q W_kᵀ), cross-attention."""
    del sampling
    return _balance(model, "cross_attn")


def head_signed_mass(model: Model, sampling: Sampling) -> Finding:
    """Mean over heads of Σe/Σ|e| of sym(W_{q,h}ᵀ W_{k,h}): how much a head attends to likeness."""
    rows = [row for row in _rows(model, "self_attn") if row.heads]
    if not rows:
        raise NotApplicableError("the config names no attention heads")
    first, count = rows[0], sum(len(row.heads) for row in rows)
    total = sum(head.signed_mass for row in rows for head in row.heads)
    return Finding(
        estimate=exact(total / count),
        design=f"{count} heads of {first.head_dim}",
        controls=(
            Named(
                "random heads",
                controls.random_signed_mass(first.head_dim, first.width, count, sampling),
                "heads of Gaussian weights",
            ),
        ),
        parts={_part(row): statistics.fmean(h.signed_mass for h in row.heads) for row in rows},
        notes=_sylvester(rows),
    )


def _balance(model: Model, kind: str) -> Finding:
    rows = _rows(model, kind)
    size = rows[0].output.size
    fractions = {_part(row): row.output.signs.positive_fraction for row in rows}
    return Finding(
        estimate=exact(statistics.fmean(fractions.values())),
        design=f"{len(rows)} layers of {size} × {size}",
        controls=(
            Named(
                "random square weights",
                controls.random_balance(size, len(rows)),
                "eigenvalues of a random product balance at one half",
            ),
        ),
        related=(*_trend(rows), *(named for row in rows for named in _described(row))),
        parts=fractions,
    )


def _trend(rows: list[AttentionRow]) -> tuple[Named, ...]:
    """How the manifold changes from the first layer of a stack to its last."""
    found = []
    for stack in dict.fromkeys(row.stack for row in rows):
        forms = [row.output for row in rows if row.stack == stack]
        first, last = forms[0], forms[-1]
        for name, change in (
            ("balance", last.signs.positive_fraction - first.signs.positive_fraction),
            ("stable rank", last.stable_rank - first.stable_rank),
            ("asymmetry", last.symmetry_deviation - first.symmetry_deviation),
        ):
            found.append(Named(f"{stack}: change of {name}", exact(change), "first → last layer"))
    return tuple(found)


def _described(row: AttentionRow) -> tuple[Named, ...]:
    form, place = row.output, _part(row)
    return (
        Named(f"{place}: z-score", exact(form.z_score), "of the balance, against random weights"),
        Named(f"{place}: stable rank", exact(form.stable_rank), "of M = W_q W_kᵀ"),
        Named(f"{place}: participation ratio", exact(form.participation_ratio), "of M"),
        Named(f"{place}: asymmetry", exact(form.symmetry_deviation), "‖M − Mᵀ‖/‖M‖"),
        Named(f"{place}: largest eigenvalue", exact(form.signs.top[0]), "of sym(M)"),
    )


def _sylvester(rows: list[AttentionRow]) -> tuple[str, ...]:
    thin = [(row, head) for row in rows if 2 * row.head_dim <= row.width for head in row.heads]
    if not thin:
        return ()
    balanced = sum(h.signs.positive == h.signs.negative == row.head_dim for row, h in thin)
    return (
        f"{balanced} of {len(thin)} heads have as many positive as negative eigenvalues, one per"
        " dimension: Sylvester's law gives any weights that balance, trained or not",
    )


def _rows(model: Model, kind: str) -> list[AttentionRow]:
    rows = [row for row in model.survey.attention if row.kind == kind]
    if not rows:
        raise NotApplicableError(f"no {kind} queries and keys were found among the weights")
    return rows


def _part(row: AttentionRow) -> str:
    return f"{row.stack} layer {row.layer}"

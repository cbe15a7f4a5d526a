"""Quantities of single weight matrices (SPEC W1, W2, W4)."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from fixtures.architecture.roles import Role, Weight
from fixtures.model import Model
from fixtures.survey_rows import MatrixRow
from geometry import controls, neurons, sparsity
from geometry.estimate import Estimate, Sampling, exact
from invariants.finding import Finding, Named, NotApplicableError

SPARSE = 0.1


def q_sparsity(model: Model, sampling: Sampling) -> Finding:
    """Share of self-attention's query weights with |w| < 0.1."""
    del sampling
    return _sparsity(model, "self_attn_q")


def encoder_q_sparsity(model: Model, sampling: Sampling) -> Finding:
    """The same, of the encoder's layers alone."""
    del sampling
    return _sparsity(model, "self_attn_q", stack="encoder")


def decoder_q_sparsity(model: Model, sampling: Sampling) -> Finding:
    """The same, of the decoder's layers alone."""
    del sampling
    return _sparsity(model, "self_attn_q", stack="decoder")


def cross_q_sparsity(model: Model, sampling: Sampling) -> Finding:
    """Share of cross-attention's query weights with |w| < 0.1."""
    del sampling
    return _sparsity(model, "cross_attn_q")


def k_sparsity(model: Model, sampling: Sampling) -> Finding:
    """Share of self-attention's key weights with |w| < 0.1."""
    del sampling
    return _sparsity(model, "self_attn_k")


def v_sparsity(model: Model, sampling: Sampling) -> Finding:
    """Share of self-attention's value weights with |w| < 0.1."""
    del sampling
    return _sparsity(model, "self_attn_v")


def weight_sparsity(model: Model, sampling: Sampling) -> Finding:
    """Share of all matrix entries with |w| < 0.1, and by role at every threshold."""
    del sampling
    rows = _matrices(model)
    roles = list(dict.fromkeys(row.weight.role for row in rows))
    related = [
        Named(f"all |w| < {t:g}", exact(_pooled(rows, t)), "every two-dimensional weight")
        for t in sparsity.THRESHOLDS
    ]
    for role in roles:
        members = [row for row in rows if row.weight.role == role]
        for t in sparsity.THRESHOLDS:
            relative = sum(r.magnitudes.fraction_below_rms(t) * r.magnitudes.numel for r in members)
            share = relative / sum(r.magnitudes.numel for r in members)
            related.append(Named(f"{role} |w| < {t:g}", exact(_pooled(members, t)), "absolute"))
            related.append(Named(f"{role} |w| < {t:g} rms", exact(share), "relative to rms"))
    return Finding(
        estimate=exact(_pooled(rows, SPARSE)),
        design=_counted(rows),
        controls=(_scale_control(rows), *_initial_control(model, rows)),
        related=tuple(related),
        parts={role: _pooled([r for r in rows if r.weight.role == role], SPARSE) for role in roles},
    )


def stable_rank(model: Model, sampling: Sampling) -> Finding:
    """Median over all matrices of ‖W‖_F²/σ₁² over min(m, n)."""
    del sampling
    return _spectral(model, lambda row: row.spectrum.stable_rank / min(row.weight.shape))


def spectral_participation_ratio(model: Model, sampling: Sampling) -> Finding:
    """Median over all matrices of (Σσ)²/Σσ² over min(m, n)."""
    del sampling
    return _spectral(model, lambda row: row.spectrum.participation_ratio / min(row.weight.shape))


def active_fraction(model: Model, sampling: Sampling) -> Finding:
    """Median over all matrices of the share of σ above 0.01 σ₁."""
    del sampling
    return _spectral(model, lambda row: row.spectrum.active_fraction)


def rank_90(model: Model, sampling: Sampling) -> Finding:
    """Median over all matrices of the rank that holds 90 % of Σσ, over min(m, n)."""
    del sampling
    return _spectral(model, lambda row: row.spectrum.rank_90 / min(row.weight.shape))


def condition_number(model: Model, sampling: Sampling) -> Finding:
    """Median over all matrices of σ₁/σ_min."""
    del sampling
    finding = _spectral(model, lambda row: row.spectrum.condition)
    return Finding(
        finding.estimate,
        finding.design,
        related=finding.related,
        notes=(f"stored as {model.dtype}: rounding alone bounds how small σ_min can be",),
    )


def dead_neurons(model: Model, sampling: Sampling) -> Finding:
    """Share of MLP neurons whose importance is under 1 % of their layer's mean."""
    del sampling
    rows = model.survey.neurons
    if not rows:
        raise NotApplicableError("no MLP was found among the weights")
    total = sum(row.summary.neurons for row in rows)
    first = rows[0]
    null = neurons.random_dead_share(first.inputs, first.outputs, first.gated, total)
    return Finding(
        estimate=exact(sum(row.summary.dead for row in rows) / total),
        design=f"{total} neurons of {len(rows)} layers",
        controls=(Named("random weights", null, "neurons of Gaussian weights of this width"),),
        related=(
            Named(
                "weak",
                exact(sum(row.summary.weak for row in rows) / total),
                "under 10 % of the layer's mean",
            ),
            *(
                Named(
                    f"{row.stack} layer {row.layer} spread",
                    exact(row.summary.spread),
                    "std/mean of importance",
                )
                for row in rows
            ),
        ),
        parts={f"{r.stack} layer {r.layer}": r.summary.dead / r.summary.neurons for r in rows},
    )


def _sparsity(model: Model, role: Role, stack: str = "") -> Finding:
    rows = [r for r in _matrices(model) if r.weight.role == role and stack in ("", r.weight.stack)]
    if not rows:
        raise NotApplicableError(f"no {f'{stack} {role}'.strip()} was found among the weights")
    groups = list(dict.fromkeys((row.weight.stack, row.weight.role) for row in rows))
    return Finding(
        estimate=exact(_pooled(rows, SPARSE)),
        design=_counted(rows),
        controls=(*_initial_control(model, rows), _scale_control(rows)),
        related=tuple(
            Named(
                f"{stack} {role}",
                exact(_pooled([r for r in rows if _group(r) == (stack, role)], SPARSE)),
                "all layers",
            )
            for stack, role in groups
        ),
        parts={row.weight.label: row.magnitudes.fraction_below(SPARSE) for row in rows},
    )


def _spectral(model: Model, statistic: Callable[[MatrixRow], float]) -> Finding:
    rows = _matrices(model)
    values = {row.weight: statistic(row) for row in rows}
    groups = list(dict.fromkeys((row.weight.stack, row.weight.role) for row in rows))
    return Finding(
        estimate=exact(statistics.median(values.values())),
        design=_counted(rows),
        related=tuple(
            Named(
                f"{stack} {role}",
                exact(
                    statistics.median(values[r.weight] for r in rows if _group(r) == (stack, role))
                ),
                "median over layers",
            )
            for stack, role in groups
        ),
        parts={_part(weight): value for weight, value in values.items()},
    )


def _matrices(model: Model) -> list[MatrixRow]:
    rows = list(model.survey.matrices)
    if not rows:
        raise NotApplicableError("the checkpoint has no two-dimensional weight")
    return rows


def _group(row: MatrixRow) -> tuple[str, str]:
    return row.weight.stack, row.weight.role


def _part(weight: Weight) -> str:
    return weight.tensor if weight.layer is None else weight.label


def _pooled(rows: list[MatrixRow], threshold: float) -> float:
    index = sparsity.THRESHOLDS.index(threshold)
    total = sum(row.magnitudes.numel for row in rows)
    return sum(row.magnitudes.below[index] for row in rows) / total


def _initial_control(model: Model, rows: list[MatrixRow]) -> tuple[Named, ...]:
    """What the architecture's own initialisation shows; empty where the config names no scale."""
    stds = [model.layout.initial_std(row.weight) for row in rows]
    known = [(row, std) for row, std in zip(rows, stds, strict=True) if std]
    if len(known) < len(rows):
        return ()
    return (
        Named(
            "initialisation",
            _mixture([(row.magnitudes.numel, std) for row, std in known]),
            "untrained weights of this architecture",
        ),
    )


def _scale_control(rows: list[MatrixRow]) -> Named:
    return Named(
        "Gaussian of the same scale",
        _mixture([(row.magnitudes.numel, row.magnitudes.rms) for row in rows]),
        "random weights with each matrix's own rms: how much is scale alone",
    )


def _mixture(parts: list[tuple[int, float]]) -> Estimate:
    total = sum(count for count, _ in parts)
    shares = [
        (count / total, controls.gaussian_share_below(SPARSE, max(std, 1e-300), count))
        for count, std in parts
    ]
    value = sum(weight * share.value for weight, share in shares)
    spread = sum((weight * share.half_width) ** 2 for weight, share in shares) ** 0.5
    return Estimate(value, max(0.0, value - spread), min(1.0, value + spread), 0, "closed form")


def _counted(rows: list[MatrixRow]) -> str:
    return f"{len(rows)} matrices, {sum(row.magnitudes.numel for row in rows)} entries"

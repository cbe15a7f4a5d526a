"""Quantities of single weight matrices (SPEC W2, W4)."""

from __future__ import annotations

from collections.abc import Sequence

from geometric_invariants.fixtures.architecture.roles import Role
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import MatrixRow, NeuronRow
from geometric_invariants.geometry import controls, neurons, sparsity
from geometric_invariants.geometry.estimate import Estimate, exact
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities import sparsity_exhibits as exhibits
from geometric_invariants.invariants.quantities.groups import (
    Group,
    experts_by_layer,
    line_of,
    of_matrices,
    of_neurons,
    without_experts,
)
from geometric_invariants.invariants.quantities.neuron_exhibits import by_layer, importance
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.reports.exhibits import Table

_TELLING = 600  # entries of a role, of which one rounded entry is a small share
SPARSE = 0.1


def q_sparsity(model: Model) -> Finding:
    """Share of self-attention's query weights with |w| < 0.1."""
    return _sparsity(model, "self_attn_q")


def encoder_q_sparsity(model: Model) -> Finding:
    """The same, of the encoder's layers alone."""
    return _sparsity(model, "self_attn_q", stack="encoder")


def decoder_q_sparsity(model: Model) -> Finding:
    """The same, of the decoder's layers alone."""
    return _sparsity(model, "self_attn_q", stack="decoder")


def cross_q_sparsity(model: Model) -> Finding:
    """Share of cross-attention's query weights with |w| < 0.1."""
    return _sparsity(model, "cross_attn_q")


def k_sparsity(model: Model) -> Finding:
    """Share of self-attention's key weights with |w| < 0.1."""
    return _sparsity(model, "self_attn_k")


def v_sparsity(model: Model) -> Finding:
    """Share of self-attention's value weights with |w| < 0.1."""
    return _sparsity(model, "self_attn_v")


def weight_sparsity(model: Model) -> Finding:
    """Share of all matrix entries with |w| < 0.1, and by role at every threshold.

    Every entry counts once: in a mixture most are experts', whose share is said.
    The picture bins log₁₀|w| of every k-th entry of each matrix, about 16,384 at most.
    """
    matrices = by_stack(model, model.survey.matrices, _stack)
    rows = matrices.judged
    if not rows:
        raise NotApplicableError("the checkpoint has no two-dimensional weight")
    lines: dict[str, list[MatrixRow]] = {}
    for row in rows:
        lines.setdefault(line_of(row.weight), []).append(row)
    every = of_matrices(matrices.all)
    return Finding(
        estimate=exact(_pooled(rows, SPARSE)),
        design="entries of all matrices",
        controls=(_scale_control(rows), *_initial_control(model, rows)),
        related=(
            Named("of all parameters", exact(_of_all(model)), "vectors, norms and others too"),
            *_without_experts(rows),
            *_apart(matrices.apart),
            Named("matrices", exact(len(rows)), f"of {_entries(rows)} entries"),
        ),
        parts={
            line: _pooled(members, SPARSE)
            for line, members in lines.items()
            if _entries(members) >= _TELLING
        },
        figures=() if model.is_twin else exhibits.magnitudes(matrices.all),
        tables=() if model.is_twin else (*exhibits.tables(model, matrices.all), *_by_expert(every)),
    )


def _without_experts(rows: list[MatrixRow]) -> tuple[Named, ...]:
    """The share among what every token meets, where experts hold the rest."""
    others = without_experts(rows)
    if not others or len(others) == len(rows):
        return ()
    theirs = 1 - _entries(others) / _entries(rows)
    meaning = f"of what all tokens meet; experts hold {theirs:.1%} of the entries"
    return (Named("without experts", exact(_pooled(others, SPARSE)), meaning),)


def _by_expert(groups: list[Group[MatrixRow]]) -> tuple[Table, ...]:
    return experts_by_layer(
        "sparsity of experts",
        groups,
        lambda row: row.magnitudes.fraction_below(SPARSE),
        f"share of entries with |w| < {SPARSE:g} over the experts of a layer",
    )


def dead_neurons(model: Model) -> Finding:
    """Share of MLP neurons whose importance is under 1 % of their layer's mean.

    Every neuron counts once, an expert's against the mean of that expert.
    """
    found = by_stack(model, model.survey.neurons, lambda row: row.stack)
    rows = found.judged
    if not rows:
        raise NotApplicableError("no MLP was found among the weights")
    total = sum(row.summary.neurons for row in rows)
    first, every = rows[0], of_neurons(found.all)
    without = [row for row in rows if row.expert is None]
    experts = len(rows) - len(without)
    null = neurons.random_dead_share(first.inputs, first.outputs, first.gated, total)
    return Finding(
        estimate=exact(_dead(rows)),
        design="neurons of all layers",
        controls=(Named("random weights", null, "neurons of Gaussian weights of this width"),),
        related=(
            Named("neurons", exact(total), f"of {len(rows)} MLPs, {experts} of them experts")
            if experts
            else Named("neurons", exact(total), f"of {len(rows)} layers"),
            *(
                (Named("without experts", exact(_dead(without)), "of what all tokens meet"),)
                if experts and without
                else ()
            ),
            Named(
                "weak",
                exact(sum(row.summary.weak for row in rows) / total),
                "under 10 % of the layer's mean",
            ),
            *(
                Named(f"{stack}, apart", exact(_dead(others)), "a network of its own")
                for stack, others in found.apart.items()
            ),
        ),
        parts={group.label: _dead(group.rows) for group in every},
        figures=() if model.is_twin else (importance(every),),
        tables=() if model.is_twin else (by_layer(every), *_dead_by_expert(every)),
    )


def _dead_by_expert(groups: list[Group[NeuronRow]]) -> tuple[Table, ...]:
    return experts_by_layer(
        "dead neurons of experts",
        groups,
        lambda row: _dead([row]),
        "share under 1 % of the expert's mean importance, over the experts of a layer",
    )


def _sparsity(model: Model, role: Role, stack: str = "") -> Finding:
    found = by_stack(
        model,
        (
            row
            for row in model.survey.matrices
            if row.weight.role == role and stack in ("", row.weight.stack)
        ),
        _stack,
    )
    rows = found.judged
    if not rows:
        raise NotApplicableError(f"no {f'{stack} {role}'.strip()} was found among the weights")
    stacks = dict.fromkeys(map(_stack, rows))
    return Finding(
        estimate=exact(_pooled(rows, SPARSE)),
        design=f"entries of all {f'{stack} {role}'.strip()} matrices",
        controls=(*_initial_control(model, rows), _scale_control(rows)),
        related=(
            *(
                Named(
                    f"{one} {role}",
                    exact(_pooled([row for row in rows if _stack(row) == one], SPARSE)),
                    "all layers",
                )
                for one in stacks
            ),
            *_apart(found.apart),
            Named("matrices", exact(len(rows)), f"of {_entries(rows)} entries"),
        ),
        parts={
            group.label: group.median(lambda row: row.magnitudes.fraction_below(SPARSE))
            for group in of_matrices(found.all)
        },
    )


def _of_all(model: Model) -> float:
    """Share below 0.1 of all parameters."""
    return exhibits.all_parameters(model).fraction_below(SPARSE)


def _apart(stacks: dict[str, list[MatrixRow]]) -> tuple[Named, ...]:
    return tuple(
        Named(f"{stack}, apart", exact(_pooled(rows, SPARSE)), "a network of its own")
        for stack, rows in stacks.items()
    )


def _dead(rows: Sequence[NeuronRow]) -> float:
    return sum(row.summary.dead for row in rows) / sum(row.summary.neurons for row in rows)


def _stack(row: MatrixRow) -> str:
    return row.weight.stack


def _entries(rows: list[MatrixRow]) -> int:
    return sum(row.magnitudes.numel for row in rows)


def _pooled(rows: list[MatrixRow], threshold: float) -> float:
    index = sparsity.THRESHOLDS.index(threshold)
    return sum(row.magnitudes.below[index] for row in rows) / _entries(rows)


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

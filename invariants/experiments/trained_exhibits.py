"""Figures and tables of trained modulators: α, losses, the encoder before and after (SPEC M3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from geometric_invariants.geometry.estimate import Z95
from geometric_invariants.invariants.drawn import rounded, table
from geometric_invariants.invariants.experiments.modulation.comparison import named
from geometric_invariants.invariants.experiments.modulation.learning import Learned
from geometric_invariants.invariants.experiments.modulation.sweep import CONSTANT
from geometric_invariants.reports.exhibits import Figure, Table

CONSTANTS = (CONSTANT, 0.5, 0.70846)
_LEVELS = {f"{level:g}": level for level in CONSTANTS[:2]}
_DRAWN_STEPS = 40


def alpha_by_step(own: Learned, others: Iterable[Learned] = ()) -> Figure:
    """α of every layer over the batches of a training, and the mean over layers of others."""
    at = _thinned(len(own.history.alpha))
    rows = torch.tensor([own.history.alpha[i] for i in at], dtype=torch.float64)
    layers = {f"layer {layer}": rounded(alpha) for layer, alpha in enumerate(rows.T)}
    means = {f"mean, {one.recipe.null}": _mean_alpha(one, at) for one in others}
    return Figure(
        "α by training step",
        "lines",
        tuple(float(own.steps[i]) for i in at),
        {**layers, **means},
        levels=_LEVELS,
        x_label="batches trained on",
        y_label="α",
        log="y",
    )


def mean_alpha_by_step(trainings: Sequence[Learned]) -> Figure:
    """The mean over layers of α, from every start and in every null."""
    at = _thinned(len(trainings[0].history.alpha))
    return Figure(
        "mean α by training step",
        "lines",
        tuple(float(trainings[0].steps[i]) for i in at),
        {one.recipe.name: _mean_alpha(one, at) for one in trainings},
        levels=_LEVELS,
        x_label="batches trained on",
        y_label="mean α over layers",
        log="y",
    )


def loss_by_epoch(own: Learned, others: Iterable[Learned] = ()) -> Figure:
    """Training and held-out loss of a training, and the held-out loss of others."""
    epochs = range(len(own.history.held_out))
    return Figure(
        "loss by epoch",
        "lines",
        tuple(float(epoch + 1) for epoch in epochs),
        {
            "training": rounded(own.history.training),
            "held out": rounded(own.history.held_out),
            **{
                f"held out, {one.recipe.null}": _filled(one.history.held_out, len(epochs))
                for one in others
            },
        },
        x_label="epoch",
        y_label="cross-entropy (nats a token)",
    )


def final_alpha(trainings: Iterable[Learned]) -> Figure:
    """Where α came to lie in each layer, training by training."""
    found = {one.recipe.name: rounded(one.alpha) for one in trainings}
    layers = tuple(f"layer {layer}" for layer in range(max(map(len, found.values()))))
    return Figure(
        "final α by layer", "bars", layers, found, x_label="encoder block", y_label="final α"
    )


def final_alpha_table(trainings: Iterable[Learned]) -> Table:
    """Final α by layer, its mean and spread, and how far the mean lies from three constants."""
    trainings = tuple(trainings)
    layers = range(max(len(one.alpha) for one in trainings))
    return table(
        "final α by layer",
        (
            *(f"layer {layer}" for layer in layers),
            "mean",
            "std",
            *(f"|mean − {constant:g}|" for constant in CONSTANTS),
        ),
        {one.recipe.name: _alpha_row(one.alpha) for one in trainings},
        "after the last batch; std over layers",
    )


def original_and_trained(
    own: Learned,
    others: Iterable[Learned] = (),
    further: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] = ({}, {}),
) -> Table:
    """What the encoder shows before and after, the difference, and the difference in the nulls.

    Means over draws. `further` numbers, before and after, [draws] each, have no null.
    """
    nulls = {one.recipe.null: _differences(one) for one in others}
    before, after = ({**n, **f} for n, f in zip(_both(own), further, strict=True))
    rows = {}
    for name, x in before.items():
        moved = after[name] - x
        numbers = (x.nanmean(), after[name].nanmean(), moved.nanmean(), _half_width(moved))
        apart = (null.get(name) for null in nulls.values())
        rows[name] = tuple(map(_cell, (*numbers, *apart)))
    return table(
        "original and trained",
        ("original", "trained", "Δ", "± of Δ", *(f"Δ, {name}" for name in nulls)),
        rows,
        f"means over {len(own.original)} draws of anchors, pairs and simplices",
    )


def losses_table(trainings: Iterable[Learned]) -> Table:
    """Losses of the first and last epoch, and what became of texts, training by training."""
    return table(
        "losses and texts",
        (
            "training loss, first epoch",
            "training loss, last epoch",
            "held-out loss, first epoch",
            "held-out loss, last epoch",
            "texts unchanged",
            "distinct tokens",
            "repetition",
        ),
        {
            one.recipe.name: (
                *(losses[i] for losses in _losses(one) for i in (0, -1)),
                one.text.unchanged,
                one.text.distinct,
                one.text.repetition,
            )
            for one in trainings
        },
        "of 200 greedy generations after training",
    )


def parameter_table(trainable: int, frozen: int) -> Table:
    """How much is trained of a model and its modulator."""
    return Table(
        "trainable and frozen",
        ("parameters", "ratio to frozen"),
        {"trainable": (float(trainable), trainable / frozen), "frozen": (float(frozen), 1.0)},
        "of the modulator (embeddings, projection, α) and of the model",
    )


def _mean_alpha(one: Learned, at: Sequence[int]) -> tuple[float | None, ...]:
    means = [sum(alpha) / len(alpha) for alpha in one.history.alpha]
    return _filled([means[i] for i in at if i < len(means)], len(at))


def _filled(values: Sequence[float], count: int) -> tuple[float | None, ...]:
    kept: tuple[float | None, ...] = rounded(values[:count])
    return kept + (None,) * (count - len(kept))


def _thinned(count: int) -> list[int]:
    """Even places 0 … count − 1, with the last."""
    step = max(1, math.ceil(count / _DRAWN_STEPS))
    return sorted({*range(0, count, step), count - 1})


def _alpha_row(alpha: Tensor) -> tuple[float, ...]:
    mean = alpha.mean().item()
    distances = (abs(mean - constant) for constant in CONSTANTS)
    return (*alpha.tolist(), mean, alpha.std(correction=0).item(), *distances)


def _losses(one: Learned) -> tuple[list[float], list[float]]:
    return one.history.training or [math.nan], one.history.held_out or [math.nan]


def _both(one: Learned) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return named(one.original), named(one.trained)


def _differences(one: Learned) -> dict[str, Tensor]:
    before, after = _both(one)
    return {name: (after[name] - x).mean() for name, x in before.items()}


def _half_width(x: Tensor) -> float:
    """Of the mean of those draws that have a number."""
    x = x[~x.isnan()]
    return Z95 * x.std().item() / math.sqrt(len(x)) if len(x) > 1 else 0.0


def _cell(value: Tensor | float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    return float(value)

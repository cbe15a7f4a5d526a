"""Quantities of trained modulators (SPEC M3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import relations
from geometric_invariants.geometry.estimate import Sampling, exact, normal
from geometric_invariants.geometry.modulation.lerp import DIMENSIONS
from geometric_invariants.geometry.modulation.training import NOTEBOOKS
from geometric_invariants.invariants.experiments import recorded, trained_exhibits
from geometric_invariants.invariants.experiments.modulation.comparison import of_draws
from geometric_invariants.invariants.experiments.modulation.generation import incoherence
from geometric_invariants.invariants.experiments.modulation.learning import Learned, Recipe
from geometric_invariants.invariants.experiments.modulation.prints import (
    PEARSON_GAIN,
    SPEARMAN_GAIN,
    TRAINED_CV,
)
from geometric_invariants.invariants.finding import Finding, Named
from geometric_invariants.invariants.printed import Parts, over_draws
from geometric_invariants.reports.exhibits import Table


def modulator_best_result(model: Model, sampling: Sampling) -> Finding:
    """Where a trained LERP modulator's gains lie in the bands round their prints.

    The parts: relative change of Pearson and of Spearman from the plain encoder's, and CV, each in
    units of its band (−1 … 1); and *text*, how far it has gone to no longer coherent (1). Judged
    only where the training was the source's: all words, ten epochs of batches of 32, α from 0.01.
    """
    trainings = recorded.trainings_of(model, sampling)
    own, nulls = trainings[recorded.SOURCES], _nulls(trainings)
    tables = (
        trained_exhibits.original_and_trained(own, nulls),
        trained_exhibits.losses_table(trainings.values()),
        parameters_of(model, len(own.alpha)),
    )
    return best_result(own, nulls, tables, recorded.trained_where(model))


def best_result(
    own: Learned,
    nulls: Sequence[Learned],
    tables: tuple[Table, ...] = (),
    notes: tuple[str, ...] = (),
) -> Finding:
    """The finding of `modulator_best_result` from one training and those that are its nulls."""
    parts = _gains(own)
    plain = Parts({"Pearson": PEARSON_GAIN.place(torch.zeros(1, dtype=torch.float64))})
    dealt = (
        Named("geometry dealt", _gains(one).worst(-1, 1), "to other words, trained alike")
        for one in nulls
        if one.recipe.null == "geometry dealt"
    )
    return Finding(
        estimate=parts.estimate,
        design=_design(own),
        in_source_design=own.in_source_design,
        controls=(
            *dealt,
            Named("no modulator", exact(plain.means["Pearson"]), "Pearson's gain of 0 %"),
        ),
        related=(
            Named("Pearson, gain", over_draws(_gain(own, "pearson")), "claimed 1.52"),
            Named("Spearman, gain", over_draws(_gain(own, "spearman")), "claimed 1.89"),
            Named("CV", over_draws(of_draws(own.trained, "cv")), "claimed within 0.21 ± 0.05"),
            Named("CV, plain", over_draws(of_draws(own.original, "cv")), "of the plain encoder"),
            Named(
                "preservation",
                over_draws(of_draws(own.trained, "preservation")),
                "after training",
            ),
            Named("texts unchanged", exact(own.text.unchanged), "after training"),
            Named("held-out loss", exact(own.history.held_out[-1]), "after the last epoch"),
        ),
        parts=parts.means,
        part_noise=parts.noise,
        figures=(trained_exhibits.loss_by_epoch(own, nulls),),
        tables=tables,
        notes=(*notes, f"{own.text.unchanged:.0%} of 200 greedy texts are as before the training"),
    )


def modulator_alpha_rises(model: Model, sampling: Sampling) -> Finding:
    """Rank correlation of the trained α with depth: 1 where each layer's is above the one before.

    Judged only where the training was the source's. A training on shuffled lemmas orders n layers
    by chance: its correlation has the standard deviation 1/√(n − 1).
    """
    trainings = recorded.trainings_of(model, sampling)
    others = [one for recipe, one in trainings.items() if recipe != recorded.SOURCES]
    return alpha_rises(trainings[recorded.SOURCES], _nulls(trainings), others)


def alpha_rises(own: Learned, nulls: Sequence[Learned], others: Sequence[Learned]) -> Finding:
    """The finding of `modulator_alpha_rises` from one training; `others` are drawn beside it."""
    chance = 1 / math.sqrt(len(own.alpha) - 1) if len(own.alpha) > 1 else math.inf
    meanings = {"lemmas shuffled": "to other definitions", "geometry dealt": "to other words"}
    every = (own, *others)
    return Finding(
        estimate=exact(_rise(own)),
        design=_design(own),
        in_source_design=own.in_source_design,
        controls=tuple(
            Named(one.recipe.null, normal(_rise(one), chance), meanings[one.recipe.null])
            for one in nulls
        )
        or (Named("any order", normal(0.0, chance), "layers ordered by chance"),),
        related=(
            Named("mean α", exact(own.alpha.mean().item()), "over layers, at the end"),
            Named("std of α", exact(own.alpha.std(correction=0).item()), "over layers, at the end"),
            Named("last − first", exact((own.alpha[-1] - own.alpha[0]).item()), "layer's α"),
        ),
        figures=(
            trained_exhibits.alpha_by_step(own, nulls),
            trained_exhibits.mean_alpha_by_step(every),
            trained_exhibits.final_alpha(every),
        ),
        tables=(trained_exhibits.final_alpha_table(every),),
    )


def parameters_of(model: Model, layers: int) -> Table:
    """Parameters that a training of the default LERP modulator moves, and those it leaves alone."""
    assert model.embedding is not None
    rows, width = model.embedding.shape
    trainable = rows * DIMENSIONS + width * DIMENSIONS + layers
    return trained_exhibits.parameter_table(trainable, model.parameters)


def _nulls(trainings: Mapping[Recipe, Learned]) -> list[Learned]:
    return [trainings[recipe] for recipe in (recorded.LEMMAS_SHUFFLED, recorded.GEOMETRY_DEALT)]


def _gains(learned: Learned) -> Parts:
    text = incoherence(learned.text, learned.plain_text)
    return Parts(
        {
            "Pearson": PEARSON_GAIN.place(_gain(learned, "pearson")),
            "Spearman": SPEARMAN_GAIN.place(_gain(learned, "spearman")),
            "CV": TRAINED_CV.place(of_draws(learned.trained, "cv")),
            "text": torch.tensor([text], dtype=torch.float64),
        },
        {
            "Pearson": PEARSON_GAIN.noise,
            "Spearman": SPEARMAN_GAIN.noise,
            "CV": TRAINED_CV.noise,
        },
    )


def _gain(learned: Learned, name: str) -> Tensor:
    """Relative change of a correlation by training, [draws]."""
    return of_draws(learned.trained, name) / of_draws(learned.original, name) - 1


def _rise(learned: Learned) -> float:
    return relations.spearman(torch.arange(len(learned.alpha)), learned.alpha)


def _design(learned: Learned) -> str:
    words = "all words" if learned.lessons == learned.words else f"{learned.lessons} words"
    rate = "" if learned.rate == NOTEBOOKS.rate else f", rate {learned.rate:g}"
    return f"{learned.epochs} epochs of {words} in batches of {learned.batch}{rate}"

"""Quantities of modulated encoders (SPEC M1 – M6)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fixtures.model import Model
from geometry import relations
from geometry.estimate import Sampling, exact, normal
from geometry.modulation.field import FieldModulator
from invariants.experiments import recorded
from invariants.experiments.modulation import exhibits
from invariants.experiments.modulation.generation import incoherence
from invariants.experiments.modulation.learning import Learned
from invariants.experiments.modulation.measured import ANCHORS, Relations
from invariants.experiments.modulation.overlay import Form, overlay_of
from invariants.experiments.modulation.prints import (
    PEARSON_GAIN,
    PRINTED,
    SPEARMAN_GAIN,
    TRAINED_CV,
    WAYS,
)
from invariants.experiments.modulation.sweep import CONSTANT, DRAWS, HIGH, LOW, Sweep
from invariants.experiments.recorded_figures import (
    alpha_by_layer,
    recorded_notes,
    sweep_figures,
)
from invariants.finding import Finding, Named, NotApplicableError
from invariants.printed import Parts, over_draws
from reports.exhibits import Table

_D, _LAYERS = 512, 6
ALL_WORDS = 100_000  # draws from which on every matched word is encoded
_RELATIONS = ("pearson", "gradient", "preservation")
_TITLES = {
    "pearson": "Pearson",
    "gradient": "gradient",
    "preservation": "preservation",
    "unchanged": "texts unchanged",
}


def modulator_alpha_001(model: Model, sampling: Sampling) -> Finding:
    """Where Pearson, gradient and preservation at α = 0.01 lie in the bands round their prints."""
    return _at(model, sampling, LOW)


def modulator_alpha_050(model: Model, sampling: Sampling) -> Finding:
    """Where Pearson, gradient and preservation at α = 0.50 lie in the bands round their prints."""
    return _at(model, sampling, HIGH)


def phase_boundary(model: Model, sampling: Sampling) -> Finding:
    """Where the numbers at α = 0.29154 lie on the way from those at 0.01 (0) to those at 0.50 (1).

    The parts: Pearson, gradient, preservation and the share of greedy generations that stay token
    for token, each as its place on its own way, lengthened by what noise may carry it past an end;
    and *text*, how far it has gone from the plain encoder's (0) to no longer coherent (1): a tenth
    of its distinct tokens lost, or a tenth of its pairs of tokens repeated more (`incoherence` says
    why).
    """
    found = recorded.sweep_of(model, sampling)
    laid = overlay_of(model, sampling)
    dealt = _between(found, "dealt")
    recording = recorded.recording_of(model)
    whole = found if recording is None else recording.sweep
    parts = _between(found, "normal")
    return Finding(
        estimate=parts.estimate,
        design=_design(sampling),
        controls=(
            Named("geometry dealt", dealt.worst(0, 1), "to other words: the part farthest out"),
            Named("straight line", exact((CONSTANT - LOW) / (HIGH - LOW)), "α on the same way"),
        ),
        related=(
            *_related(found, CONSTANT),
            Named("texts unchanged", over_draws(found.text("unchanged", CONSTANT)), "at 0.29154"),
            Named("distinct tokens", over_draws(found.text("distinct", CONSTANT)), "over tokens"),
            Named("repetition", over_draws(found.text("repetition", CONSTANT)), "pairs had before"),
            Named("reconstruction", exact(laid.reconstruction), "of Wu–Palmer in 64 dimensions"),
            Named("alignment", exact(laid.aligned.cosine_mean), "cosine after Procrustes"),
            Named("alignment, null", exact(laid.aligned_null.cosine_mean), "anchors shuffled"),
        ),
        tables=_tables(model, sampling, whole),
        parts=parts.means,
        part_noise=parts.noise,
        figures=sweep_figures(whole),
        notes=(
            *recorded.source_of(model, sampling),
            *(() if recording is None else recorded_notes(recording)),
        ),
    )


def modulator_best_result(model: Model, sampling: Sampling) -> Finding:
    """Where a trained LERP modulator's gains lie in the bands round their prints.

    The parts: relative change of Pearson and of Spearman from the plain encoder's, and CV, each in
    units of its band (−1 … 1); and *text*, how far it has gone to no longer coherent (1). Judged
    only where the training was the source's: all words, ten epochs of batches of 32, α from 0.01.
    """
    trainings = recorded.trainings_of(model, sampling)
    own, dealt = trainings[recorded.SOURCES], trainings[recorded.GEOMETRY_DEALT]
    parts = _gains(own)
    plain = Parts({"Pearson": PEARSON_GAIN.place(torch.zeros(1, dtype=torch.float64))})
    return Finding(
        estimate=parts.estimate,
        design=_training_design(own),
        in_source_design=own.in_source_design,
        controls=(
            Named("geometry dealt", _gains(dealt).worst(-1, 1), "to other words, trained alike"),
            Named("no modulator", exact(plain.means["Pearson"]), "Pearson's gain of 0 %"),
        ),
        related=(
            Named("Pearson, gain", over_draws(_gain(own, "pearson")), "claimed 1.52"),
            Named("Spearman, gain", over_draws(_gain(own, "spearman")), "claimed 1.89"),
            Named("CV", over_draws(_of(own.trained, "cv")), "claimed within 0.21 ± 0.05"),
            Named("CV, plain", over_draws(_of(own.original, "cv")), "of the plain encoder"),
            Named("preservation", over_draws(_of(own.trained, "preservation")), "after training"),
            Named("texts unchanged", exact(own.text.unchanged), "after training"),
            Named("held-out loss", exact(own.history.held_out[-1]), "after the last epoch"),
        ),
        parts=parts.means,
        part_noise=parts.noise,
    )


def modulator_alpha_rises(model: Model, sampling: Sampling) -> Finding:
    """Rank correlation of the trained α with depth: 1 where each layer's is above the one before.

    Judged only where the training was the source's. A training on shuffled lemmas orders n layers
    by chance: its correlation has the standard deviation 1/√(n − 1).
    """
    trainings = recorded.trainings_of(model, sampling)
    own = trainings[recorded.SOURCES]
    chance = 1 / math.sqrt(len(own.alpha) - 1) if len(own.alpha) > 1 else math.inf
    shuffled, dealt = (
        _rise(trainings[recipe]) for recipe in (recorded.LEMMAS_SHUFFLED, recorded.GEOMETRY_DEALT)
    )
    return Finding(
        estimate=exact(_rise(own)),
        design=_training_design(own),
        in_source_design=own.in_source_design,
        controls=(
            Named("lemmas shuffled", normal(shuffled, chance), "to other definitions"),
            Named("geometry dealt", normal(dealt, chance), "to other words"),
        ),
        related=(
            Named("mean α", exact(own.alpha.mean().item()), "over layers, at the end"),
            Named("last − first", exact((own.alpha[-1] - own.alpha[0]).item()), "layer's α"),
        ),
        figures=(alpha_by_layer(trainings.values()),),
    )


def field_modulator_parameters(model: Model) -> Finding:
    """Trainable parameters of the default field modulator for the model's own width and depth."""
    config = model.checkpoint.config
    width = config.get("d_model", config.get("hidden_size"))
    layers = config.get("num_layers", config.get("num_hidden_layers"))
    if not isinstance(width, int) or not isinstance(layers, int):
        raise NotApplicableError("the config names no width and depth of one stack")
    return Finding(
        estimate=exact(_parameters(width, layers)),
        design="experts of 1, 2 and 4 dimensions",
        related=(Named("default", exact(_parameters(_D, _LAYERS)), "d = 512, 6 layers"),),
    )


def _tables(model: Model, sampling: Sampling, found: Sweep) -> tuple[Table, ...]:
    """What the overlay is made of, and what it does by α to relations, states and texts."""
    laid = overlay_of(model, sampling)
    claimed = (LOW, CONSTANT, HIGH)
    impact = exhibits.impact_table(model, laid, claimed, sampling)
    texts = exhibits.texts_at(model, laid)
    return (
        *_by_alpha(model, sampling, found),
        impact,
        texts,
        exhibits.pipeline_table(laid),
        exhibits.health_table(laid),
    )


def _by_alpha(
    model: Model, sampling: Sampling, found: Sweep, alphas: tuple[float, ...] | None = None
) -> tuple[Table, ...]:
    static = exhibits.static_of(model, sampling)
    bands = exhibits.bands_by_alpha(found, static, alphas)
    return (exhibits.relations_by_alpha(found, static, alphas), *([] if bands is None else [bands]))


def _at(model: Model, sampling: Sampling, alpha: float) -> Finding:
    found = recorded.sweep_of(model, sampling)
    parts = _places(found, alpha, alpha, "normal")
    dealt = _places(found, alpha, alpha, "dealt")
    plain = _places(found, alpha, 0.0, "normal")
    return Finding(
        estimate=parts.estimate,
        design=_design(sampling),
        controls=(
            Named("geometry dealt", dealt.worst(-1, 1), "to other words: the part farthest out"),
            Named("no modulator", plain.worst(-1, 1), "the plain encoder's part farthest out"),
        ),
        related=_related(found, alpha),
        tables=_by_alpha(model, sampling, found, (alpha,)),
        parts=parts.means,
        part_noise=parts.noise,
        notes=recorded.source_of(model, sampling),
    )


def _places(found: Sweep, printed_at: float, alpha: float, form: Form) -> Parts:
    printed = PRINTED[printed_at]
    return Parts(
        {_TITLES[n]: one.place(found.relation(n, alpha, form)) for n, one in printed.items()},
        {_TITLES[name]: one.noise for name, one in printed.items()},
    )


def _between(found: Sweep, form: Form) -> Parts:
    asked = dict.fromkeys(WAYS, found.relation) | {"unchanged": found.text}
    ways = {
        _TITLES[name]: way.place(
            _way(*(asked[name](name, at, form) for at in (LOW, CONSTANT, HIGH)))
        )
        for name, way in WAYS.items()
    }
    text = incoherence(found.mean_text(CONSTANT, form), found.mean_text(0.0))
    return Parts(ways | {"text": _one(text)}, {_TITLES[n]: way.noise for n, way in WAYS.items()})


def _way(low: Tensor, here: Tensor, high: Tensor) -> Tensor:
    """Where `here` lies between the means of `low` (0) and `high` (1), to first order by draw."""
    span = (high - low).mean().item() or 1.0
    place = (here - low).mean() / span
    return place + ((here - low) - (here - low).mean() - place * ((high - low) - span)) / span


def _gains(learned: Learned) -> Parts:
    text = incoherence(learned.text, learned.plain_text)
    return Parts(
        {
            "Pearson": PEARSON_GAIN.place(_gain(learned, "pearson")),
            "Spearman": SPEARMAN_GAIN.place(_gain(learned, "spearman")),
            "CV": TRAINED_CV.place(_of(learned.trained, "cv")),
            "text": _one(text),
        },
        {
            "Pearson": PEARSON_GAIN.noise,
            "Spearman": SPEARMAN_GAIN.noise,
            "CV": TRAINED_CV.noise,
        },
    )


def _gain(learned: Learned, name: str) -> Tensor:
    """Relative change of a correlation by training, [draws]."""
    return _of(learned.trained, name) / _of(learned.original, name) - 1


def _rise(learned: Learned) -> float:
    return relations.spearman(torch.arange(len(learned.alpha)), learned.alpha)


def _related(found: Sweep, alpha: float) -> tuple[Named, ...]:
    asked = (("", alpha, f"at α = {alpha:g}"), (", plain", 0.0, "at α = 0"))
    return tuple(
        Named(name + suffix, over_draws(found.relation(name, at)), meaning)
        for name in _RELATIONS
        for suffix, at, meaning in asked
    )


def _of(found: tuple[Relations, ...], name: str) -> Tensor:
    return torch.tensor([getattr(one, name) for one in found], dtype=torch.float64)


def _one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def _design(sampling: Sampling) -> str:
    words = "all words" if sampling.samples >= ALL_WORDS else f"words of {sampling.samples} draws"
    return f"{DRAWS} draws of at most {ANCHORS} anchors, {words}, rows of N(0, 1)"


def _training_design(learned: Learned) -> str:
    words = "all words" if learned.lessons == learned.words else f"{learned.lessons} words"
    return f"{learned.epochs} epochs of {words} in batches of {learned.batch}"


def _parameters(width: int, layers: int) -> int:
    modulator = FieldModulator(width, layers)
    return sum(p.numel() for p in modulator.parameters() if p.requires_grad)

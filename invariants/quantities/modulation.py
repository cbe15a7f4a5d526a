"""Quantities of modulated encoders (SPEC M1, M2, M4 – M6)."""

from __future__ import annotations

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling, exact
from geometric_invariants.geometry.modulation.field import FieldModulator
from geometric_invariants.invariants.experiments import recorded
from geometric_invariants.invariants.experiments.modulation import exhibits
from geometric_invariants.invariants.experiments.modulation.generation import incoherence
from geometric_invariants.invariants.experiments.modulation.measured import ANCHORS
from geometric_invariants.invariants.experiments.modulation.overlay import Form, overlay_of
from geometric_invariants.invariants.experiments.modulation.prints import PRINTED, WAYS
from geometric_invariants.invariants.experiments.modulation.sweep import (
    CONSTANT,
    DRAWS,
    HIGH,
    LOW,
    Sweep,
)
from geometric_invariants.invariants.experiments.recorded_figures import (
    recorded_notes,
    sweep_figures,
)
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.printed import Parts, over_draws
from geometric_invariants.reports.exhibits import Table

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


def _related(found: Sweep, alpha: float) -> tuple[Named, ...]:
    asked = (("", alpha, f"at α = {alpha:g}"), (", plain", 0.0, "at α = 0"))
    return tuple(
        Named(name + suffix, over_draws(found.relation(name, at)), meaning)
        for name in _RELATIONS
        for suffix, at, meaning in asked
    )


def _one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def _design(sampling: Sampling) -> str:
    words = "all words" if sampling.samples >= ALL_WORDS else f"words of {sampling.samples} draws"
    return f"{DRAWS} draws of at most {ANCHORS} anchors, {words}, rows of N(0, 1)"


def _parameters(width: int, layers: int) -> int:
    modulator = FieldModulator(width, layers)
    return sum(p.numel() for p in modulator.parameters() if p.requires_grad)

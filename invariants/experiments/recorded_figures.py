"""Curves and sentences of sweeps and recordings, for the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from geometry.modulation.training import NOTEBOOKS
from invariants.drawn import rounded
from invariants.experiments.modulation.learning import Learned
from invariants.experiments.modulation.overlay import Form
from invariants.experiments.modulation.sweep import CONSTANT, Sweep
from invariants.experiments.recorded import Recording
from reports.exhibits import Figure

_RELATIONS = ("pearson", "gradient", "preservation", "cv")
_AXES = {
    "pearson": "Pearson's correlation",
    "gradient": "gradient of cosines",
    "preservation": "cosine with the plain encoder",
    "cv": "CV of volumes",
}
_DRAWN_EVERY = 8  # of the recorded steps
_CONSTANTS = (CONSTANT, 0.5, 0.70846)


def sweep_figures(sweep: Sweep) -> tuple[Figure, ...]:
    """Relations and texts by α: means over draws with their spread, the other forms beside them.

    The null is the geometry dealt to other words.
    """
    relations = tuple(_by_alpha(name, sweep) for name in _RELATIONS)
    return (*relations, _by_alpha("unchanged", sweep, "share of generations unchanged"))


def recorded_figures(recording: Recording) -> tuple[Figure, ...]:
    """The sweep's curves, and of the trainings α by step and by layer, and losses by epoch."""
    figures, trainings = sweep_figures(recording.sweep), recording.trainings
    if not trainings:
        return figures
    steps = range(0, len(trainings[0].history.alpha), _DRAWN_EVERY)
    means = {
        one.recipe.name: tuple(sum(row) / len(row) for row in one.history.alpha[::_DRAWN_EVERY])
        for one in trainings
    }
    losses = {one.recipe.name: tuple(one.history.held_out) for one in trainings}
    epochs = tuple(float(i + 1) for i in range(len(trainings[0].history.held_out)))
    at = tuple(float(NOTEBOOKS.interval * step) for step in steps)
    return (
        *figures,
        Figure("mean α, by training step", "lines", at, means),
        Figure("held-out loss, by epoch", "lines", epochs, losses),
        alpha_by_layer(trainings),
    )


def alpha_by_layer(trainings: Iterable[Learned]) -> Figure:
    """Where α came to lie in each layer."""
    found = {one.recipe.name: tuple(one.alpha.tolist()) for one in trainings}
    layers = tuple(float(i) for i in range(max(map(len, found.values()))))
    return Figure("final α, by layer", "lines", layers, found, {})


def recorded_notes(recording: Recording) -> tuple[str, ...]:
    """One sentence on the sweep, one on each training."""
    alphas = recording.sweep.alphas()
    draws = len(recording.sweep.relation("pearson", alphas[0]))
    first = f"curves recorded on {recording.device}: {len(alphas)} α, {draws} draws each"
    return (first, *map(_training_note, recording.trainings))


def _training_note(learned: Learned) -> str:
    alpha, losses = learned.alpha, learned.history.held_out
    before, after = (
        sum(one.pearson for one in found) / len(found)
        for found in (learned.original, learned.trained)
    )
    mean = alpha.mean().item()
    distances = ", ".join(f"{abs(mean - c):.3f} from {c:g}" for c in _CONSTANTS)
    return (
        f"trained, {learned.recipe.name}: α ends at {mean:.3f}"
        f" (by layer {', '.join(f'{a:.3f}' for a in alpha.tolist())}), {distances};"
        f" held-out loss {losses[0]:.3f} → {losses[-1]:.3f}, Pearson {before:.3f} → {after:.3f},"
        f" texts unchanged {learned.text.unchanged:.2f}"
    )


def _by_alpha(name: str, sweep: Sweep, title: str = "") -> Figure:
    ask = sweep.text if name == "unchanged" else sweep.relation
    alphas = sweep.alphas()
    own = [ask(name, alpha) for alpha in alphas]
    forms: dict[str, Form] = {"zero rows": "zero", "geometry dealt": "dealt"}
    others = {label: _means(ask, name, alphas, form, sweep) for label, form in forms.items()}
    return Figure(
        f"{title or name}, by α",
        "lines",
        alphas,
        {"WordNet's geometry": rounded([x.mean().item() for x in own]), **others},
        {"claimed constant": CONSTANT, "0.5": 0.5},
        {"WordNet's geometry": rounded([_std(x) for x in own])},
        x_label="α before every block",
        y_label=title or _AXES[name],
    )


def _means(
    ask: Callable[[str, float, Form], torch.Tensor],
    name: str,
    alphas: tuple[float, ...],
    form: Form,
    sweep: Sweep,
) -> tuple[float | None, ...]:
    """Means over draws of a form; None where it was not measured."""
    measured = sweep.alphas(form)
    return tuple(
        rounded([ask(name, alpha, form).mean().item()])[0] if alpha in measured else None
        for alpha in alphas
    )


def _std(x: torch.Tensor) -> float:
    return x.std().item() if len(x) > 1 else 0.0

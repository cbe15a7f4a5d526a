"""Curves and sentences of sweeps and recordings, for the page."""

from __future__ import annotations

from collections.abc import Callable

import torch

from geometric_invariants.invariants.drawn import rounded
from geometric_invariants.invariants.experiments.modulation.overlay import Form
from geometric_invariants.invariants.experiments.modulation.sweep import CONSTANT, Sweep
from geometric_invariants.invariants.experiments.recorded import Recording
from geometric_invariants.reports.exhibits import Figure

_RELATIONS = ("pearson", "gradient", "preservation", "cv")
_AXES = {
    "pearson": "Pearson's correlation",
    "gradient": "gradient of cosines",
    "preservation": "cosine with the plain encoder",
    "cv": "CV of volumes",
}


def sweep_figures(sweep: Sweep) -> tuple[Figure, ...]:
    """Relations and texts by α: means over draws with their spread, the other forms beside them.

    The null is the geometry dealt to other words.
    """
    relations = tuple(_by_alpha(name, sweep) for name in _RELATIONS)
    return (*relations, _by_alpha("unchanged", sweep, "share of generations unchanged"))


def recorded_notes(recording: Recording) -> tuple[str, ...]:
    """One sentence on the sweep."""
    alphas = recording.sweep.alphas()
    draws = len(recording.sweep.relation("pearson", alphas[0]))
    return (f"curves recorded on {recording.device}: {len(alphas)} α, {draws} draws each",)


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

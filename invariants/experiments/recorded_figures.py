"""Curves and sentences of sweeps and recordings, for the page."""

from __future__ import annotations

import torch

from invariants.experiments.modulation.sweep import CONSTANT, Sweep
from invariants.experiments.recorded import Recording
from reports.exhibits import Figure

_RELATIONS = ("pearson", "gradient", "preservation", "cv")


def sweep_figures(sweep: Sweep) -> tuple[Figure, ...]:
    """Relations and texts by α, in both forms: means over draws, with their spread."""
    relations = tuple(_by_alpha(name, sweep) for name in _RELATIONS)
    return (*relations, _by_alpha("unchanged", sweep, "share of generations unchanged"))


def recorded_figures(recording: Recording) -> tuple[Figure, ...]:
    """The sweep's curves."""
    return sweep_figures(recording.sweep)


def recorded_notes(recording: Recording) -> tuple[str, ...]:
    """One sentence on the sweep."""
    alphas = recording.sweep.alphas()
    draws = len(recording.sweep.relation("pearson", alphas[0]))
    return (f"curves recorded on {recording.device}: {len(alphas)} α, {draws} draws each",)


def _by_alpha(name: str, sweep: Sweep, title: str = "") -> Figure:
    ask = sweep.text if name == "unchanged" else sweep.relation
    alphas = sweep.alphas()
    drawn = {alpha: ask(name, alpha) for alpha in alphas}
    return Figure(
        f"{title or name}, by α",
        "lines",
        alphas,
        {name: tuple(x.mean().item() for x in drawn.values())},
        {"claimed constant": CONSTANT},
        {name: tuple(_std(x) for x in drawn.values())},
    )


def _std(x: torch.Tensor) -> float:
    return x.std().item() if len(x) > 1 else 0.0

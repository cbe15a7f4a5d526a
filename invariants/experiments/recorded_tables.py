"""The tables that a recording fills, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from torch import Tensor

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.fixtures.storage.adapters import opened
from geometric_invariants.invariants.experiments.modulation.learning import Learned
from geometric_invariants.invariants.experiments.modulation.overlay import Form
from geometric_invariants.invariants.experiments.modulation.sweep import CONSTANT
from geometric_invariants.invariants.experiments.recorded import SHIPPED, Recording, read

RECORDED = ("t5_mini", "t5_tiny")
_COLUMNS = {"pearson": 3, "gradient": 3, "preservation": 4, "cv": 3}


def recorded_tables() -> dict[str, Callable[[], str]]:
    """`MODEL by α, FORM` and `MODEL trained`, of the models whose recordings are shipped."""
    forms: tuple[Form, ...] = ("normal", "zero", "dealt")
    return {
        **{
            f"{model} by α, {form}": partial(_by_alpha_of, model, form)
            for model in RECORDED
            for form in forms
        },
        **{f"{model} trained": partial(_trained_of, model) for model in RECORDED},
    }


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table's lines, without a line end after the last."""
    head = list(head)
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def by_alpha(recording: Recording, form: Form) -> str:
    """Relations and unchanged texts by α: mean ± standard deviation between draws."""
    sweep = recording.sweep
    rows = (
        [
            f"**{alpha:g}**" if alpha == CONSTANT else f"{alpha:g}",
            *(_spread(sweep.relation(name, alpha, form), n) for name, n in _COLUMNS.items()),
            _spread(sweep.text("unchanged", alpha, form), 3),
            f"{sweep.text('distinct', alpha, form).mean():.3f}",
            f"{sweep.text('repetition', alpha, form).mean():.3f}",
        ]
        for alpha in sweep.alphas(form)
    )
    head = ("α", "Pearson", "gradient", "preservation", "CV")
    return markdown((*head, "texts unchanged", "distinct", "repeated"), rows)


def trained(recording: Recording) -> str:
    """Where α ended, the losses, and the encoder before and after."""
    head = ("training", "final α by layer", "mean", "held-out loss, first → last epoch")
    relations = ("Pearson", "Spearman", "CV")
    return markdown(
        (*head, *(f"{name} before → after" for name in relations), "texts unchanged"),
        map(_training, recording.trainings),
    )


def _training(learned: Learned) -> list[str]:
    losses = learned.history.held_out
    return [
        learned.recipe.name,
        ", ".join(f"{alpha:.3f}" for alpha in learned.alpha.tolist()),
        f"{learned.alpha.mean():.3f}",
        f"{losses[0]:.3f} → {losses[-1]:.3f}",
        *(_change(learned, name) for name in ("pearson", "spearman", "cv")),
        f"{learned.text.unchanged:.3f}",
    ]


def _change(learned: Learned, name: str) -> str:
    before, after = (
        sum(getattr(one, name) for one in found) / len(found)
        for found in (learned.original, learned.trained)
    )
    return f"{before:.3f} → {after:.3f}"


def _spread(x: Tensor, digits: int) -> str:
    if len(x) == 1:
        return f"{x.item():.{digits}f}"
    return f"{x.mean():.{digits}f} ± {x.std():.{digits}f}"


def _by_alpha_of(model: str, form: Form) -> str:
    return by_alpha(_shipped(model), form)


def _trained_of(model: str) -> str:
    return trained(_shipped(model))


def _shipped(model: str) -> Recording:
    entry = select_models([model])[model]
    checkpoint = opened(entry.source.locate(model, download=False))
    file: Path = SHIPPED / f"{checkpoint.sha256()}.json"
    if not file.exists():
        raise InputError(f"{file}: {model} has no shipped recording")
    return read(file)

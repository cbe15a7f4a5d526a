"""Training modulators on a model's definitions, and what that does to its encoder (SPEC M3, M6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.lerp import START, LerpModulator
from geometric_invariants.geometry.modulation.training import (
    NOTEBOOKS,
    History,
    TrainingSettings,
    train,
)
from geometric_invariants.invariants.experiments.modulation import overlay
from geometric_invariants.invariants.experiments.modulation.generation import (
    Text,
    plain_text,
    prompts_of,
    text_under,
)
from geometric_invariants.invariants.experiments.modulation.measured import (
    Relations,
    draw_probes,
    measure,
)
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay

DRAWS = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where α starts, and what is a null: lemmas of other definitions, geometry of other words."""

    start: float = START
    lemmas_shuffled: bool = False
    geometry_dealt: bool = False

    @property
    def name(self) -> str:
        return f"α from {self.start:g}" + f", {self.null}" * bool(self.null)

    @property
    def null(self) -> str:
        """Which null it is, "" where it is none."""
        dealt = ("lemmas shuffled", self.lemmas_shuffled), ("geometry dealt", self.geometry_dealt)
        return ", ".join(name for name, is_dealt in dealt if is_dealt)


@dataclass(frozen=True, slots=True)
class Learned:
    """M3: where α came to lie, the losses, and the encoder before and after.

    `original` and `trained` hold one entry per draw of anchors, pairs and simplices. `lessons` is
    how many of the `words` were learned from; `epochs` and `batch` are the training's.
    """

    recipe: Recipe
    epochs: int
    batch: int
    lessons: int
    words: int
    history: History
    original: tuple[Relations, ...]
    trained: tuple[Relations, ...]
    plain_text: Text
    text: Text
    rate: float = NOTEBOOKS.rate

    @property
    def in_source_design(self) -> bool:
        """Whether it was S9's training: all words, ten epochs, batches of 32 at 0.001, no null."""
        source = (NOTEBOOKS.epochs, NOTEBOOKS.batch, NOTEBOOKS.rate, self.words, Recipe())
        return (self.epochs, self.batch, self.rate, self.lessons, self.recipe) == source

    @property
    def steps(self) -> tuple[int, ...]:
        """After how many batches each α of the history was taken, [recorded]."""
        kept = self.lessons - int(self.lessons * NOTEBOOKS.held_out)
        total = self.history.stopped or self.epochs * math.ceil(kept / self.batch)
        taken = (NOTEBOOKS.interval * i + 1 for i in range(len(self.history.alpha) - 1))
        return (*taken, total)

    @property
    def alpha(self) -> Tensor:
        """The final α by layer, [layers] float64."""
        return torch.tensor(self.history.alpha[-1], dtype=torch.float64)


def learn(
    model: Model,
    laid: Overlay,
    sampling: Sampling,
    recipe: Recipe,
    *,
    settings: TrainingSettings = NOTEBOOKS,
    count: int | None = None,
) -> Learned:
    """Train the overlay's embeddings, projection and α: definition → the matched lemma.

    On the first `count` words, or all. Source: SPEC M3.
    """
    modulator, history = taught(model, laid, sampling, recipe, settings=settings, count=count)
    rows = overlay.encode_under(model, modulator, laid.texts)
    lessons = len(laid.texts[:count])
    return examined(model, laid, sampling, recipe, settings, lessons, modulator, history, rows)


def taught(
    model: Model,
    laid: Overlay,
    sampling: Sampling,
    recipe: Recipe,
    *,
    settings: TrainingSettings = NOTEBOOKS,
    count: int | None = None,
    checkpoint: Path | None = None,
) -> tuple[LerpModulator, History]:
    """The modulator that `learn` looks at, and its training's history.

    With a `checkpoint` file a run that was cut off goes on to the same numbers. Raises StateError
    where the file is of other weights or settings.
    """
    inputs, targets = laid.texts[:count], lemmas(model, laid)[:count]
    if recipe.lemmas_shuffled:
        generator = torch.Generator().manual_seed(settings.seed)
        order = torch.randperm(len(targets), generator=generator)
        targets = [targets[i] for i in order.tolist()]
    form = overlay.in_form(laid, "dealt" if recipe.geometry_dealt else "normal", sampling)
    modulator = overlay.copied(form.modulator, recipe.start)
    origin = {
        "checkpoint": model.checkpoint.sha256(),
        "device": str(model.device),
        "start": recipe.name,
    }
    history = train(
        model.loaded.module, modulator, inputs, targets, settings, checkpoint, origin=origin
    )
    return modulator, history


def examined(
    model: Model,
    laid: Overlay,
    sampling: Sampling,
    recipe: Recipe,
    settings: TrainingSettings,
    lessons: int,
    modulator: LerpModulator,
    history: History,
    rows: Tensor,
) -> Learned:
    """What a trained modulator shows; rows [words, d]: all words' definitions under it."""
    words, prompts = laid.words, prompts_of(laid)
    probes = draw_probes(words, sampling, DRAWS)
    return Learned(
        recipe=recipe,
        epochs=settings.epochs,
        batch=settings.batch,
        lessons=lessons,
        words=len(words),
        history=history,
        original=tuple(measure(words, probe, words.encoder) for probe in probes),
        trained=tuple(measure(words, probe, rows) for probe in probes),
        plain_text=plain_text(model, prompts),
        text=text_under(model, modulator, prompts),
        rate=settings.rate,
    )


def lemmas(model: Model, laid: Overlay) -> list[list[int]]:
    """Of every word the lemma that its definition was matched by: its own token, and the end.

    A synset's first lemma is another word for a third of T5's matches. Source: SPEC M3, R1.
    """
    end = model.loaded.module.config.eos_token_id
    return [[token, end] for token in laid.tokens.tolist()]

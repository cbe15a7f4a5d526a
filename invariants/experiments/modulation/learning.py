"""Training modulators on a model's definitions, and what that does to its encoder (SPEC M3, M6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fixtures.model import Model
from geometry.estimate import Sampling
from geometry.modulation.lerp import START
from geometry.modulation.training import NOTEBOOKS, History, TrainingSettings, train
from invariants.experiments.modulation import overlay
from invariants.experiments.modulation.generation import Text, plain_text, prompts_of, text_under
from invariants.experiments.modulation.measured import (
    Probe,
    Relations,
    draw_anchors,
    draw_probe,
    measure,
)
from invariants.experiments.modulation.overlay import Overlay
from invariants.experiments.relations import Words

DRAWS = 5


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where α starts, and what is a null: lemmas of other definitions, geometry of other words."""

    start: float = START
    lemmas_shuffled: bool = False
    geometry_dealt: bool = False

    @property
    def name(self) -> str:
        null = ", lemmas shuffled" * self.lemmas_shuffled + ", geometry dealt" * self.geometry_dealt
        return f"α from {self.start:g}{null}"


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

    @property
    def in_source_design(self) -> bool:
        """Whether it was S9's training: all words, ten epochs, batches of 32, α from 0.01."""
        source = (NOTEBOOKS.epochs, NOTEBOOKS.batch, self.words, START)
        return (self.epochs, self.batch, self.lessons, self.recipe.start) == source

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
    checkpoint: Path | None = None,
) -> Learned:
    """Train the overlay's embeddings, projection and α: definition → the matched lemma.

    On the first `count` words, or all. Source: SPEC M3.
    """
    words = laid.words
    inputs, targets = laid.texts[:count], lemmas(model, laid)[:count]
    if recipe.lemmas_shuffled:
        generator = torch.Generator().manual_seed(settings.seed)
        order = torch.randperm(len(targets), generator=generator)
        targets = [targets[i] for i in order.tolist()]
    form = overlay.in_form(laid, "dealt" if recipe.geometry_dealt else "normal", sampling)
    modulator = overlay.copied(form.modulator, recipe.start)
    history = train(model.loaded.module, modulator, inputs, targets, settings, checkpoint)
    rows = overlay.encode_under(model, modulator, laid.texts)
    probes = _probes(words, sampling)
    prompts = prompts_of(laid)
    return Learned(
        recipe=recipe,
        epochs=settings.epochs,
        batch=settings.batch,
        lessons=len(inputs),
        words=len(words),
        history=history,
        original=tuple(measure(words, probe, words.encoder) for probe in probes),
        trained=tuple(measure(words, probe, rows) for probe in probes),
        plain_text=plain_text(model, prompts),
        text=text_under(model, modulator, prompts),
    )


def lemmas(model: Model, laid: Overlay) -> list[list[int]]:
    """Of every word the lemma that its definition was matched by: its own token, and the end.

    A synset's first lemma is another word for a third of T5's matches. Source: SPEC M3, R1.
    """
    end = model.loaded.module.config.eos_token_id
    return [[token, end] for token in laid.tokens.tolist()]


def _probes(words: Words, sampling: Sampling) -> list[Probe]:
    return [
        draw_probe(words, draw_anchors(words, sampling, draw), sampling, draw)
        for draw in range(DRAWS)
    ]

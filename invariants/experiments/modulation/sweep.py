"""The overlay at many α, in several forms, on several draws of anchors (SPEC M4, S10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from fixtures.model import Model
from geometry.estimate import Sampling
from invariants.experiments.modulation import overlay
from invariants.experiments.modulation.generation import Text, plain_text, prompts_of, text_at
from invariants.experiments.modulation.measured import Relations, measure
from invariants.experiments.modulation.overlay import Form

LOW, CONSTANT, HIGH = 0.01, 0.29154, 0.5
DRAWS = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """One α before every block, in one form of the overlay, on one draw of anchors."""

    form: Form
    alpha: float
    draw: int


@dataclass(frozen=True, slots=True)
class Point:
    """What one setting shows."""

    setting: Setting
    relations: Relations
    text: Text


@dataclass(frozen=True, slots=True)
class Sweep:
    """Points of one model; what they show is asked for by form and α, one number a draw.

    α = 0 is the plain encoder in every form.
    """

    points: tuple[Point, ...]

    def relation(self, name: str, alpha: float, form: Form = "normal") -> Tensor:
        """A field of Relations over the draws, [draws] float64."""
        return _tensor([getattr(point.relations, name) for point in self._at(alpha, form)])

    def text(self, name: str, alpha: float, form: Form = "normal") -> Tensor:
        """A field of Text over the draws, [draws] float64."""
        return _tensor([getattr(point.text, name) for point in self._at(alpha, form)])

    def mean_text(self, alpha: float, form: Form = "normal") -> Text:
        """The mean over the draws."""
        names = ("unchanged", "distinct", "repetition")
        return Text(*(self.text(name, alpha, form).mean().item() for name in names))

    def alphas(self, form: Form = "normal") -> tuple[float, ...]:
        """The α of a form, rising, with 0."""
        own = {p.setting.alpha for p in self.points if p.setting.form == form}
        return tuple(sorted(own | {0.0}))

    def _at(self, alpha: float, form: Form) -> list[Point]:
        wanted = ("normal" if alpha == 0.0 else form, alpha)
        own = [p for p in self.points if (p.setting.form, p.setting.alpha) == wanted]
        return sorted(own, key=lambda point: point.setting.draw)


def explore(
    model: Model, sampling: Sampling, settings: Iterable[Setting], bar: tqdm[None] | None = None
) -> Sweep:
    """What every setting shows."""
    points = []
    for setting in settings:
        laid = overlay.overlay_of(model, sampling, setting.draw)
        if setting.alpha == 0.0:
            rows, text = laid.words.encoder, plain_text(model, prompts_of(laid))
        else:
            formed = overlay.in_form(laid, setting.form, sampling)
            rows = overlay.encode_at(model, formed, setting.alpha)
            text = text_at(model, formed, setting.alpha)
        points.append(Point(setting, measure(laid.words, laid.probe, rows), text))
        if bar is not None:
            bar.update()
    return Sweep(tuple(points))


def swept(model: Model, sampling: Sampling, known: Iterable[Point]) -> Sweep:
    """What the claims' α show, made once: the source's form on three draws, the others on one.

    `known` are points of the same weights on the same draws, which are not measured again.
    """
    key = f"sweep {sampling.seed} {sampling.samples}"
    if key not in model.memory:
        settings = _claimed_settings()
        kept = [point for point in known if point.setting in settings]
        missing = set(settings) - {point.setting for point in kept}
        further = explore(model, sampling, (one for one in settings if one in missing))
        model.memory[key] = Sweep((*kept, *further.points))
    found: Sweep = model.memory[key]
    return found


def _claimed_settings() -> list[Setting]:
    alphas, draws = (LOW, CONSTANT, HIGH), range(DRAWS)
    return [
        *(Setting("normal", alpha, draw) for draw in draws for alpha in (0.0, *alphas)),
        *(Setting(form, alpha, 0) for form in ("zero", "dealt") for alpha in alphas),
    ]


def _tensor(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)

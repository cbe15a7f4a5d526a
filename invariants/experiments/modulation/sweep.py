"""The overlay at many α, in several forms, on several draws of anchors (SPEC M4, S10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.experiments.modulation import overlay
from geometric_invariants.invariants.experiments.modulation.generation import (
    Text,
    plain_text,
    prompts_of,
    text_at,
)
from geometric_invariants.invariants.experiments.modulation.measured import (
    Detail,
    Relations,
    detail,
    measure,
)
from geometric_invariants.invariants.experiments.modulation.overlay import Form

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
    """What one setting shows; `detail` is None where a recording left it out."""

    setting: Setting
    relations: Relations
    text: Text
    detail: Detail | None


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

    def detail(self, name: str, alpha: float, form: Form = "normal") -> Tensor:
        """A number of Detail over the draws that have it, [≤ draws] float64."""
        found = [point.detail for point in self._at(alpha, form)]
        return _tensor([getattr(one, name) for one in found if one is not None])

    def bands(self, alpha: float, form: Form = "normal") -> Detail | None:
        """Pairs and mean cosines by band of path similarity, on the first draw."""
        return next((p.detail for p in self._at(alpha, form) if p.setting.draw == 0), None)

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
    model: Model,
    sampling: Sampling,
    settings: Iterable[Setting],
    *,
    known: Iterable[Point] = (),
    keep: Callable[[Point], None] | None = None,
) -> Sweep:
    """What every setting shows; those of `known` points are not measured again.

    Every point that is measured is handed to `keep` at once.
    """
    points = {point.setting: point for point in known}
    wanted = list(settings)
    missing = [setting for setting in wanted if setting not in points]
    for setting in tqdm(missing, desc="sweep", unit="point", disable=None if missing else True):
        points[setting] = _measured(model, sampling, setting)
        if keep is not None:
            keep(points[setting])
    return Sweep(tuple(points[setting] for setting in wanted))


def _measured(model: Model, sampling: Sampling, setting: Setting) -> Point:
    laid = overlay.overlay_of(model, sampling, setting.draw)
    if setting.alpha == 0.0:
        rows, text = laid.words.encoder, plain_text(model, prompts_of(laid))
    else:
        formed = overlay.in_form(laid, setting.form, sampling)
        rows = overlay.encode_at(model, formed, setting.alpha)
        text = text_at(model, formed, setting.alpha)
    return Point(
        setting,
        measure(laid.words, laid.probe, rows),
        text,
        detail(laid.words, laid.probe, rows),
    )


def point_of(content: dict[str, Any]) -> Point:
    """A point from its fields, as dataclasses.asdict and JSON give them.

    Raises KeyError or TypeError for what is no point.
    """
    found = content["detail"]
    return Point(
        setting=Setting(**content["setting"]),
        relations=Relations(**content["relations"]),
        text=Text(**content["text"]),
        detail=None if found is None else _detail_of(found),
    )


def _detail_of(content: dict[str, Any]) -> Detail:
    lists = {name: tuple(content[name]) for name in ("counts", "cosines")}
    return Detail(**(content | lists))


def swept(model: Model, sampling: Sampling, known: Iterable[Point]) -> Sweep:
    """What the claims' α show, made once: the source's form on three draws, the others on one.

    `known` are points of the same weights on the same draws, which are not measured again.
    """
    key = f"sweep {sampling.seed} {sampling.samples}"
    if key not in model.memory:
        model.memory[key] = explore(model, sampling, _claimed_settings(), known=known)
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

"""Recorded experiments on modulators: too long for every report, kept by the checkpoint's hash.

Those of the T5s that come with the project lie in `recordings/`; `python -m invariants modulate
MODEL --record` adds others to the user's cache folder.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.texts.corpora import cache_folder
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.training import NOTEBOOKS, History, TrainingSettings
from geometric_invariants.invariants.experiments.modulation.generation import Text
from geometric_invariants.invariants.experiments.modulation.learning import Learned, Recipe, learn
from geometric_invariants.invariants.experiments.modulation.measured import Relations
from geometric_invariants.invariants.experiments.modulation.overlay import overlay_of
from geometric_invariants.invariants.experiments.modulation.sweep import (
    CONSTANT,
    HIGH,
    LOW,
    Setting,
    Sweep,
    explore,
    point_of,
    swept,
)
from geometric_invariants.invariants.experiments.relations import ALL
from geometric_invariants.reports.files import write_atomically

SHIPPED = Path(__file__).with_name("recordings")
DRAWS = 5
ALPHAS = (LOW, 0.05, 0.1, 0.2, 0.25, CONSTANT, 0.35, 0.4, HIGH)
SOURCES, LEMMAS_SHUFFLED, GEOMETRY_DEALT = RECIPES = (
    Recipe(),
    Recipe(lemmas_shuffled=True),
    Recipe(geometry_dealt=True),
)
_BRIEF, _FEW_WORDS = TrainingSettings(epochs=1, batch=128), 1_000


@dataclass(frozen=True, slots=True)
class Recording:
    """The α sweep of a model's overlay in its forms, and its trainings; from seed 0."""

    checkpoint: str
    device: str
    sweep: Sweep
    trainings: tuple[Learned, ...]


class RecordingError(InputError):
    """A recording's file is damaged, or of an earlier version."""


def settings_to_record() -> list[Setting]:
    """The source's form on five draws, rows of zero on three, the null at the claims' α on five."""
    draws = range(DRAWS)
    return [
        *(Setting("normal", alpha, draw) for draw in draws for alpha in (0.0, *ALPHAS)),
        *(Setting("zero", alpha, draw) for draw in draws[:3] for alpha in ALPHAS),
        *(Setting("dealt", alpha, draw) for draw in draws for alpha in (LOW, CONSTANT, HIGH)),
    ]


def recipes_to_record() -> tuple[Recipe, ...]:
    """The source's training and its two nulls, and two further starts of α."""
    return (*RECIPES, Recipe(0.1), Recipe(0.3))


def recording_of(model: Model) -> Recording | None:
    """The recording of exactly these weights, or None. Raises RecordingError if it is damaged."""
    name = f"{model.checkpoint.sha256()}.json"
    for folder in (SHIPPED, cache_folder() / "recordings"):
        if (folder / name).exists():
            return read(folder / name)
    return None


def sweep_of(model: Model, sampling: Sampling) -> Sweep:
    """The sweep of the claims' α: recorded where the draws are a recording's, else measured."""
    recording = _of_the_same_draws(model, sampling)
    return swept(model, sampling, () if recording is None else recording.sweep.points)


def source_of(model: Model, sampling: Sampling) -> tuple[str, ...]:
    """A note that says so where `sweep_of` is a recording's."""
    recording = _of_the_same_draws(model, sampling)
    return () if recording is None else (f"as recorded of these weights on {recording.device}",)


def _of_the_same_draws(model: Model, sampling: Sampling) -> Recording | None:
    return recording_of(model) if sampling.seed == 0 and sampling.samples >= ALL else None


def trainings_of(model: Model, sampling: Sampling) -> dict[Recipe, Learned]:
    """The source's training of a model and its two nulls: recorded, else run, once.

    A GPU trains as the source does, ten epochs of all words; a CPU one epoch of a thousand words.
    Raises NotApplicableError unless the model is an encoder–decoder.
    """
    key = f"trainings {sampling.seed} {sampling.samples}"
    if key not in model.memory:
        model.memory[key] = _trainings(model, sampling)
    found: dict[Recipe, Learned] = model.memory[key]
    return found


def trained_where(model: Model) -> tuple[str, ...]:
    """A note that says so where `trainings_of` is a recording's."""
    recording = None if model.is_twin else recording_of(model)
    if recording is None or not {one.recipe for one in recording.trainings} >= set(RECIPES):
        return ()
    return (f"trained as recorded of these weights on {recording.device}",)


def _trainings(model: Model, sampling: Sampling) -> dict[Recipe, Learned]:
    recording = None if model.is_twin else recording_of(model)
    recorded = {} if recording is None else {one.recipe: one for one in recording.trainings}
    if recorded.keys() >= set(RECIPES):
        return recorded
    laid = overlay_of(model, sampling)
    few = model.device.type == "cpu"
    settings, count = (_BRIEF, _FEW_WORDS) if few else (NOTEBOOKS, None)
    return {
        recipe: learn(model, laid, sampling, recipe, settings=settings, count=count)
        for recipe in RECIPES
    }


def record(
    model: Model,
    settings: list[Setting] | None = None,
    recipes: tuple[Recipe, ...] | None = None,
    training: TrainingSettings = NOTEBOOKS,
) -> Path:
    """Run the sweep and the trainings of SPEC M3 and M4, and keep them: minutes on a GPU."""
    sampling = Sampling()
    settings = settings_to_record() if settings is None else settings
    recipes = recipes_to_record() if recipes is None else recipes
    sweep = explore(model, sampling, settings)
    laid = overlay_of(model, sampling)
    trainings = tuple(learn(model, laid, sampling, one, settings=training) for one in recipes)
    found = Recording(model.checkpoint.sha256(), _device(model), sweep, trainings)
    file = cache_folder() / "recordings" / f"{found.checkpoint}.json"
    write(found, file)
    return file


def write(recording: Recording, file: Path) -> None:
    """Keep a recording as JSON, numbers to six digits."""
    content = _rounded(dataclasses.asdict(recording))
    write_atomically(file, json.dumps(content, allow_nan=False))


def read(file: Path) -> Recording:
    """The inverse of `write`. Raises RecordingError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Recording(
            checkpoint=content["checkpoint"],
            device=content["device"],
            sweep=Sweep(tuple(map(point_of, content["sweep"]["points"]))),
            trainings=tuple(map(_learned, content["trainings"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{file}: not a readable recording ({error}); delete it") from error


def _learned(content: dict[str, Any]) -> Learned:
    return Learned(
        recipe=Recipe(**content["recipe"]),
        epochs=content["epochs"],
        batch=content["batch"],
        lessons=content["lessons"],
        words=content["words"],
        history=History(**content["history"]),
        original=tuple(Relations(**one) for one in content["original"]),
        trained=tuple(Relations(**one) for one in content["trained"]),
        plain_text=Text(**content["plain_text"]),
        text=Text(**content["text"]),
        rate=content.get("rate", NOTEBOOKS.rate),
    )


def _rounded(content: Any) -> Any:
    if isinstance(content, float):
        return float(f"{content:.6g}")
    if isinstance(content, dict):
        return {str(name): _rounded(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_rounded(value) for value in content]
    return content


def _device(model: Model) -> str:
    on_gpu = model.device.type == "cuda"
    return torch.cuda.get_device_name(model.device) if on_gpu else "CPU"

"""Recorded experiments on modulators: too long for every report, kept by the checkpoint's hash.

Those of the T5s that come with the project lie in `recordings/`; `python -m invariants modulate
MODEL --record` adds others to the user's cache folder.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fixtures.corpora import cache_folder
from fixtures.errors import InputError
from fixtures.model import Model
from geometry.estimate import Sampling
from geometry.modulation.training import NOTEBOOKS, History, TrainingSettings
from invariants.experiments import modulation as experiment
from invariants.experiments.modulation import CONSTANT, Learned, Relations
from reports.files import write_atomically

SHIPPED = Path(__file__).with_name("recordings")
ALPHAS = tuple(sorted({0.0, 0.01, CONSTANT, *(round(0.025 * i, 3) for i in range(1, 21))}))
DRAWS = 5
STARTS = ((0.01, False), (0.1, False), (0.3, False), (0.01, True))
_PROMPTS = 200


@dataclass(frozen=True, slots=True)
class Recording:
    """The α sweep of a model's overlay and its trainings from several starting values.

    `sweep` and `unchanged` (the share of greedy generations that stay word for word) hold one entry
    per draw of anchors, pairs and simplices. In `trainings` True marks shuffled lemmas.
    """

    checkpoint: str
    device: str
    sweep: Mapping[float, tuple[Relations, ...]]
    unchanged: Mapping[float, tuple[float, ...]]
    trainings: tuple[tuple[Learned, bool], ...]


class RecordingError(InputError):
    """A recording's file is damaged."""


def recording_of(model: Model) -> Recording | None:
    """The recording of exactly these weights, or None. Raises RecordingError if it is damaged."""
    name = f"{model.checkpoint.sha256()}.json"
    for folder in (SHIPPED, cache_folder() / "recordings"):
        if (folder / name).exists():
            return read(folder / name)
    return None


def record(
    model: Model,
    alphas: tuple[float, ...] = ALPHAS,
    draws: int = DRAWS,
    settings: TrainingSettings = NOTEBOOKS,
) -> Path:
    """Run the sweep and the trainings of SPEC M3 and M4, and keep them: minutes on a GPU."""
    sweep: dict[float, tuple[Relations, ...]] = dict.fromkeys(alphas, ())
    unchanged: dict[float, tuple[float, ...]] = dict.fromkeys(alphas, ())
    for seed in range(draws):
        laid = experiment.overlay(model, Sampling(seed=seed))
        original = laid.words.encoder[laid.anchors]
        for alpha in alphas:
            rows = experiment.encode_at(model, laid, alpha)
            sweep[alpha] += (experiment.measure(laid, rows, original, seed),)
            texts = laid.texts[:_PROMPTS]
            unchanged[alpha] += (experiment.coherence(model, laid, alpha, texts),)
    laid = experiment.overlay(model, Sampling())
    trainings = tuple(
        (experiment.learn(model, laid, start, shuffle_lemmas=dealt, settings=settings), dealt)
        for start, dealt in STARTS
    )
    found = Recording(model.checkpoint.sha256(), _device(model), sweep, unchanged, trainings)
    file = cache_folder() / "recordings" / f"{found.checkpoint}.json"
    write(found, file)
    return file


def write(recording: Recording, file: Path) -> None:
    """Keep a recording as JSON, numbers to six digits."""
    content = _rounded(dataclasses.asdict(recording))
    write_atomically(file, json.dumps(content, allow_nan=False))


def read(file: Path) -> Recording:
    """The inverse of `write`."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Recording(
            checkpoint=content["checkpoint"],
            device=content["device"],
            sweep={
                float(alpha): tuple(Relations(**one) for one in found)
                for alpha, found in content["sweep"].items()
            },
            unchanged={float(alpha): tuple(v) for alpha, v in content["unchanged"].items()},
            trainings=tuple((_learned(one), dealt) for one, dealt in content["trainings"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{file}: not a readable recording ({error}); delete it") from error


def _learned(content: dict[str, Any]) -> Learned:
    return Learned(
        start=content["start"],
        history=History(**content["history"]),
        original=Relations(**content["original"]),
        trained=Relations(**content["trained"]),
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

"""A training's state in a file, from which a run that was cut off goes on to the same numbers."""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn


class StateError(ValueError):
    """A file holds no state of this training; the message names the file and what differs."""


@dataclass(slots=True)
class History:
    """α every `interval` batches, mean training and held-out loss of every epoch, checked CVs.

    α is by layer, for a field modulator by layer and expert; `stopped` the step of an early stop.
    """

    alpha: list[list[float]] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    cv: list[float] = field(default_factory=list)
    stopped: int | None = None


@dataclass(slots=True)
class State:
    """All that a run needs to go on where it was cut off.

    `running` are the losses of the epoch so far. `origin` names what the run is of: a file that
    says anything else is refused. Nothing in a training draws at random but the orders of its
    batches, and those follow from seed and epoch, so that no generator's state is kept.
    """

    modulator: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    file: Path | None
    origin: Mapping[str, str]
    seconds: float
    step: int = 0
    history: History = field(default_factory=History)
    running: list[float] = field(default_factory=list)
    _saved: float = field(default_factory=time.monotonic)

    def save_in_time(self) -> None:
        """Save once `seconds` have passed since it was last done."""
        if time.monotonic() - self._saved >= self.seconds:
            self.save()

    def save(self) -> None:
        """Replace the file by the state as it is now; a kill leaves the old file or the new."""
        if self.file is None:
            return
        parts = (self.modulator, self.optimiser, self.schedule)
        content = {
            "origin": dict(self.origin),
            "parts": [part.state_dict() for part in parts],
            "step": self.step,
            "history": asdict(self.history),
            "running": self.running,
        }
        write_state(content, self.file)
        self._saved = time.monotonic()

    def restore(self) -> None:
        """Go on from the file, if there is one. Raises StateError if it is of another run."""
        if self.file is None or not self.file.exists():
            return
        content = read_state(self.file)
        try:
            check_origin(self.file, content["origin"], self.origin)
            modulator, optimiser, schedule = content["parts"]
            self.modulator.load_state_dict(modulator)
            self.optimiser.load_state_dict(optimiser)
            self.schedule.load_state_dict(schedule)
            self.step = content["step"]
            self.history = History(**content["history"])
            self.running = content["running"]
        except (KeyError, TypeError, RuntimeError) as error:
            raise StateError(f"{self.file}: no state of a training") from error


def write_state(content: Mapping[str, Any], file: Path) -> None:
    """Tensors and plain values into a file that is whole at any time. Raises OSError."""
    handle, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            torch.save(dict(content), stream)
        Path(partial).replace(file)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read_state(file: Path) -> dict[str, Any]:
    """The inverse of `write_state`, which runs no code of the file's. Raises StateError."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise StateError(f"{file}: no such file") from error
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise StateError(f"{file}: no state of a training") from error
    if not isinstance(content, dict):
        raise StateError(f"{file}: no state of a training")
    return content


def check_origin(file: Path, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise StateError naming in what two origins differ."""
    names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    if names:
        differs = ", ".join(
            f"{name} {then.get(name, 'unsaid')}, here {now.get(name, 'unsaid')}" for name in names
        )
        raise StateError(f"{file}: of another training: {differs}; name another file")

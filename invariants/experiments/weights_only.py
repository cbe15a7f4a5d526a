"""A model measured by its weights alone, which reads anew only what was changed in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor

from geometric_invariants.fixtures import survey as surveys
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.reading import Reading
from geometric_invariants.fixtures.storage.checkpoint import Checkpoint
from geometric_invariants.fixtures.survey_rows import Survey
from geometric_invariants.fixtures.texts.vocabulary import Vocabulary
from geometric_invariants.invariants.finding import NotApplicableError

T = TypeVar("T")
EVERYTHING = "*"  # read by a claim that asks for the survey
_LEFT_OUT = "only the weights are measured"


class Watched(Checkpoint):
    """A checkpoint that notes which tensors are read."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.asked: set[str] = set()

    def read(self, name: str, device: torch.device | str = "cpu") -> Tensor:
        self.asked.add(name)
        return super().read(name, device)

    def read_rows(
        self, name: str, start: int, stop: int, device: torch.device | str = "cpu"
    ) -> Tensor:
        self.asked.add(name)
        return super().read_rows(name, start, stop, device)

    def slab(
        self,
        name: str,
        index: int,
        rows: tuple[int, int] | None = None,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        self.asked.add(name)
        return super().slab(name, index, rows, device)

    def read_bytes(self, name: str, start: int, out: Tensor) -> None:
        self.asked.add(name)
        super().read_bytes(name, start, out)


@dataclass(frozen=True, slots=True)
class Done:
    """A piece of a survey's work, and the tensors that it read."""

    result: Any
    read: frozenset[str]


class _Remembering(Executor):
    """Does a survey's work in turn; what reads no changed tensor is the sound model's result."""

    def __init__(
        self, asked: set[str], known: dict[object, Done], changed: frozenset[str] | None
    ) -> None:
        self._asked, self._known, self._changed = asked, known, changed

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,  # noqa: ARG002
        chunksize: int = 1,  # noqa: ARG002
        **_: object,
    ) -> Iterator[T]:
        for checkpoint, work, device in zip(*iterables, strict=False):
            key = fn.__name__, tuple(work) if isinstance(work, list) else work
            known = self._known.get(key)
            if self._changed is not None and known and not known.read & self._changed:
                yield known.result
                continue
            before = frozenset(self._asked)
            self._asked.clear()
            result = fn(checkpoint, work, device)
            if self._changed is None:
                self._known[key] = Done(result, frozenset(self._asked))
            self._asked.update(before)
            yield result


class WeightsOnly(Model):
    """A model that has no forward pass, and the vocabulary of the sound one.

    `changed` names the tensors in which it differs from the sound one, whose survey `known` holds;
    None for the sound one itself, which fills it. Raises CheckpointError on opening.
    """

    checkpoint: Watched

    def __init__(
        self,
        sound: Model,
        folder: Path,
        known: dict[object, Done],
        changed: frozenset[str] | None = None,
        device: torch.device | str = "",
    ) -> None:
        super().__init__(sound.id, folder, device or sound.device)
        self.checkpoint = Watched(folder)
        self._sound = sound
        self._executor = _Remembering(self.checkpoint.asked, known, changed)
        self._survey: Survey | None = None

    @property
    def why_not_loadable(self) -> str:
        return _LEFT_OUT

    @property
    def loaded(self) -> NoReturn:
        raise NotApplicableError(f"no forward pass: {_LEFT_OUT}")

    @property
    def vocabulary(self) -> Vocabulary | None:
        return self._sound.vocabulary

    @property
    def survey(self) -> Survey:
        self.checkpoint.asked.add(EVERYTHING)
        if self._survey is None:
            self._survey = surveys.survey(
                self.checkpoint, self.layout, device=self.device, executor=self._executor
            )
        return self._survey

    @property
    def reading(self) -> Reading:
        return Reading.of(self.survey)

    def forget(self) -> None:
        """Let go of what claims share, but for the survey, so that the next claim reads its own."""
        self.__dict__.pop("embedding", None)
        self.memory.clear()
        self.checkpoint.asked.clear()

"""Which faults a model's claims catch: each is written, measured and set beside the sound model.

Only what is read off the weights takes part; nothing is passed forward.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor

from geometric_invariants.fixtures import survey as surveys
from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.faults import Benign, Fault, State
from geometric_invariants.fixtures.faults.state import Changes
from geometric_invariants.fixtures.faults.writing import write
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.reading import Reading
from geometric_invariants.fixtures.storage.checkpoint import Checkpoint
from geometric_invariants.fixtures.survey_rows import Survey
from geometric_invariants.fixtures.texts.vocabulary import Vocabulary
from geometric_invariants.invariants.claims import Claim
from geometric_invariants.invariants.finding import NotApplicableError
from geometric_invariants.invariants.verdicts import Settings, evaluate
from geometric_invariants.reports.results import Measurement, Results, latest

T = TypeVar("T")
_LEFT_OUT = "only the weights are measured"
_EVERYTHING = "*"  # read by a claim that asks for the survey


@dataclass(frozen=True, slots=True)
class Detection:
    """What a model's claims made of one fault.

    `alone`: the claims that fail without a baseline, by id, with what they said; `compared`: those
    that fail against the sound model's values. `refused` is the line of a checkpoint that was not
    even opened, and counts for both.
    """

    fault: Fault
    alone: Mapping[str, str]
    compared: Mapping[str, str]
    refused: str = ""

    @property
    def is_caught_alone(self) -> bool:
        return bool(self.alone or self.refused)

    @property
    def is_caught(self) -> bool:
        return bool(self.compared or self.refused)


class _Watched(Checkpoint):
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
class _Done:
    """A piece of a survey's work, and the tensors that it read."""

    result: Any
    read: frozenset[str]


class _Remembering(Executor):
    """Does a survey's work in turn; what reads no changed tensor is the sound model's result."""

    def __init__(
        self, asked: set[str], known: dict[object, _Done], changed: frozenset[str] | None
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
                self._known[key] = _Done(result, frozenset(self._asked))
            self._asked.update(before)
            yield result


class WeightsOnly(Model):
    """A model that has no forward pass, and the vocabulary of the sound one.

    `changed` names the tensors in which it differs from the sound one, whose survey `known` holds;
    None for the sound one itself, which fills it. Raises CheckpointError on opening.
    """

    checkpoint: _Watched

    def __init__(
        self,
        sound: Model,
        folder: Path,
        known: dict[object, _Done],
        changed: frozenset[str] | None = None,
    ) -> None:
        super().__init__(sound.id, folder, sound.device)
        self.checkpoint = _Watched(folder)
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
        self.checkpoint.asked.add(_EVERYTHING)
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


class Trial:
    """A sound model's values, and what becomes of them under faults.

    Stored anew first, as the faulty ones are, in a folder of its own that `close` removes. Raises
    InputError for weights that are stored as codes.
    """

    def __init__(self, model: Model, claims: Iterable[Claim], settings: Settings) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="faults-")
        self._model = model
        self._settings = replace(settings, twins=0, baseline=None)
        self._known: dict[object, _Done] = {}
        try:
            sound = write(model.checkpoint, {}, Path(self._folder.name) / "sound")
            self._measure_sound(WeightsOnly(model, sound, self._known), claims)
        except BaseException:
            self.close()
            raise

    def _measure_sound(self, model: WeightsOnly, claims: Iterable[Claim]) -> None:
        self.state = State.of(model.checkpoint, model.layout)
        self._claims: list[Claim] = []
        self._reads: dict[str, frozenset[str]] = {}
        self._failing: set[str] = set()
        measured: list[Measurement] = []
        for claim in claims:
            model.forget()
            cell = evaluate(claim, model, self._settings)
            if cell.verdict in {"violated", "error"}:
                self._failing.add(claim.id)
            if cell.value is None and cell.verdict != "error":
                continue
            self._claims.append(claim)
            self._reads[claim.id] = frozenset(model.checkpoint.asked)
            measured.append(cell)
        self.sound = latest(measured)
        self._baseline = Results(self.sound.measurements)

    @property
    def claims(self) -> list[str]:
        """The claims that take part: those with a value that no forward pass is needed for."""
        return [claim.id for claim in self._claims]

    @property
    def failing(self) -> list[str]:
        """The claims that the sound model itself fails; they catch nothing."""
        return sorted(self._failing)

    def run(self, faults: Iterable[Fault], seed: int = 0) -> Iterator[Detection]:
        """What is made of every fault that applies, one after the other."""
        for fault in faults:
            changes = fault.changes(self.state, seed)
            if changes is not None:
                yield self._detection(fault, changes)

    def _detection(self, fault: Fault, changes: Changes) -> Detection:
        prefix, shards = (fault.prefix, fault.shards) if isinstance(fault, Benign) else ("", 1)
        with tempfile.TemporaryDirectory(dir=self._folder.name) as name:
            folder = Path(name) / fault.name
            try:
                write(self._model.checkpoint, changes, folder, prefix=prefix, shards=shards)
                broken = WeightsOnly(self._model, folder, self._known, frozenset(changes))
            except CheckpointError as error:
                return Detection(fault, {}, {}, refused=str(error).replace(str(folder), fault.name))
            settings = replace(self._settings, baseline=self._baseline)
            cells = [evaluate(c, broken, settings) for c in self._touched(changes)]
            broken.forget()
        alone = {
            c.claim: c.message.replace(str(folder), fault.name)
            for c in cells
            if c.verdict in {"violated", "error"} and c.claim not in self._failing
        }
        moved = {
            c.claim: next(iter(c.changes), "").replace(str(folder), fault.name)
            for c in cells
            if c.change in {"regressed", "vanished"}
        }
        return Detection(fault, alone, moved | alone)

    def _touched(self, changes: Changes) -> list[Claim]:
        """The claims that a change can move: the others read no tensor that it touches."""
        before = self.state.tensors
        if any(
            new is None or name not in before or new.shape != before[name].shape
            for name, new in changes.items()
        ):
            return self._claims
        if not changes:
            return self._claims
        names = changes.keys() | {_EVERYTHING}
        return [claim for claim in self._claims if names & self._reads[claim.id]]

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Which faults a model's claims catch: each is written, measured and set beside the sound model.

Only what is read off the weights takes part; nothing is passed forward.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.faults import Benign, Fault, State
from geometric_invariants.fixtures.faults.state import Changes
from geometric_invariants.fixtures.faults.writing import write
from geometric_invariants.fixtures.model import Model
from geometric_invariants.invariants.claims import Claim
from geometric_invariants.invariants.experiments.weights_only import EVERYTHING, Done, WeightsOnly
from geometric_invariants.invariants.verdicts import Settings, evaluate
from geometric_invariants.reports import baseline
from geometric_invariants.reports.results import Measurement, Results, latest


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a changed model is measured where it is not as the sound one was.

    `seed` of the draws, None for the sound one's; `threads` of torch, 0 for as many; `device`, ""
    for the same. Where arithmetic may round otherwise, nothing of the sound one's is taken over.
    """

    seed: int | None = None
    threads: int = 0
    device: str = ""

    @property
    def rounds_alike(self) -> bool:
        return not (self.threads or self.device)


SAME = Conditions()


@dataclass(frozen=True, slots=True)
class Detection:
    """What a model's claims made of one fault.

    `alone`: the claims that fail without a baseline, by id, with what they said; `compared`: those
    that fail against the sound model's values. `refused` is the line of a checkpoint that was not
    even opened, and counts for both. `excess`: by claim that was compared, how far its value or the
    worst of its parts moved over what it may.
    """

    fault: Fault
    alone: Mapping[str, str]
    compared: Mapping[str, str]
    refused: str = ""
    excess: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_caught_alone(self) -> bool:
        return bool(self.alone or self.refused)

    @property
    def is_caught(self) -> bool:
        return bool(self.compared or self.refused)


class Trial:
    """A sound model's values, and what becomes of them under faults.

    Stored anew first, as the faulty ones are, in a folder of its own that `close` removes. Raises
    InputError for weights that are stored as codes.
    """

    def __init__(self, model: Model, claims: Iterable[Claim], settings: Settings) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="faults-")
        self._model = model
        self._settings = replace(settings, twins=0, baseline=None)
        self._known: dict[object, Done] = {}
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

    def run(
        self, faults: Iterable[Fault], seed: int = 0, conditions: Conditions = SAME
    ) -> Iterator[Detection]:
        """What is made of every fault that applies, one after the other."""
        for fault in faults:
            changes = fault.changes(self.state, seed)
            if changes is not None:
                yield self._detection(fault, changes, conditions)

    def _detection(self, fault: Fault, changes: Changes, conditions: Conditions) -> Detection:
        known = self._known if conditions.rounds_alike else {}
        with tempfile.TemporaryDirectory(dir=self._folder.name) as name:
            folder = Path(name) / fault.name
            try:
                self._store(fault, changes, folder)
                broken = WeightsOnly(
                    self._model, folder, known, frozenset(changes), conditions.device
                )
            except CheckpointError as error:
                return Detection(fault, {}, {}, refused=str(error).replace(str(folder), fault.name))
            claims = self._touched(changes) if conditions == SAME else self._claims
            cells = self._cells(broken, claims, conditions)
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
        return Detection(fault, alone, moved | alone, excess=self._excess(cells))

    def _store(self, fault: Fault, changes: Changes, folder: Path) -> None:
        if isinstance(fault, Benign):
            more = {"prefix": fault.prefix, "shards": fault.shards, "config": fault.config}
            write(self._model.checkpoint, changes, folder, **more)  # type: ignore[arg-type]
        else:
            write(self._model.checkpoint, changes, folder)

    def _cells(
        self, broken: WeightsOnly, claims: Iterable[Claim], conditions: Conditions
    ) -> list[Measurement]:
        seed = self._settings.seed if conditions.seed is None else conditions.seed
        settings = replace(self._settings, seed=seed, baseline=self._baseline)
        with _threads(conditions.threads):
            return [evaluate(claim, broken, settings) for claim in claims]

    def _excess(self, cells: Iterable[Measurement]) -> dict[str, float]:
        before = self._baseline.by_key()
        pairs = ((before.get(cell.key), cell) for cell in cells)
        found = {new.claim: baseline.excess(old, new) for old, new in pairs if old is not None}
        return {claim: most for claim, most in found.items() if most is not None}

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
        names = changes.keys() | {EVERYTHING}
        return [claim for claim in self._claims if names & self._reads[claim.id]]

    def close(self) -> None:
        self._folder.cleanup()

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of torch for a while; as many as before for 0."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

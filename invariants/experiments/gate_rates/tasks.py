"""What is to be tried with a model: benign changes under conditions, faults, faults of a size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from geometric_invariants.fixtures.faults import BENIGN, FAULTS, Fault
from geometric_invariants.invariants.experiments.faults import (
    SAME,
    Conditions,
    Detection,
    Trial,
)
from geometric_invariants.invariants.experiments.gate_rates.changes import (
    DECLARED_INT4,
    sized_faults,
)
from geometric_invariants.invariants.experiments.gate_rates.kept import (
    Alarm,
    Caught,
    Rates,
)

SIZED = {one.fault.name: one for one in sized_faults()}
CHANGES: dict[str, Fault] = {
    **{change.name: change for change in (*BENIGN, DECLARED_INT4, *FAULTS)},
    **{name: one.fault for name, one in SIZED.items()},
}
AS_SOUND, OTHER_DRAWS = "the same draws", "other draws"
_ON_THREADS = ("other-prefix", "rounded-to-bfloat16", "fine-tuned-everything")


@dataclass(frozen=True, slots=True)
class Task:
    """A change by its name, from a seed; `under` names a benign one's conditions, "" a fault's."""

    change: str
    seed: int = 0
    under: str = ""
    conditions: Conditions = SAME


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried: `seeds` of benign changes, `sizes` of faults of a size.

    `only` names the changes that are tried, all where it is empty; `device` is another that benign
    changes are measured on as well.
    """

    seeds: int = 6
    sizes: int = 5
    only: frozenset[str] = frozenset()
    device: str = ""

    def tasks(self) -> list[Task]:
        """Those whose measuring costs most come first."""
        found = (*self._benign(), *map(Task, (f.name for f in FAULTS)), *self._sized())
        return [task for task in found if not self.only or task.change in self.only]

    def _benign(self) -> Iterator[Task]:
        """Every change from every seed, its draws from that seed too, and then as others round."""
        names = [change.name for change in (*BENIGN, DECLARED_INT4)]
        for seed in range(self.seeds):
            under = OTHER_DRAWS if seed else AS_SOUND
            for name in names:
                yield Task(name, seed, under, Conditions(seed=seed) if seed else SAME)
        for name in _ON_THREADS:
            yield Task(name, self.seeds, "two threads", Conditions(threads=2))
        for name in names if self.device else ():
            yield Task(name, self.seeds, self.device, Conditions(device=self.device))

    def _sized(self) -> Iterator[Task]:
        for name in SIZED:
            for seed in range(self.sizes):
                yield Task(name, seed)


def tried(trial: Trial, tasks: Iterable[Task]) -> Rates:
    """What becomes of a model's tasks."""
    found = Rates(tuple(trial.claims), tuple(trial.failing))
    for task in tasks:
        for detection in trial.run([CHANGES[task.change]], task.seed, task.conditions):
            found += _counted(trial, task, detection)
    return found


def _counted(trial: Trial, task: Task, detection: Detection) -> Rates:
    caught = Caught(
        _places(trial, detection.alone),
        _places(trial, detection.compared),
        bool(detection.refused),
    )
    name = task.change
    if task.under:
        alarm = Alarm(name, task.under, task.seed, caught)
        return Rates(
            pairs={task.under: {name: caught.tally}},
            alarms=(alarm,) if caught.is_caught else (),
            nearest=detection.excess,
        )
    if name in SIZED:
        return Rates(sized={SIZED[name].family: {SIZED[name].size: caught.tally}})
    return Rates(faults={name: caught})


def _places(trial: Trial, claims: Iterable[str]) -> tuple[int, ...]:
    """Of claims among those that take part; the sound model has no value of the others."""
    return tuple(sorted(trial.claims.index(claim) for claim in claims))

"""The tasks of several models in processes, each of which opens a model once."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.commands.opening import opened
from geometric_invariants.invariants.experiments.faults import Trial
from geometric_invariants.invariants.experiments.gate_rates.kept import Rates
from geometric_invariants.invariants.experiments.gate_rates.mixture import MIXTURE, save_mixture
from geometric_invariants.invariants.experiments.gate_rates.tasks import Plan, Task, tried
from geometric_invariants.invariants.verdicts import Settings

_PAIRINGS = ("neuron_pairing", "head_pairing")
_CHUNK = 16  # tasks that a process takes at a time

Told = Callable[[str, int, int], None]


@dataclass(slots=True)
class _Queue:
    """A model's tasks that are left, how many processes have it open, and what was found."""

    option: str
    left: list[list[Task]]
    opened_by: int = 0
    done: int = 0
    found: Rates = field(default_factory=Rates)


def measure(
    options: Iterable[str], plan: Plan, settings: Settings, processes: int, told: Told
) -> dict[str, Rates]:
    """Rates by model, of models by --model's syntax and `constructed_mixture`.

    `told` hears after every few tasks of which model how many of how many are done. Raises
    InputError and UnavailableError for a model that cannot be opened.
    """
    # Threads that wait for others by spinning would take the other processes' cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gate-rates-")))
        queues = {name.partition("=")[0]: _queue(name, plan, folder) for name in options}
        total = len(plan.tasks())
        spawn = multiprocessing.get_context("spawn")
        idle = [
            stack.enter_context(
                ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=(str(folder),))
            )
            for _ in range(processes)
        ]
        own: dict[ProcessPoolExecutor, str] = {}
        running: dict[Future[Rates], tuple[ProcessPoolExecutor, int]] = {}
        while idle or running:
            for process in idle:
                name = _next(queues, own.get(process))
                if name is None:
                    continue
                queue = queues[name]
                queue.opened_by += own.get(process) != name
                own[process] = name
                tasks = queue.left.pop(0)
                running[process.submit(_run, queue.option, tasks, settings)] = process, len(tasks)
            idle = []
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                process, count = running.pop(future)
                queue = queues[own[process]]
                queue.found += future.result()
                queue.done += count
                told(own[process], queue.done, total)
                idle.append(process)
    return {name: _in_order(queue.found) for name, queue in queues.items()}


def _queue(option: str, plan: Plan, folder: Path) -> _Queue:
    if option == MIXTURE:
        option = f"{MIXTURE}={save_mixture(folder / MIXTURE)}"
    tasks = plan.tasks()
    return _Queue(option, [tasks[i : i + _CHUNK] for i in range(0, len(tasks), _CHUNK)])


def _next(queues: dict[str, _Queue], own: str | None) -> str | None:
    """The model that a process has open, else the one with most left for each that has it open."""
    left = {name: len(queue.left) for name, queue in queues.items() if queue.left}
    if own in left:
        return own
    return max(left, key=lambda name: left[name] / (1 + queues[name].opened_by), default=None)


def _in_order(rates: Rates) -> Rates:
    """Whichever process was done first."""
    alarms = sorted(rates.alarms, key=lambda a: (a.conditions, a.change, a.seed))
    return replace(
        rates,
        alarms=tuple(alarms),
        faults=dict(sorted(rates.faults.items())),
        pairs={under: dict(sorted(by.items())) for under, by in sorted(rates.pairs.items())},
    )


_open: dict[str, Trial] = {}  # of this process: the one model that it has open


def _begin(folder: str) -> None:
    torch.set_num_threads(1)
    tempfile.tempdir = folder


def _run(option: str, tasks: list[Task], settings: Settings) -> Rates:
    if option not in _open:
        for trial in _open.values():
            trial.close()
        _open.clear()
        model = opened(option, "cpu")
        _open[option] = Trial(model, load_claims().values(), settings)
    return with_pairing(_open[option], tried(_open[option], tasks))


def with_pairing(trial: Trial, rates: Rates) -> Rates:
    """With the sound model's z of every layer's neurons and heads."""
    parts = {m.claim: m.parts for m in trial.sound.measurements if m.claim in _PAIRINGS}
    return replace(rates, pairing=parts)

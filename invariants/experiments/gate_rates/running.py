"""The tasks of several models in processes, each of which opens a model once."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
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


@dataclass(frozen=True, slots=True)
class Trying:
    """How every model is measured, and by which claims: by all where none is named."""

    settings: Settings = field(default_factory=Settings)
    claims: tuple[str, ...] = ()


@dataclass(slots=True)
class _Queue:
    """A model's tasks that are left, how many processes have opened it, and what was found."""

    option: str
    left: list[list[Task]]
    opened_by: int = 0
    done: int = 0
    found: Rates = field(default_factory=Rates)


@dataclass(slots=True)
class _Process:
    """A process of its own, and the model that it has open."""

    pool: ProcessPoolExecutor
    model: str = ""


_Running = dict[Future[Rates], tuple[_Process, int]]  # with the number of tasks


def measure(
    options: Iterable[str], plan: Plan, trying: Trying, processes: int, told: Told
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
        idle = [_Process(stack.enter_context(_pool(folder))) for _ in range(processes)]
        for model, count, rates in _results(queues, idle, trying):
            queue = queues[model]
            queue.found += rates
            queue.done += count
            told(model, queue.done, len(plan.tasks()))
    return {name: _in_order(queue.found) for name, queue in queues.items()}


def _pool(folder: Path) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, spawn, initializer=_begin, initargs=(str(folder),))


def _results(
    queues: dict[str, _Queue], idle: list[_Process], trying: Trying
) -> Iterator[tuple[str, int, Rates]]:
    """What was found, with its model and the number of its tasks, as processes are done."""
    running = _begun(idle, queues, trying)
    while running:
        done = wait(running, return_when=FIRST_COMPLETED).done
        finished = [(*running.pop(future), future.result()) for future in done]
        yield from ((process.model, count, rates) for process, count, rates in finished)
        running |= _begun([process for process, _, _ in finished], queues, trying)


def _begun(idle: list[_Process], queues: dict[str, _Queue], trying: Trying) -> _Running:
    """Give every idle process tasks, as long as there are any."""
    running: _Running = {}
    for process in idle:
        name = _next(queues, process.model)
        if name is None:
            break
        queue = queues[name]
        queue.opened_by += process.model != name
        process.model = name
        tasks = queue.left.pop(0)
        future = process.pool.submit(_run, queue.option, tasks, trying)
        running[future] = process, len(tasks)
    return running


def _queue(option: str, plan: Plan, folder: Path) -> _Queue:
    if option == MIXTURE:
        option = f"{MIXTURE}={save_mixture(folder / MIXTURE)}"
    tasks = plan.tasks()
    return _Queue(option, [tasks[i : i + _CHUNK] for i in range(0, len(tasks), _CHUNK)])


def _next(queues: dict[str, _Queue], own: str) -> str | None:
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


def _run(option: str, tasks: list[Task], trying: Trying) -> Rates:
    if option not in _open:
        for trial in _open.values():
            trial.close()
        _open.clear()
        known = load_claims()
        claims = [known[claim] for claim in trying.claims] if trying.claims else known.values()
        _open[option] = Trial(opened(option, "cpu"), claims, trying.settings)
    return with_pairing(_open[option], tried(_open[option], tasks))


def with_pairing(trial: Trial, rates: Rates) -> Rates:
    """With the sound model's z of every layer's neurons and heads."""
    parts = {m.claim: m.parts for m in trial.sound.measurements if m.claim in _PAIRINGS}
    return replace(rates, pairing=parts)

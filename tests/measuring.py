"""Claims measured in this process, for the tests of verdicts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from geometric_invariants.fixtures.registry import ModelEntry
from geometric_invariants.fixtures.sources import LocalSource
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.__main__ import measure_model
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.verdicts import Settings
from geometric_invariants.reports.results import Measurement

CLAIMS = load_claims()
FEW = Sampling(samples=10_000)
QUICK = Settings(samples=20_000, twins=0)


def take_few_words(setting: Callable[[object, str, object], None], *commands: str) -> None:
    """A thousand words for commands that take all."""
    for name in (*commands, "opening"):
        module = importlib.import_module(f"geometric_invariants.invariants.commands.{name}")
        if hasattr(module, "Sampling"):
            setting(module, "Sampling", lambda seed=0: Sampling(seed, FEW.samples))


def measure(entry: ModelEntry, settings: Settings = QUICK, *claims: str) -> dict[str, Measurement]:
    """All claims, or those named."""
    chosen = {name: CLAIMS[name] for name in claims or CLAIMS}
    return {m.claim: m for m in measure_model(entry, chosen, settings)}


def apart(cell: Measurement) -> bool:
    """Whether the value's interval shares no point with that of random weights."""
    assert cell.value is not None
    assert cell.random is not None
    own, random = cell.value, cell.random.value
    return own.high < random.low or random.high < own.low


def local(folder: Path, name: str = "mine") -> ModelEntry:
    return ModelEntry(name, LocalSource(folder))

"""Why faults are not caught, written by hand in docs/gate_missed.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.invariants.experiments.gate_rates.kept import Rates
from geometric_invariants.invariants.experiments.gate_rates.tasks import CHANGES

REASONS = Path(__file__).parents[3] / "docs" / "gate_missed.toml"
NO_REASON = "no reason is written yet"


class _Reasons(dict[str, str]):
    def __missing__(self, fault: str) -> str:
        return NO_REASON


def reasons(*, compared: bool, file: Path = REASONS) -> Mapping[str, str]:
    """The reason by fault, with the baseline or without. Raises InputError for an unknown fault."""
    found = _Reasons()
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    for table in tables["with_baseline" if compared else "without_baseline"]:
        for fault in table["faults"]:
            if fault not in CHANGES:
                raise InputError(
                    f"{file}: {fault} is no fault of fixtures/faults; correct its name"
                )
            if fault in found:
                raise InputError(f"{file}: {fault} has two reasons; leave one")
            found[fault] = table["why"]
    return found


def faults(rates: Mapping[str, Rates], *, compared: bool) -> dict[str, list[str]]:
    """The faults that some model's claims do not catch, with those models, by kind and name."""
    found: dict[str, list[str]] = {}
    for model, one in rates.items():
        for name, caught in one.faults.items():
            if not (caught.is_caught if compared else caught.is_caught_alone):
                found.setdefault(name, []).append(model)
    return dict(sorted(found.items(), key=lambda item: (CHANGES[item[0]].kind, item[0])))

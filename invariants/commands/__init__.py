"""The experiments as commands of `python -m invariants`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from geometric_invariants.fixtures.errors import InputError, UnavailableError
from geometric_invariants.invariants.commands.check import check
from geometric_invariants.invariants.commands.compare import compare
from geometric_invariants.invariants.commands.docs import docs
from geometric_invariants.invariants.commands.faults import faults
from geometric_invariants.invariants.commands.field import field
from geometric_invariants.invariants.commands.modulate import modulate
from geometric_invariants.invariants.commands.talk import talk
from geometric_invariants.invariants.commands.train import train
from geometric_invariants.invariants.finding import NotApplicableError
from geometric_invariants.reports.files import ResultsError

COMMANDS: dict[str, Callable[[list[str]], int | None]] = {
    "check": check,
    "compare": compare,
    "docs": docs,
    "faults": faults,
    "field": field,
    "modulate": modulate,
    "talk": talk,
    "train": train,
}


def run(name: str, arguments: list[str]) -> int:
    """Run a command by its name: 0 or its own exit code, or 2 and one line that says why not."""
    try:
        return COMMANDS[name](arguments) or 0
    except (InputError, UnavailableError, NotApplicableError, ResultsError, ValueError) as error:
        print(f"invariants: {error}", file=sys.stderr)
        return 2

"""python -m geometric_invariants.invariants.experiments.gate_rates: see docs/gate.md."""

from __future__ import annotations

import argparse
import os
import sys

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.fixtures.errors import InputError, UnavailableError
from geometric_invariants.invariants.commands.faults import select
from geometric_invariants.invariants.experiments.gate_rates import kept
from geometric_invariants.invariants.experiments.gate_rates.mixture import MIXTURE
from geometric_invariants.invariants.experiments.gate_rates.running import Trying, measure
from geometric_invariants.invariants.experiments.gate_rates.tasks import CHANGES, Plan
from geometric_invariants.reports.files import ResultsError
from geometric_invariants.reports.options import output_file

MODELS = ("minilm_l6", "t5_tiny", "t5_mini", MIXTURE)
_PROGRAM = "python -m geometric_invariants.invariants.experiments.gate_rates"


def main(arguments: list[str]) -> int:
    """Measure the gate's false alarms and what it detects, and keep them."""
    defaults = Plan()
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=main.__doc__)
    parser.add_argument("--out", type=output_file, metavar="FILE.json", default=kept.KEPT)
    parser.add_argument(
        "--models",
        metavar="ID[=PATH],…",
        default=",".join(MODELS),
        help=f"registered ids, ids with a folder, {MIXTURE} (default: all that come along)",
    )
    parser.add_argument("--add", action="store_true", help="keep the file's other models")
    parser.add_argument("--processes", type=kinds.at_least(1), default=os.cpu_count() or 1)
    parser.add_argument(
        "--device", type=kinds.device, default="cpu", help="measure benign changes there as well"
    )
    parser.add_argument("--seeds", type=kinds.at_least(1), default=defaults.seeds)
    parser.add_argument("--sizes", type=kinds.at_least(0), default=defaults.sizes)
    parser.add_argument("--only", metavar="KIND,NAME", default="", help="of all changes")
    options = parser.parse_args(arguments)
    plan = Plan(
        options.seeds,
        options.sizes,
        frozenset(change.name for change in select(options.only, CHANGES.values())),
        "" if options.device == "cpu" else options.device,
    )
    before = kept.read(options.out) if options.add else {}
    found = measure(options.models.split(","), plan, Trying(), options.processes, _tell)
    kept.write({**before, **found}, options.out)
    return 0


def _tell(model: str, done: int, of: int) -> None:
    print(f"{model}: {done} of {of} changes tried", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (InputError, UnavailableError, ResultsError) as error:
        print(f"gate rates: {error}", file=sys.stderr)
        sys.exit(2)

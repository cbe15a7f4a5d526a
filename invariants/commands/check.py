"""python -m invariants check: is this checkpoint whole?"""

from __future__ import annotations

import argparse
from pathlib import Path

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.invariants.checking import check as checked
from geometric_invariants.reports.files import write_results
from geometric_invariants.reports.options import output_file
from geometric_invariants.reports.results import Results


def check(arguments: list[str]) -> int:
    """One line where a checkpoint is whole, and 0; else a line for each failure, and 1."""
    parser = argparse.ArgumentParser(prog="python -m invariants check", description=check.__doc__)
    parser.add_argument("model", metavar="PATH|ID[=SOURCE]")
    parser.add_argument("--baseline", type=Path, metavar="FILE", help="results of an earlier run")
    parser.add_argument("--device", type=kinds.device, default="auto")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write them as results")
    options = parser.parse_args(arguments)
    found = checked(options.model, baseline=options.baseline, device=options.device)
    if options.json:
        write_results(Results(found.measurements), options.json)
    print(found)
    return int(not found.ok)

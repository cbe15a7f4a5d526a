"""python -m invariants docs: the tables of docs/ drawn anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from geometric_invariants.invariants import documents, notebook, trained_or_random
from geometric_invariants.reports.files import read_results, write_atomically


def docs(arguments: list[str]) -> None:
    """Draw the tables of docs/ anew from what was recorded, and from a run's results if given."""
    parser = argparse.ArgumentParser(prog="python -m invariants docs", description=docs.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where stale")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE.json",
        help="of `make report`: take its values into docs/trained_or_random.md; with --check, hold"
        " those and every place that docs/notebook.md names against it",
    )
    options = parser.parse_args(arguments)
    moved = []
    if options.results and options.check:
        moved = trained_or_random.differences(options.results)
        moved += notebook.problems(read_results(options.results))
        print(*moved, sep="\n", end="\n" if moved else "")
    elif options.results:
        trained_or_random.keep(read_results(options.results))
    stale = documents.stale()
    for file, text in stale.items():
        if not options.check:
            write_atomically(file, text)
        print(f"{'stale' if options.check else 'drawn anew'}: {file}")
    if options.check and (stale or moved):
        raise SystemExit(1)

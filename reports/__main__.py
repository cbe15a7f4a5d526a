"""python -m reports render results.json | compare A.json B.json: results without the models."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from geometric_invariants.reports import baseline, page
from geometric_invariants.reports.files import ResultsError, read_results, write_atomically
from geometric_invariants.reports.options import output_file


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if a comparison fails, 2 for bad input.

    It fails where a value regressed or vanished, a model is gone, or nothing of one was comparable.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ResultsError as error:
        print(f"reports: {error}", file=sys.stderr)
        return 2


def _render(options: argparse.Namespace) -> int:
    write_atomically(options.output, page.render(read_results(options.results)))
    print(options.output.resolve())
    return 0


def _compare(options: argparse.Namespace) -> int:
    old, new = read_results(options.old), read_results(options.new)
    judged = baseline.compare(old, new)
    for measurement in judged.measurements:
        if measurement.change is None:
            continue
        print(f"{measurement.change:>14}  {measurement.claim} [{measurement.model}]")
        for line in measurement.changes:
            print(f"{'':16}{line}")
    if options.report:
        write_atomically(options.report, page.render(judged))
    gone = baseline.absent_models(old, new)
    problems = [f"{model} is gone: the new file has no value of it" for model in gone]
    problems += baseline.uncompared(judged, every=False)
    for problem in problems:
        print(problem)
    print(baseline.summary(judged) or "nothing to compare")
    moved = any(m.change in {"regressed", "vanished"} for m in judged.measurements)
    return int(moved or bool(problems))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(required=True)
    render = commands.add_parser("render", help="write the page of a results file")
    render.add_argument("results", type=Path)
    render.add_argument("-o", "--output", type=output_file, default=Path("report.html"))
    render.set_defaults(run=_render)
    compare = commands.add_parser("compare", help="judge one results file by another")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.add_argument("--report", type=output_file, help="also write a page of the comparison")
    compare.set_defaults(run=_compare)
    return parser


if __name__ == "__main__":
    sys.exit(main())

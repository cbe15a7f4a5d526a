"""python -m invariants MODEL …: the same claims and records as pytest, without pytest.

python -m invariants check PATH: is this checkpoint whole? Its quick tier alone, in one line.
python -m invariants modulate MODEL: WordNet's geometry laid over its encoder, by α, with nulls.
python -m invariants field MODEL: a field modulator trained on its encoder, or applied to it.
python -m invariants compare A B: the wider token embedding laid over the narrower, with its null.
python -m invariants train MODEL: a modulator learns definition → lemma on the frozen model.
python -m invariants talk MODEL [TEXT …]: what an encoder–decoder generates, plain and modulated.
python -m invariants faults MODEL: which ways of breaking it its claims and baseline would catch.
python -m invariants docs: the tables of docs/ drawn anew; with --check, whether they are stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.fixtures.errors import InputError, UnavailableError
from geometric_invariants.fixtures.model import open_model, resolve_device, resolve_dtype
from geometric_invariants.fixtures.registry import ModelEntry, select_models
from geometric_invariants.invariants.claims import Claim, ClaimsError, load_claims, only
from geometric_invariants.invariants.commands import COMMANDS, run
from geometric_invariants.invariants.verdicts import (
    DEFAULT_SAMPLES,
    DEFAULT_TWINS,
    Settings,
    evaluate,
    without_value,
)
from geometric_invariants.reports import page
from geometric_invariants.reports.files import ResultsError, write_atomically, write_results
from geometric_invariants.reports.options import output_file
from geometric_invariants.reports.results import Measurement, Results, latest
from geometric_invariants.reports.terminal import cell_line


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if a claim fails, 2 for bad input."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in COMMANDS:
        return run(given[0], given[1:])
    options = _parser().parse_args(given)
    try:
        results = _measure(options)
        for measurement in results.measurements:
            print(cell_line(measurement))
        if options.results:
            write_results(results, options.results)
        if options.report:
            write_atomically(options.report, page.render(results))
    except (InputError, ClaimsError, ResultsError) as error:
        print(f"invariants: {error}", file=sys.stderr)
        return 2
    print(results.coverage())
    return int(any(m.fails for m in results.measurements))


def _measure(options: argparse.Namespace) -> Results:
    """Every claim of every model that was named."""
    entries = select_models(options.model, options.models, options.pair)
    device = resolve_device(options.device)
    settings = Settings(
        seed=options.seed,
        samples=options.samples,
        twins=0 if options.only else options.twins,
        universal=options.claims == "universal",
    )
    claims = only(load_claims(), options.only)
    return latest(
        measurement
        for entry in entries.values()
        for measurement in measure_model(
            entry,
            claims,
            settings,
            device=str(device),
            dtype=options.dtype,
            download=options.download,
        )
    )


def measure_model(
    entry: ModelEntry,
    claims: dict[str, Claim],
    settings: Settings,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    download: bool = False,
) -> list[Measurement]:
    """All claims of one model. What cannot be measured is a verdict, never an exception."""
    try:
        location = entry.source.locate(entry.id, download=download)
        where, numbers = resolve_device(device), resolve_dtype(dtype)
        model = open_model(entry, location, where, numbers, download=download)
    except (InputError, UnavailableError) as error:
        return [without_value(claim, entry.id, error, settings) for claim in claims.values()]
    measured = [evaluate(claim, model, settings) for claim in claims.values()]
    model.release()
    return measured


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m invariants", description=__doc__)
    parser.add_argument("model", nargs="+", metavar="ID[=SOURCE]")
    parser.add_argument("--models", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--pair", action="append", default=[], metavar="SMALLER=LARGER")
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--claims", choices=("stated", "universal"), default="stated")
    parser.add_argument("--only", choices=("checks",))
    parser.add_argument("--device", type=kinds.device, default="auto")
    parser.add_argument("--dtype", choices=kinds.DTYPES, default="float32")
    parser.add_argument("--samples", type=kinds.at_least(2), default=DEFAULT_SAMPLES)
    parser.add_argument("--twins", type=kinds.at_least(0), default=DEFAULT_TWINS)
    parser.add_argument("--seed", type=kinds.at_least(0), default=0)
    parser.add_argument("--report", type=output_file, metavar="FILE.html")
    parser.add_argument("--results", type=output_file, metavar="FILE.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())

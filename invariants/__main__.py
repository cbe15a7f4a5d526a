"""python -m invariants MODEL …: the same claims and records as pytest, without pytest.

python -m invariants modulate MODEL: WordNet's geometry laid over its encoder, by α, with nulls.
python -m invariants compare A B: the wider token embedding laid over the narrower, with its null.
python -m invariants talk MODEL TEXT: what an encoder–decoder generates, plain and modulated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fixtures.errors import InputError, UnavailableError
from fixtures.model import open_model, resolve_device, resolve_dtype
from fixtures.registry import ModelEntry, select_models
from invariants.claims import Claim, load_claims
from invariants.commands import COMMANDS, run
from invariants.verdicts import DEFAULT_SAMPLES, DEFAULT_TWINS, Settings, evaluate, without_value
from reports import page
from reports.results import Measurement, latest, write_atomically, write_results


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if a claim fails, 2 for bad input."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in COMMANDS:
        return run(given[0], given[1:])
    options = _parser().parse_args(given)
    try:
        entries = select_models(options.model, options.models, options.pair)
        device = resolve_device(options.device)
    except InputError as error:
        print(f"invariants: {error}", file=sys.stderr)
        return 2
    settings = Settings(
        seed=options.seed,
        samples=options.samples,
        twins=options.twins,
        universal=options.claims == "universal",
    )
    claims = load_claims()
    results = latest(
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
    for measurement in results.measurements:
        print(_line(measurement))
    if options.results:
        write_results(results, options.results)
    if options.report:
        write_atomically(options.report, page.render(results))
    print(results.coverage())
    return int(any(m.fails for m in results.measurements))


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


def _line(measurement: Measurement) -> str:
    value = measurement.value
    number = "" if value is None else f"{value.value:.6g}"
    if value is not None and value.low < value.high:
        number += f" [{value.low:.6g}, {value.high:.6g}]"
    cell = f"{measurement.model:<14} {measurement.claim:<32} {measurement.verdict:<14}"
    return f"{cell} {number or measurement.message} {page.reading(measurement)}".rstrip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m invariants", description=__doc__)
    parser.add_argument("model", nargs="+", metavar="ID[=SOURCE]")
    parser.add_argument("--models", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--pair", action="append", default=[], metavar="SMALLER=LARGER")
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--claims", choices=("stated", "universal"), default="stated")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--samples", type=int, default=DEFAULT_SAMPLES)
    parser.add_argument("--twins", type=int, default=DEFAULT_TWINS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, metavar="FILE.html")
    parser.add_argument("--results", type=Path, metavar="FILE.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())

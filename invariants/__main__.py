"""python -m invariants MODEL …: the same claims and records as pytest, without pytest.

python -m invariants modulate MODEL: WordNet's geometry laid over its encoder, by α, with nulls.
python -m invariants talk MODEL TEXT: what an encoder–decoder generates, plain and modulated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fixtures.errors import InputError, UnavailableError
from fixtures.model import Model, resolve_device, resolve_dtype
from fixtures.registry import ModelEntry, select_models
from geometry.estimate import Sampling
from invariants.claims import Claim, load_claims
from invariants.experiments import modulation as experiment
from invariants.finding import NotApplicableError
from invariants.verdicts import DEFAULT_SAMPLES, DEFAULT_TWINS, Settings, evaluate, without_value
from reports import page
from reports.results import Measurement, latest, write_atomically, write_results


def main(arguments: list[str] | None = None) -> int:
    """Exit code 1 if a claim fails, 2 for bad input."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["talk"]:
        return talk(given[1:])
    if given[:1] == ["modulate"]:
        return modulate(given[1:])
    options = _parser().parse_args(given)
    try:
        entries = select_models(options.model, options.models)
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


def modulate(arguments: list[str]) -> int:
    """Print every number of the modulator pipeline: each step, and the relations by α."""
    parser = argparse.ArgumentParser(prog="python -m invariants modulate")
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.01, 0.1, 0.29154, 0.5])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    try:
        model, laid = _laid(options.model, options.device)
        original = laid.words.encoder[laid.anchors]
        static = laid.words.static[laid.anchors]
        print(f"anchors {len(laid.anchors)} of {len(laid.words)} matched words")
        print(f"reconstruction of Wu–Palmer similarity {laid.reconstruction:.4f}")
        print(f"alignment {laid.alignment:.4f}, rows shuffled {laid.alignment_null:.4f}")
        print(f"{'':<18} Pearson Spearman gradient     CV preservation")
        rows = {"static": experiment.measure(laid, static, original)}
        rows["original"] = experiment.measure(laid, original, original)
        null = experiment.shuffled(laid, Sampling())
        for alpha in options.alpha:
            for name, overlay in ((f"α = {alpha:g}", laid), ("  tokens shuffled", null)):
                encoded = experiment.encode_at(model, overlay, alpha)
                rows[f"{name:<18}{'' if overlay is laid else alpha}"] = experiment.measure(
                    laid, encoded, original
                )
        for name, r in rows.items():
            numbers = f"{r.pearson:7.4f} {r.spearman:8.4f} {r.gradient:8.4f} {r.cv:6.4f}"
            print(f"{name[:18]:<18} {numbers} {r.preservation:12.4f}")
    except (InputError, UnavailableError, NotApplicableError, ValueError) as error:
        print(f"invariants: {error}", file=sys.stderr)
        return 2
    return 0


def _laid(option: str, device: str) -> tuple[Model, experiment.Overlay]:
    """A model by --model's syntax, and WordNet's geometry laid over it."""
    (entry,) = select_models([option]).values()
    location = entry.source.locate(entry.id, download=False)
    model = Model(entry.id, location, resolve_device(device))
    return model, experiment.overlay_of(model, Sampling())


def talk(arguments: list[str]) -> int:
    """Print what a prompt makes the plain encoder say and the modulated one, for a sweep of α."""
    parser = argparse.ArgumentParser(prog="python -m invariants talk")
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("text", help='such as "summarize: a small domestic animal that barks"')
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.01, 0.05, 0.1, 0.2, 0.5])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    try:
        model, laid = _laid(options.model, options.device)
        for index, alpha in enumerate(options.alpha):
            said = experiment.talk(model, laid, options.text, alpha)
            if index == 0:
                print(f"plain     {said.plain}")
            print(f"α = {alpha:<5g} {said.modulated}  ({said.differing} tokens differ)")
    except (InputError, UnavailableError, NotApplicableError, ValueError) as error:
        print(f"invariants: {error}", file=sys.stderr)
        return 2
    return 0


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
        model = Model(entry.id, location, device, resolve_dtype(dtype))
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

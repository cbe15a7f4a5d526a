"""The experiments as commands: python -m invariants modulate, talk, compare, docs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from fixtures import options as kinds
from fixtures.errors import InputError, UnavailableError
from fixtures.model import Model, open_model, resolve_device
from fixtures.registry import select_models
from geometry.estimate import Sampling
from geometry.modulation.lerp import Health
from invariants import documents, trained_or_random
from invariants.experiments import projection, recorded
from invariants.experiments.modulation.generation import talk as say
from invariants.experiments.modulation.learning import LearnedField, learn_field
from invariants.experiments.modulation.measured import Relations, measure
from invariants.experiments.modulation.overlay import (
    Form,
    Overlay,
    encode_at,
    in_form,
    overlay_of,
)
from invariants.experiments.projection import Comparison
from invariants.finding import NotApplicableError
from reports.files import ResultsError, read_results, write_atomically

_FORMS: dict[Form, str] = {"normal": "", "zero": "zero rows", "dealt": "words dealt"}


def modulate(arguments: list[str]) -> None:
    """Print every number of the modulator pipeline: each step, and the relations by α."""
    parser = argparse.ArgumentParser(prog="python -m invariants modulate")
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.01, 0.1, 0.29154, 0.5])
    parser.add_argument(
        "--record",
        action="store_true",
        help="run the full sweep and the trainings, for the report; minutes on a GPU",
    )
    parser.add_argument(
        "--field", action="store_true", help="train a field modulator, and print what it became"
    )
    parser.add_argument("--device", type=kinds.device, default="auto")
    options = parser.parse_args(arguments)
    model, laid = _laid(options.model, options.device)
    if options.record:
        print(f"recorded: {recorded.record(model)}")
        return
    print(f"anchors {len(laid.anchors)} of {len(laid.words)} matched words")
    print(f"reconstruction of Wu–Palmer similarity {laid.reconstruction:.4f}")
    print(f"alignment {laid.alignment:.4f}, rows shuffled {laid.alignment_null:.4f}")
    _print_health(laid.modulator.health())
    print(f"{'':<18} Pearson Spearman gradient     CV preservation dropped")
    _print_relations("static", measure(laid.words, laid.probe, laid.words.static))
    _print_relations("original", measure(laid.words, laid.probe, laid.words.encoder))
    if options.field:
        _print_field(learn_field(model, laid))
        return
    forms = {form: in_form(laid, form, Sampling()) for form in _FORMS}
    for alpha in options.alpha:
        for form, formed in forms.items():
            rows = encode_at(model, formed, alpha)
            name = f"α = {alpha:g}" if form == "normal" else f"  {_FORMS[form]}"
            _print_relations(name, measure(laid.words, laid.probe, rows))


def _print_health(health: Health) -> None:
    print(
        f"embeddings: cosine {health.cosine_mean:.4f} ± {health.cosine_std:.4f}, norm"
        f" {health.norm_mean:.3f} ± {health.norm_std:.3f}, participation"
        f" {health.participation_ratio:.3f} of the dimensions"
    )


def _print_relations(name: str, found: Relations) -> None:
    numbers = f"{found.pearson:7.4f} {found.spearman:8.4f} {found.gradient:8.4f} {found.cv:6.4f}"
    print(f"{name:<18} {numbers} {found.preservation:12.4f} {found.dropped:7}")


def _print_field(found: LearnedField) -> None:
    _print_relations("field, trained", found.trained)
    health, history = found.modulator.health(), found.history
    print("share of simplices that span a volume", *(f"{share:.3f}" for share in health.validity))
    for layer, alphas in enumerate(health.alpha):
        print(f"α, layer {layer}:", *(f"{alpha:.4f}" for alpha in alphas))
    print("CV at the checks", *(f"{cv:.4f}" for cv in history.cv))
    print("held-out loss by epoch", *(f"{loss:.4f}" for loss in history.held_out))
    if history.stopped is not None:
        print(f"stopped early at step {history.stopped}: five checks out of 0.21 ± 0.05")


def _laid(option: str, device: str) -> tuple[Model, Overlay]:
    """A model by --model's syntax, and WordNet's geometry laid over it."""
    model = _opened(option, device)
    return model, overlay_of(model, Sampling())


def _opened(option: str, device: str) -> Model:
    (entry,) = select_models([option]).values()
    location = entry.source.locate(entry.id, download=False)
    return open_model(entry, location, resolve_device(device), torch.float32, download=False)


def talk(arguments: list[str]) -> None:
    """Print what a prompt makes the plain encoder say and the modulated one, for a sweep of α."""
    parser = argparse.ArgumentParser(prog="python -m invariants talk")
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("text", help='such as "summarize: a small domestic animal that barks"')
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.01, 0.05, 0.1, 0.2, 0.5])
    parser.add_argument("--device", type=kinds.device, default="auto")
    options = parser.parse_args(arguments)
    model, laid = _laid(options.model, options.device)
    for index, alpha in enumerate(options.alpha):
        said = say(model, laid, options.text, alpha)
        if index == 0:
            print(f"plain     {said.plain}")
        print(f"α = {alpha:<5g} {said.modulated}  ({said.differing} tokens differ)")


def compare(arguments: list[str]) -> None:
    """Print how the wider token embedding of two models lies over the narrower, with its null."""
    parser = argparse.ArgumentParser(prog="python -m invariants compare", description=__doc__)
    parser.add_argument("models", metavar="ID[=SOURCE]", nargs=2)
    parser.add_argument("--device", type=kinds.device, default="auto")
    parser.add_argument("--seed", type=kinds.at_least(0), default=0)
    options = parser.parse_args(arguments)
    first, second = (_opened(option, options.device) for option in options.models)
    found = projection.compare(first, second, Sampling(seed=options.seed))
    print("\n".join(_comparison_lines(found)))


def _comparison_lines(found: Comparison) -> list[str]:
    result = found.projection
    sides = (result.fit, result.null)
    (larger, smaller), (wide, narrow) = (found.larger, found.smaller), found.shapes
    lines = [
        f"{larger} [{wide[0]} × {wide[1]}] laid over {smaller} [{narrow[0]} × {narrow[1]}]",
        f"tokens in common {result.pairs} of {found.vocabularies[0]} and {found.vocabularies[1]};"
        f" {result.anchors} anchors, {len(result.held_out)} held out",
        f"variance kept by {narrow[1]} principal components {result.kept:.4f}",
        f"{'':<34} {'paired':>9} {'shuffled':>9}",
    ]

    def add(name: str, *values: float) -> None:
        lines.append(f"{name:<34} " + " ".join(f"{value:9.4f}" for value in values))

    for name, spreads in (
        ("cosine", [side.cosine for side in sides]),
        ("distance", [side.distance for side in sides]),
    ):
        add(f"{name}: mean", *(spread.mean.value for spread in spreads))
        add(f"{name}: std", *(spread.std for spread in spreads))
        for share in spreads[0].percentiles:
            label = "median" if share == 0.5 else f"{share:.0%} percentile"
            add(f"{name}: {label}", *(spread.percentiles[share] for spread in spreads))
    for threshold in result.fit.above:
        add(f"tokens of cosine > {threshold:g}", *(side.above[threshold] for side in sides))
    add("relational correlation", *(side.relational.value for side in sides))
    add("  before projection", result.raw.value)
    add("mean |Δcos|", *(side.relational_difference for side in sides))
    if found.digits is not None:
        add("digit structure correlation", found.digits.structure, found.digits.null)
        add("  |i − j| and cosine, native", found.digits.native.correlation)
        add("  |i − j| and cosine, mapped", found.digits.mapped.correlation)
    add("pentachora: volume correlation", *(side.volumes for side in sides))
    add("pentachora: mapped / native volume", *(side.volume_ratio for side in sides))
    add("pentachora: CV mapped", *(side.cv_mapped for side in sides))
    add("pentachora: CV native", *(side.cv_native for side in sides))
    add("pentachora: dropped, V² ≤ 0", *(float(side.dropped) for side in sides))
    add("residual: unexplained share", *(side.unexplained for side in sides))
    add("  best common scale", *(side.scale for side in sides))
    add("  unexplained after it", *(side.unexplained_scaled for side in sides))
    add("residual: participation ratio / d", *(s.residual.participation_ratio for s in sides))
    for rank in range(5):
        values = (side.residual.eigenvalues[rank].item() for side in sides)
        add(f"residual: eigenvalue {rank + 1}", *values)
    add("linear CKA, unbiased", result.cka, result.cka_null)
    add("shared nearest neighbours", result.neighbours.value, result.neighbours_null.value)
    for name, places in (("best", result.fit.best), ("worst", result.fit.worst)):
        tokens = ", ".join(f"{token} {value:.3f}" for token, value in found.named(places))
        lines.append(f"{name}: {tokens}")
    return lines


def docs(arguments: list[str]) -> None:
    """Draw the tables of docs/ anew from what was recorded, and from a run's results if given."""
    parser = argparse.ArgumentParser(prog="python -m invariants docs", description=docs.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where stale")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE.json",
        help="of `make report`: take its values into docs/trained_or_random.md, or check them",
    )
    options = parser.parse_args(arguments)
    moved = []
    if options.results and options.check:
        moved = trained_or_random.differences(options.results)
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


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "compare": compare,
    "docs": docs,
    "modulate": modulate,
    "talk": talk,
}


def run(name: str, arguments: list[str]) -> int:
    """Run a command by its name: 0, or 2 and one line that says what cannot be done."""
    try:
        COMMANDS[name](arguments)
    except (InputError, UnavailableError, NotApplicableError, ResultsError, ValueError) as error:
        print(f"invariants: {error}", file=sys.stderr)
        return 2
    return 0

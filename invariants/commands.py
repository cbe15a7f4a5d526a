"""The experiments as commands: python -m invariants modulate, talk."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from fixtures.errors import InputError, UnavailableError
from fixtures.model import Model, resolve_device
from fixtures.registry import select_models
from geometry.estimate import Sampling
from invariants.experiments import modulation as experiment
from invariants.experiments import recorded
from invariants.finding import NotApplicableError


def modulate(arguments: list[str]) -> int:
    """Print every number of the modulator pipeline: each step, and the relations by α."""
    parser = argparse.ArgumentParser(prog="python -m invariants modulate")
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.01, 0.1, 0.29154, 0.5])
    parser.add_argument(
        "--record",
        action="store_true",
        help="run the full sweep and the trainings, for the report; minutes on a GPU",
    )
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    try:
        model, laid = _laid(options.model, options.device)
        if options.record:
            print(f"recorded: {recorded.record(model)}")
            return 0
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


COMMANDS: dict[str, Callable[[list[str]], int]] = {"modulate": modulate, "talk": talk}

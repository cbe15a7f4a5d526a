"""python -m invariants field: a field modulator trained on an encoder, or applied to it."""

from __future__ import annotations

import argparse
from dataclasses import replace

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.field import SOURCES, FieldModulator, FieldSettings
from geometric_invariants.geometry.modulation.training import NOTEBOOKS, History
from geometric_invariants.invariants.commands.opening import laid_over
from geometric_invariants.invariants.commands.shown import print_tables, write_shown
from geometric_invariants.invariants.experiments.modulation import fields
from geometric_invariants.invariants.experiments.modulation.field_exhibits import (
    field_figures,
    field_tables,
)
from geometric_invariants.reports.options import output_file


def field(arguments: list[str]) -> None:
    """Print what a field modulator is and what it does to an encoder, trained or as it stands."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.resume and not options.train:
        parser.error("--resume is for --train")
    settings = _settings(options)
    if options.load and settings != SOURCES:
        parser.error("--load brings the settings of the field that was saved")
    model, laid = laid_over(options.model, options.device)
    modulator = fields.fresh_field(model, laid, settings, options.seed)
    if options.load:
        modulator = fields.load_field(options.load, model, laid)
    history = None
    if options.train:
        training = replace(NOTEBOOKS, epochs=options.epochs, seed=options.seed)
        history = fields.learn_field(
            model, laid, modulator, training, options.words, options.resume
        )
    if options.save:
        fields.save_field(modulator, options.save)
    found = fields.examine_field(model, laid, modulator, Sampling(seed=options.seed))
    tables, notes = field_tables(modulator, found), _training_lines(history, modulator)
    print_tables(tables)
    print(*notes, sep="\n")
    if options.json:
        headline = (
            "change of Pearson's correlation",
            found.after[0].pearson - found.before[0].pearson,
        )
        figures = field_figures(modulator, found, history)
        write_shown(options.json, model, "field", headline, tables, figures, notes)


def _training_lines(history: History | None, modulator: FieldModulator) -> list[str]:
    if history is None:
        return ["not trained by this command"]
    spoken = [
        f"training loss by epoch {_numbers(history.training)}",
        f"held-out loss by epoch {_numbers(history.held_out)}",
        f"CV at the checks {_numbers(history.cv) or 'none was due'}",
    ]
    if history.stopped is not None:
        s = modulator.settings
        band = f"{s.cv_target:g} ± {s.cv_reach:g}"
        spoken.append(f"stopped early at batch {history.stopped}: five checks out of {band}")
    return spoken


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _settings(options: argparse.Namespace) -> FieldSettings:
    return FieldSettings(
        experts=tuple(options.experts),
        dimensions=options.simplex_dimensions,
        deformation=options.deformation,
        null_fraction=options.null_fraction,
        null_space=options.null,
        alpha_min=options.alpha_min,
        alpha_max=options.alpha_max,
        alpha_start=options.alpha_start,
        cv_target=options.cv_target,
        cv_reach=options.cv_reach,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m invariants field", description=field.__doc__)
    parser.add_argument("model", metavar="ID[=SOURCE]")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--train", action="store_true", help="train it: definition → lemma")
    what.add_argument("--apply", action="store_true", help="apply it as it stands (the default)")
    parser.add_argument("--epochs", type=kinds.at_least(1), default=NOTEBOOKS.epochs)
    parser.add_argument("--words", type=kinds.at_least(2), help="train on the first so many")
    parser.add_argument("--seed", type=kinds.at_least(0), default=NOTEBOOKS.seed)
    one = SOURCES
    parser.add_argument("--experts", type=kinds.at_least(1), nargs="+", default=list(one.experts))
    parser.add_argument("--simplex-dimensions", type=kinds.at_least(1), default=one.dimensions)
    parser.add_argument("--deformation", type=float, default=one.deformation)
    parser.add_argument("--null-fraction", type=float, default=one.null_fraction)
    parser.add_argument("--null", choices=("tail", "scattered"), default=one.null_space)
    parser.add_argument("--alpha-min", type=float, default=one.alpha_min)
    parser.add_argument("--alpha-max", type=float, default=one.alpha_max)
    parser.add_argument("--alpha-start", type=float, default=one.alpha_start)
    parser.add_argument("--cv-target", type=float, default=one.cv_target)
    parser.add_argument("--cv-reach", type=float, default=one.cv_reach)
    files = {
        "--save": "keep the field here",
        "--load": "start from a field that was saved",
        "--resume": "keep the training's state here, and go on with what it holds",
        "--json": "write tables and figures, for python -m reports render",
    }
    for name, meaning in files.items():
        parser.add_argument(name, type=output_file, metavar="FILE", help=meaning)
    parser.add_argument("--device", type=kinds.device, default="auto")
    return parser

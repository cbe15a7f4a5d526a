"""python -m invariants modulate: WordNet's geometry laid over an encoder, by α."""

from __future__ import annotations

import argparse
from pathlib import Path

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.commands.opening import laid_over
from geometric_invariants.invariants.commands.shown import print_tables, write_shown
from geometric_invariants.invariants.experiments import recorded
from geometric_invariants.invariants.experiments.modulation import exhibits
from geometric_invariants.invariants.experiments.modulation.overlay import Form
from geometric_invariants.invariants.experiments.modulation.resuming import PointFile
from geometric_invariants.invariants.experiments.modulation.sweep import Setting, Sweep, explore
from geometric_invariants.invariants.experiments.recorded_figures import sweep_figures
from geometric_invariants.reports.options import output_file

_FORMS: tuple[Form, ...] = ("normal", "zero", "dealt")


def modulate(arguments: list[str]) -> None:
    """Print every number of the modulator pipeline: each step, and the relations by α."""
    options = _parser().parse_args(arguments)
    model, laid = laid_over(options.model, options.device)
    if options.record:
        print(f"recorded: {recorded.record(model)}")
        return
    sampling, alphas = Sampling(), tuple(sorted(set(options.alpha) - {0.0}))
    making = (exhibits.pipeline_table(laid), exhibits.health_table(laid))
    print_tables(making)
    sweep = _swept(model, sampling, alphas, options.resume)
    static = exhibits.Static(laid.words, sampling, 1)
    bands = exhibits.bands_by_alpha(sweep, static)
    shown = [exhibits.relations_by_alpha(sweep, static), *([] if bands is None else [bands])]
    shown.append(exhibits.impact_table(model, laid, alphas, sampling))
    if model.loaded.is_encoder_decoder:
        shown += [exhibits.texts_at(model, laid, alpha) for alpha in alphas]
    print_tables(shown)
    if options.json:
        headline = ("reconstruction of Wu–Palmer similarity", laid.reconstruction)
        tables, figures = (*making, *shown), sweep_figures(sweep)
        write_shown(options.json, model, "modulate", headline, tables, figures)


def _swept(
    model: Model, sampling: Sampling, alphas: tuple[float, ...], resume: Path | None
) -> Sweep:
    """The plain encoder, and every α in every form, on the first draw."""
    settings = [Setting("normal", 0.0, 0)]
    settings += [Setting(form, alpha, 0) for alpha in alphas for form in _FORMS]
    if resume is None:
        return explore(model, sampling, settings)
    kept = PointFile(resume, model, sampling)
    return explore(model, sampling, settings, known=kept.points, keep=kept.keep)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m invariants modulate", description=modulate.__doc__
    )
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("--alpha", type=_alpha, nargs="+", default=[0.01, 0.1, 0.29154, 0.5])
    parser.add_argument(
        "--resume",
        type=output_file,
        metavar="FILE",
        help="keep each point of the sweep here, and go on with those it holds",
    )
    parser.add_argument(
        "--json",
        type=output_file,
        metavar="FILE",
        help="write tables and figures, for python -m reports render",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="run the full sweep and the trainings, for the report; minutes on a GPU",
    )
    parser.add_argument("--device", type=kinds.device, default="auto")
    return parser


def _alpha(text: str) -> float:
    alpha = float(text)
    if not 0 <= alpha <= 1:
        raise argparse.ArgumentTypeError(f"α must lie in [0, 1], not {text}")
    return alpha

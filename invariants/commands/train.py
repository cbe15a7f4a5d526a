"""python -m invariants train: a LERP modulator learns definition → lemma on a frozen model."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.lerp import START, LerpModulator
from geometric_invariants.geometry.modulation.training import NOTEBOOKS, History, TrainingSettings
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.commands.opening import laid_over
from geometric_invariants.invariants.commands.prompting import SHOWN, prompts_from, shown, verdict
from geometric_invariants.invariants.experiments import trained_exhibits as exhibits
from geometric_invariants.invariants.experiments.modulation import overlay, talk
from geometric_invariants.invariants.experiments.modulation.comparison import further
from geometric_invariants.invariants.experiments.modulation.kept import keep
from geometric_invariants.invariants.experiments.modulation.learning import (
    DRAWS,
    Learned,
    Recipe,
    examined,
    taught,
)
from geometric_invariants.invariants.experiments.modulation.measured import draw_probes
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay
from geometric_invariants.invariants.experiments.modulation.talk import Said
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.invariants.quantities import training as quantities
from geometric_invariants.invariants.verdicts import Settings, judge
from geometric_invariants.reports.exhibits import Table
from geometric_invariants.reports.files import write_results
from geometric_invariants.reports.options import output_file
from geometric_invariants.reports.results import Results

TOKENS = 32
_STEPS_SHOWN = 10


def train(arguments: list[str]) -> None:
    """Train a LERP modulator on a frozen encoder–decoder: definition → the matched lemma.

    The defaults are the source's training. --resume names a file that the state is kept in: a run
    that was killed, started again with it, ends at the same numbers.
    """
    options = _parser().parse_args(arguments)
    if not 0 < options.alpha < 1:
        raise ValueError(f"--alpha: α starts strictly between 0 and 1, not at {options.alpha:g}")
    if not 0 < options.lr < float("inf"):
        raise ValueError(f"--lr: a rate is positive, not {options.lr:g}")
    prompts = prompts_from((), options.prompts)
    settings = TrainingSettings(
        epochs=options.epochs, batch=options.batch, rate=options.lr, seed=options.seed
    )
    recipe = Recipe(options.alpha, options.lemmas_shuffled, options.geometry_dealt)
    for file in (options.resume, options.save):
        if file is not None and not file.parent.is_dir():
            raise ValueError(f"{file}: its folder does not exist")
    model, laid = laid_over(options.model, options.device)
    plain = talk.texts_of(model, prompts, tokens=TOKENS)
    _print_counts(model, laid)
    start = time.perf_counter()
    modulator, history = taught(
        model,
        laid,
        Sampling(),
        recipe,
        settings=settings,
        count=options.words,
        checkpoint=options.resume,
    )
    learned, table = _looked_at(model, laid, recipe, settings, options.words, modulator, history)
    changed = talk.texts_of(model, prompts, modulator, tokens=TOKENS)
    said = talk.held_against(model, prompts, plain, changed)
    print("\n".join(_lines(learned, table, said)))
    if options.save:
        keep(model, modulator, recipe.name, options.save)
        print(f"\nmodulator saved: {options.save}")
    if options.json:
        seconds = time.perf_counter() - start
        write_results(_results(model, learned, (table, _texts_table(said)), seconds), options.json)
        print(f"results: {options.json}; python -m reports render {options.json}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m invariants train", description=train.__doc__)
    parser.add_argument("model", metavar="ID[=SOURCE]")
    whole: dict[str, Any] = {"type": kinds.at_least(1)}
    parser.add_argument("--epochs", **whole, default=NOTEBOOKS.epochs)
    parser.add_argument("--words", type=kinds.at_least(2), help="learn from the first N alone")
    parser.add_argument("--batch", **whole, default=NOTEBOOKS.batch)
    parser.add_argument("--lr", type=float, default=NOTEBOOKS.rate)
    parser.add_argument("--alpha", type=float, default=START, help="where every layer's α starts")
    parser.add_argument("--seed", type=kinds.at_least(0), default=NOTEBOOKS.seed)
    parser.add_argument("--lemmas-shuffled", action="store_true", help="a null: others' lemmas")
    parser.add_argument("--geometry-dealt", action="store_true", help="a null: others' geometry")
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="a prompt a line")
    parser.add_argument(
        "--resume", type=output_file, metavar="FILE", help="keep the state there, go on from it"
    )
    parser.add_argument(
        "--save", type=output_file, metavar="FILE", help="the modulator, for talk --load"
    )
    parser.add_argument(
        "--json", type=output_file, metavar="FILE.json", help="results, for reports render"
    )
    parser.add_argument("--device", type=kinds.device, default="auto")
    return parser


def _looked_at(
    model: Model,
    laid: Overlay,
    recipe: Recipe,
    settings: TrainingSettings,
    count: int | None,
    modulator: LerpModulator,
    history: History,
) -> tuple[Learned, Table]:
    """What was learned, and the encoder before and after."""
    sampling, lessons = Sampling(), len(laid.texts[:count])
    rows = overlay.encode_under(model, modulator, laid.texts, progress=True)
    learned = examined(model, laid, sampling, recipe, settings, lessons, modulator, history, rows)
    probes = draw_probes(laid.words, sampling, DRAWS)
    before, after = (further(laid.words, probes, x) for x in (laid.words.encoder, rows))
    return learned, exhibits.original_and_trained(learned, (), (before, after))


def _print_counts(model: Model, laid: Overlay) -> None:
    for name, cells in quantities.parameters_of(model, laid.modulator.layers).rows.items():
        print(f"{name:<10} {cells[0]:>14,.0f} parameters, ratio to frozen {cells[1]:.6f}")


def _lines(learned: Learned, table: Table, said: Sequence[Said]) -> Iterator[str]:
    yield from _history_lines(learned)
    yield from _alpha_lines(learned)
    yield f"\n{'':<30} {'Original':>10} {'Trained':>10} {'Δ':>10} {'± of Δ':>10}"
    for name, (*values, noise) in table.rows.items():
        yield f"{name:<30} {' '.join(map(_number, values))} {_number(noise, 2)}"
    text, plain = learned.text, learned.plain_text
    yield f"\n200 greedy texts: {text.unchanged:.1%} as before the training"
    yield f"distinct tokens {plain.distinct:.4f} → {text.distinct:.4f}"
    yield f"repetition {plain.repetition:.4f} → {text.repetition:.4f}"
    for one in said:
        yield ""
        yield from shown(one, ("before", "after"))


def _history_lines(learned: Learned) -> Iterator[str]:
    history, steps = learned.history, learned.steps
    every = max(1, len(steps) // _STEPS_SHOWN)
    for index in sorted({*range(0, len(steps), every), len(steps) - 1}):
        alphas = " ".join(f"{value:.4f}" for value in history.alpha[index])
        yield f"α by layer after batch {steps[index]:>6}: {alphas}"
    losses = zip(history.training, history.held_out, strict=True)
    for epoch, (training, held_out) in enumerate(losses, 1):
        yield f"epoch {epoch}: train loss {training:.4f}, held-out loss {held_out:.4f}"


def _alpha_lines(learned: Learned) -> Iterator[str]:
    alpha = learned.alpha
    mean, std = alpha.mean().item(), alpha.std(correction=0).item()
    yield f"\nfinal α by layer {' '.join(f'{value:.5f}' for value in alpha.tolist())}"
    yield f"mean α {mean:.5f}, std {std:.5f}"
    for constant in exhibits.CONSTANTS:
        yield f"|mean α − {constant:g}| = {abs(mean - constant):.5f}"


def _number(cell: float | str | None, digits: int = 6) -> str:
    return f"{'':>10}" if cell is None else f"{cell:>10.{digits}g}"


def _texts_table(said: Sequence[Said]) -> Table:
    return Table(
        "texts before and after",
        ("before", "after", "tokens that differ"),
        {one.prompt[:SHOWN]: (one.plain, one.modulated, verdict(one)) for one in said},
        f"greedy, at most {TOKENS} tokens",
    )


def _results(model: Model, learned: Learned, tables: tuple[Table, ...], seconds: float) -> Results:
    """Both claims on trained modulators, judged by this training alone."""
    claims = load_claims()
    own = exhibits.losses_table((learned,)), quantities.parameters_of(model, len(learned.alpha))
    found: dict[str, Finding] = {
        "modulator_best_result": quantities.best_result(learned, (), (*tables, *own)),
        "modulator_alpha_rises": quantities.alpha_rises(learned, (), ()),
    }
    settings = Settings(twins=0)
    return Results(
        tuple(
            judge(claims[name], model, finding, settings, seconds)
            for name, finding in found.items()
        )
    )

"""python -m invariants talk: what an encoder–decoder generates, plain and modulated."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.lerp import LerpModulator
from geometric_invariants.invariants.commands.opening import opened
from geometric_invariants.invariants.commands.prompting import prompts_from, verdict
from geometric_invariants.invariants.experiments.modulation import talk as talking
from geometric_invariants.invariants.experiments.modulation.kept import kept
from geometric_invariants.invariants.experiments.modulation.overlay import overlay_of
from geometric_invariants.invariants.experiments.modulation.talk import Drawing, Said
from geometric_invariants.reports.files import write_atomically
from geometric_invariants.reports.options import output_file

ALPHAS = (0.01, 0.05, 0.1, 0.2, 0.5)


def talk(arguments: list[str]) -> None:
    """Print what prompts make the plain encoder say and the modulated one, for a sweep of α."""
    options = _parser().parse_args(arguments)
    alphas = options.alpha or ((None,) if options.load else ALPHAS)
    for alpha in alphas:
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"--alpha: α must lie in [0, 1], not {alpha:g}")
    drawing = Drawing(options.temperature, options.top_p, options.seed) if options.sample else None
    prompts = prompts_from(options.text, options.prompts)
    model = opened(options.model, options.device)
    talking.token_ids(model, prompts)
    modulator, name = _modulator(model, options.load)
    print(f"{len(prompts)} prompts, {name}, {_way(drawing)}, at most {options.tokens} tokens")
    plain = talking.texts_of(model, prompts, tokens=options.tokens, drawing=drawing)
    texts = {}
    for alpha in alphas:
        modulator.fix_alpha(alpha)
        changed = talking.texts_of(
            model, prompts, modulator, tokens=options.tokens, drawing=drawing
        )
        texts[_name(modulator, alpha)] = talking.held_against(model, prompts, plain, changed)
    print("\n".join(_lines(texts)))
    if options.json:
        content = [
            {"α": alpha, "identical": said.is_identical, **dataclasses.asdict(said)}
            for alpha, every in texts.items()
            for said in every
        ]
        write_atomically(options.json, json.dumps(content, indent=1, ensure_ascii=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m invariants talk", description=talk.__doc__)
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument(
        "text", nargs="*", help='such as "summarize: a small domestic animal that barks"'
    )
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="a prompt a line")
    parser.add_argument("--alpha", type=float, nargs="+", help="default: a sweep of five")
    parser.add_argument("--load", type=Path, metavar="FILE", help="a modulator of train --save")
    parser.add_argument("--sample", action="store_true", help="draw the tokens, not greedily")
    parser.add_argument("--temperature", type=float, default=talking.TEMPERATURE)
    parser.add_argument("--top-p", type=float, default=talking.TOP_P)
    parser.add_argument("--seed", type=kinds.at_least(0), default=0)
    parser.add_argument("--tokens", type=kinds.at_least(1), default=talking.TOKENS)
    parser.add_argument("--json", type=output_file, metavar="FILE")
    parser.add_argument("--device", type=kinds.device, default="auto")
    return parser


def _modulator(model: Model, file: Path | None) -> tuple[LerpModulator, str]:
    """A trained modulator from a file, else WordNet's geometry as it is laid over the encoder."""
    if file is None:
        return overlay_of(model, Sampling()).modulator, "WordNet's geometry"
    modulator, name = kept(model, file)
    return modulator, f"trained, {name}"


def _way(drawing: Drawing | None) -> str:
    if drawing is None:
        return "greedy"
    return (
        f"sampled: temperature {drawing.temperature:g}, top-p {drawing.top_p:g},"
        f" seed {drawing.seed}"
    )


def _name(modulator: LerpModulator, alpha: float | None) -> str:
    if alpha is not None:
        return f"{alpha:g}"
    return f"{', '.join(f'{value:.4f}' for value in modulator.alpha.tolist())} as learned"


def _lines(texts: dict[str, list[Said]]) -> Iterator[str]:
    for index, first in enumerate(next(iter(texts.values()))):
        yield f"\nprompt     {first.prompt}"
        yield f"plain      {first.plain}"
        for alpha, every in texts.items():
            said = every[index]
            yield f"α = {alpha:<6} {said.modulated}  ({verdict(said)})"
    yield ""
    for alpha, every in texts.items():
        differing, tokens = sum(s.differing for s in every), sum(s.tokens for s in every)
        same = sum(said.is_identical for said in every)
        yield (
            f"α = {alpha}: {differing} of {tokens} tokens differ, {same} of {len(every)} texts"
            " IDENTICAL"
        )

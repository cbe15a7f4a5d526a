"""python -m invariants talk: what an encoder–decoder generates, plain and modulated."""

from __future__ import annotations

import argparse

from fixtures import options as kinds
from invariants.commands.opening import laid_over
from invariants.experiments.modulation.generation import talk as say


def talk(arguments: list[str]) -> None:
    """Print what a prompt makes the plain encoder say and the modulated one, for a sweep of α."""
    parser = argparse.ArgumentParser(prog="python -m invariants talk")
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument("text", help='such as "summarize: a small domestic animal that barks"')
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.01, 0.05, 0.1, 0.2, 0.5])
    parser.add_argument("--device", type=kinds.device, default="auto")
    options = parser.parse_args(arguments)
    model, laid = laid_over(options.model, options.device)
    for index, alpha in enumerate(options.alpha):
        said = say(model, laid, options.text, alpha)
        if index == 0:
            print(f"plain     {said.plain}")
        print(f"α = {alpha:<5g} {said.modulated}  ({said.differing} tokens differ)")

"""python -m invariants modulate: WordNet's geometry laid over an encoder, by α."""

from __future__ import annotations

import argparse

from fixtures import options as kinds
from geometry.estimate import Sampling
from geometry.modulation.lerp import Health
from invariants.commands.opening import laid_over
from invariants.experiments import recorded
from invariants.experiments.modulation.learning import LearnedField, learn_field
from invariants.experiments.modulation.measured import Relations, measure
from invariants.experiments.modulation.overlay import Form, encode_at, in_form

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
    model, laid = laid_over(options.model, options.device)
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

"""Quantities of modulated encoders (SPEC M1 – M6)."""

from __future__ import annotations

import torch

from fixtures.model import Model
from geometry import estimate
from geometry.estimate import Estimate, Sampling, exact
from geometry.modulation.field import FieldModulator
from geometry.modulation.training import NOTEBOOKS, TrainingSettings
from invariants.experiments import modulation as experiment
from invariants.experiments.modulation import CONSTANT, Learned, Relations
from invariants.experiments.recorded import Recording, recording_of
from invariants.finding import Finding, Named, NotApplicableError
from reports.results import Figure

_D, _LAYERS = 512, 6
_DRAWN_EVERY = 8  # of the recorded steps
_CONSTANTS = (CONSTANT, 0.5, 0.70846)
_CLAIMED = {
    0.01: {"pearson": (0.099, 0.001), "gradient": (0.022, 0.001), "preservation": (0.9998, 0.0001)},
    0.50: {"pearson": (0.185, 0.001), "gradient": (0.076, 0.001), "preservation": (0.176, 0.001)},
}


def modulator_alpha_001(model: Model, sampling: Sampling) -> Finding:
    """Greatest distance of the numbers at α = 0.01 from the claimed ones, in last digits."""
    return _at(model, sampling, 0.01)


def modulator_alpha_050(model: Model, sampling: Sampling) -> Finding:
    """Greatest distance of the numbers at α = 0.50 from the claimed ones, in last digits."""
    return _at(model, sampling, 0.50)


def phase_boundary(model: Model, sampling: Sampling) -> Finding:
    """Where Pearson at α = 0.29154 lies on the way from that at 0.01 (0) to that at 0.50 (1)."""
    found = experiment.swept(model, sampling)
    laid = experiment.overlay_of(model, sampling)
    low, here, high = (_over_seeds(found[alpha], "pearson") for alpha in (0.01, CONSTANT, 0.5))
    position = (here - low) / (high - low)
    bends = {name: _bend(found, name) for name in ("pearson", "gradient", "preservation", "cv")}
    null = experiment.shuffled(laid, sampling)
    original = laid.words.encoder[laid.anchors]
    rows = experiment.encode_at(model, null, CONSTANT)
    dealt = experiment.measure(null, rows, original)
    recording = recording_of(model)
    return Finding(
        estimate=estimate.mean(position),
        design=f"{len(laid.anchors)} anchors",
        controls=(
            Named("straight line", exact((CONSTANT - 0.01) / 0.49), "α itself on the same way"),
        ),
        related=(
            *(
                Named(f"{name}: bend", bend, "value at 0.29154 less the line from 0.25 to 0.35")
                for name, bend in bends.items()
            ),
            Named("embeddings shuffled: Pearson", exact(dealt.pearson), "among the tokens, at c"),
            Named("Pearson", estimate.mean(here), "at 0.29154, over seeds"),
            Named("reconstruction", exact(laid.reconstruction), "of Wu–Palmer in 64 dimensions"),
            Named("alignment", exact(laid.alignment), "cosine after Procrustes"),
            Named("alignment, null", exact(laid.alignment_null), "anchors' rows shuffled"),
        ),
        figures=_drawn(found) if recording is None else _recorded_figures(recording),
        notes=() if recording is None else _recorded_notes(recording),
    )


def modulator_best_result(model: Model, sampling: Sampling) -> Finding:
    """Relative change of Pearson from the plain encoder to one with a trained field modulator.

    Trained for ten epochs on a GPU; on the CPU for one, of 1,000 words in batches of 128.
    """
    laid = experiment.overlay_of(model, sampling)
    few = model.device.type == "cpu"
    settings = TrainingSettings(epochs=1, batch=128, check_every=10) if few else NOTEBOOKS
    _, found = experiment.learn_field(model, laid, settings, 1_000 if few else None)
    before, after = found.original, found.trained
    return Finding(
        estimate=exact(after.pearson / before.pearson - 1),
        design=f"{len(laid.anchors)} anchors, {settings.epochs} epochs of {settings.batch}",
        controls=(Named("no modulator", exact(0.0), "the plain encoder"),),
        related=(
            Named("Spearman", exact(after.spearman / before.spearman - 1), "relative change"),
            Named("CV", exact(after.cv), "claimed within 0.21 ± 0.05"),
            Named("CV, plain", exact(before.cv), "of the plain encoder"),
            Named("held-out loss", exact(found.history.held_out[-1]), "after the last epoch"),
        ),
        notes=(
            (f"stopped early at step {found.history.stopped}: five checks out of 0.21 ± 0.05",)
            if found.history.stopped
            else ()
        ),
    )


def field_modulator_parameters(model: Model, sampling: Sampling) -> Finding:
    """Trainable parameters of the default field modulator for the model's own width and depth."""
    del sampling
    config = model.checkpoint.config
    width = config.get("d_model", config.get("hidden_size"))
    layers = config.get("num_layers", config.get("num_hidden_layers"))
    if not isinstance(width, int) or not isinstance(layers, int):
        raise NotApplicableError("the config names no width and depth of one stack")
    return Finding(
        estimate=exact(_parameters(width, layers)),
        design=f"d = {width}, {layers} layers",
        related=(Named("default", exact(_parameters(_D, _LAYERS)), "d = 512, 6 layers"),),
    )


def _at(model: Model, sampling: Sampling, alpha: float) -> Finding:
    sweep = experiment.swept(model, sampling)
    found, plain = sweep[alpha], sweep[0.0]
    laid = experiment.overlay_of(model, sampling)

    def farthest(rows: list[Relations]) -> Estimate:
        return exact(
            max(
                abs(_over_seeds(rows, name).mean().item() - claimed) / digit
                for name, (claimed, digit) in _CLAIMED[alpha].items()
            )
        )

    return Finding(
        estimate=farthest(found),
        design=f"{len(laid.anchors)} anchors",
        controls=(Named("no modulator", farthest(plain), "the plain encoder"),),
        related=tuple(
            named
            for name in ("pearson", "spearman", "gradient", "preservation", "cv")
            for named in (
                Named(name, estimate.mean(_over_seeds(found, name)), f"at α = {alpha:g}"),
                Named(f"{name}, plain", estimate.mean(_over_seeds(plain, name)), "at α = 0"),
            )
        ),
    )


def _drawn(found: dict[float, list[Relations]]) -> tuple[Figure, ...]:
    names = ("pearson", "gradient", "preservation", "cv")
    return tuple(_by_alpha(name, {a: _over_seeds(found[a], name) for a in found}) for name in names)


def _recorded_figures(recording: Recording) -> tuple[Figure, ...]:
    sweep = {alpha: list(rows) for alpha, rows in recording.sweep.items()}
    unchanged = {a: torch.tensor(v, dtype=torch.float64) for a, v in recording.unchanged.items()}
    figures = (*_drawn(sweep), _by_alpha("share of generations unchanged", unchanged))
    if not recording.trainings:
        return figures
    names = [_training_name(*training) for training in recording.trainings]
    every, recorded = _DRAWN_EVERY, len(recording.trainings[0][0].history.alpha)
    steps = tuple(float(NOTEBOOKS.interval * i) for i in range(0, recorded, every))
    epochs = tuple(float(i + 1) for i in range(len(recording.trainings[0][0].history.held_out)))
    means = [
        tuple(sum(row) / len(row) for row in learned.history.alpha[::every])
        for learned, _ in recording.trainings
    ]
    losses = [tuple(learned.history.held_out) for learned, _ in recording.trainings]
    return (
        *figures,
        Figure("mean α, by training step", "lines", steps, dict(zip(names, means, strict=True))),
        Figure("held-out loss, by epoch", "lines", epochs, dict(zip(names, losses, strict=True))),
    )


def _recorded_notes(recording: Recording) -> tuple[str, ...]:
    draws = max(map(len, recording.sweep.values()), default=0)
    lines = [f"curves recorded on {recording.device}: {len(recording.sweep)} α, {draws} draws each"]
    for learned, dealt in recording.trainings:
        last = learned.history.alpha[-1]
        mean = sum(last) / len(last)
        distances = ", ".join(f"{abs(mean - c):.3f} from {c:g}" for c in _CONSTANTS)
        losses = learned.history.held_out
        lines.append(
            f"trained, {_training_name(learned, dealt)}: α ends at {mean:.3f}"
            f" (by layer {', '.join(f'{a:.3f}' for a in last)}), {distances};"
            f" held-out loss {losses[0]:.3f} → {losses[-1]:.3f},"
            f" Pearson {learned.original.pearson:.3f} → {learned.trained.pearson:.3f}"
        )
    return tuple(lines)


def _training_name(learned: Learned, dealt: bool) -> str:
    return f"α from {learned.start:g}" + (", lemmas shuffled" if dealt else "")


def _by_alpha(name: str, found: dict[float, torch.Tensor]) -> Figure:
    return Figure(
        f"{name}, by α",
        "lines",
        tuple(found),
        {name: tuple(values.mean().item() for values in found.values())},
        {"claimed constant": CONSTANT},
        {name: tuple(values.std().nan_to_num().item() for values in found.values())},
    )


def _bend(found: dict[float, list[Relations]], name: str) -> Estimate:
    low, here, high = (_over_seeds(found[alpha], name) for alpha in (0.25, CONSTANT, 0.35))
    share = (CONSTANT - 0.25) / 0.1
    return estimate.mean(here - (1 - share) * low - share * high)


def _over_seeds(found: list[Relations], name: str) -> torch.Tensor:
    return torch.tensor([getattr(one, name) for one in found], dtype=torch.float64)


def _parameters(width: int, layers: int) -> int:
    modulator = FieldModulator(width, layers)
    return sum(p.numel() for p in modulator.parameters() if p.requires_grad)

"""Tables of overlays: what they are made of, what they do to relations, states and texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import relations
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.impact import Impact
from geometric_invariants.geometry.modulation.lerp import Health, LerpModulator
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.experiments.modulation import talk
from geometric_invariants.invariants.experiments.modulation.comparison import of_draws
from geometric_invariants.invariants.experiments.modulation.impact import impact_of
from geometric_invariants.invariants.experiments.modulation.measured import (
    Detail,
    Relations,
    detail,
    draw_probes,
    measure,
)
from geometric_invariants.invariants.experiments.modulation.overlay import Form, Overlay, in_form
from geometric_invariants.invariants.experiments.modulation.prompts import PROMPTS
from geometric_invariants.invariants.experiments.modulation.sweep import CONSTANT, DRAWS, Sweep
from geometric_invariants.invariants.experiments.relations import Words, words_of
from geometric_invariants.reports.exhibits import Cell, Table

FORMS: Mapping[Form, str] = {"normal": "", "zero": ", zero rows", "dealt": ", geometry dealt"}
_RELATIONS = ("Pearson", "ΔP", "Spearman", "ΔS", "gradient", "CV", "mean volume")
_COLUMNS = (*_RELATIONS, "preservation", "its std", "dropped", "draws")
_SPOKEN, _TOKENS = 5, 32  # prompts, and tokens of a text
_IMPACT = {
    "cosine_mean": "cosine",
    "cosine_std": "its std",
    "norm_ratio_mean": "norm ratio",
    "norm_ratio_std": "its std ",
    "pairs_before": "pairs' cosine before",
    "pairs_after": "after",
    "shift": "shift",
    "shift_std": "its std  ",
    "shift_size": "mean |shift|",
}


class Static:
    """The words' static rows, on the sweep's own draws of pairs and simplices."""

    def __init__(self, words: Words, sampling: Sampling, draws: int = DRAWS) -> None:
        probes = draw_probes(words, sampling, draws)
        self.relations = tuple(measure(words, probe, words.static) for probe in probes)
        self.details = tuple(detail(words, probe, words.static) for probe in probes)


def static_of(model: Model, sampling: Sampling) -> Static:
    """The static rows of a model's words, looked at once."""
    key = f"static {sampling.seed} {sampling.samples}"
    if key not in model.memory:
        model.memory[key] = Static(words_of(model, sampling), sampling)
    found: Static = model.memory[key]
    return found


def relations_by_alpha(
    sweep: Sweep, static: Static, alphas: tuple[float, ...] | None = None
) -> Table:
    """Relations of static rows, of the plain encoder and under each α, in every form measured.

    Means over draws of anchors, pairs and simplices; ΔP and ΔS from the plain encoder's on the same
    draws. Source: SPEC M2, M4.
    """
    rows = {"static": _static_row(sweep, static), "original": _row(sweep, 0.0, "normal")}
    for form, title in FORMS.items():
        for alpha in sweep.alphas(form):
            if alpha > 0 and (alphas is None or alpha in alphas):
                rows[f"α = {alpha:g}{title}"] = _row(sweep, alpha, form)
    meaning = "means over draws; Δ from the original; dealt: words' geometry on other words"
    return table("relations by α", _COLUMNS, rows, meaning)


def bands_by_alpha(
    sweep: Sweep, static: Static, alphas: tuple[float, ...] | None = None
) -> Table | None:
    """Mean cosine of pairs by band of path similarity, and its change under each α (SPEC R4, M2).

    On the first draw of pairs; None where the sweep holds no bands of the plain encoder.
    """
    plain = sweep.bands(0.0)
    if plain is None:
        return None
    columns: dict[str, tuple[Cell, ...]] = {
        "pairs": tuple(map(float, plain.counts)),
        "static": static.details[0].cosines,
        "original": plain.cosines,
    }
    for form, title in FORMS.items():
        for alpha in sweep.alphas(form):
            own = sweep.bands(alpha, form)
            if alpha > 0 and own is not None and (alphas is None or alpha in alphas):
                columns[f"α = {alpha:g}{title}"] = own.cosines
                columns[f"Δ at {alpha:g}{title}"] = changes(own, plain)
    rows = {
        str(band): tuple(cells[place] for cells in columns.values())
        for place, band in enumerate(relations.BANDS)
    }
    meaning = "mean cosine of pairs by path similarity, on the first draw; Δ from the original"
    return table("bands by α", tuple(columns), rows, meaning)


def impact_table(
    model: Model, laid: Overlay, alphas: tuple[float, ...], sampling: Sampling
) -> Table:
    """What each α does to tokens' states, WordNet's geometry and the same dealt to other words."""
    found: dict[str, Impact] = {}
    forms: tuple[Form, ...] = ("normal", "dealt")
    for form in forms:
        modulator = in_form(laid, form, sampling).modulator
        for alpha in alphas:
            modulator.fix_alpha(alpha)
            name = f"α = {alpha:g}{FORMS[form]}"
            found[name] = impact_of(model, laid.texts, modulator, sampling)
    return impacts(found)


def impacts(found: Mapping[str, Impact]) -> Table:
    """Impact by name. Source: SPEC 9, 17 (S7)."""
    rows = {name: tuple(asdict(one)[field] for field in _IMPACT) for name, one in found.items()}
    meaning = "tokens' last hidden states before and after; cosines between 20,000 pairs of them"
    return table("impact", tuple(_IMPACT.values()), rows, meaning)


def texts_at(model: Model, laid: Overlay, alpha: float = CONSTANT) -> Table:
    """Five prompts generated with and without the modulator. Source: SPEC M4.

    Raises NotApplicableError for a model that does not generate from an encoder.
    """
    prompts = PROMPTS[:_SPOKEN]
    laid.modulator.fix_alpha(alpha)
    plain, changed = (
        talk.texts_of(model, prompts, modulator, tokens=_TOKENS)
        for modulator in (None, laid.modulator)
    )
    rows: dict[str, tuple[Cell, ...]] = {
        one.prompt: (
            one.plain,
            one.modulated,
            one.differing,
            one.tokens,
            "IDENTICAL" if one.is_identical else "DIFFERENT",
        )
        for one in talk.held_against(model, prompts, plain, changed)
    }
    columns = ("plain", "modulated", "tokens that differ", "of", "verdict")
    return table(
        f"texts at α = {alpha:g}", columns, rows, f"greedy generations of {_TOKENS} tokens"
    )


def pipeline_table(laid: Overlay) -> Table:
    """The steps of the overlay's making, the fit beside that of row-shuffled anchors (SPEC M2)."""
    own, null = laid.aligned, laid.aligned_null
    norm = torch.linalg.matrix_norm(laid.modulator.projection.detach().double()).item()
    rows: dict[str, tuple[Cell, ...]] = {
        "matched words": (len(laid.words), None),
        "anchors": (len(laid.anchors), None),
        "reconstruction correlation": (laid.reconstruction, None),
        **{f"eigenvalue {i}": (value, None) for i, value in enumerate(laid.eigenvalues, 1)},
        "alignment cosine": (own.cosine_mean, null.cosine_mean),
        "alignment cosine, std": (own.cosine_std, null.cosine_std),
        "Procrustes scale": (own.scale, null.scale),
        "projection norm": (norm, None),
        "mean encoder norm": (laid.encoder_norm, None),
    }
    return table("pipeline", ("value", "anchors shuffled"), rows, "Wu–Palmer to projection")


def health_table(laid: Overlay) -> Table:
    """Health of 5,000 random rows: words', all, and a fresh modulator's as the null (SPEC M1)."""
    modulator = laid.modulator
    vocabulary, dimensions = modulator.shapes["geometric"]
    fresh = LerpModulator(
        vocabulary,
        modulator.shapes["projection"][0],
        modulator.layers,
        dimensions=dimensions,
        generator=torch.Generator().manual_seed(0),
    )
    columns = {
        "words": modulator.health(tokens=laid.tokens),
        "all rows": modulator.health(),
        "fresh": fresh.health(),
    }
    rows: dict[str, list[Cell]] = {}
    for health in columns.values():
        for name, value in _health(health).items():
            rows.setdefault(name, []).append(value)
    for name, shape in modulator.shapes.items():
        rows[f"shape of {name}"] = [" × ".join(map(str, shape))] * len(columns)
    count = sum(p.numel() for p in modulator.parameters())
    rows["parameters"] = [count] * len(columns)
    return table("health of the modulator", tuple(columns), rows, "of 5,000 rows at random")


def _health(health: Health) -> dict[str, Cell]:
    alphas = torch.tensor(health.alpha)
    return {
        "cosine, mean": health.cosine_mean,
        "cosine, std": health.cosine_std,
        "norm, mean": health.norm_mean,
        "norm, std": health.norm_std,
        "participation ratio over dimensions": health.participation_ratio,
        "α, least": alphas.min().item(),
        "α, mean": alphas.mean().item(),
        "α, greatest": alphas.max().item(),
    }


def _row(sweep: Sweep, alpha: float, form: Form) -> tuple[Cell, ...]:
    found = {name: sweep.relation(name, alpha, form) for name in Relations.__slots__}
    details = {name: sweep.detail(name, alpha, form) for name in ("volume", "preservation_std")}
    return _cells(sweep, found | details)


def _static_row(sweep: Sweep, static: Static) -> tuple[Cell, ...]:
    found = {name: of_draws(static.relations, name) for name in Relations.__slots__}
    details = {name: of_draws(static.details, name) for name in ("volume", "preservation_std")}
    return _cells(sweep, found | details)


def _cells(sweep: Sweep, found: Mapping[str, Tensor]) -> tuple[Cell, ...]:
    """The columns of relations, from each number over the draws."""
    means = {name: x.mean().item() if len(x) else None for name, x in found.items()}
    return (
        means["pearson"],
        _gain(sweep, "pearson", found["pearson"]),
        means["spearman"],
        _gain(sweep, "spearman", found["spearman"]),
        means["gradient"],
        means["cv"],
        means["volume"],
        means["preservation"],
        means["preservation_std"],
        means["dropped"],
        len(found["pearson"]),
    )


def _gain(sweep: Sweep, name: str, own: Tensor) -> float:
    """Mean change from the plain encoder's on the same draws, which both number from 0."""
    plain = sweep.relation(name, 0.0)
    both = min(len(own), len(plain))
    return (own[:both] - plain[:both]).mean().item()


def changes(own: Detail, plain: Detail) -> tuple[float | None, ...]:
    """Of the mean cosine in each band; None where either holds no pairs."""
    pairs = zip(own.cosines, plain.cosines, strict=True)
    return tuple(None if a is None or b is None else a - b for a, b in pairs)

"""Tables and figures of a field modulator (SPEC M6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from geometric_invariants.geometry import relations
from geometric_invariants.geometry.modulation.field import FieldModulator
from geometric_invariants.geometry.modulation.field_checks import CvCheck, SelfTest
from geometric_invariants.geometry.modulation.training import History
from geometric_invariants.invariants.drawn import heatmap, rounded, table
from geometric_invariants.invariants.experiments.modulation.exhibits import changes, impacts
from geometric_invariants.invariants.experiments.modulation.fields import FieldFindings, FieldMap
from geometric_invariants.invariants.experiments.modulation.measured import Detail, Relations
from geometric_invariants.reports.exhibits import Cell, Figure, Table


def field_tables(modulator: FieldModulator, found: FieldFindings) -> tuple[Table, ...]:
    """Health, experts, map, relations and bands before and after, CV checks, impact, self-test."""
    return (
        health_table(modulator),
        experts_table(modulator),
        map_table(modulator, found.map),
        relations_table({"original": found.before, "field": found.after}),
        bands_table(found),
        checks_table(modulator, found.checks),
        impacts({"field": found.impact}),
        test_table(found.test),
    )


def field_figures(
    modulator: FieldModulator, found: FieldFindings, history: History | None
) -> tuple[Figure, ...]:
    """The validity map and α by layer and expert, and, of a training, CV and losses."""
    names, layers = _experts(modulator), _layers(modulator)
    alpha = modulator.alpha.detach().double().cpu()
    figures = [
        heatmap(
            "validity map", layers, names, found.map.spanning, x_label="expert", y_label="layer"
        ),
        heatmap(
            "validity gate", layers, names, found.map.validity, x_label="expert", y_label="layer"
        ),
        heatmap("α by layer and expert", layers, names, alpha, x_label="expert", y_label="layer"),
    ]
    if history is not None:
        figures += _training_figures(modulator, history)
    return tuple(figures)


def health_table(modulator: FieldModulator) -> Table:
    """α's spread, counts of dimensions and parameters, and by layer running validity and α."""
    health = modulator.health()
    alpha = torch.tensor(health.alpha)
    rows: dict[str, tuple[Cell, ...]] = {
        "α, mean": (alpha.mean().item(),),
        "α, std": (alpha.std(correction=0).item(),),
        "α, least": (alpha.min().item(),),
        "α, greatest": (alpha.max().item(),),
        "active dimensions": (health.active,),
        "null dimensions": (health.null,),
        "parameters": (health.parameters,),
    }
    return table("field health", ("value",), rows, "of the modulator, whatever it is given")


def experts_table(modulator: FieldModulator) -> Table:
    """Each expert's template, deformation and size."""
    rows = {
        f"k = {one.k}": (one.template_squared_volume, one.deformation_norm, one.parameters)
        for one in modulator.health().experts
    }
    columns = ("template V²", "norm of the deformation's weights", "parameters")
    return table("field experts", columns, rows, "a regular k-simplex of edge 1 each")


def map_table(modulator: FieldModulator, found: FieldMap) -> Table:
    """By layer and expert: α, running validity, and what a hundred definitions' tokens show."""
    health = modulator.health()
    rows = {
        f"layer {layer}, k = {k}": (
            health.alpha[layer][e],
            health.validity[layer][e],
            found.spanning[layer, e].item(),
            found.volume[layer, e].item(),
            found.validity[layer, e].item(),
        )
        for layer in range(len(modulator.logit))
        for e, k in enumerate(modulator.settings.experts)
    }
    columns = ("α", "running validity", "share with V² > 0", "mean V²", "validity gate")
    return table("field by layer and expert", columns, rows, "running validity: 0 if untrained")


def relations_table(found: Mapping[str, tuple[Relations, Detail]]) -> Table:
    """Relations before and after, and the change."""
    numbers = {name: _numbers(*one) for name, one in found.items()}
    first, last = list(numbers.values())
    numbers["Δ"] = tuple(b - a for a, b in zip(first, last, strict=True))
    columns = ("Pearson", "Spearman", "gradient", "CV", "mean volume", "preservation", "its std")
    return table("field relations", columns, numbers, "of the encoder without and with the field")


def bands_table(found: FieldFindings) -> Table:
    """Mean cosines by band of path similarity before and after (SPEC R4)."""
    before, after = found.before[1], found.after[1]
    rows: dict[str, Sequence[Cell]] = {
        str(band): cells
        for band, *cells in zip(
            relations.BANDS,
            before.counts,
            before.cosines,
            after.cosines,
            changes(after, before),
            strict=True,
        )
    }
    return table("field bands", ("pairs", "original", "field", "Δ"), rows, "by path similarity")


def checks_table(modulator: FieldModulator, checks: Mapping[str, CvCheck]) -> Table:
    """CV checks of the plain and the modulated encoder, in two forms."""
    target = f"{modulator.settings.cv_target:g} ± {modulator.settings.cv_reach:g}"
    rows: dict[str, tuple[Cell, ...]] = {
        name: (one.cv, one.mean, one.valid, "yes" if one.in_band else "no")
        for name, one in checks.items()
    }
    meaning = "the source's form: first 8 coordinates, points may repeat in a simplex"
    return table("field cv checks", ("CV", "mean volume", "valid", f"in {target}"), rows, meaning)


def test_table(found: SelfTest) -> Table:
    """What a forward pass on random states shows."""
    asked = {
        "shapes kept": found.shapes_kept,
        "null space untouched, bit for bit": found.null_untouched,
        "active dimensions changed": found.active_changed,
    }
    rows: dict[str, tuple[Cell, ...]] = {n: ("yes" if x else "NO",) for n, x in asked.items()}
    return table("field self-test", ("in every layer",), rows, "states from N(0, 1)")


def _numbers(found: Relations, more: Detail) -> tuple[float, ...]:
    r = found
    means = (r.pearson, r.spearman, r.gradient, r.cv, more.volume)
    return (*means, r.preservation, more.preservation_std)


def _training_figures(modulator: FieldModulator, history: History) -> list[Figure]:
    epochs = tuple(float(epoch) for epoch in range(1, len(history.training) + 1))
    losses = {"training": rounded(history.training), "held out": rounded(history.held_out)}
    figures = [
        Figure("field losses", "lines", epochs, losses, x_label="epoch", y_label="loss per token")
    ]
    if history.cv:
        s = modulator.settings
        band = {"lower edge": s.cv_target - s.cv_reach, "upper edge": s.cv_target + s.cv_reach}
        checks = tuple(float(check) for check in range(1, len(history.cv) + 1))
        series = {"500 definitions": rounded(history.cv)}
        figures.append(
            Figure(
                "field cv",
                "lines",
                checks,
                series,
                levels=band,
                x_label="check",
                y_label="CV of volumes",
            )
        )
    return figures


def _experts(modulator: FieldModulator) -> list[str]:
    return [f"k = {k}" for k in modulator.settings.experts]


def _layers(modulator: FieldModulator) -> list[str]:
    return [f"layer {layer}" for layer in range(len(modulator.logit))]

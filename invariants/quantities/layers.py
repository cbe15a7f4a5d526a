"""Quantities across layers (SPEC W5, W6)."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import CorrelationRow
from geometric_invariants.geometry import controls
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.layers import NormScale
from geometric_invariants.invariants.drawn import boxes, heatmap, table
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.groups import told_apart
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.reports.exhibits import Figure, Table


@dataclass(frozen=True, slots=True)
class _Norm:
    """The scales of one normalisation layer."""

    stack: str
    layer: int | None
    tensor: str
    scale: NormScale


_SHALLOW = 12
_TOLD = 0.01  # the reach that the claim allows


def cross_layer_correlation(model: Model) -> Finding:
    """Mean cosine of adjacent layers' flattened attention weights.

    Asserted where the weights are many enough to tell 0.01 from none.
    """
    rows = by_stack(model, model.survey.correlations, lambda row: row.stack)
    attention = by_stack(model, filter(_is_attention, rows.all), lambda row: row.stack)
    judged = attention.judged
    if not judged:
        raise NotApplicableError("no attention weight of one shape stands in two layers")
    pairs = sum(len(row.correlation.adjacent) for row in judged)
    smallest = min(row.correlation.numel for row in judged)
    null = controls.random_matrix_cosine(smallest, pairs)
    return Finding(
        estimate=exact(_mean_adjacent(judged)),
        in_source_design=null.half_width < _TOLD,
        design="mean over adjacent layers and attention's roles",
        controls=(
            Named(
                "independent layers",
                null,
                "zero-mean weights drawn layer by layer",
            ),
        ),
        related=(
            Named("adjacent pairs", exact(pairs), f"of {len(judged)} roles"),
            *(
                Named(f"{stack}, apart", exact(_mean_adjacent(others)), "a network of its own")
                for stack, others in attention.apart.items()
            ),
        ),
        parts={
            name: row.correlation.adjacent.mean().item()
            for name, row in _named(attention.all).items()
        },
        part_noise=max(_half_width(row) for row in attention.all),
        figures=()
        if model.is_twin
        else tuple(_heat_map(*named) for named in _named(rows.all).items() if _is_drawn(named[1])),
        tables=() if model.is_twin else (_adjacent(rows.all),),
    )


def _half_width(row: CorrelationRow) -> float:
    """How far another order of each layer's heads may move the mean of one role."""
    correlation = row.correlation
    return controls.random_matrix_cosine(correlation.numel, len(correlation.adjacent)).half_width


def layernorm_scale(model: Model) -> Finding:
    """Mean scale of all normalisation layers, and how many scales lie far from one."""
    found = by_stack(model, model.survey.norms, lambda row: row.weight.stack)
    if not found.judged:
        raise NotApplicableError("no normalisation layer was found among the weights")
    known = [
        _Norm(row.weight.stack, row.weight.layer, row.weight.tensor, row.scale)
        for row in found.all
        if row.scale is not None
    ]
    norms = by_stack(model, known, lambda norm: norm.stack)
    if not norms.judged:
        raise NotApplicableError("convention unknown: 1 + w or w; config.json would tell")
    total = sum(norm.scale.size for norm in norms.judged)
    counts = {
        "above 1.5": sum(norm.scale.above for norm in norms.judged),
        "below 0.5": sum(norm.scale.below for norm in norms.judged),
        "within 0.8 – 1.2": sum(norm.scale.near_one for norm in norms.judged),
    }
    unknown = len(found.judged) - len(norms.judged)
    return Finding(
        estimate=exact(_mean_scale(norms.judged)),
        design="mean over the scales of all layers",
        controls=(Named("initialisation", exact(1.0), "every scale starts at one"),),
        related=(
            Named("scales", exact(total), f"of {len(norms.judged)} layers"),
            *(
                Named(name, exact(count / total), "share of all scales")
                for name, count in counts.items()
            ),
            *(
                Named(f"{stack}, apart", exact(_mean_scale(others)), "a network of its own")
                for stack, others in norms.apart.items()
            ),
        ),
        parts=_by_layer(norms.all),
        figures=() if model.is_twin else (_boxes(norms.all),),
        tables=() if model.is_twin else (_by_norm(norms.all),),
        notes=(f"{unknown} layers left out: not known whether they scale by w or 1 + w",)
        if unknown
        else (),
    )


def _by_layer(norms: list[_Norm]) -> dict[str, float]:
    """The mean scale of each layer, whatever its norms are called."""
    members: dict[str, list[_Norm]] = {}
    for norm in norms:
        if norm.layer is not None:
            members.setdefault(f"{norm.stack} layer {norm.layer}", []).append(norm)
    return {label: _mean_scale(own) for label, own in members.items()}


def _named(rows: Sequence[CorrelationRow]) -> dict[str, CorrelationRow]:
    """Rows by stack and role, by shape where a role has several, by tensors where that has too."""
    labels = [f"{row.stack} {row.role}" for row in rows]
    shapes = [" × ".join(map(str, row.shape)) for row in rows]
    by_shape = told_apart(labels, shapes, number=False)
    return dict(zip(told_apart(by_shape, [row.pattern for row in rows]), rows, strict=True))


def _is_attention(row: CorrelationRow) -> bool:
    return "_attn_" in row.role


def _mean_adjacent(rows: list[CorrelationRow]) -> float:
    return torch.cat([row.correlation.adjacent for row in rows]).mean().item()


def _mean_scale(norms: list[_Norm]) -> float:
    sizes = [norm.scale.size for norm in norms]
    return statistics.fmean((norm.scale.mean for norm in norms), weights=sizes)


def _adjacent(rows: list[CorrelationRow]) -> Table:
    """Cosines of adjacent layers by stack and role.

    Adjacent are neighbours among the layers that have a weight of that role and shape.
    """
    found = {}
    for name, row in _named(rows).items():
        cosines, null_std = row.correlation.adjacent, row.correlation.null_std
        mean, pairs = cosines.mean().item(), len(cosines)
        found[name] = (
            mean,
            cosines.min().item(),
            cosines.max().item(),
            pairs,
            null_std,
            mean / null_std * pairs**0.5,
        )
    columns = ("mean", "lowest", "highest", "pairs", "std of one at random", "z-score of the mean")
    meaning = "cosine of the flattened weights; at random: independent layers, around zero"
    return table("cosines of adjacent layers", columns, found, meaning)


def _is_drawn(row: CorrelationRow) -> bool:
    """All roles of a shallow stack, of a deep one the queries alone."""
    return len(row.correlation.cosines) <= _SHALLOW or row.role.endswith("attn_q")


def _heat_map(name: str, row: CorrelationRow) -> Figure:
    """All pairs of two layers; what is above the null stands in the label."""
    numbers = [str(layer) for layer in row.layers]
    layers = told_apart(numbers, [""] * len(numbers))
    pairs = row.correlation.cosines.clone().fill_diagonal_(math.nan)
    return heatmap(
        f"cosines between layers, {name}",
        layers,
        layers,
        pairs,
        x_label="layer",
        y_label=f"layer (cosine; at random 0 ± {row.correlation.null_std:.2g})",
    )


def _boxes(norms: list[_Norm]) -> Figure:
    scales = {n.tensor: torch.tensor(n.scale.quartiles, dtype=torch.float64) for n in norms}
    figure = boxes("norm scales", scales, x_label="norm", y_label="scale")
    return dataclasses.replace(figure, levels={"initialisation": 1.0})


def _by_norm(norms: list[_Norm]) -> Table:
    found = {
        norm.tensor: (
            *(norm.scale.mean, norm.scale.std, norm.scale.quartiles[0], norm.scale.quartiles[-1]),
            *(norm.scale.above, norm.scale.below, norm.scale.near_one, norm.scale.size),
        )
        for norm in norms
    }
    columns = ("mean", "std", "lowest", "highest", "> 1.5", "< 0.5", "within 0.8 – 1.2", "scales")
    meaning = "scales of each normalisation layer; as initialised all are one"
    return table("norms", columns, found, meaning)

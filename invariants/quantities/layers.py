"""Quantities across layers (SPEC W5, W6)."""

from __future__ import annotations

import torch

from fixtures.model import Model
from geometry import controls
from geometry.estimate import Estimate, Sampling, exact
from geometry.layers import LayerCorrelation
from invariants.finding import Finding, Named, NotApplicableError


def cross_layer_correlation(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine of adjacent layers' flattened attention weights."""
    del sampling
    rows = model.survey.correlations
    attention = [row for row in rows if "_attn_" in row.role]
    if not attention:
        raise NotApplicableError("no attention weight of one shape stands in two layers")
    adjacent = torch.cat([row.correlation.adjacent for row in attention])
    smallest = min(row.correlation.numel for row in attention)
    return Finding(
        estimate=exact(adjacent.mean().item()),
        design=f"{len(adjacent)} adjacent pairs, {len(attention)} roles",
        controls=(
            Named(
                "independent layers",
                controls.random_matrix_cosine(smallest, len(adjacent)),
                "zero-mean weights drawn layer by layer",
            ),
        ),
        related=tuple(
            named
            for row in rows
            for named in _described(f"{row.stack} {row.role}", row.correlation)
        ),
        parts={f"{r.stack} {r.role}": r.correlation.adjacent.mean().item() for r in attention},
    )


def layernorm_scale(model: Model, sampling: Sampling) -> Finding:
    """Mean scale of all normalisation layers, and how many scales lie far from one."""
    del sampling
    rows = model.survey.norms
    if not rows:
        raise NotApplicableError("no normalisation layer was found among the weights")
    total = sum(row.scale.size for row in rows)
    counts = {
        "above 1.5": sum(row.scale.above for row in rows),
        "below 0.5": sum(row.scale.below for row in rows),
        "within 0.8 – 1.2": sum(row.scale.near_one for row in rows),
    }
    return Finding(
        estimate=exact(sum(row.scale.mean * row.scale.size for row in rows) / total),
        design=f"{total} scales of {len(rows)} layers",
        controls=(Named("initialisation", exact(1.0), "every scale starts at one"),),
        related=tuple(
            Named(name, exact(count / total), "share of all scales")
            for name, count in counts.items()
        ),
        parts={row.weight.tensor: row.scale.mean for row in rows},
    )


def _described(name: str, correlation: LayerCorrelation) -> tuple[Named, ...]:
    adjacent = correlation.adjacent
    pairs = len(adjacent)
    mean = adjacent.mean().item()
    return (
        Named(
            f"{name} adjacent",
            Estimate(mean, adjacent.min().item(), adjacent.max().item(), 0, "range over pairs"),
            "mean and range",
        ),
        Named(
            f"{name} z-score",
            exact(mean / correlation.null_std * pairs**0.5),
            "of the mean, against independent layers",
        ),
    )

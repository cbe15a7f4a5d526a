"""Quantities of relative position biases (SPEC W7)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import position_bias
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.neurons import moments
from geometric_invariants.geometry.position_bias import BiasHead
from geometric_invariants.invariants.drawn import heatmap, table
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.reports.exhibits import Figure, Table


@dataclass(frozen=True, slots=True)
class _Bias:
    """One table [buckets, heads] and what its heads do."""

    name: str
    table: Tensor
    heads: list[BiasHead]

    def count(self, kind: str) -> int:
        return sum(head.kind == kind for head in self.heads)


def decoder_position_crystallization(model: Model) -> Finding:
    """Heads of the decoder's relative position biases that are neither local nor global.

    Of every table, where each layer has its own. Those of the encoder are shown beside.
    """
    weights = [w for w in model.layout.having("position_bias") if w.stack == "decoder"]
    if not weights:
        raise NotApplicableError("the decoder has no relative position bias")
    biases = [_bias(model, weight) for weight in weights]
    shown = [] if model.is_twin else [*_beside(model), *biases]
    return Finding(
        estimate=exact(_count(biases, "mixed")),
        design="heads of all decoder tables whose peak is in neither first nor last three buckets",
        controls=(
            Named(
                "random biases",
                position_bias.random_mixed_heads(
                    [(len(bias.table), len(bias.heads)) for bias in biases]
                ),
                "heads whose peak is in any bucket alike",
            ),
        ),
        related=(
            Named(
                "heads",
                exact(sum(len(bias.heads) for bias in biases)),
                f"of {len(biases[0].table)} buckets",
            ),
            Named("local heads", exact(_count(biases, "local")), "peak in the first three buckets"),
            Named("global heads", exact(_count(biases, "global")), "peak in the last three"),
        ),
        parts={bias.name: bias.count("mixed") for bias in biases} if len(biases) > 1 else {},
        figures=tuple(map(_heat_map, shown)),
        tables=(_by_head(shown), _overall(shown)) if shown else (),
    )


def _bias(model: Model, weight: Weight) -> _Bias:
    table = weight.cut.take(model.checkpoint.read(weight.tensor))
    name = weight.stack if weight.layer is None else f"{weight.stack} layer {weight.layer}"
    try:
        return _Bias(name, table, position_bias.bias_heads(table))
    except ValueError as error:
        file = model.checkpoint.tensors[weight.tensor].file
        raise CheckpointError(f"{file}: {weight.tensor}: {error}") from error


def _count(biases: list[_Bias], kind: str) -> int:
    return sum(bias.count(kind) for bias in biases)


def _beside(model: Model) -> list[_Bias]:
    """The tables of other stacks than the decoder."""
    weights = model.layout.having("position_bias")
    return [_bias(model, weight) for weight in weights if weight.stack != "decoder"]


def _by_head(biases: list[_Bias]) -> Table:
    found = {
        f"{bias.name} head {i}": (
            *(head.kind, head.peak, head.amplitude, head.non_increasing),
            *(head.bucket_correlation, head.mean, head.std),
        )
        for bias in biases
        for i, head in enumerate(bias.heads)
    }
    columns = (
        *("kind", "peak bucket", "range", "share of non-increasing steps"),
        *("correlation with bucket", "mean", "std"),
    )
    meaning = (
        "local: the peak is in the first three buckets, global: in the last three; steps in the"
        " first half of the buckets, of which random biases have half non-increasing"
    )
    return table("position bias by head", columns, found, meaning)


def _overall(biases: list[_Bias]) -> Table:
    found = {}
    for bias in biases:
        whole = moments(bias.table.flatten())
        size = len(bias.table), len(bias.heads)
        found[bias.name] = (
            *(whole.mean, whole.std, whole.lowest, whole.highest),
            *(bias.count("local"), bias.count("global"), bias.count("mixed")),
            position_bias.random_mixed_heads([size]).value,
        )
    columns = (
        *("mean", "std", "lowest", "highest", "local heads", "global heads", "mixed heads"),
        "mixed at random",
    )
    return table("position bias", columns, found, "over all buckets and heads of a table")


def _heat_map(bias: _Bias) -> Figure:
    return heatmap(
        f"position bias, {bias.name}",
        [f"head {i}" for i in range(len(bias.heads))],
        [str(i) for i in range(len(bias.table))],
        bias.table.double().mT,
        x_label="bucket",
        y_label="bias",
    )

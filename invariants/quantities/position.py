"""Quantities of relative position biases (SPEC W7)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fixtures.architecture.roles import Weight
from fixtures.errors import CheckpointError
from fixtures.model import Model
from geometry import position_bias
from geometry.estimate import exact
from geometry.position_bias import BiasHead
from invariants.finding import Finding, Named, NotApplicableError
from reports.exhibits import Figure


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

    Of every table, where each layer has its own.
    """
    weights = [w for w in model.layout.having("position_bias") if w.stack == "decoder"]
    if not weights:
        raise NotApplicableError("the decoder has no relative position bias")
    biases = [_bias(model, weight) for weight in weights]
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
            *(named for bias in biases for named in _described(bias)),
        ),
        parts={bias.name: bias.count("mixed") for bias in biases} if len(biases) > 1 else {},
        figures=tuple(map(_heat_map, biases)),
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


def _described(bias: _Bias) -> tuple[Named, ...]:
    return tuple(
        Named(
            f"{bias.name} head {i}: amplitude", exact(head.amplitude), f"{head.kind}, {head.peak}"
        )
        for i, head in enumerate(bias.heads)
    )


def _heat_map(bias: _Bias) -> Figure:
    return Figure(
        f"{bias.name}: bias by bucket",
        "heatmap",
        tuple(map(str, range(len(bias.table)))),
        {f"head {i}": tuple(row) for i, row in enumerate(bias.table.double().mT.tolist())},
    )

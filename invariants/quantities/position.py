"""Quantities of relative position biases (SPEC W7)."""

from __future__ import annotations

from fixtures.errors import CheckpointError
from fixtures.model import Model
from geometry import position_bias
from geometry.estimate import Sampling, exact
from invariants.finding import Finding, Named, NotApplicableError
from reports.results import Figure


def decoder_position_crystallization(model: Model, sampling: Sampling) -> Finding:
    """Heads of the decoder's relative position bias that are neither local nor global."""
    del sampling
    tables = [w for w in model.layout.having("position_bias") if w.stack == "decoder"]
    if not tables:
        raise NotApplicableError("the decoder has no relative position bias")
    weight = tables[0]
    bias = weight.cut.take(model.checkpoint.read(weight.tensor))
    try:
        heads = position_bias.bias_heads(bias)
    except ValueError as error:
        file = model.checkpoint.tensors[weight.tensor].file
        raise CheckpointError(f"{file}: {weight.tensor}: {error}") from error
    kinds = [head.kind for head in heads]
    return Finding(
        estimate=exact(kinds.count("mixed")),
        design=f"{len(heads)} heads of {weight.shape[0]} buckets",
        controls=(
            Named(
                "random biases",
                position_bias.random_mixed_heads(weight.shape[0], len(heads)),
                "heads whose peak is in any bucket alike",
            ),
        ),
        related=(
            Named("local heads", exact(kinds.count("local")), "peak in the first three buckets"),
            Named("global heads", exact(kinds.count("global")), "peak in the last three"),
            *(
                Named(f"head {i}: amplitude", exact(head.amplitude), f"{head.kind}, {head.peak}")
                for i, head in enumerate(heads)
            ),
        ),
        figures=(
            Figure(
                "bias by bucket",
                "heatmap",
                tuple(map(str, range(len(bias)))),
                {f"head {i}": tuple(row) for i, row in enumerate(bias.double().mT.tolist())},
            ),
        ),
    )

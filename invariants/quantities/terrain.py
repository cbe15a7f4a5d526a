"""Quantities of forward passes (SPEC G9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from geometric_invariants.fixtures.loaded import LoadedModel
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.representations import both_stacks, check_rows
from geometric_invariants.fixtures.texts.corpora import SENTENCES, TRANSLATIONS
from geometric_invariants.geometry import embedding
from geometric_invariants.geometry.estimate import Estimate, exact, mean, normal
from geometric_invariants.geometry.hidden_states import (
    averaged,
    layer_summary,
    mean_by_position,
    position_cosines,
)
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.reports.exhibits import Figure, Table


def layer_evolution(model: Model) -> Finding:
    """Mean cosine between positions after the last layer, over the project's ten sentences."""
    loaded, texts = _for_passes(model, SENTENCES)
    states = [loaded.states(ids) for ids in texts]
    width = states[0][-1].shape[1]
    design = f"{len(texts)} sentences"
    pairs = sum(len(ids) * (len(ids) - 1) // 2 for ids in texts)
    control = _random_directions(width, pairs)
    if model.is_twin:
        last = [layer_summary(text[-1]).cosine_mean for text in states]
        return Finding(mean(torch.tensor(last)), design, (control,))
    by_text = [[layer_summary(layer) for layer in text] for text in states]
    layers = [averaged(summaries) for summaries in zip(*by_text, strict=True)]
    names = ["embedding output", *(f"layer {i}" for i in range(1, len(layers)))]
    return Finding(
        estimate=mean(torch.tensor([summaries[-1].cosine_mean for summaries in by_text])),
        design=design,
        controls=(control,),
        related=(
            Named("positions", exact(sum(map(len, texts))), "of all sentences"),
            Named("width", exact(width), "of a state"),
        ),
        parts={name: layer.cosine_mean for name, layer in zip(names, layers, strict=True)},
        figures=(
            _by_layer(
                "norm of a token, by layer",
                {"mean ± std": [(layer.norm_mean, layer.norm_std) for layer in layers]},
                "norm of a state",
            ),
            _by_layer(
                "cosine between positions, by layer",
                {
                    "mean ± std": [(layer.cosine_mean, layer.cosine_std) for layer in layers],
                    "random directions": [(0.0, width**-0.5)] * len(layers),
                },
                "cosine of two positions",
            ),
        ),
        tables=(
            drawn.table(
                "states by layer",
                ("norm, mean", "norm, std", "cosine, mean", "cosine, std"),
                {
                    name: (x.norm_mean, x.norm_std, x.cosine_mean, x.cosine_std)
                    for name, x in zip(names, layers, strict=True)
                },
                "over the positions of a sentence and their pairs, averaged over sentences",
            ),
        ),
    )


def encoder_decoder_cosine(model: Model) -> Finding:
    """Mean cosine, position by position, of the encoder's last states with the decoder's.

    The encoder reads an English sentence, the decoder its counterpart in another language beside
    it; positions that both have are compared. Source: SPEC G9.
    """
    loaded, sources = _for_passes(model, [english for english, _ in TRANSLATIONS])
    if not loaded.is_encoder_decoder:
        raise NotApplicableError("the model is no encoder–decoder")
    _, targets = _for_passes(model, [other for _, other in TRANSLATIONS])
    states = [both_stacks(loaded, *texts) for texts in zip(sources, targets, strict=True)]
    width, other = (stack[-1].shape[1] for stack in states[0])
    if width != other:
        raise NotApplicableError(f"encoder states have {width} dimensions, decoder states {other}")
    by_depth = {
        name: [position_cosines(*(_at(stack, depth) for stack in both)) for both in states]
        for name, depth in (("embedding output", 0.0), ("half way", 0.5), ("last layer", 1.0))
    }
    last = torch.cat(by_depth["last layer"])
    judged, design = mean(last), f"{len(TRANSLATIONS)} sentences and their translations"
    control = _random_directions(width, len(last))
    if model.is_twin:
        return Finding(judged, design, (control,))
    return Finding(
        estimate=judged,
        design=design,
        controls=(control,),
        related=(Named("positions", exact(len(last)), "that both texts have"),),
        parts={name: torch.cat(cosines).mean().item() for name, cosines in by_depth.items()},
        figures=(_by_position(by_depth, width),),
        tables=(_final_states(states),),
    )


def _by_position(by_depth: Mapping[str, Sequence[Tensor]], width: int) -> Figure:
    longest = max(map(len, by_depth["last layer"]))
    return Figure(
        "encoder–decoder cosine by position",
        "lines",
        tuple(map(float, range(longest))),
        {
            **{name: drawn.rounded(mean_by_position(rows)) for name, rows in by_depth.items()},
            "random directions": (0.0,) * longest,
        },
        spread={"random directions": drawn.rounded([width**-0.5] * longest)},
        x_label="position",
        y_label="cosine of encoder and decoder states",
    )


def _final_states(states: Sequence[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]) -> Table:
    """Shapes and norms of the states after the last layer of each stack."""
    rows = {}
    for stack, name in enumerate(("encoder", "decoder")):
        last = [both[stack][-1] for both in states]
        norms = torch.cat([embedding.row_norms(text) for text in last])
        shape = len(states[0][stack]) - 1, len(last), len(norms), last[0].shape[1]
        rows[name] = (*shape, norms.mean().item(), norms.std(correction=0).item())
    return drawn.table(
        "final states",
        ("layers", "texts", "positions", "width", "norm, mean", "norm, std"),
        rows,
        "after the last layer; positions of all texts together",
    )


def _for_passes(model: Model, texts: Sequence[str]) -> tuple[LoadedModel, list[list[int]]]:
    """The loaded model and texts as its tokens. Raises CheckpointError where one has no row."""
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    if model.why_not_loadable:
        raise NotApplicableError(f"no forward pass: {model.why_not_loadable}")
    tokens = model.vocabulary.encode_all(texts)
    if min(map(len, tokens)) < 2:
        raise NotApplicableError("the vocabulary makes one token of a sentence")
    check_rows(model, [id_ for text in tokens for id_ in text])
    return model.loaded, tokens


def _at(states: tuple[Tensor, ...], depth: float) -> Tensor:
    return states[round(depth * (len(states) - 1))]


def _random_directions(width: int, count: int) -> Named:
    """Mean of as many cosines of independent directions, each of std 1/√width."""
    null: Estimate = normal(0.0, (width * count) ** -0.5, method="closed form")
    return Named("random directions", null, "states that point anywhere alike")


def _by_layer(
    title: str, series: Mapping[str, Sequence[tuple[float, float]]], y_label: str
) -> Figure:
    """Means by layer, with the std about each."""
    columns = {name: list(zip(*values, strict=True)) for name, values in series.items()}
    (count,) = {len(values) for values in series.values()}
    return Figure(
        title,
        "lines",
        tuple(map(float, range(count))),
        {name: drawn.rounded(means) for name, (means, _) in columns.items()},
        spread={name: drawn.rounded(stds) for name, (_, stds) in columns.items()},
        x_label="layer (0: embedding output)",
        y_label=y_label,
    )

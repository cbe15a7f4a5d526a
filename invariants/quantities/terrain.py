"""Quantities of forward passes and of the model as a whole (SPEC G9 – G11)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fixtures.corpora import SENTENCES, TRANSLATIONS
from fixtures.loaded import LoadedModel
from fixtures.model import Model
from fixtures.representations import both_stacks, check_rows
from geometry import embedding
from geometry.estimate import Estimate, exact, mean, normal
from geometry.hidden_states import (
    averaged,
    layer_summary,
    mean_by_position,
    position_cosines,
)
from invariants.finding import Finding, Named, NotApplicableError
from reports.exhibits import Figure


def layer_evolution(model: Model) -> Finding:
    """Mean cosine between positions after the last layer, over the project's ten sentences."""
    loaded, texts = _for_passes(model, SENTENCES)
    states = [loaded.states(ids) for ids in texts]
    by_text = [[layer_summary(layer) for layer in text] for text in states]
    layers = [averaged(summaries) for summaries in zip(*by_text, strict=True)]
    pairs = sum(len(ids) * (len(ids) - 1) // 2 for ids in texts)
    last = torch.tensor([summaries[-1].cosine_mean for summaries in by_text])
    names = ["embedding output", *(f"layer {i}" for i in range(1, len(layers)))]
    return Finding(
        estimate=mean(last),
        design=f"{len(texts)} sentences",
        controls=(_random_directions(states[0][-1].shape[1], pairs),),
        related=tuple(
            named
            for name, layer in zip(names, layers, strict=True)
            for named in (
                Named(f"{name}: norm", exact(layer.norm_mean), "mean over tokens"),
                Named(f"{name}: spread of norms", exact(layer.norm_std), "std over tokens"),
                Named(f"{name}: spread of cosines", exact(layer.cosine_std), "std over pairs"),
            )
        ),
        parts={name: layer.cosine_mean for name, layer in zip(names, layers, strict=True)},
        figures=(
            _by_layer("norm of a token, by layer", [(x.norm_mean, x.norm_std) for x in layers]),
            _by_layer(
                "cosine between positions, by layer",
                [(x.cosine_mean, x.cosine_std) for x in layers],
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
    norms = {
        name: mean(torch.cat([embedding.row_norms(both[stack][-1]) for both in states]))
        for stack, name in enumerate(("encoder", "decoder"))
    }
    longest = max(map(len, by_depth["last layer"]))
    return Finding(
        estimate=mean(last),
        design=f"{len(TRANSLATIONS)} sentences and their translations",
        controls=(_random_directions(width, len(last)),),
        related=(
            *(
                Named(f"{stack} norm", value, "of a token after the last layer")
                for stack, value in norms.items()
            ),
            Named("positions", exact(len(last)), "that both texts have"),
        ),
        parts={name: torch.cat(cosines).mean().item() for name, cosines in by_depth.items()},
        figures=(
            Figure(
                "cosine of encoder and decoder, by position",
                "lines",
                tuple(map(float, range(longest))),
                {name: mean_by_position(cosines) for name, cosines in by_depth.items()},
            ),
        ),
    )


def special_token_norm(model: Model) -> Finding:
    """Mean norm of the special tokens' rows over the mean norm of all rows."""
    table = model.embedding
    if table is None or model.vocabulary is None:
        raise NotApplicableError("no token-embedding table, or no tokenizer beside it")
    named = model.vocabulary.special()
    special = {name: row for name, row in named.items() if row < len(table)}
    rowless = [name for name in named if name not in special]
    if len(special) < 2:
        raise NotApplicableError("the vocabulary has no special tokens of a known name")
    rows = table[torch.tensor(list(special.values()), device=table.device)]
    norms = embedding.row_norms(rows)
    summary = embedding.norm_summary(table)
    spread = summary.std / summary.mean / len(special) ** 0.5
    cosines = embedding.cosine_matrix(rows)
    above = torch.ones_like(cosines, dtype=torch.bool).triu(1)
    return Finding(
        estimate=exact(norms.mean().item() / summary.mean),
        design=", ".join(special),
        controls=(
            Named("random rows", normal(1.0, spread, method="closed form"), "as many, at random"),
        ),
        related=(
            Named("mean cosine", exact(cosines[above].mean().item()), "between special tokens"),
            Named("largest cosine", exact(cosines[above].max().item()), "the same"),
            Named("smallest cosine", exact(cosines[above].min().item()), "the same"),
        ),
        parts=dict(zip(special, norms.tolist(), strict=True)),
        figures=(
            Figure(
                "cosines of the special tokens",
                "heatmap",
                tuple(special),
                {name: tuple(row) for name, row in zip(special, cosines.tolist(), strict=True)},
            ),
        ),
        notes=(f"the embedding has no row for {', '.join(rowless)}",) if rowless else (),
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


def _at(states: tuple[torch.Tensor, ...], depth: float) -> torch.Tensor:
    return states[round(depth * (len(states) - 1))]


def _random_directions(width: int, count: int) -> Named:
    """Mean of as many cosines of independent directions, each of std 1/√width."""
    null: Estimate = normal(0.0, (width * count) ** -0.5, method="closed form")
    return Named("random directions", null, "states that point anywhere alike")


def _by_layer(title: str, values: Sequence[tuple[float, float]]) -> Figure:
    """Means by layer, with the std about each."""
    means, stds = zip(*values, strict=True)
    places = tuple(map(float, range(len(values))))
    return Figure(title, "lines", places, {"mean": means}, spread={"mean": stds})

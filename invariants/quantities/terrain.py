"""Quantities of forward passes and of the model as a whole (SPEC G9 – G11)."""

from __future__ import annotations

import torch

from fixtures.corpora import SENTENCES
from fixtures.loaded import LoadedModel
from fixtures.model import Model
from geometry import embedding
from geometry.estimate import Estimate, Sampling, exact, mean, normal
from geometry.hidden_states import averaged, layer_summary
from invariants.finding import Finding, Named, NotApplicableError
from reports.results import Figure


def layer_evolution(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine between positions after the last layer, over the project's ten sentences."""
    del sampling
    loaded, texts = _for_passes(model)
    by_text = [[layer_summary(s) for s in loaded.states(ids)] for ids in texts]
    layers = [averaged(summaries) for summaries in zip(*by_text, strict=True)]
    pairs = sum(len(ids) * (len(ids) - 1) // 2 for ids in texts)
    last = torch.tensor([summaries[-1].cosine_mean for summaries in by_text])
    names = ["embedding output", *(f"layer {i}" for i in range(1, len(layers)))]
    return Finding(
        estimate=mean(last),
        design=f"{len(texts)} sentences, {len(layers) - 1} layers",
        controls=(_random_directions(model, pairs),),
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
            _by_layer("norm of a token, by layer", [layer.norm_mean for layer in layers]),
            _by_layer("cosine between positions, by layer", [x.cosine_mean for x in layers]),
        ),
    )


def encoder_decoder_cosine(model: Model, sampling: Sampling) -> Finding:
    """Mean cosine of encoder and decoder states of one token, after the last layer of both."""
    del sampling
    loaded, texts = _for_passes(model)
    if not loaded.is_encoder_decoder:
        raise NotApplicableError("the model is no encoder–decoder")
    encoded = [loaded.states(ids) for ids in texts]
    decoded = [loaded.decoder_states(ids) for ids in texts]
    last = _between(encoded, decoded, 1.0)
    norms = {
        stack: mean(torch.cat([embedding.row_norms(states[-1]) for states in both]))
        for stack, both in (("encoder", encoded), ("decoder", decoded))
    }
    return Finding(
        estimate=mean(last),
        design=f"{len(texts)} sentences, {len(last)} positions",
        controls=(_random_directions(model, len(last)),),
        related=tuple(
            Named(f"{stack} norm", value, "of a token after the last layer")
            for stack, value in norms.items()
        ),
        parts={
            "embedding output": _between(encoded, decoded, 0.0).mean().item(),
            "half way": _between(encoded, decoded, 0.5).mean().item(),
            "last layer": last.mean().item(),
        },
    )


def special_token_norm(model: Model, sampling: Sampling) -> Finding:
    """Mean norm of the special tokens' rows over the mean norm of all rows."""
    del sampling
    table = model.embedding
    if table is None or model.vocabulary is None:
        raise NotApplicableError("no token-embedding table, or no tokenizer beside it")
    special = model.vocabulary.special()
    special = {name: row for name, row in special.items() if row < len(table)}
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
        design=f"{', '.join(special)} of {len(table)} rows",
        controls=(
            Named("random rows", normal(1.0, spread, method="closed form"), "as many, at random"),
        ),
        related=(
            Named("mean cosine", exact(cosines[above].mean().item()), "between special tokens"),
            Named("largest cosine", exact(cosines[above].max().item()), "the same"),
            Named("smallest cosine", exact(cosines[above].min().item()), "the same"),
        ),
        parts=dict(zip(special, norms.tolist(), strict=True)),
    )


def _for_passes(model: Model) -> tuple[LoadedModel, list[list[int]]]:
    """The loaded model and the ten sentences as its tokens."""
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    if not model.checkpoint.config.get("architectures"):
        raise NotApplicableError("the config names no architecture to load for a forward pass")
    return model.loaded, [model.vocabulary.encode(sentence) for sentence in SENTENCES]


def _between(
    encoded: list[tuple[torch.Tensor, ...]], decoded: list[tuple[torch.Tensor, ...]], depth: float
) -> torch.Tensor:
    """Cosines by position, over all texts, at the same relative depth of both stacks."""
    return torch.cat(
        [
            embedding.row_cosines(_at(one, depth), _at(other, depth))
            for one, other in zip(encoded, decoded, strict=True)
        ]
    )


def _at(states: tuple[torch.Tensor, ...], depth: float) -> torch.Tensor:
    return states[round(depth * (len(states) - 1))]


def _random_directions(model: Model, count: int) -> Named:
    width = model.loaded.module.config.hidden_size
    null: Estimate = normal(0.0, (width * count) ** -0.5, method="closed form")
    return Named("random directions", null, "states that point anywhere alike")


def _by_layer(title: str, values: list[float]) -> Figure:
    return Figure(title, "lines", tuple(map(float, range(len(values)))), {"mean": tuple(values)})

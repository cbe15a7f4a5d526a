"""A modulator made from WordNet's Wu–Palmer geometry, and a model's encoder under it (SPEC M2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from tqdm import tqdm

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.representations import encode
from geometric_invariants.geometry import relations
from geometric_invariants.geometry.alignment import (
    Procrustes,
    orthogonal_procrustes,
    principal_components,
)
from geometric_invariants.geometry.embedding import row_cosines
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.hooks import modulated, transformer_blocks
from geometric_invariants.geometry.modulation.lerp import (
    DIMENSIONS,
    START,
    LerpModulator,
    SpectralEmbedding,
    spectral_embedding,
    spread_to_neighbours,
)
from geometric_invariants.invariants.experiments.modulation.measured import (
    Probe,
    draw_anchors,
    draw_probe,
)
from geometric_invariants.invariants.experiments.relations import (
    LONGEST,
    Words,
    matched_words,
    prompt_of,
    taxonomy,
    words_of,
)
from geometric_invariants.invariants.finding import NotApplicableError

SCALE = 0.1
Form = Literal["normal", "zero", "dealt"]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Anchors' cosines after Procrustes, and the scale that would then come nearest."""

    cosine_mean: float
    cosine_std: float
    scale: float


@dataclass(frozen=True)
class Overlay:
    """A LERP modulator made from Wu–Palmer similarity on one draw of anchors.

    `tokens` [words] are the matched words' rows of the modulator, `texts` their definitions; all
    other rows are drawn from N(0, 1), as an embedding begins. `reconstruction`: correlation of the
    64-d products with the target similarities; `eigenvalues`: the target's five largest.
    `aligned` is the Procrustes fit onto the encoder's principal components, `aligned_null` that of
    row-shuffled anchors; `encoder_norm` is the mean norm of the anchors' representations.
    """

    modulator: LerpModulator
    words: Words
    tokens: Tensor
    anchors: Tensor
    texts: list[list[int]]
    probe: Probe
    reconstruction: float
    eigenvalues: tuple[float, ...]
    aligned: Aligned
    aligned_null: Aligned
    encoder_norm: float


def overlay(model: Model, sampling: Sampling, draw: int = 0) -> Overlay:
    """M2 up to the modulator, whose α is still to be chosen, on one of the draws of a seed.

    Raises NotApplicableError where the model has too few words, or no encoder to attach to.
    """
    words = words_of(model, sampling)
    anchors = draw_anchors(words, sampling, draw)
    if len(anchors) < 4 * DIMENSIONS:
        raise NotApplicableError(f"{len(anchors)} words are too few for {DIMENSIONS} dimensions")
    generator = sampling.generator(f"overlay, draw {draw}")
    target, spectral = _spectral(words.synsets[anchors])
    geometric = spectral.rows
    encoded = words.encoder[anchors]
    components = principal_components(encoded, DIMENSIONS)
    reduced = nn.functional.normalize(components.project(encoded))
    fit = orthogonal_procrustes(geometric, reduced)
    shuffled = reduced[torch.randperm(len(anchors), generator=generator)]
    norm = torch.linalg.vector_norm(encoded, dim=1, dtype=torch.float64).mean()
    tokens = matched_words(model).tokens[words.entries]
    modulator = LerpModulator(_rows(model), encoded.shape[1], depth(model), generator=generator)
    with torch.no_grad():
        modulator.geometric[tokens] = _of_all_words(words, anchors, geometric).float()
        projection = components.axes @ fit.rotation.mT * SCALE * norm
        modulator.projection.copy_(projection.float())
    return Overlay(
        modulator=modulator.to(model.device),
        words=words,
        tokens=tokens,
        anchors=anchors,
        texts=_definitions(model, words),
        probe=draw_probe(words, anchors, sampling, draw),
        reconstruction=_upper_correlation(geometric @ geometric.mT, target),
        eigenvalues=tuple(spectral.eigenvalues[:5].tolist()),
        aligned=_aligned(fit, geometric, reduced),
        aligned_null=_aligned(orthogonal_procrustes(geometric, shuffled), geometric, shuffled),
        encoder_norm=norm.item(),
    )


def _spectral(synsets: Tensor) -> tuple[Tensor, SpectralEmbedding]:
    """Wu–Palmer similarities of synsets [n, n], and their spectral embedding."""
    with tqdm(total=2, desc="Wu–Palmer", unit="step", disable=None, leave=False) as bar:
        target = _mirrored(taxonomy().wup_similarity_matrix(synsets, synsets))
        bar.update()
        spectral = spectral_embedding(target)
        bar.update()
    return target, spectral


def _aligned(fit: Procrustes, source: Tensor, target: Tensor) -> Aligned:
    mapped = fit.map(source)
    cosines = row_cosines(mapped, target)
    shared = ((mapped - fit.target) * (target - fit.target)).sum()
    scale = shared / (source - fit.source).square().sum()
    return Aligned(cosines.mean().item(), cosines.std(correction=0).item(), scale.item())


def overlay_of(model: Model, sampling: Sampling, draw: int = 0) -> Overlay:
    """The model's overlay, made once. Raises NotApplicableError unless it is encoder–decoder."""
    if model.is_twin or not model.checkpoint.config.get("is_encoder_decoder"):
        raise NotApplicableError("the modulators' claims are of trained encoder–decoders")
    key = f"overlay {sampling.seed} {sampling.samples} {draw}"
    if key not in model.memory:
        model.memory[key] = overlay(model, sampling, draw)
    found: Overlay = model.memory[key]
    return found


def in_form(laid: Overlay, form: Form, sampling: Sampling) -> Overlay:
    """The overlay in one of its forms.

    "normal": as made, where tokens of no word bring N(0, 1) rows (64-d, so eight times the norm of
    a word's), the source's form. "zero": those tokens bring nothing. "dealt", the null: the words'
    rows dealt to other words.
    """
    if form == "normal":
        return laid
    modulator = copied(laid.modulator)
    rows = modulator.geometric
    with torch.no_grad():
        own = rows[laid.tokens]
        if form == "zero":
            rows.zero_()
        else:
            own = own[torch.randperm(len(own), generator=sampling.generator("words dealt"))]
        rows[laid.tokens] = own
    return replace(laid, modulator=modulator)


def copied(source: LerpModulator, start: float = START) -> LerpModulator:
    """A modulator of the same embeddings and projection, whose α starts afresh."""
    copy = LerpModulator(
        len(source.geometric), len(source.projection), source.layers, start=start
    ).to(source.geometric.device)
    with torch.no_grad():
        copy.geometric.copy_(source.geometric)
        copy.projection.copy_(source.projection)
    return copy


def encode_at(model: Model, laid: Overlay, alpha: float) -> Tensor:
    """All words' definitions through the encoder, one α before every block; [words, d]."""
    laid.modulator.fix_alpha(alpha)
    return encode_under(model, laid.modulator, laid.texts)


def encode_under(
    model: Model, modulator: Any, texts: list[list[int]], *, progress: bool = False
) -> Tensor:
    """Texts through the modulated encoder, [texts, d]."""
    with attached(model, modulator):
        return encode(model.loaded, texts, progress=progress)


@contextmanager
def attached(model: Model, modulator: Any) -> Iterator[None]:
    """The modulator on the model's encoder, or on its only stack."""
    with modulated(stack_of(model), modulator):
        yield


def depth(model: Model) -> int:
    """Blocks of the stack that a modulator is attached to."""
    return len(transformer_blocks(stack_of(model)))


def _of_all_words(words: Words, anchors: Tensor, geometric: Tensor) -> Tensor:
    """The anchors' embeddings, and those of the other words from their nearest anchors."""
    found = torch.empty(len(words), geometric.shape[1], dtype=torch.float64)
    others = torch.ones(len(words), dtype=torch.bool)
    others[anchors] = False
    found[anchors] = geometric
    if others.any():
        found[others] = spread_to_neighbours(geometric, words.static[anchors], words.static[others])
    return found


def stack_of(model: Model) -> Any:
    """The module that a modulator is attached to: the encoder, or the only stack."""
    module = model.loaded.module
    return module.get_encoder() if model.loaded.is_encoder_decoder else module.base_model


def _rows(model: Model) -> int:
    assert model.embedding is not None
    return len(model.embedding)


def _definitions(model: Model, words: Words) -> list[list[int]]:
    assert model.vocabulary is not None
    prompt = prompt_of(model)
    texts = [prompt + words.wordnet.definitions[i] for i in words.synsets.tolist()]
    return model.vocabulary.encode_all(texts, LONGEST)


def _mirrored(similarity: Tensor) -> Tensor:
    """The upper triangle on both sides, ones on the diagonal; 0 where there is no similarity."""
    upper = similarity.nan_to_num().triu(1)
    return upper + upper.mT + torch.eye(len(upper), dtype=upper.dtype)


def _upper_correlation(a: Tensor, b: Tensor) -> float:
    above = torch.ones_like(a, dtype=torch.bool).triu(1)
    return relations.pearson(a[above], b[above])

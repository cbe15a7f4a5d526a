"""The modulator pipeline on a model: WordNet's geometry laid over its encoder (SPEC M2, M4, M5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fixtures.model import Model
from fixtures.representations import encode
from geometry import relations, simplex
from geometry.alignment import orthogonal_procrustes, principal_components
from geometry.embedding import row_cosines
from geometry.estimate import Sampling, coefficient_of_variation
from geometry.modulation.field import FieldModulator
from geometry.modulation.hooks import modulated, transformer_blocks
from geometry.modulation.lerp import (
    DIMENSIONS,
    START,
    LerpModulator,
    spectral_embedding,
    spread_to_neighbours,
)
from geometry.modulation.training import NOTEBOOKS, History, TrainingSettings, train
from invariants.experiments.relations import (
    LONGEST,
    Words,
    matched_words,
    prompt_of,
    taxonomy,
    words_of,
)
from invariants.finding import NotApplicableError

_LONGEST_LEMMA = 16
ANCHORS, PAIRS, SIMPLICES = 3_000, 50_000, 2_000
SCALE = 0.1
CONSTANT = 0.29154
ALPHAS = (0.0, 0.01, 0.25, CONSTANT, 0.35, 0.5)


@dataclass(frozen=True)
class Overlay:
    """A LERP modulator made from WordNet's Wu–Palmer geometry, and how well each step went.

    `reconstruction`: correlation of the 64-d products with the target similarities. `alignment`:
    mean cosine after Procrustes, `alignment_null` the same of row-shuffled anchors.
    """

    modulator: LerpModulator
    words: Words
    anchors: Tensor
    texts: list[list[int]]
    reconstruction: float
    alignment: float
    alignment_null: float


@dataclass(frozen=True, slots=True)
class Relations:
    """What one set of representations of the anchors shows; preservation is 1 of the original."""

    pearson: float
    spearman: float
    gradient: float
    cv: float
    preservation: float


def overlay(model: Model, sampling: Sampling, anchors: int = ANCHORS) -> Overlay:
    """M2 up to the modulator, whose α is still to be chosen.

    Raises NotApplicableError where the model has too few words, or no encoder to attach to.
    """
    words = words_of(model, sampling)
    count = min(anchors, len(words))
    if count < 4 * DIMENSIONS:
        raise NotApplicableError(f"{count} words are too few for {DIMENSIONS} dimensions")
    generator = sampling.generator("anchors")
    order = torch.randperm(len(words), generator=generator)
    chosen, others = order[:count].sort().values, order[count:].sort().values
    target = _mirrored(taxonomy().wup_similarity_matrix(*[words.synsets[chosen]] * 2))
    geometric = spectral_embedding(target)
    encoded = words.encoder[chosen]
    components = principal_components(encoded, DIMENSIONS)
    reduced = nn.functional.normalize(components.project(encoded))
    fit = orthogonal_procrustes(geometric, reduced)
    shuffled = reduced[torch.randperm(count, generator=generator)]
    norm = torch.linalg.vector_norm(encoded, dim=1, dtype=torch.float64).mean()
    modulator = LerpModulator(_rows(model), encoded.shape[1], _depth(model), generator=generator)
    tokens = matched_words(model).tokens
    entries = words.entries
    with torch.no_grad():
        modulator.geometric.zero_()
        modulator.geometric[tokens[entries[chosen]]] = geometric.float()
        if len(others):
            spread = spread_to_neighbours(geometric, words.static[chosen], words.static[others])
            modulator.geometric[tokens[entries[others]]] = spread.float()
        projection = components.axes @ fit.rotation.mT * SCALE * norm
        modulator.projection.copy_(projection.float())
    return Overlay(
        modulator=modulator.to(model.device),
        words=words,
        anchors=chosen,
        texts=_definitions(model, words, chosen),
        reconstruction=_upper_correlation(geometric @ geometric.mT, target),
        alignment=_mean_cosine(fit.map(geometric), reduced),
        alignment_null=_mean_cosine(
            orthogonal_procrustes(geometric, shuffled).map(geometric), shuffled
        ),
    )


def overlay_of(model: Model, sampling: Sampling) -> Overlay:
    """The model's overlay, made once. Raises NotApplicableError unless it is encoder–decoder."""
    if model.is_twin or not model.checkpoint.config.get("is_encoder_decoder"):
        raise NotApplicableError("the modulators' claims are of trained encoder–decoders")
    key = f"overlay {sampling.samples}"
    if key not in model.memory:
        model.memory[key] = overlay(model, sampling)
    found: Overlay = model.memory[key]
    return found


def swept(model: Model, sampling: Sampling) -> dict[float, list[Relations]]:
    """`sweep` of the model's overlay over the claims' α, made once."""
    key = f"sweep {sampling.samples}"
    if key not in model.memory:
        model.memory[key] = sweep(model, overlay_of(model, sampling), ALPHAS)
    found: dict[float, list[Relations]] = model.memory[key]
    return found


def encode_at(model: Model, laid: Overlay, alpha: float) -> Tensor:
    """The anchors' definitions through the encoder, modulated at one α before every block."""
    laid.modulator.fix_alpha(alpha)
    with attached(model, laid.modulator):
        return encode(model.loaded, laid.texts, progress=False)


@contextmanager
def attached(model: Model, modulator: Any) -> Iterator[None]:
    """The modulator on the model's encoder, or on its only stack."""
    with modulated(_stack(model), modulator):
        yield


def measure(laid: Overlay, rows: Tensor, original: Tensor, seed: int = 0) -> Relations:
    """R3, R4, G2 and preservation of representations [anchors, d], on draws from the seed."""
    generator = torch.Generator().manual_seed(seed)
    first, second = relations.draw_pairs(len(rows), PAIRS, generator)
    words = laid.words
    pairs = relations.related_pairs(
        first, second, words.similarity(laid.anchors[first], laid.anchors[second])
    )
    unit = relations.unit_rows(rows)
    cosines = relations.pair_cosines(unit, pairs.first, pairs.second)
    x = pairs.similarity
    sets = simplex.draw_index_sets(len(rows), SIMPLICES, 5, generator)
    return Relations(
        pearson=relations.pearson(x, cosines),
        spearman=relations.spearman(x, cosines),
        gradient=(cosines[x >= relations.CLOSE].mean() - cosines[x < relations.FAR].mean()).item(),
        cv=_volume_cv(rows, sets),
        preservation=_mean_cosine(rows, original),
    )


def sweep(
    model: Model, laid: Overlay, alphas: tuple[float, ...], seeds: int = 5
) -> dict[float, list[Relations]]:
    """What every α shows, over seeds of the pairs and simplices; α = 0 is the plain encoder."""
    original = laid.words.encoder[laid.anchors]
    found = {}
    for alpha in alphas:
        rows = encode_at(model, laid, alpha) if alpha else original
        found[alpha] = [measure(laid, rows, original, seed) for seed in range(seeds)]
    return found


def shuffled(laid: Overlay, sampling: Sampling) -> Overlay:
    """The same overlay with its geometric embeddings dealt to other tokens: the null."""
    twin = _copied(laid.modulator)
    rows = twin.geometric
    with torch.no_grad():
        used = torch.nonzero(rows.any(1)).flatten().cpu()
        order = used[torch.randperm(len(used), generator=sampling.generator("tokens shuffled"))]
        rows[used] = rows[order]
    return replace(laid, modulator=twin)


def _copied(source: LerpModulator, start: float = START) -> LerpModulator:
    """A modulator of the same embeddings and projection, whose α starts afresh."""
    copy = LerpModulator(
        len(source.geometric), len(source.projection), source.layers, start=start
    ).to(source.geometric.device)
    with torch.no_grad():
        copy.geometric.copy_(source.geometric)
        copy.projection.copy_(source.projection)
    return copy


@dataclass(frozen=True, slots=True)
class Talk:
    """Two generations of one prompt, and in how many tokens they differ."""

    plain: str
    modulated: str
    differing: int


def talk(model: Model, laid: Overlay, prompt: str, alpha: float, *, tokens: int = 32) -> Talk:
    """Greedy generation from the plain and from the modulated encoder. Source: SPEC M5.

    Raises NotApplicableError for a model that does not generate from an encoder.
    """
    if not model.loaded.is_encoder_decoder or model.vocabulary is None:
        raise NotApplicableError("only an encoder–decoder with a tokenizer can talk")
    ids = torch.tensor([model.vocabulary.encode(prompt, LONGEST)], device=model.device)
    module = model.loaded.module
    laid.modulator.fix_alpha(alpha)
    with torch.inference_mode():
        plain = module.generate(ids, max_new_tokens=tokens, do_sample=False)[0].tolist()
        with attached(model, laid.modulator):
            changed = module.generate(ids, max_new_tokens=tokens, do_sample=False)[0].tolist()
    length = max(len(plain), len(changed))
    padded = [text + [-1] * (length - len(text)) for text in (plain, changed)]
    differing = sum(a != b for a, b in zip(*padded, strict=True))
    return Talk(model.vocabulary.decode(plain), model.vocabulary.decode(changed), differing)


def _stack(model: Model) -> Any:
    module = model.loaded.module
    return module.get_encoder() if model.loaded.is_encoder_decoder else module.base_model


def _depth(model: Model) -> int:
    return len(transformer_blocks(_stack(model)))


def _rows(model: Model) -> int:
    assert model.embedding is not None
    return len(model.embedding)


def _definitions(model: Model, words: Words, chosen: Tensor) -> list[list[int]]:
    assert model.vocabulary is not None
    prompt = prompt_of(model)
    texts = [prompt + words.wordnet.definitions[i] for i in words.synsets[chosen].tolist()]
    return model.vocabulary.encode_all(texts, LONGEST)


def _mirrored(similarity: Tensor) -> Tensor:
    """The upper triangle on both sides, ones on the diagonal; 0 where there is no similarity."""
    upper = similarity.nan_to_num().triu(1)
    return upper + upper.mT + torch.eye(len(upper), dtype=upper.dtype)


def _upper_correlation(a: Tensor, b: Tensor) -> float:
    above = torch.ones_like(a, dtype=torch.bool).triu(1)
    return relations.pearson(a[above], b[above])


def _mean_cosine(a: Tensor, b: Tensor) -> float:
    return row_cosines(a, b).mean().item()


def generations(model: Model, texts: list[list[int]], *, tokens: int = 16) -> list[list[int]]:
    """Greedy generations of many prompts, as token ids cut at the end of the text."""
    width = max(map(len, texts))
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
    module = model.loaded.module
    with torch.inference_mode():
        found = module.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=tokens,
            do_sample=False,
        )
    return [row[: row.index(1) if 1 in row else None] for row in found.tolist()]


def coherence(model: Model, laid: Overlay, alpha: float, texts: list[list[int]]) -> float:
    """Share of the prompts' greedy generations that the modulator leaves as they are."""
    laid.modulator.fix_alpha(alpha)
    plain = generations(model, texts)
    with attached(model, laid.modulator):
        changed = generations(model, texts)
    return sum(a == b for a, b in zip(plain, changed, strict=True)) / len(texts)


@dataclass(frozen=True, slots=True)
class Learned:
    """M3: where α came to lie, the losses, and the relations before and after."""

    start: float
    history: History
    original: Relations
    trained: Relations


def learn(
    model: Model,
    laid: Overlay,
    start: float,
    *,
    shuffle_lemmas: bool = False,
    settings: TrainingSettings = NOTEBOOKS,
    checkpoint: Path | None = None,
) -> Learned:
    """Train the overlay's embeddings, projection and α from `start`: definition → lemma.

    `shuffle_lemmas` deals the lemmas to other definitions: the null. Source: SPEC M3.
    """
    words = laid.words
    inputs, targets = _lessons(model, words, torch.arange(len(words)))
    if shuffle_lemmas:
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(settings.seed))
        targets = [targets[i] for i in order.tolist()]
    modulator = _copied(laid.modulator, start)
    history = train(model.loaded.module, modulator, inputs, targets, settings, checkpoint)
    original = words.encoder[laid.anchors]
    with attached(model, modulator):
        rows = encode(model.loaded, laid.texts, progress=False)
    return Learned(start, history, measure(laid, original, original), measure(laid, rows, original))


def _lessons(model: Model, words: Words, chosen: Tensor) -> tuple[list[list[int]], list[list[int]]]:
    """The chosen words' definitions, and the first lemma of each, as token ids."""
    assert model.vocabulary is not None
    synsets = words.synsets[chosen].tolist()
    lemmas = [words.wordnet.lemmas[i][0].replace("_", " ") for i in synsets]
    targets = model.vocabulary.encode_all(lemmas, _LONGEST_LEMMA)
    return _definitions(model, words, chosen), targets


def _volume_cv(rows: Tensor, sets: Tensor) -> float:
    volumes = simplex.squared_volumes_of_rows(rows, sets).clamp_min(0).sqrt()
    return coefficient_of_variation(volumes).value


def learn_field(
    model: Model, laid: Overlay, settings: TrainingSettings = NOTEBOOKS, count: int | None = None
) -> tuple[FieldModulator, Learned]:
    """Train a field modulator on the first `count` words; CV checked on 500 anchors. SPEC M6."""
    words = laid.words
    inputs, targets = _lessons(model, words, torch.arange(len(words))[:count])
    width = words.encoder.shape[1]
    torch.manual_seed(settings.seed)
    modulator = FieldModulator(width, _depth(model)).to(model.device)
    original = words.encoder[laid.anchors]
    probe = laid.texts[:500]
    sets = simplex.draw_index_sets(
        len(probe), SIMPLICES, 5, torch.Generator().manual_seed(settings.seed)
    )

    def encoded(texts: list[list[int]]) -> Tensor:
        return encode(model.loaded, texts, progress=False)

    def cv() -> float:
        return _volume_cv(encoded(probe), sets)

    history = train(model.loaded.module, modulator, inputs, targets, settings, cv=cv)
    with attached(model, modulator):
        rows = encoded(laid.texts)
    measured = measure(laid, original, original), measure(laid, rows, original)
    return modulator, Learned(0.01, history, *measured)

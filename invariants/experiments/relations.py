"""Token representations against WordNet: static rows, encodings of definitions, relations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from fixtures.corpora import WordNet, load_wordnet
from fixtures.matching import Matched, match_words
from fixtures.model import Model
from fixtures.representations import representations
from geometry import relations, simplex
from geometry.estimate import Estimate, Sampling
from geometry.relations import Alignment, Pairs
from geometry.taxonomy import Taxonomy, similarity_of
from invariants.finding import NotApplicableError

PROMPT, LONGEST = "summarize: ", 128
_PROMPTED = {"t5", "mt5", "umt5"}
ALIGNED_WORDS, PAIRS_PER_SAMPLE = 3_000, 5
SEEDS, SEED_WORDS, SEED_PAIRS, SEED_SIMPLICES, SEED_CHAINS = 50, 2_000, 200_000, 500, 1_000
_CPU_PARAMETERS = 2_000_000_000
_ALL = 100_000  # draws from which on every matched word is encoded


@dataclass(frozen=True)
class Words:
    """Matched words: static rows and encoded definitions [words, d] float32, and their synsets.

    `entries` are their places among all the vocabulary's matched words.
    """

    static: Tensor
    encoder: Tensor
    synsets: Tensor
    entries: Tensor
    wordnet: WordNet

    def __len__(self) -> int:
        return len(self.synsets)

    @cached_property
    def unit(self) -> dict[str, Tensor]:
        """Both representations at unit length."""
        return {
            "static": relations.unit_rows(self.static),
            "encoder": relations.unit_rows(self.encoder),
        }

    @cached_property
    def _distances(self) -> tuple[Tensor, Tensor]:
        """Path distances between the distinct synsets, and each word's place among them."""
        distinct, place = self.synsets.unique(return_inverse=True)
        return taxonomy().path_distances(distinct, distinct), place

    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Path similarity of the synsets of pairs of words, [pairs] float64."""
        table, place = self._distances
        at = place.index_select(0, first) * len(table) + place.index_select(0, second)
        return similarity_of(table.flatten().index_select(0, at))

    @cached_property
    def chains(self) -> Tensor:
        """Hypernym chains of the words' synsets, by the first word of each synset."""
        place = torch.full((len(self.wordnet),), -1)
        place[self.synsets.flip(0)] = torch.arange(len(self)).flip(0)
        starts = torch.nonzero(place >= 0).flatten()
        above = torch.from_numpy(self.wordnet.first_hypernym)
        return relations.hypernym_chains(above, starts, place)

    @cached_property
    def categories(self) -> dict[str, list[int]]:
        """Lexicographer categories of at least ten words, the first 200 of each. SPEC R7."""
        members: dict[str, list[int]] = {}
        for word, synset in enumerate(self.synsets.tolist()):
            members.setdefault(self.wordnet.lexicographers[synset], []).append(word)
        return {name: rows[:200] for name, rows in sorted(members.items()) if len(rows) >= 10}


@cache
def wordnet() -> WordNet:
    """WordNet, read once in a process. Raises WordNetMissingError."""
    return load_wordnet()


@cache
def taxonomy() -> Taxonomy:
    """WordNet's hypernyms, with all that similarities need, computed once in a process."""
    w = wordnet()
    return Taxonomy(w.names, w.starts, w.parents, w.rooted)


def matched_words(model: Model) -> Matched:
    """The model's vocabulary against WordNet. Raises NotApplicableError, WordNetMissingError."""
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    return match_words(model.vocabulary, wordnet())


def words_of(model: Model, sampling: Sampling) -> Words:
    """The model's matched words with both representations; fewer words for fewer draws.

    Raises NotApplicableError where there is nothing to encode with, or it would take hours.
    """
    key = f"words {sampling.samples >= _ALL or sampling.samples}"
    if key not in model.memory:
        model.memory[key] = _words(model, sampling)
    found: Words = model.memory[key]
    return found


def _words(model: Model, sampling: Sampling) -> Words:
    table = model.embedding
    if table is None or model.vocabulary is None:
        raise NotApplicableError("no token-embedding table, or no tokenizer beside it")
    if not model.checkpoint.config.get("architectures"):
        raise NotApplicableError("the config names no architecture to load for a forward pass")
    if model.device.type == "cpu" and model.parameters > _CPU_PARAMETERS:
        raise NotApplicableError("encoding WordNet with this many parameters needs a GPU")
    matched = matched_words(model)
    if len(matched) < 100:
        raise NotApplicableError(f"only {len(matched)} words of WordNet are one token here")
    entries = torch.arange(len(matched))
    if sampling.samples < _ALL:
        few = max(1_000, sampling.samples // 10)
        order = torch.randperm(len(matched), generator=sampling.generator("words"))
        entries = order[:few].sort().values
    prompt = prompt_of(model)
    source = wordnet()
    synsets = matched.synsets[entries]
    definitions = [prompt + source.definitions[i] for i in synsets.tolist()]
    encoded = representations(model, model.vocabulary.encode_all(definitions, LONGEST))
    static = table[matched.tokens[entries].to(table.device)].float().cpu()
    if static.shape[1] != encoded.shape[1]:
        raise NotApplicableError(
            f"embedding rows have {static.shape[1]} dimensions, hidden states {encoded.shape[1]}"
        )
    return Words(static, encoded, synsets, entries, source)


def prompt_of(model: Model) -> str:
    """What stands before a definition: models of the T5 family are asked to summarise it."""
    return PROMPT if model.checkpoint.config.get("model_type") in _PROMPTED else ""


@dataclass(frozen=True, slots=True)
class Aligned:
    """R3 and R4 on one draw of pairs: both representations, their lift, and the shuffled nulls.

    `shuffled` deals synsets to words at random, `shuffled_within` among those of one part of
    speech: what is left there is that adjectives resemble adjectives.
    """

    static: Alignment
    encoder: Alignment
    shuffled: Alignment
    shuffled_within: Alignment
    lift: Estimate
    words: int
    pairs: int


def align(model: Model, sampling: Sampling) -> Aligned:
    """Path similarity against cosine over random pairs of at most 3,000 matched words."""
    words = words_of(model, sampling)
    generator = sampling.generator("relations")
    chosen = torch.randperm(len(words), generator=generator)[:ALIGNED_WORDS]
    n = len(chosen)
    first, second = relations.draw_pairs(n, PAIRS_PER_SAMPLE * sampling.samples, generator)
    pairs = relations.related_pairs(first, second, words.similarity(chosen[first], chosen[second]))
    cosines = {
        name: relations.pair_cosines(unit[chosen], pairs.first, pairs.second)
        for name, unit in words.unit.items()
    }

    def shuffled(order: Tensor) -> Alignment:
        dealt = chosen[order]
        null = relations.related_pairs(first, second, words.similarity(dealt[first], dealt[second]))
        unit = words.unit["encoder"][chosen]
        return relations.alignment(null, relations.pair_cosines(unit, null.first, null.second), n)

    return Aligned(
        static=relations.alignment(pairs, cosines["static"], n),
        encoder=relations.alignment(pairs, cosines["encoder"], n),
        shuffled=shuffled(torch.randperm(n, generator=generator)),
        shuffled_within=shuffled(_within_parts_of_speech(words, chosen, generator)),
        lift=relations.lift(pairs, cosines["encoder"], cosines["static"], n),
        words=n,
        pairs=len(pairs),
    )


def _within_parts_of_speech(words: Words, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """An order of the chosen words that swaps each with one of its own part of speech."""
    parts: dict[str, list[int]] = {}
    for place, synset in enumerate(words.synsets[chosen].tolist()):
        parts.setdefault(words.wordnet.parts_of_speech[synset], []).append(place)
    order = torch.empty(len(chosen), dtype=torch.int64)
    for places in parts.values():
        own = torch.tensor(places)
        order[own] = own[torch.randperm(len(own), generator=generator)]
    return order


def stability(model: Model, sampling: Sampling) -> dict[str, Tensor]:
    """Every quantity of R3 – R6 by seed, [seeds] float64 each; `shuffled …` are their nulls.

    Seeds 0 … 49 with 2,000 words, 200,000 pairs, 500 pentachora and 1,000 chains each; fewer seeds
    for fewer draws. Source: SPEC S3.
    """
    key = f"stability {sampling.samples}"
    if key not in model.memory:
        words = words_of(model, sampling)
        seeds = range(max(5, min(SEEDS, sampling.samples // 2_000)))
        found = [_one_seed(words, seed) for seed in seeds]
        model.memory[key] = {
            name: torch.tensor([one[name] for one in found], dtype=torch.float64)
            for name in found[0]
        }
    values: dict[str, Tensor] = model.memory[key]
    return values


def _one_seed(words: Words, seed: int) -> dict[str, float]:
    generator = torch.Generator().manual_seed(seed)
    count = min(SEED_WORDS, max(500, len(words) // 2))
    chosen = torch.randperm(len(words), generator=generator)[:count]
    first, second = relations.draw_pairs(count, SEED_PAIRS, generator)
    pairs = relations.related_pairs(first, second, words.similarity(chosen[first], chosen[second]))
    swapped = torch.randperm(len(words), generator=generator)
    other = chosen[torch.randperm(count, generator=generator)]
    null = relations.related_pairs(first, second, words.similarity(other[first], other[second]))
    chains = words.chains[torch.randperm(len(words.chains), generator=generator)[:SEED_CHAINS]]
    sets = simplex.draw_index_sets(count, SEED_SIMPLICES, 5, generator)
    found: dict[str, float] = {}
    volumes = {}
    for name, unit in words.unit.items():
        own = unit[chosen]
        found |= _correlations(name, pairs, own)
        found |= _correlations(f"shuffled {name}", null, own)
        found[f"{name} decay"] = _decay(unit, chains)
        found[f"shuffled {name} decay"] = _decay(unit[swapped], chains)
        rows = (words.static if name == "static" else words.encoder)[chosen]
        volumes[name] = simplex.squared_volumes_of_rows(rows, sets).clamp_min(0).sqrt()
        found[f"{name} cv"] = (volumes[name].std(correction=0) / volumes[name].mean()).item()
    found["volume correlation"] = relations.pearson(volumes["static"], volumes["encoder"])
    for kind in ("", "shuffled "):
        found[f"{kind}lift"] = found[f"{kind}encoder pearson"] - found[f"{kind}static pearson"]
    return found


def _correlations(name: str, pairs: Pairs, unit: Tensor) -> dict[str, float]:
    x = pairs.similarity
    y = relations.pair_cosines(unit, pairs.first, pairs.second)
    close, far = y[x >= relations.CLOSE], y[x < relations.FAR]
    return {
        f"{name} pearson": relations.pearson(x, y),
        f"{name} spearman": relations.spearman(x, y),
        f"{name} gradient": (close.mean() - far.mean()).item(),
    }


def _decay(unit: Tensor, chains: Tensor) -> float:
    """Mean cosine with the first matched ancestor less that with the fifth."""
    cosines = relations.chain_cosines(unit, chains)
    return (cosines[:, 0].nanmean() - cosines[:, 4].nanmean()).item()


def decay_by_position(words: Words) -> dict[str, Tensor]:
    """Mean cosine of chains' starts with their p-th matched ancestor, p = 1 … 7, [7] each."""
    return {
        name: relations.chain_cosines(unit, words.chains)[:, :7].nanmean(0)
        for name, unit in words.unit.items()
    }


def pentachora(model: Model, sampling: Sampling) -> dict[str, Tensor]:
    """Volumes of the same pentachora of words in both representations, [n] float64 each."""
    words = words_of(model, sampling)
    count = min(sampling.samples, 50_000)
    sets = simplex.draw_index_sets(len(words), count, 5, sampling.generator("paired pentachora"))
    return {
        name: simplex.squared_volumes_of_rows(rows, sets).clamp_min(0).sqrt()
        for name, rows in (("static", words.static), ("encoder", words.encoder))
    }


def agreement(words: Words) -> Tensor:
    """Cosine of each word's static row with its encoded definition, [words] float64. SPEC R2."""
    return (words.unit["static"] * words.unit["encoder"]).sum(1).double()

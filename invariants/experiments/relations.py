"""Token representations against WordNet: static rows, encodings of definitions, relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.representations import check_rows, representations
from geometric_invariants.fixtures.texts.corpora import WordNet, load_wordnet
from geometric_invariants.fixtures.texts.matching import Matched, match_words
from geometric_invariants.geometry import chains, relations, simplex
from geometric_invariants.geometry.estimate import Estimate, Sampling
from geometric_invariants.geometry.relations import Alignment, Lift, Pairs
from geometric_invariants.geometry.similarity import PairedVolumes, paired_volumes
from geometric_invariants.geometry.taxonomy import Taxonomy, similarity_of
from geometric_invariants.invariants.finding import NotApplicableError

PROMPT, LONGEST = "summarize: ", 128
_PROMPTED = {"t5", "mt5", "umt5"}
ALIGNED_WORDS, PAIRS_PER_SAMPLE = 3_000, 5
_FEWEST_WORDS, _FEWEST_PAIRS, _FEWEST_SIMPLICES, _MOST_SIMPLICES = 1_000, 20_000, 10_000, 50_000
_CPU_PARAMETERS = 2_000_000_000
ALL = 100_000  # draws from which on every matched word is encoded


@dataclass(frozen=True)
class Words:
    """Matched words: static rows and encoded definitions [words, d] float32, and their synsets.

    `entries` are their places among all the vocabulary's `matched` words. Encoding took `seconds`
    for the `definitions` that are distinct.
    """

    static: Tensor
    encoder: Tensor
    synsets: Tensor
    entries: Tensor
    matched: int
    wordnet: WordNet
    seconds: float
    definitions: int

    def __len__(self) -> int:
        return len(self.synsets)

    @property
    def drawn(self) -> str:
        """Which words these are, for a design."""
        return "all words" if len(self) == self.matched else f"{len(self)} words drawn"

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
        return _path_distances(tuple(distinct.tolist())), place

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
        return chains.hypernym_chains(above, starts, place)

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


@lru_cache(maxsize=2)  # a model and its random twins, or models of one vocabulary, share words
def _path_distances(synsets: tuple[int, ...]) -> Tensor:
    places = torch.tensor(synsets)
    return taxonomy().path_distances(places, places)


def matched_words(model: Model) -> Matched:
    """The model's vocabulary against WordNet. Raises NotApplicableError, WordNetMissingError."""
    if model.vocabulary is None:
        raise NotApplicableError(f"{model.checkpoint.folder} brings no tokenizer")
    return match_words(model.vocabulary, wordnet())


def words_of(model: Model, sampling: Sampling) -> Words:
    """The model's matched words with both representations.

    All of them from 100,000 draws on, else a tenth as many words as draws, but no fewer than 1,000.
    Raises NotApplicableError where there is nothing to encode with, or it would take hours,
    CheckpointError where the tokenizer names rows that the table lacks.
    """
    key = f"words {sampling.samples >= ALL or sampling.samples}"
    if key not in model.memory:
        model.memory[key] = _words(model, sampling)
    found: Words = model.memory[key]
    return found


def _words(model: Model, sampling: Sampling) -> Words:
    table = model.embedding
    if table is None or model.vocabulary is None:
        raise NotApplicableError("no token-embedding table, or no tokenizer beside it")
    if model.why_not_loadable:
        raise NotApplicableError(f"no forward pass: {model.why_not_loadable}")
    if model.device.type == "cpu" and model.parameters > _CPU_PARAMETERS:
        raise NotApplicableError("encoding WordNet with this many parameters needs a GPU")
    matched = matched_words(model)
    if len(matched) < 100:
        raise NotApplicableError(f"only {len(matched)} words of WordNet are one token here")
    check_rows(model, matched.tokens.tolist())
    entries = torch.arange(len(matched))
    if sampling.samples < ALL:
        few = max(_FEWEST_WORDS, sampling.samples // 10)
        order = torch.randperm(len(matched), generator=sampling.generator("words"))
        entries = order[:few].sort().values
    prompt = prompt_of(model)
    source = wordnet()
    synsets = matched.synsets[entries]
    definitions = [prompt + source.definitions[i] for i in synsets.tolist()]
    encoded = representations(model, model.vocabulary.encode_all(definitions, LONGEST))
    static = table[matched.tokens[entries].to(table.device)].float().cpu()
    rows = encoded.rows
    if static.shape[1] != rows.shape[1]:
        raise NotApplicableError(
            f"embedding rows have {static.shape[1]} dimensions, hidden states {rows.shape[1]}"
        )
    return Words(
        static,
        rows,
        synsets,
        entries,
        len(matched),
        source,
        seconds=encoded.seconds,
        definitions=encoded.encoded,
    )


def prompt_of(model: Model) -> str:
    """What stands before a definition: models of the T5 family are asked to summarise it."""
    return PROMPT if model.checkpoint.config.get("model_type") in _PROMPTED else ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Random pairs among `chosen` words, by their places in it; not all have a similarity."""

    chosen: Tensor
    first: Tensor
    second: Tensor

    def related(self, words: Words, dealt: Tensor | None = None) -> Pairs:
        """Those that are related, by the words' own synsets or those of others, dealt to them."""
        of = self.chosen if dealt is None else dealt
        similarity = words.similarity(of[self.first], of[self.second])
        return relations.related_pairs(self.first, self.second, similarity)

    def cosines(self, unit: Tensor, pairs: Pairs) -> Tensor:
        return relations.pair_cosines(unit[self.chosen], pairs.first, pairs.second)


@dataclass(frozen=True, slots=True)
class Aligned:
    """R3 and R4 on one draw of pairs: both representations, their lift, and the shuffled nulls.

    `shuffled` deals synsets to words at random, `shuffled_within` among those of one part of
    speech: what is left there is that adjectives resemble adjectives. `cosines` are of `pairs`.
    """

    static: Alignment
    encoder: Alignment
    shuffled: Alignment
    shuffled_within: Alignment
    lift: Lift
    words: int
    pairs: Pairs
    cosines: Mapping[str, Tensor]


def align(model: Model, sampling: Sampling) -> Aligned:
    """Path similarity against cosine over random pairs of at most 3,000 matched words.

    Five pairs a draw, no fewer than 20,000.
    """
    words = words_of(model, sampling)
    generator = sampling.generator("relations")
    drawn = _draw(words, sampling, generator)
    n, pairs = len(drawn.chosen), drawn.related(words)
    cosines = {name: drawn.cosines(unit, pairs) for name, unit in words.unit.items()}

    def shuffled(order: Tensor) -> Alignment:
        null = drawn.related(words, drawn.chosen[order])
        return relations.alignment(null, drawn.cosines(words.unit["encoder"], null), n)

    return Aligned(
        static=relations.alignment(pairs, cosines["static"], n),
        encoder=relations.alignment(pairs, cosines["encoder"], n),
        shuffled=shuffled(torch.randperm(n, generator=generator)),
        shuffled_within=shuffled(_within_parts_of_speech(words, drawn.chosen, generator)),
        lift=relations.lift(pairs, cosines["encoder"], cosines["static"], n),
        words=n,
        pairs=pairs,
        cosines=cosines,
    )


def encoder_alignment(model: Model, sampling: Sampling) -> Estimate:
    """Pearson of the encoder alone, on the pairs that `align` draws."""
    words = words_of(model, sampling)
    drawn = _draw(words, sampling, sampling.generator("relations"))
    pairs = drawn.related(words)
    cosines = drawn.cosines(words.unit["encoder"], pairs)
    return relations.correlation(pairs, pairs.similarity, cosines, len(drawn.chosen))


def _draw(words: Words, sampling: Sampling, generator: torch.Generator) -> Drawn:
    chosen = torch.randperm(len(words), generator=generator)[:ALIGNED_WORDS]
    count = max(_FEWEST_PAIRS, PAIRS_PER_SAMPLE * sampling.samples)
    return Drawn(chosen, *relations.draw_pairs(len(chosen), count, generator))


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


def pentachora(model: Model, sampling: Sampling) -> PairedVolumes:
    """Volumes of the same pentachora of words, static (first) and encoded (second).

    One a draw, from 10,000 to 50,000. Source: SPEC R5.
    """
    words = words_of(model, sampling)
    count = max(_FEWEST_SIMPLICES, min(sampling.samples, _MOST_SIMPLICES))
    sets = simplex.draw_index_sets(len(words), count, 5, sampling.generator("paired pentachora"))
    return paired_volumes(words.static, words.encoder, sets)


def agreement(words: Words) -> Tensor:
    """Cosine of each word's static row with its encoded definition, [words] float64. SPEC R2."""
    return (words.unit["static"] * words.unit["encoder"]).sum(1).double()

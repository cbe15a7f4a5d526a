"""Relations and pentachora of a model's words, seed by seed (SPEC S3)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import estimate, relations, seeds, simplex
from geometric_invariants.geometry.chains import chain_cosines, chain_decay
from geometric_invariants.geometry.estimate import Z95, Sampling
from geometric_invariants.geometry.similarity import paired_volumes
from geometric_invariants.invariants.experiments.relations import Words, words_of

SEEDS, WORDS, PAIRS, SIMPLICES, CHAINS = 50, 2_000, 200_000, 500, 1_000
DESIGN = f"seeds 0 … {SEEDS - 1}"
_DEPTHS = (1, 3, 5)


@dataclass(frozen=True)
class Stability:
    """Every quantity of R3 – R6 by seed, [50] float64 each, and the same of shuffled words.

    NaN where a seed has none (no chain that long). Each seed takes `chosen` of the model's words
    and `seconds`; `dropped` simplices, of all seeds, were degenerate.
    """

    words: Words
    chosen: int
    values: Mapping[str, Tensor]
    shuffled: Mapping[str, Tensor]
    dropped: int
    seconds: float

    @property
    def per_seed(self) -> dict[str, int]:
        """How many words, pairs, simplices and chains a seed takes at most."""
        pairs = PAIRS * self.chosen // WORDS
        return {"words": self.chosen, "pairs": pairs, "simplices": SIMPLICES, "chains": CHAINS}

    @property
    def lift_noise(self) -> float:
        """95 % half-width of one seed's lift, were seeds and words drawn anew."""
        return self.redrawn("lift")

    def redrawn(self, name: str) -> float:
        """The same of any quantity of the pairs of a seed's words."""
        return seeds.redrawn(self.values[name], self.chosen, len(self.words), self.words.matched)

    @property
    def decay_noise(self) -> float:
        """The same of the encoder's decay: spread over seeds, and over words where they are drawn.

        Seeds share most chains, so what other words would show comes from leaving out groups of
        words, by the share of all matched words that was not drawn.
        """
        values = self.values["encoder decay"]
        spread = Z95 * values[values.isfinite()].std().item()
        left_out = 1 - len(self.words) / self.words.matched
        words = chain_decay(self.words.unit["encoder"], self.words.chains).half_width
        return math.hypot(spread, words * math.sqrt(left_out)) if left_out else spread


def stability(model: Model, sampling: Sampling) -> Stability:
    """Seeds 0 … 49 with 2,000 words, 200,000 pairs, 500 pentachora and 1,000 chains each.

    Pentachora and chains are of all words, as in the source. Where fewer than 4,000 words are at
    hand a seed takes half of them (at least 500, or all), and of pairs its share. Of a random twin
    only what claims judge: lift, the encoder's decay and CV.
    """
    words = words_of(model, sampling)
    key = f"stability {len(words)}"
    if key not in model.memory:
        chosen = min(WORDS, max(500, len(words) // 2), len(words))
        model.memory[key] = over(words, chosen, range(SEEDS), judged_alone=model.is_twin)
    result: Stability = model.memory[key]
    return result


def over(
    words: Words, chosen: int, numbers: Iterable[int], *, judged_alone: bool = False
) -> Stability:
    """Every quantity of words at the seeds of these numbers, each taking `chosen` of the words."""
    start = time.perf_counter()
    measure = _judged if judged_alone else _everything
    found = [measure(words, _draw(words, chosen, seed)) for seed in numbers]
    return Stability(
        words=words,
        chosen=chosen,
        values=_by_name([seed.values for seed in found]),
        shuffled=_by_name([seed.shuffled for seed in found]),
        dropped=sum(seed.dropped for seed in found),
        seconds=(time.perf_counter() - start) / len(found),
    )


def _by_name(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    return {
        name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]
    }


@dataclass(frozen=True, slots=True)
class _Seed:
    """The quantities of one seed, those of shuffled words, and how many simplices were dropped."""

    values: dict[str, float]
    shuffled: dict[str, float]
    dropped: int


@dataclass(frozen=True, slots=True)
class _Draw:
    """What a seed draws: words, pairs of them, other words dealt to them, chains, simplices."""

    own: Tensor
    first: Tensor
    second: Tensor
    dealt: Tensor
    swapped: Tensor
    chains: Tensor
    sets: Tensor


def _draw(words: Words, chosen: int, seed: int) -> _Draw:
    generator = torch.Generator().manual_seed(seed)
    own = torch.randperm(len(words), generator=generator)[:chosen]
    first, second = relations.draw_pairs(chosen, PAIRS * chosen // WORDS, generator)
    return _Draw(
        own,
        first,
        second,
        dealt=own[torch.randperm(chosen, generator=generator)],
        swapped=torch.randperm(len(words), generator=generator),
        chains=words.chains[torch.randperm(len(words.chains), generator=generator)[:CHAINS]],
        sets=simplex.draw_index_sets(len(words), SIMPLICES, 5, generator),
    )


def _judged(words: Words, draw: _Draw) -> _Seed:
    similarity = words.similarity(draw.own[draw.first], draw.own[draw.second])
    related = torch.nonzero(similarity > 0).flatten()
    first, second, similarity = draw.first[related], draw.second[related], similarity[related]
    static, encoder = (
        relations.pearson(similarity, relations.pair_cosines(unit[draw.own], first, second))
        for unit in (words.unit["static"], words.unit["encoder"])
    )
    volumes = paired_volumes(words.static, words.encoder, draw.sets)
    values = {
        "lift": encoder - static,
        "encoder decay": _decays("encoder", words.unit["encoder"], draw.chains)["encoder decay"],
        "encoder cv": estimate.coefficient_of_variation(volumes.second).value,
    }
    return _Seed(values, {}, volumes.dropped)


def _everything(words: Words, draw: _Draw) -> _Seed:
    similarity = words.similarity(draw.own[draw.first], draw.own[draw.second])
    null = words.similarity(draw.dealt[draw.first], draw.dealt[draw.second])
    related, dealt = similarity > 0, null > 0
    similarity, null = similarity[related], null[dealt]
    ranked = relations.ranks(similarity)
    values: dict[str, float] = {}
    shuffled: dict[str, float] = {}
    for name, unit in words.unit.items():
        cosines = relations.pair_cosines(unit[draw.own], draw.first, draw.second)
        own, other = cosines[related], cosines[dealt]
        values |= _correlation(name, similarity, own) | _decays(name, unit, draw.chains)
        values[f"{name} spearman"] = relations.pearson(ranked, relations.ranks(own))
        shuffled |= _correlation(name, null, other) | _decays(name, unit[draw.swapped], draw.chains)
    volumes = paired_volumes(words.static, words.encoder, draw.sets)
    for name, found in (("static", volumes.first), ("encoder", volumes.second)):
        values[f"{name} cv"] = estimate.coefficient_of_variation(found).value
        values[f"{name} volume"] = found.mean().item()
    values["volume correlation"] = volumes.correlation
    for kind in (values, shuffled):
        kind["lift"] = kind["encoder pearson"] - kind["static pearson"]
    return _Seed(values, shuffled, volumes.dropped)


def _correlation(name: str, similarity: Tensor, cosines: Tensor) -> dict[str, float]:
    """Pearson, mean cosine of close and of far pairs, and the gradient between those."""
    close, far = (
        cosines[part].mean().item()
        for part in (similarity >= relations.CLOSE, similarity < relations.FAR)
    )
    return {
        f"{name} pearson": relations.pearson(similarity, cosines),
        f"{name} close": close,
        f"{name} far": far,
        f"{name} gradient": close - far,
    }


def _decays(name: str, unit: Tensor, chains: Tensor) -> dict[str, float]:
    """Mean cosines with the first, third and fifth matched ancestor, and the fall over all."""
    cosines = chain_cosines(unit, chains).nanmean(0)
    depths = {f"{name} depth {depth}": cosines[depth - 1].item() for depth in _DEPTHS}
    return depths | {f"{name} decay": (cosines[0] - cosines[4]).item()}

"""What representations of the matched words show beside the plain encoder's (SPEC R3, R4, G2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry import relations, simplex
from geometric_invariants.geometry.embedding import row_cosines
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.relations import Pairs
from geometric_invariants.invariants.experiments.relations import Words

ANCHORS, PAIRS, SIMPLICES = 3_000, 50_000, 2_000


@dataclass(frozen=True, slots=True)
class Probe:
    """What is looked at: pairs of anchors with their path similarity, simplices of all words."""

    pairs: Pairs
    simplices: Tensor


@dataclass(frozen=True, slots=True)
class Relations:
    """What one set of representations shows; preservation is 1 of the plain encoder's.

    Pearson, Spearman and gradient are of pairs of anchors, CV and preservation of all words.
    `dropped` simplices span no volume and are left out of the CV.
    """

    pearson: float
    spearman: float
    gradient: float
    cv: float
    preservation: float
    dropped: int


@dataclass(frozen=True, slots=True)
class Detail:
    """What else representations show: volumes, the spread of preservation, cosines by band.

    `volume` is the mean of the simplices that span one; `counts` and `cosines` are the pairs in
    each band of path similarity, closest first, and their mean cosine (None of none). SPEC R4, S10.
    """

    volume: float
    preservation_std: float
    counts: tuple[int, ...]
    cosines: tuple[float | None, ...]


def draw_anchors(words: Words, sampling: Sampling, draw: int) -> Tensor:
    """At most 3,000 words at random, in order, [anchors] int64."""
    order = torch.randperm(len(words), generator=sampling.generator(f"anchors, draw {draw}"))
    return order[:ANCHORS].sort().values


def draw_probe(words: Words, anchors: Tensor, sampling: Sampling, draw: int) -> Probe:
    """Pairs of the anchors and simplices of all words. Source: SPEC M2."""
    generator = sampling.generator(f"probe, draw {draw}")
    first, second = relations.draw_pairs(len(anchors), PAIRS, generator)
    first, second = anchors[first], anchors[second]
    pairs = relations.related_pairs(first, second, words.similarity(first, second))
    return Probe(pairs, simplex.draw_index_sets(len(words), SIMPLICES, 5, generator))


def draw_probes(words: Words, sampling: Sampling, draws: int) -> list[Probe]:
    """As many draws of anchors, each with its pairs and simplices."""
    return [
        draw_probe(words, draw_anchors(words, sampling, draw), sampling, draw)
        for draw in range(draws)
    ]


def measure(words: Words, probe: Probe, rows: Tensor) -> Relations:
    """R3, R4, G2 and preservation of representations [words, d]."""
    x = probe.pairs.similarity
    unit = relations.unit_rows(rows)
    cosines = relations.pair_cosines(unit, probe.pairs.first, probe.pairs.second)
    cv, dropped = volume_cv(rows, probe.simplices)
    return Relations(
        pearson=relations.pearson(x, cosines),
        spearman=relations.spearman(x, cosines),
        gradient=(cosines[x >= relations.CLOSE].mean() - cosines[x < relations.FAR].mean()).item(),
        cv=cv,
        preservation=row_cosines(rows, words.encoder).mean().item(),
        dropped=dropped,
    )


def detail(words: Words, probe: Probe, rows: Tensor) -> Detail:
    """Mean volume, spread of preservation and bands of representations [words, d]."""
    unit = relations.unit_rows(rows)
    cosines = relations.pair_cosines(unit, probe.pairs.first, probe.pairs.second)
    inside = [band.contains(probe.pairs.similarity) for band in relations.BANDS]
    return Detail(
        volume=_volumes(rows, probe.simplices).mean().item(),
        preservation_std=row_cosines(rows, words.encoder).std(correction=0).item(),
        counts=tuple(int(chosen.sum()) for chosen in inside),
        cosines=tuple(cosines[own].mean().item() if own.any() else None for own in inside),
    )


def volume_cv(rows: Tensor, simplices: Tensor) -> tuple[float, int]:
    """CV of the volumes of rows' simplices, and how many span none and are dropped. SPEC G2."""
    volumes = _volumes(rows, simplices)
    cv = volumes.std(correction=0) / volumes.mean()
    return cv.item(), len(simplices) - len(volumes)


def _volumes(rows: Tensor, simplices: Tensor) -> Tensor:
    squares = simplex.squared_volumes_of_rows(rows, simplices)
    return squares[squares > 0].sqrt()

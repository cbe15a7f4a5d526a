"""How the geometry of token representations follows the relations of a taxonomy (SPEC R3 – R7).

Pairs of synsets share synsets, so their cosines are not independent: intervals come from deleting
groups of synsets (a jackknife over the nodes of the pairs), not from the number of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from geometric_invariants.geometry.estimate import Z95, Estimate


@dataclass(frozen=True, slots=True)
class Band:
    """An interval of similarities, and which of its ends belong to it."""

    low: float
    high: float
    closed: Literal["left", "right", "both", "neither"] = "left"

    def __str__(self) -> str:
        left = "[" if self.closed in ("left", "both") else "("
        right = "]" if self.closed in ("right", "both") else ")"
        return f"{left}{self.low:g}, {self.high:g}{right}"

    def contains(self, x: Tensor) -> Tensor:
        """Which of x [n] lie in the band, [n] bool."""
        above = x >= self.low if self.closed in ("left", "both") else x > self.low
        below = x <= self.high if self.closed in ("right", "both") else x < self.high
        return above & below


# Each similarity is in one band: the source counts 1/20 in two of them, and 1 in none.
BANDS = (
    Band(0.9, 1.0, "both"),
    Band(0.5, 0.9),
    Band(0.25, 0.5),
    Band(0.1, 0.25),
    Band(0.05, 0.1, "neither"),
    Band(0.0, 0.05, "right"),
)
CLOSE, FAR = 0.25, 0.10
GROUPS = 20
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of words by their places, and their taxonomic similarity; those without are dropped."""

    first: Tensor
    second: Tensor
    similarity: Tensor

    def __len__(self) -> int:
        return len(self.first)


def draw_pairs(words: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`count` random pairs of distinct words of 0 … words − 1, each [≤ count] int64.

    Drawn with replacement; a word paired with itself is dropped. Raises ValueError below two words.
    """
    if words < 2:
        raise ValueError(f"pairs need at least 2 words, got {words}")
    drawn = torch.randint(words, (2, count), generator=generator)
    kept = drawn[:, drawn[0] != drawn[1]]
    return kept[0], kept[1]


def related_pairs(first: Tensor, second: Tensor, similarity: Tensor) -> Pairs:
    """The pairs that have a similarity above zero (NaN is none)."""
    kept = similarity > 0
    return Pairs(first[kept], second[kept], similarity[kept])


def unit_rows(rows: Tensor) -> Tensor:
    """Rows [n, d] in float32 at unit length; a zero row stays zero."""
    rows = rows.float()
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=torch.float64)
    unit: Tensor = rows / norms.clamp_min(1e-30).float()
    return unit


def pair_cosines(unit: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Cosines of pairs of unit rows [n, d], [pairs] float64.

    Through all n² where the pairs are that many, else pair by pair.
    """
    if len(unit) ** 2 <= 32 * len(first):
        cosines: Tensor = (unit @ unit.mT).flatten()
        picked: Tensor = cosines.index_select(0, first * len(unit) + second)
        return picked.double()
    dots: list[Tensor] = [
        (unit[i] * unit[j]).sum(1).double()
        for i, j in zip(first.split(_BLOCK), second.split(_BLOCK), strict=True)
    ]
    return torch.cat(dots)


def ranks(x: Tensor) -> Tensor:
    """Ranks of x [n] from 1, ties sharing their mean rank, float64."""
    _, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    shared: Tensor = counts.cumsum(0).double() - (counts - 1) / 2
    return shared[inverse]


def pearson(x: Tensor, y: Tensor) -> float:
    """Correlation of x and y [n], in float64; NaN where one of them is constant."""
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    scale = (x.square().sum() * y.square().sum()).sqrt()
    return ((x * y).sum() / scale).item() if scale > 0 else math.nan


def spearman(x: Tensor, y: Tensor) -> float:
    """Rank correlation of x and y [n], ties sharing their mean rank."""
    return pearson(ranks(x), ranks(y))


@dataclass(frozen=True, slots=True)
class Alignment:
    """How cosines follow taxonomic similarity: correlations, bands, gradient.

    `bands` holds, from the closest on, the count and the mean cosine (NaN of none).
    """

    pearson: Estimate
    spearman: Estimate
    gradient: Estimate
    bands: tuple[tuple[int, float], ...]


def alignment(pairs: Pairs, cosines: Tensor, words: int) -> Alignment:
    """Alignment of cosines [pairs] with the similarity of pairs among `words` words.

    What the pairs do not give (a gradient without close pairs, a correlation with a constant) is
    NaN. Source: SPEC R3, R4.
    """
    x, y = pairs.similarity.double(), cosines.double()
    close, far = (x >= CLOSE).double(), (x < FAR).double()
    product = _moments(x, y)
    ranked = _moments(ranks(x), ranks(y))
    sides = torch.stack([close, close * y, far, far * y], 1)
    total = torch.cat([product, ranked, sides], 1)
    found = jackknife(
        total,
        pairs,
        words,
        lambda s: torch.stack(
            [
                _correlation(s[..., :6]),
                _correlation(s[..., 6:12]),
                s[..., 13] / s[..., 12] - s[..., 15] / s[..., 14],
            ]
        ),
    )
    pearsons, spearmans, gradient = found
    return Alignment(pearsons, spearmans, gradient, banded(x, y))


@dataclass(frozen=True, slots=True)
class Lift:
    """How much better one set of cosines follows similarity than another, by both correlations."""

    pearson: Estimate
    spearman: Estimate


def lift(pairs: Pairs, encoder: Tensor, static: Tensor, words: int) -> Lift:
    """Correlations of the encoder's cosines less those of the static ones, on the same pairs."""
    x = pairs.similarity.double()
    plain = [_moments(x, y.double()) for y in (encoder, static)]
    ranked = [_moments(ranks(x), ranks(y)) for y in (encoder, static)]
    found = jackknife(
        torch.cat([*plain, *ranked], 1),
        pairs,
        words,
        lambda s: torch.stack(
            [
                _correlation(s[..., :6]) - _correlation(s[..., 6:12]),
                _correlation(s[..., 12:18]) - _correlation(s[..., 18:]),
            ]
        ),
    )
    return Lift(*found)


def correlation(pairs: Pairs, x: Tensor, y: Tensor, words: int) -> Estimate:
    """Pearson of x and y [pairs], one number per pair of words, with a jackknife interval."""
    rows = _moments(x.double(), y.double())
    (found,) = jackknife(rows, pairs, words, lambda s: _correlation(s)[None])
    return found


def banded(similarity: Tensor, cosines: Tensor) -> tuple[tuple[int, float], ...]:
    """Count and mean cosine in each of the bands of similarity, NaN of none. Source: SPEC R4."""
    found = []
    for band in BANDS:
        inside = band.contains(similarity)
        count = int(inside.sum())
        found.append((count, cosines[inside].mean().item() if count else math.nan))
    return tuple(found)


def jackknife(
    rows: Tensor, pairs: Pairs, words: int, statistic: Callable[[Tensor], Tensor]
) -> list[Estimate]:
    """Statistics of the summed rows [pairs, k], with intervals from deleting groups of words.

    `statistic` maps sums [..., k] to [statistics, ...]. Leaving out one of 20 groups of words (of
    single words where there are fewer) leaves out every pair that touches it; 19/20 of the results'
    sum of squares about their mean is the variance (Efron's jackknife, over nodes).
    """
    groups = min(GROUPS, words)
    group = torch.arange(words) % groups
    cell = group[pairs.first] * groups + group[pairs.second]
    sums = torch.zeros(groups * groups, rows.shape[1], dtype=torch.float64)
    sums.index_add_(0, cell, rows)
    table = sums.view(groups, groups, -1)
    total = table.sum((0, 1))
    own = table.diagonal().mT
    without = total - table.sum(0) - table.sum(1) + own
    values, deleted = statistic(total), statistic(without)
    spread = deleted - deleted.mean(1, keepdim=True)
    errors = (spread.square().sum(1) * (groups - 1) / groups).sqrt()
    method = f"jackknife over {groups} groups of words"
    return [
        Estimate(value, value - Z95 * error, value + Z95 * error, len(pairs), method)
        for value, error in zip(values.tolist(), errors.tolist(), strict=True)
    ]


def intra_cosines(unit: Tensor, members: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Mean cosine between the members of each category, of unit rows. Source: SPEC R7."""
    found = {}
    for name, rows in members.items():
        own = unit[torch.tensor(rows)].double()
        n = len(rows)
        found[name] = ((own.sum(0).square().sum() - own.square().sum()) / (n * (n - 1))).item()
    return found


def _moments(x: Tensor, y: Tensor) -> Tensor:
    x, y = x - x.mean(), y - y.mean()  # of the size of the spread, so that no digits cancel
    return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y], 1)


def _correlation(sums: Tensor) -> Tensor:
    n, x, y, xx, yy, xy = sums.unbind(-1)
    return (n * xy - x * y) / ((n * xx - x * x) * (n * yy - y * y)).sqrt()

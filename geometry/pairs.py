"""Cosines and distances between the rows of a table [rows, d] (SPEC G4, G6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from geometry.embedding import percentiles, row_blocks, row_norms, unit_rows
from geometry.estimate import Sampling

COSINE_MARKS = (0.0, 0.1, 0.19471, 0.2, 0.29154, 0.29514, 0.3, 0.5, 0.7, 0.9)
COSINE_ROWS = 5000
DISTANCE_ROWS = 2000
FEWEST_ROWS = 100  # of either, however few draws are asked for


@dataclass(frozen=True, slots=True)
class CosineMoments:
    """Mean and std of the cosine over all pairs of different rows."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class CosineSummary:
    """Pairwise cosines: exact moments over *all* pairs of rows, the rest over sampled rows.

    `near` is the share of sampled pairs less than 0.01 from each mark; `nearest`, the closest one.
    """

    moments: CosineMoments
    sampled_mean: float
    lowest: float
    highest: float
    percentiles: Mapping[float, float]
    near: Mapping[float, float]
    nearest: Mapping[float, float]


def cosine_moments(table: Tensor) -> CosineMoments:
    """Moments over all pairs of non-zero rows, from Σ uᵢ and Uᵀ U of the unit rows.

    Raises ValueError for fewer than two non-zero rows. Source: SPEC G4.
    """
    d = table.shape[1]
    n = 0
    total = torch.zeros(d, dtype=torch.float64, device=table.device)
    gram = torch.zeros(d, d, dtype=torch.float64, device=table.device)
    for block in row_blocks(table):
        unit = unit_rows(block)
        n += int(torch.count_nonzero(unit.any(1)))
        total += unit.sum(0)
        gram.addmm_(unit.mT, unit)
    if n < 2:
        raise ValueError(f"cosines need at least 2 non-zero rows, got {n}")
    pairs = n * (n - 1)
    mean = (total.square().sum().item() - n) / pairs
    second = (gram.square().sum().item() - n) / pairs
    return CosineMoments(mean, max(0.0, second - mean**2) ** 0.5)


def cosine_summary(table: Tensor, sampling: Sampling) -> CosineSummary:
    """Cosines between the rows of a table; zero rows are left out. Source: SPEC G4.

    Extremes and percentiles come from the pairs of 5,000 random rows; where fewer draws are asked
    for, of a tenth as many rows as draws, 100 at least.
    Raises ValueError for fewer than two non-zero rows.
    """
    moments = cosine_moments(table)
    kept = torch.nonzero(row_norms(table) > 0).flatten()
    cosines = _sampled_cosines(table, kept, sampling)
    return CosineSummary(
        moments=moments,
        sampled_mean=cosines.mean(dtype=torch.float64).item(),
        lowest=cosines.min().item(),
        highest=cosines.max().item(),
        percentiles=percentiles(cosines),
        near={m: _share_near(cosines, m) for m in COSINE_MARKS},
        nearest={m: cosines[(cosines - m).abs().argmin()].item() for m in COSINE_MARKS},
    )


@dataclass(frozen=True, slots=True)
class DistanceSummary:
    """Euclidean distances between sampled rows; `scale` = √d for the same in units of √d."""

    mean: float
    std: float
    lowest: float
    highest: float
    percentiles: Mapping[float, float]
    scale: float

    @property
    def cv(self) -> float:
        return self.std / self.mean


def distance_summary(table: Tensor, sampling: Sampling) -> DistanceSummary:
    """Distances between the pairs of random rows, as many as for cosines but 2,000 at most.

    Raises ValueError for fewer than two rows. Source: SPEC G6.
    """
    rows = _random_rows(torch.arange(len(table)), DISTANCE_ROWS, sampling, "distance rows")
    distances = torch.pdist(table[rows.to(table.device)].double()).cpu()
    if not len(distances):
        raise ValueError("distances need at least 2 rows")
    return DistanceSummary(
        mean=distances.mean().item(),
        std=distances.std(correction=0).item(),
        lowest=distances.min().item(),
        highest=distances.max().item(),
        percentiles=percentiles(distances),
        scale=table.shape[1] ** 0.5,
    )


def _sampled_cosines(table: Tensor, kept: Tensor, sampling: Sampling) -> Tensor:
    rows = _random_rows(kept, COSINE_ROWS, sampling, "cosine rows").to(table.device)
    unit = unit_rows(table[rows]).float()
    upper = torch.ones(len(rows), len(rows), dtype=torch.bool, device=rows.device).triu(1)
    return (unit @ unit.mT)[upper].cpu()


def _random_rows(rows: Tensor, most: int, sampling: Sampling, stream: str) -> Tensor:
    order = torch.randperm(len(rows), generator=sampling.generator(stream))
    return rows[order[: min(most, max(FEWEST_ROWS, sampling.samples // 10))]]


def _share_near(values: Tensor, mark: float) -> float:
    return torch.count_nonzero((values - mark).abs() < 0.01).item() / len(values)

"""Cosines and distances between the rows of a table [rows, d] (SPEC G4, G6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry.distribution import Distribution, distribution
from geometric_invariants.geometry.embedding import row_blocks, unit_rows
from geometric_invariants.geometry.estimate import Sampling

COSINE_MARKS = (0.0, 0.1, 0.19471, 0.2, 0.29154, 0.29514, 0.3, 0.5, 0.7, 0.9)
NEAR = 0.01  # of a mark
COSINE_ROWS = 5000
DISTANCE_ROWS = 2000
FEWEST_ROWS = 100  # of either, however few draws are asked for


@dataclass(frozen=True, slots=True)
class CosineMoments:
    """Mean and std of the cosine over all pairs of different rows."""

    mean: float
    std: float


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


def sampled_cosines(table: Tensor, norms: Tensor, sampling: Sampling) -> Distribution:
    """Cosines between the pairs of 5,000 random rows, float32; zero rows are left out.

    norms: those of all rows [rows]. Where fewer draws are asked for, of a tenth as many rows as
    draws, 100 at least. Raises ValueError for fewer than two non-zero rows. Source: SPEC G4.
    """
    kept = torch.nonzero(norms > 0).flatten()
    if len(kept) < 2:
        raise ValueError(f"cosines need at least 2 non-zero rows, got {len(kept)}")
    rows = _random_rows(kept, COSINE_ROWS, sampling, "cosine rows").to(table.device)
    unit = unit_rows(table[rows]).float()
    upper = torch.ones(len(rows), len(rows), dtype=torch.bool, device=rows.device).triu(1)
    return distribution((unit @ unit.mT)[upper])


def sampled_distances(table: Tensor, sampling: Sampling) -> Distribution:
    """Distances between the pairs of random rows, as many as for cosines but 2,000 at most.

    Raises ValueError for fewer than two rows. Source: SPEC G6.
    """
    if len(table) < 2:
        raise ValueError("distances need at least 2 rows")
    rows = _random_rows(torch.arange(len(table)), DISTANCE_ROWS, sampling, "distance rows")
    return distribution(torch.pdist(table[rows.to(table.device)].double()))


def _random_rows(rows: Tensor, most: int, sampling: Sampling, stream: str) -> Tensor:
    order = torch.randperm(len(rows), generator=sampling.generator(stream))
    return rows[order[: min(most, max(FEWEST_ROWS, sampling.samples // 10))]]

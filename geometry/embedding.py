"""Probes of a token-embedding table [rows, d] (SPEC G3, G5, G7, G8).

Row blocks, reductions in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geometry import estimate, spectrum
from geometry.estimate import Estimate, Sampling, exact

PERCENTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BLOCK_BYTES = 1 << 25
_COVARIANCE_DRAWS = 8


def row_blocks(table: Tensor) -> Iterator[Tensor]:
    """The table in float64, some rows at a time."""
    for block in table.split(max(1, _BLOCK_BYTES // (8 * table.shape[1]))):
        yield block.double()


def row_norms(table: Tensor) -> Tensor:
    """Euclidean norm of every row, [rows] float64 on the CPU."""
    return torch.cat([block.square().sum(1) for block in row_blocks(table)]).sqrt().cpu()


def column_means(table: Tensor) -> Tensor:
    """Mean of every dimension, [d] float64 on the table's device."""
    total: Tensor = torch.stack([block.sum(0) for block in row_blocks(table)]).sum(0)
    return total / len(table)


def column_moments(table: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population std of every dimension, each [d] float64 on the CPU."""
    mean = column_means(table)
    squares = torch.stack([(block - mean).square().sum(0) for block in row_blocks(table)]).sum(0)
    return mean.cpu(), (squares / len(table)).sqrt().cpu()


def distance(a: Tensor, b: Tensor) -> float:
    """Frobenius norm of a − b, accumulated in float64 over row blocks."""
    blocks = zip(row_blocks(a), row_blocks(b), strict=True)
    return math.sqrt(sum((x - y).square().sum().item() for x, y in blocks))


def covariance(table: Tensor) -> Tensor:
    """Centred covariance with n − 1, [d, d] float64. Raises ValueError for fewer than two rows."""
    n, d = table.shape
    if n < 2:
        raise ValueError(f"a covariance needs at least 2 rows, got {n}")
    mean = column_means(table)
    result = torch.zeros(d, d, dtype=torch.float64, device=table.device)
    for block in row_blocks(table):
        centred = block - mean
        result.addmm_(centred.mT, centred)
    return result / (n - 1)


@dataclass(frozen=True, slots=True)
class CovarianceSpectrum:
    """Eigenvalues of a covariance, descending [d], and what SPEC G3 asks of them."""

    eigenvalues: Tensor

    @property
    def participation_ratio(self) -> float:
        """(Σλ)²/Σλ² over d: 1 for an isotropic cloud, 1/d for a line."""
        return spectrum.participation_ratio(self.eigenvalues) / len(self.eigenvalues)

    @property
    def total_variance(self) -> float:
        return self.eigenvalues.sum().item()

    def dimensions_for(self, share: float) -> int:
        """Dimensions needed to hold `share` of the variance."""
        return spectrum.rank_for(self.eigenvalues, share)


def covariance_spectrum(table: Tensor) -> CovarianceSpectrum:
    """Spectrum of the covariance of a table's rows. Source: SPEC G3."""
    eigenvalues = torch.linalg.eigvalsh(covariance(table)).flip(0).clamp_min(0).cpu()
    return CovarianceSpectrum(eigenvalues)


def sampled_participation_ratio(table: Tensor, rows: int, sampling: Sampling) -> Estimate:
    """Participation ratio over d of the covariance of `rows` random rows, mean of eight draws.

    Fewer rows show less: 1/PR_n ≈ 1/PR + 1/n − 1/N for the undivided ratios of n of N rows. Exact
    where the table has no more rows than that. Source: SPEC G3, S13a.
    """
    if rows >= len(table):
        return exact(covariance_spectrum(table).participation_ratio)
    generator = sampling.generator("rows of a covariance")
    draws = []
    for _ in range(_COVARIANCE_DRAWS):
        chosen = torch.randperm(len(table), generator=generator)[:rows].to(table.device)
        draws.append(covariance_spectrum(table[chosen]).participation_ratio)
    return estimate.mean_of_few(draws)


def unit_rows(rows: Tensor) -> Tensor:
    """Rows [n, d] scaled to length one, float64; zero rows stay zero."""
    return torch.nn.functional.normalize(rows.double(), dim=1, eps=1e-300)


def row_cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of every row of a [n, d] with the same row of b [n, d] → [n] float64.

    A zero row gives 0. Raises ValueError if the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"rows of {list(a.shape)} and {list(b.shape)} do not pair up")
    blocks = zip(row_blocks(a), row_blocks(b), strict=True)
    return torch.cat([(unit_rows(x) * unit_rows(y)).sum(1) for x, y in blocks])


@dataclass(frozen=True, slots=True)
class NormSummary:
    """Row norms (with the rows of the extremes) and the spread of the dimensions' moments."""

    mean: float
    std: float
    lowest: float
    lowest_row: int
    highest: float
    highest_row: int
    percentiles: Mapping[float, float]
    zero_rows: int
    mean_of_means: float
    std_of_means: float
    mean_of_stds: float
    std_of_stds: float


def norm_summary(table: Tensor) -> NormSummary:
    """Row norms and per-dimension moments of a table. Source: SPEC G5."""
    norms = row_norms(table)
    means, stds = column_moments(table)
    return NormSummary(
        mean=norms.mean().item(),
        std=norms.std(correction=0).item(),
        lowest=norms.min().item(),
        lowest_row=int(norms.argmin()),
        highest=norms.max().item(),
        highest_row=int(norms.argmax()),
        percentiles=percentiles(norms),
        zero_rows=int((norms < 1e-6).sum()),
        mean_of_means=means.mean().item(),
        std_of_means=means.std(correction=0).item(),
        mean_of_stds=stds.mean().item(),
        std_of_stds=stds.std(correction=0).item(),
    )


@dataclass(frozen=True, slots=True)
class DigitSummary:
    """Cosines of the ten digit rows [10, 10] and how they fall with the digits' distance."""

    cosines: Tensor
    correlation: float
    adjacent: float
    distant: float

    @property
    def gap(self) -> float:
        return self.adjacent - self.distant


def digit_summary(rows: Tensor) -> DigitSummary:
    """Relation of |i − j| to the cosine of digits i and j. rows: [10, d]. Source: SPEC G7."""
    if rows.shape[0] != 10:
        raise ValueError(f"ten digit rows are needed, got {rows.shape[0]}")
    cosines = cosine_matrix(rows)
    i, j = torch.triu_indices(10, 10, 1)
    gaps = (j - i).double()
    values = cosines[i, j]
    correlation = torch.corrcoef(torch.stack([gaps, values]))[0, 1].item()
    return DigitSummary(
        cosines=cosines,
        correlation=correlation,
        adjacent=values[gaps == 1].mean().item(),
        distant=values[gaps > 1].mean().item(),
    )


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """Mean cosine inside each category, its lift over the global mean, cosines of the centroids."""

    members: Mapping[str, int]
    intra: Mapping[str, float]
    lift: Mapping[str, float]
    centroids: Tensor


def category_summary(
    table: Tensor, categories: Mapping[str, list[int]], global_mean: float
) -> CategorySummary:
    """Coherence of named groups of rows; those of fewer than three are left out. SPEC G8."""
    groups = {name: rows for name, rows in categories.items() if len(rows) >= 3}
    intra: dict[str, float] = {}
    centroids = []
    for name, rows in groups.items():
        members = table[torch.tensor(rows, device=table.device)]
        i, j = torch.triu_indices(len(rows), len(rows), 1)
        intra[name] = cosine_matrix(members)[i, j].mean().item()
        centroids.append(members.double().mean(0).cpu())
    return CategorySummary(
        members={name: len(rows) for name, rows in groups.items()},
        intra=intra,
        lift={name: value - global_mean for name, value in intra.items()},
        centroids=cosine_matrix(torch.stack(centroids)) if centroids else torch.empty(0, 0),
    )


def cosine_matrix(rows: Tensor) -> Tensor:
    """Cosines between all rows [n, d], as [n, n] float64 on the CPU; zero rows give zeros."""
    unit = unit_rows(rows)
    return (unit @ unit.mT).cpu()


def percentiles(values: Tensor) -> dict[float, float]:
    """The percentiles of SPEC G4 of values [n], by linear interpolation."""
    found = np.quantile(values.cpu().numpy(), PERCENTILES)
    return dict(zip(PERCENTILES, found.tolist(), strict=True))

"""Probes of a token-embedding table [rows, d] (SPEC G3, G5, G7, G8).

Row blocks, reductions in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from geometric_invariants.geometry import estimate, spectrum
from geometric_invariants.geometry.estimate import Estimate, Sampling, exact

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


@dataclass(frozen=True, slots=True)
class Moments:
    """Norms of a table's rows [rows]; mean and population std of its dimensions, each [d].

    All float64 on the CPU.
    """

    norms: Tensor
    means: Tensor
    stds: Tensor

    @property
    def overall_std(self) -> float:
        """Population std of all entries."""
        within, between = self.stds.square().mean(), self.means.var(correction=0)
        return (within + between).sqrt().item()


def moments(table: Tensor) -> Moments:
    """Norms of rows and moments of dimensions, from one pass over a table. Source: SPEC G5.

    Dimensions are laid off from the mean of the first rows, so that a mean far from zero costs the
    std no digits.
    """
    origin = next(row_blocks(table)).mean(0)
    total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
    norms = []
    for block in row_blocks(table):
        norms.append(torch.linalg.vector_norm(block, dim=1))
        centred = block - origin
        total += centred.sum(0)
        squares += centred.square_().sum(0)
    offset = total / len(table)
    variance = (squares / len(table) - offset.square()).clamp_min(0)
    return Moments(torch.cat(norms).cpu(), (origin + offset).cpu(), variance.sqrt().cpu())


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two tables row by row: cosines [rows] float64 on the CPU, and Frobenius norms."""

    cosines: Tensor
    first: float
    second: float
    difference: float


def comparison(a: Tensor, b: Tensor) -> Comparison:
    """Cosine of every row of a [n, d] with the same row of b, and norms of a, b and a − b.

    One pass over both; a zero row's cosine is 0. Raises ValueError if the shapes differ.
    Source: SPEC G11.
    """
    _check_pairs(a, b)
    cosines, sums = [], torch.zeros(3, dtype=torch.float64, device=a.device)
    for x, y in zip(row_blocks(a), row_blocks(b), strict=True):
        first, second = (torch.linalg.vector_norm(rows, dim=1) for rows in (x, y))
        scale = (first * second).clamp_min(1e-300)
        cosines.append((x * y).sum(1) / scale)
        sums += torch.stack([first.square().sum(), second.square().sum(), (x - y).square().sum()])
    return Comparison(torch.cat(cosines).cpu(), *sums.sqrt().tolist())


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
    _check_pairs(a, b)
    blocks = zip(row_blocks(a), row_blocks(b), strict=True)
    return torch.cat([(unit_rows(x) * unit_rows(y)).sum(1) for x, y in blocks])


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
    members = [table[torch.tensor(rows, device=table.device)] for rows in groups.values()]
    means = (cosines_within(rows).mean().item() for rows in members)
    intra = dict(zip(groups, means, strict=True))
    centroids = [rows.double().mean(0).cpu() for rows in members]
    return CategorySummary(
        members={name: len(rows) for name, rows in groups.items()},
        intra=intra,
        lift={name: value - global_mean for name, value in intra.items()},
        centroids=cosine_matrix(torch.stack(centroids)) if centroids else torch.empty(0, 0),
    )


def cosines_within(rows: Tensor) -> Tensor:
    """Cosines of all pairs of rows [n, d], as [n (n − 1)/2] float64 on the CPU."""
    i, j = torch.triu_indices(len(rows), len(rows), 1)
    return cosine_matrix(rows)[i, j]


def random_group_cosines(
    table: Tensor, size: int, draws: int, generator: torch.Generator
) -> Tensor:
    """Mean cosine inside each of `draws` groups of `size` rows at random, [draws] float64.

    Drawn with repetition, from the pairs' sum |Σuᵢ|² − Σ|uᵢ|². The null of a category. Source: G8.
    """
    chosen = torch.randint(len(table), (draws, size), generator=generator).to(table.device)
    unit = unit_rows(table[chosen].flatten(0, 1)).view(draws, size, -1)
    pairs = unit.sum(1).square().sum(1) - unit.square().sum((1, 2))
    return (pairs / (size * (size - 1))).cpu()


def cosine_matrix(rows: Tensor) -> Tensor:
    """Cosines between all rows [n, d], as [n, n] float64 on the CPU; zero rows give zeros."""
    unit = unit_rows(rows)
    return (unit @ unit.mT).cpu()


def percentiles(values: Tensor) -> dict[float, float]:
    """The percentiles of SPEC G4 of values [n], by linear interpolation."""
    found = np.quantile(values.cpu().numpy(), PERCENTILES)
    return dict(zip(PERCENTILES, found.tolist(), strict=True))


def _check_pairs(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"rows of {list(a.shape)} and {list(b.shape)} do not pair up")

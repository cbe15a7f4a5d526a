"""Null models: what random numbers of the same shape and scale would show.

Closed forms where theory gives one, otherwise draws. Gaussian rows are drawn up to rotation by
Bartlett's decomposition, so that five rows in d dimensions cost fifteen random numbers, not 5·d.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from geometric_invariants.geometry import estimate
from geometric_invariants.geometry.estimate import Estimate, Sampling, exact, normal
from geometric_invariants.geometry.latent_attention import LatentShape, random_signed_mass_std
from geometric_invariants.geometry.simplex import PENTACHORON, draw_index_sets, squared_volume
from geometric_invariants.geometry.spectrum import SpectrumSummary, summarize


def gaussian_pentachoron_cv(d: int) -> Estimate:
    """CV of pentachoron volumes of i.i.d. Gaussian points in ℝᵈ, d ≥ 4: exact. Source: SPEC G2.

    CV² = (2d−3)/((d−1)(d−3)), from E V² ∝ d(d−1)(d−2)(d−3) and E V ∝ (d−1)(d−3).
    """
    return exact(math.sqrt((2 * d - 3) / ((d - 1) * (d - 3))), "closed form")


def gaussian_pentachoron_mean(d: int, std: float) -> float:
    """Mean pentachoron volume of i.i.d. Gaussian points of one std: exact. Source: SPEC G2."""
    return math.sqrt(5) / math.factorial(PENTACHORON) * std**4 * (d - 1) * (d - 3)


def gaussian_row_participation(blocks: int, entries: int) -> float:
    """(Σs)²/(m Σs²) over the squared norms of m blocks of n Gaussian entries: exact.

    Their shares are Dirichlet with parameter a = n/2: the mean of m Σp² is m(a + 1)/(ma + 1), whose
    inverse this is.

    >>> gaussian_row_participation(1, 8)
    1.0
    """
    half = entries / 2
    return (blocks * half + 1) / (blocks * (half + 1))


def gaussian_rows(n: int, rows: int, d: int, generator: torch.Generator) -> Tensor:
    """n sets of `rows` standard Gaussian vectors of ℝᵈ, up to rotation: [n, rows, rows] float64.

    The lower triangle of Bartlett's decomposition: its Gram matrix has the Wishart distribution
    that d-dimensional vectors would give. Raises ValueError if d < rows.
    """
    if d < rows:
        raise ValueError(f"{rows} Gaussian rows in general position need d ≥ {rows}, got {d}")
    lower = torch.randn(n, rows, rows, dtype=torch.float64, generator=generator).tril(-1)
    freedom = (d - torch.arange(rows, dtype=torch.float64)).expand(n, rows)
    # A chi-square of ν degrees of freedom is twice a gamma of shape ν/2.
    chi_square = 2 * torch._standard_gamma(freedom / 2, generator=generator)
    lower.diagonal(dim1=-2, dim2=-1).copy_(chi_square.sqrt())
    return lower


def gaussian_volumes(d: int, std: float, n: int, generator: torch.Generator) -> Tensor:
    """Volumes of n pentachora of i.i.d. Gaussian points of one std in ℝᵈ, d ≥ 5: [n] float64.

    Source: SPEC G2, control (a).
    """
    return _volumes(squared_volume(gaussian_rows(n, PENTACHORON + 1, d, generator) * std))


def norm_matched_volumes(norms: Tensor, d: int, n: int, generator: torch.Generator) -> Tensor:
    """Volumes of n pentachora whose vertices have the norms of random rows, in random directions.

    norms: [rows]; d: dimension, at least 5. Returns [n] float64, fewer where V² ≤ 0 was dropped.
    Source: SPEC G2, control (c).
    """
    size = PENTACHORON + 1
    vertices = gaussian_rows(n, size, d, generator)
    chosen = norms.double().cpu()[draw_index_sets(len(norms), n, size, generator)]
    vertices *= (chosen / torch.linalg.vector_norm(vertices, dim=-1)).unsqueeze(-1)
    return _volumes(squared_volume(vertices))


def per_dimension_gaussian_volumes(stds: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Volumes of n pentachora of Gaussian points with stds [d].

    Returns [n] float64, fewer where V² ≤ 0 was dropped. Source: SPEC G2, control (b).
    """
    stds = stds.double().cpu()
    step = max(1, (1 << 22) // len(stds))
    blocks = [
        squared_volume(
            torch.randn(
                min(step, n - start),
                PENTACHORON + 1,
                len(stds),
                dtype=torch.float64,
                generator=generator,
            )
            * stds
        )
        for start in range(0, n, step)
    ]
    return _volumes(torch.cat(blocks))


def per_dimension_gaussian_mean(stds: Tensor, volumes: Tensor) -> Estimate:
    """Mean pentachoron volume of Gaussian points with stds [d], from draws of such volumes [n].

    E V² is known, 5/4! · e₄(stds²) with e₄ the elementary symmetric polynomial, and V² varies with
    V: as a control variate it leaves a small part of the draws' noise. Raises ValueError where
    fewer than two draws have a volume. Source: SPEC G2.
    """
    if len(volumes) < 2:
        raise ValueError("Gaussian points of these stds span no volume")
    squares = volumes.square()
    excess = squares - 5 / math.factorial(PENTACHORON) * _elementary_symmetric(stds.square())
    slope = torch.cov(torch.stack([volumes, squares]))[0, 1] / squares.var()
    return estimate.mean(volumes - slope * excess)


def gaussian_participation_ratio(n: int, d: int) -> Estimate:
    """Participation ratio over d of the covariance of n Gaussian points in ℝᵈ. Source: SPEC G3.

    Mean 1/(1 + (d+1)/(n−1)); the log's std is 2/(n+d), from the central limit theorem of linear
    spectral statistics of Wishart matrices (D. Jonsson, J. Multivariate Analysis 12, 1982).
    """
    value = 1 / (1 + (d + 1) / (n - 1))
    return normal(value, value * 2 / (n + d), method="closed form")


def gaussian_mean_cosine(n: int, d: int) -> Estimate:
    """Mean cosine over all pairs of n Gaussian points: (χ²_d/d − 1)/(n − 1). Source: SPEC G4."""
    return normal(0.0, math.sqrt(2 / d) / (n - 1), method="closed form")


def gaussian_covariance_eigenvalues(n: int, d: int, std: float) -> Tensor:
    """Eigenvalues of the covariance of n Gaussian points of one std in ℝᵈ, descending [d].

    One draw, always the same: a spectrum fluctuates by about one part in n + d. Source: SPEC G3.
    """
    values = gaussian_singular_values(n - 1, d, np.random.default_rng((n, d)))
    eigenvalues = values.square() * (std**2 / (n - 1))
    return torch.nn.functional.pad(eigenvalues, (0, d - len(eigenvalues)))


def gaussian_share_below(threshold: float, std: float, count: int) -> Estimate:
    """Share of `count` N(0, std²) numbers with |w| < threshold. Source: SPEC W2."""
    share = math.erf(threshold / (std * math.sqrt(2)))
    spread = math.sqrt(share * (1 - share) / count)
    bounded = normal(share, spread, method="closed form")
    return Estimate(share, max(0.0, bounded.low), min(1.0, bounded.high), 0, "closed form")


def random_balance(n: int, layers: int = 1) -> Estimate:
    """Positive share of the eigenvalues of sym(W_q W_kᵀ), n × n, for square random weights; the
    mean over `layers` of them. Std 0.75/n for one. Source: SPEC W3.
    """
    return normal(0.5, 0.75 / (n * math.sqrt(layers)), method="closed form")


def random_farthest_balance(n: int, layers: int, side: float) -> Estimate:
    """The positive share farthest from one half among `layers` layers of such weights, above or
    below it as `side` is. Shares are whole numbers over n: the interval is wider than that of the
    continuous null by half a step at both ends. Source: SPEC W3.
    """
    null, step = estimate.farthest(random_balance(n), layers, side), 0.5 / n
    return replace(null, low=null.low - step, high=null.high + step)


def gaussian_singular_values(m: int, n: int, generator: np.random.Generator) -> Tensor:
    """Singular values of an m × n matrix of N(0, 1) numbers, descending, [min] float64.

    Exact in distribution, from 2·min − 1 random numbers: a bidiagonal matrix of independent χ
    variables has the same ones; and, with both signs, a tridiagonal matrix of twice the size.
    Source: Dumitriu & Edelman, Matrix models for beta ensembles (2002).
    """
    small, large = min(m, n), max(m, n)
    off_diagonal = np.empty(2 * small - 1)
    off_diagonal[0::2] = np.sqrt(generator.chisquare(np.arange(large, large - small, -1)))
    off_diagonal[1::2] = np.sqrt(generator.chisquare(np.arange(small - 1, 0, -1)))
    both_signs = scipy.linalg.eigvalsh_tridiagonal(
        np.zeros(2 * small), off_diagonal, lapack_driver="sterf"
    )
    return torch.from_numpy(both_signs[small:][::-1].copy()).clamp_min(0)


@cache
def gaussian_spectra(m: int, n: int) -> tuple[SpectrumSummary, ...]:
    """Statistics of the spectra of a few random m × n matrices, always the same: 4 – 16 of them,
    fewer of larger ones, which differ less. Source: SPEC W1.
    """
    generator = np.random.default_rng((m, n))
    draws = max(4, min(16, 8192 // min(m, n)))
    return tuple(summarize(gaussian_singular_values(m, n, generator)) for _ in range(draws))


def random_median(
    shapes: Sequence[tuple[int, int]],
    statistic: Callable[[SpectrumSummary, int], float],
    counts: Sequence[int] = (),
) -> Estimate:
    """Median over matrices of these shapes, of random entries, of a statistic of their spectra.

    `statistic` takes the summary of a spectrum and how many singular values it has. `counts`: of
    each shape the median over so many matrices counts; one where not given. The mean and the
    central 95 % of 400 sets of matrices from `gaussian_spectra`. Raises ValueError without shapes.
    Source: SPEC W1.
    """
    if not shapes:
        raise ValueError("a median needs at least one matrix")
    generator = torch.Generator().manual_seed(0)
    columns = []
    for (m, n), count in zip(shapes, counts or [1] * len(shapes), strict=True):
        pool = [statistic(summary, min(m, n)) for summary in gaussian_spectra(m, n)]
        chosen = torch.randint(len(pool), (400, count), generator=generator)
        drawn = np.array(pool)[chosen.numpy()]
        columns.append(torch.from_numpy(np.median(drawn, axis=1)))
    medians = torch.from_numpy(np.median(torch.stack(columns).numpy(), axis=0))
    return estimate.quantile_interval(medians, medians.mean().item(), "drawn")


def random_matrix_cosine(numel: int, pairs: int = 1) -> Estimate:
    """Mean of `pairs` cosines between independent zero-mean arrays of `numel` entries: SPEC W5."""
    return normal(0.0, 1 / math.sqrt(numel * pairs), method="closed form")


def random_signed_mass(head_dim: int, d: int, heads: int, sampling: Sampling) -> Estimate:
    """Mean over heads of Σe/Σ|e| for heads of Gaussian weights, drawn. Source: SPEC W3."""
    generator = sampling.generator("signed mass of random heads")
    size = 2 * head_dim
    if size > d:
        root = torch.randn(64, size, d, dtype=torch.float64, generator=generator).mT
    else:
        root = gaussian_rows(64, size, d, generator).mT
    query, key = root[..., :head_dim].mT, root[..., head_dim:].mT
    product = query.mT @ key
    values = torch.linalg.eigvalsh((product + product.mT) / 2)
    masses = values.sum(-1) / values.abs().sum(-1)
    return normal(0.0, masses.std().item() / math.sqrt(heads), 64, "drawn")


def random_latent_signed_mass(
    shape: LatentShape, d: int, heads: int, sampling: Sampling
) -> Estimate:
    """The same for heads whose queries and keys are products of Gaussian factors, drawn."""
    std = random_signed_mass_std(shape, d, sampling.generator("signed mass of random heads"))
    return normal(0.0, std / math.sqrt(heads), 64, "drawn")


def shuffled_correlation(x: Tensor, y: Tensor, sampling: Sampling) -> Estimate:
    """Pearson correlation of the upper triangles of two n × n matrices when the second's rows and
    columns are permuted alike: its mean and the central 95 % of 10,000 permutations.

    The permutation null of a relation between labels and pairwise values. Source: SPEC G7.
    """
    n = x.shape[0]
    generator = sampling.generator("label permutations")
    upper = torch.triu_indices(n, n, 1)
    orders = torch.rand(10_000, n, generator=generator).argsort(1)
    first = x.double()[upper[0], upper[1]]
    second = y.double()[orders[:, upper[0]], orders[:, upper[1]]]
    first = first - first.mean()
    second = second - second.mean(1, keepdim=True)
    cosines = (second @ first) / (second.square().sum(1) * first.square().sum()).sqrt()
    return estimate.quantile_interval(cosines, cosines.mean().item(), "permutations")


def _elementary_symmetric(values: Tensor) -> float:
    """Σ over i < j < k < l of the product of four values [d], by Newton's recursion in float64."""
    powers = [values.double().pow(k).sum().item() for k in range(PENTACHORON + 1)]
    found = [1.0]
    for k in range(1, PENTACHORON + 1):
        terms = [(-1) ** (i - 1) * found[k - i] * powers[i] for i in range(1, k + 1)]
        found.append(math.fsum(terms) / k)
    return found[-1]


def _volumes(squared: Tensor) -> Tensor:
    return squared[squared > 0].sqrt()

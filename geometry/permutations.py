"""Exact moments of sums over random permutations: nulls that assume nothing of the numbers.

Everything is batched over the leading dimensions and in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor


def linear_moments(entries: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of Σ_i a[i, π(i)] over all permutations π.

    entries: [..., n, n] with n ≥ 2 → two [...]. Source: W. Hoeffding, A combinatorial central
    limit theorem, Annals of Mathematical Statistics 22 (1951).

    >>> linear_moments(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))  # π gives 2 or 0
    (tensor(1., dtype=torch.float64), tensor(1., dtype=torch.float64))
    """
    a = entries.double()
    n = a.shape[-1]
    mean = a.mean((-2, -1))
    centred = a - a.mean(-1, keepdim=True) - a.mean(-2, keepdim=True) + mean[..., None, None]
    return n * mean, centred.square().sum((-2, -1)) / (n - 1)


def quadratic_moments(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of Σ_ij a[i, j] · b[π(i), π(j)] over all permutations π.

    Both symmetric, [..., n, n] with n ≥ 4 → two [...]. The off-diagonal part is Mantel's statistic
    (N. Mantel, The detection of disease clustering, Cancer Research 27, 1967); the diagonal is a
    linear one, and the two are correlated.
    """
    a, b = first.double(), second.double()
    n = a.shape[-1]
    one, two = _Sums.of(a), _Sums.of(b)
    pairs, triples = n * (n - 1), n * (n - 1) * (n - 2)
    mean_diagonal = one.trace * two.trace / n
    mean_rest = one.rest * two.rest / pairs
    diagonal = one.squared_trace * two.squared_trace / n
    diagonal = diagonal + one.other_traces * two.other_traces / pairs
    both = 2 * one.touching * two.touching / pairs + one.apart * two.apart / triples
    rest = 2 * one.same * two.same / pairs + 4 * one.sharing * two.sharing / triples
    rest = rest + one.disjoint * two.disjoint / (triples * (n - 3))
    mean = mean_diagonal + mean_rest
    variance = diagonal + 2 * both + rest - mean.square()
    return mean, variance.clamp(min=0)


class _Sums:
    """Sums over a symmetric matrix by which of its indices coincide."""

    def __init__(self, diagonal: Tensor, rest: Tensor) -> None:
        rows, self.trace = rest.sum(-1), diagonal.sum(-1)
        self.rest = rows.sum(-1)  # i ≠ j
        self.squared_trace = diagonal.square().sum(-1)
        self.other_traces = self.trace.square() - self.squared_trace  # a_ii a_jj, i ≠ j
        self.touching = (diagonal * rows).sum(-1)  # a_ii a_ij
        self.apart = self.trace * self.rest - 2 * self.touching  # a_kk a_ij, all different
        self.same = rest.square().sum((-2, -1))  # a_ij²
        self.sharing = rows.square().sum(-1) - self.same  # a_ij a_ik
        self.disjoint = self.rest.square() - 2 * self.same - 4 * self.sharing  # a_ij a_kl

    @classmethod
    def of(cls, matrix: Tensor) -> _Sums:
        diagonal = matrix.diagonal(dim1=-2, dim2=-1)
        return cls(diagonal, matrix - torch.diag_embed(diagonal))

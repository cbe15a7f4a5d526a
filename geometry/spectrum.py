"""Singular values of a weight and the statistics of a spectrum (SPEC W1, G3).

Statistics take a spectrum, so that it is computed once and asked many times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce

import torch
from torch import Tensor

from geometric_invariants.geometry.kernels import eigenvalues as kernel
from geometric_invariants.geometry.row_blocks import RowBlocks

ACTIVE_SHARE = 0.01
KEPT = 64  # singular values or eigenvalues that a summary keeps
_GRAM_RELIABLE, _GRAM_SHARP = 1e-6, 1e-3  # of σ₁
_SUBSPACE, _MOST_STEPS, _SETTLED = 24, 30, 1e-11
_BLOCK_ELEMENTS = 1 << 22


def gram_matrix(matrix: Tensor) -> Tensor:
    """W Wᵀ or Wᵀ W, whichever is smaller, in float64, built from blocks of the matrix.

    matrix: [m, n], any float type. Returns [min, min] float64 on the matrix's device.
    """
    return _gram(_wide(matrix))


def _gram(wide: Tensor) -> Tensor:
    gram = torch.zeros(len(wide), len(wide), dtype=torch.float64, device=wide.device)
    for block in _column_blocks(wide):
        block = block.double()
        gram.addmm_(block, block.mT)
    return gram


def _wide(matrix: Tensor) -> Tensor:
    """The matrix or its transpose, whichever has no more rows than columns."""
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT


def _column_blocks(wide: Tensor) -> Sequence[Tensor]:
    """Some columns of a matrix at a time."""
    blocks: Sequence[Tensor] = wide.split(max(1, _BLOCK_ELEMENTS // len(wide)), dim=1)
    return blocks


def eigenvalues(symmetric: Tensor) -> Tensor:
    """Eigenvalues of a symmetric matrix [n, n], float64, ascending, [n] on its device."""
    if kernel.is_available(symmetric):
        return kernel.eigvalsh(symmetric)
    values: Tensor = torch.linalg.eigvalsh(symmetric)
    return values


def singular_values(matrix: Tensor) -> Tensor:
    """Singular values, descending, float64 [min(m, n)] on the CPU.

    From the float64 Gram matrix, which leaves σ a relative error of ε (σ₁/σ)². The smallest, where
    under 1e-3 of the largest, is refined to ε σ₁/σ; where under 1e-6, all come from a float64 SVD.
    Raises ValueError unless the matrix has two dimensions and finite entries. Source: SPEC W1.
    """
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"a spectrum needs a non-empty matrix, got shape {tuple(matrix.shape)}")
    gram = gram_matrix(matrix)
    values = _roots(gram)
    lowest = values[-1] / values[0]
    if lowest < _GRAM_SHARP:
        refined = _smallest(matrix, gram, values[0].item()) if lowest >= _GRAM_RELIABLE else None
        if refined is None:
            values = torch.linalg.svdvals(matrix.double())
        else:
            values[-1] = refined
            values = values.sort(descending=True).values
    descending: Tensor = values.cpu()
    return descending


def singular_values_of(blocks: RowBlocks) -> Tensor:
    """The same of a matrix of at least as many rows as columns, which comes in blocks of its rows.

    Where the smallest is under 1e-3 of the largest, the blocks are asked for once more, and all
    come, to ε σ₁/σ, from the triangular factor that they leave. Source: Demmel et al.,
    Communication-optimal parallel and sequential QR and LU factorizations (2012).
    """
    values = _roots(reduce(Tensor.add_, (_gram(block.mT) for block in blocks())))
    if values[-1] < _GRAM_SHARP * values[0]:
        values = torch.linalg.svdvals(_triangle(blocks))
    descending: Tensor = values.cpu()
    return descending


def _triangle(blocks: RowBlocks) -> Tensor:
    """R of the QR decomposition of all rows, [n, n] float64."""
    columns = itertools.chain.from_iterable(_column_blocks(block.mT) for block in blocks())
    rows = (part.mT.double() for part in columns)
    return reduce(lambda above, new: torch.linalg.qr(torch.cat([above, new]), mode="r").R, rows)


def _roots(gram: Tensor) -> Tensor:
    """Square roots of a Gram matrix's eigenvalues, descending. Raises ValueError if not finite."""
    if not torch.isfinite(gram.diagonal()).all():
        raise ValueError("a spectrum needs finite entries")
    return eigenvalues(gram).flip(0).clamp_min(0).sqrt()


def _smallest(matrix: Tensor, gram: Tensor, largest: float) -> float | None:
    """σ_min with a relative error of ε σ₁/σ_min; None where it does not settle.

    Subspace iteration in which the inverse of the Gram matrix is but a preconditioner: residuals
    and values come from the matrix itself, so that nothing is squared. Source: Neymeyr, A geometric
    theory for preconditioned inverse iteration (2001).
    """
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        return None
    generator = torch.Generator().manual_seed(0)
    shape = (len(gram), min(_SUBSPACE, len(gram)))
    x = torch.randn(shape, dtype=torch.float64, generator=generator).to(gram.device)
    previous, noise = math.inf, torch.finfo(torch.float64).eps * largest
    for _ in range(_MOST_STEPS):
        x = torch.linalg.qr(x).Q
        parts = [block.double().mT @ x for block in _column_blocks(_wide(matrix))]
        image = torch.cat(parts)
        squares, rotation = torch.linalg.eigh(image.mT @ image)
        lowest: float = torch.linalg.vector_norm(image @ rotation[:, 0]).item()
        if abs(previous - lowest) <= max(_SETTLED * lowest, noise):
            return lowest
        previous = lowest
        applied = torch.zeros_like(x)
        for block, part in zip(_column_blocks(_wide(matrix)), parts, strict=True):
            applied.addmm_(block.double(), part)
        x = x @ rotation
        x -= torch.cholesky_solve(applied @ rotation - x * squares, factor)
    return None


def with_fixed_signs(vectors: Tensor) -> Tensor:
    """Eigenvectors [d, k] as columns, each with the sign that makes its largest entry positive."""
    largest = vectors.abs().argmax(0)
    signs = vectors[largest, torch.arange(vectors.shape[1], device=vectors.device)].sign()
    return vectors * signs


def stable_rank(values: Tensor) -> float:
    """‖W‖_F² / σ₁² of singular values [n]; 0 for a zero matrix. Source: SPEC W1."""
    return _ratio(values.square().sum(), values.max().square())


def participation_ratio(values: Tensor) -> float:
    """(Σλ)² / Σλ² of non-negative values [n]; 0 if all are zero. Source: SPEC W1 (σ), G3 (λ)."""
    return _ratio(values.sum().square(), values.square().sum())


def active_fraction(values: Tensor) -> float:
    """Share of singular values above 0.01 σ₁. Source: SPEC W1."""
    return (values > ACTIVE_SHARE * values.max()).double().mean().item()


def rank_for(values: Tensor, share: float) -> int:
    """How many of the largest values are needed for `share` of their sum. Source: SPEC W1, G3."""
    cumulative = values.sort(descending=True).values.cumsum(0)
    return min(len(values), int((cumulative < share * cumulative[-1]).sum().item()) + 1)


def condition_number(values: Tensor) -> float:
    """σ₁ / (σ_min + 1e-10). Source: SPEC W1."""
    return (values.max() / (values.min() + 1e-10)).item()


@cache
def log_ranks(count: int, points: int = KEPT) -> tuple[int, ...]:
    """Indices 0 … count − 1, all of them or some `points` that are even in the log of the rank.

    >>> log_ranks(3), log_ranks(1000, 4)
    ((0, 1, 2), (0, 9, 99, 999))
    """
    if count <= points:
        return tuple(range(count))
    grid = torch.logspace(0, math.log10(count), points, dtype=torch.float64).round().long()
    return tuple(sorted({min(int(rank), count) - 1 for rank in grid}))


@cache
def even_ranks(count: int, points: int = KEPT) -> tuple[int, ...]:
    """Indices 0 … count − 1, all of them or `points` at even distances, both ends included.

    >>> even_ranks(3), even_ranks(1001, 5)
    ((0, 1, 2), (0, 250, 500, 750, 1000))
    """
    if count <= points:
        return tuple(range(count))
    steps = torch.arange(points, dtype=torch.float64) / (points - 1)
    return tuple((steps * (count - 1)).round().long().tolist())


@dataclass(frozen=True, slots=True)
class SpectrumSummary:
    """The statistics of one matrix's singular values. `largest` is σ₁.

    `thinned` are σ at the indices `log_ranks(count)`, all of them up to 64.
    """

    largest: float
    smallest: float
    stable_rank: float
    participation_ratio: float
    active_fraction: float
    rank_90: int
    condition: float
    count: int
    thinned: tuple[float, ...]


def summarize(values: Tensor) -> SpectrumSummary:
    """All W1 statistics of singular values [n]."""
    return SpectrumSummary(
        largest=values.max().item(),
        smallest=values.min().item(),
        stable_rank=stable_rank(values),
        participation_ratio=participation_ratio(values),
        active_fraction=active_fraction(values),
        rank_90=rank_for(values, 0.9),
        condition=condition_number(values),
        count=len(values),
        thinned=tuple(values[list(log_ranks(len(values)))].tolist()),
    )


@dataclass(frozen=True, slots=True)
class Inertia:
    """How many eigenvalues are positive, negative and zero to rounding, and the five largest."""

    positive: int
    negative: int
    zero: int
    top: tuple[float, ...] = ()

    @property
    def positive_fraction(self) -> float:
        """Share of positive among the non-zero eigenvalues; nan if there is none."""
        signed = self.positive + self.negative
        return self.positive / signed if signed else float("nan")


def inertia(eigenvalues: Tensor) -> Inertia:
    """Signs of a symmetric matrix's eigenvalues [n]; zero is |e| ≤ n ε max|e|, what rounding makes.

    Source: SPEC W3.
    """
    eigenvalues = eigenvalues.double()
    floor = len(eigenvalues) * torch.finfo(torch.float64).eps * eigenvalues.abs().max()
    positive = int((eigenvalues > floor).sum())
    negative = int((eigenvalues < -floor).sum())
    top = eigenvalues.sort(descending=True).values[:5].tolist()
    return Inertia(positive, negative, len(eigenvalues) - positive - negative, tuple(top))


def _ratio(numerator: Tensor, denominator: Tensor) -> float:
    return (numerator / denominator).item() if denominator > 0 else 0.0

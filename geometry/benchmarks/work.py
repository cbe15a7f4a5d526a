"""The least that jobs have to do: what a benchmark's time is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Work:
    """Bytes to read and write, operations on a float type."""

    bytes: int
    flops: int = 0
    dtype: torch.dtype = torch.float64


def eigenvalue_flops(n: int) -> int:
    """All eigenvalues of a symmetric [n, n]: its tridiagonalisation, 4n³/3."""
    return 4 * n**3 // 3


def spectrum_flops(shape: Sequence[int]) -> int:
    """The Gram matrix of [m, n], m ≤ n, which is m²n, and its eigenvalues."""
    least, most = min(shape), max(shape)
    return least**2 * most + eigenvalue_flops(least)


def pentachora_work(table: Tensor, sets: Tensor) -> Work:
    """Five rows of the table [rows, d] each, four edges of them and ten products of edges."""
    d = table.shape[1]
    return Work(sets.numel() * d * table.element_size(), len(sets) * d * (4 + 2 * 10))

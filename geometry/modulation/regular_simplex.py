"""Regular simplices: all edges alike, in any number of dimensions that holds them."""

from __future__ import annotations

import torch
from torch import Tensor


def regular_simplex(k: int, dimensions: int) -> Tensor:
    """Vertices of a regular k-simplex of edge 1 about the origin, [k + 1, dimensions] float64.

    The unit vectors of ℝᵏ⁺¹ over √2 are one edge apart; Helmert's orthonormal rows turn the
    hyperplane that holds them into the first k dimensions. Raises ValueError if dimensions < k.
    """
    if not 1 <= k <= dimensions:
        raise ValueError(f"a regular {k}-simplex needs at least {max(k, 1)} dimensions")
    vertices = torch.zeros(k + 1, dimensions, dtype=torch.float64)
    for row in range(1, k + 1):
        length = (row * (row + 1)) ** 0.5
        vertices[:row, row - 1] = 1 / length
        vertices[row, row - 1] = -row / length
    return vertices / 2**0.5

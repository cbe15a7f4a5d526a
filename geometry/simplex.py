"""Volumes of simplices and the pentachoron CV (SPEC G1, G2).

`cayley_menger_squared_volume` is the definition. What runs is the Gram form: edges first, in
float64, then the determinant of their Gram matrix, so that points far from the origin lose nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from geometric_invariants.geometry import estimate
from geometric_invariants.geometry.estimate import Estimate, Sampling
from geometric_invariants.geometry.kernels import simplex_volumes

PENTACHORON = 4
_SETS_AT_ONCE = 1 << 19  # of indices: 21 MB
_BLOCK_BYTES = 1 << 21  # float64 vertices of one block stay in the CPU's cache


def cayley_menger_squared_volume(vertices: Tensor) -> Tensor:
    """V² from the bordered determinant of squared distances: the definition, for reference.

    vertices: [..., k+1, d], any float type. Returns [...] float64. Raises ValueError if d < k.
    Source: SPEC G1.
    """
    vertices = _checked(vertices).double()
    k = vertices.shape[-2] - 1
    squared = (vertices.unsqueeze(-2) - vertices.unsqueeze(-3)).square().sum(-1)
    bordered = torch.nn.functional.pad(squared, (0, 1, 0, 1), value=1.0)
    bordered[..., -1, -1] = 0.0
    sign = 1 if k % 2 else -1
    factor = sign / (2.0**k * math.factorial(k) ** 2)
    determinant: Tensor = torch.linalg.det(bordered)
    return factor * determinant


def squared_volume(vertices: Tensor) -> Tensor:
    """V² = det(E Eᵀ)/(k!)² with edge rows E_i = x_i − x_0. Differentiable.

    vertices: [..., k+1, d], any float type. Returns [...] float64, which rounding may leave
    slightly negative for a degenerate simplex. Raises ValueError if d < k. Source: SPEC G1.
    """
    vertices = _checked(vertices).double()
    edges = vertices[..., 1:, :] - vertices[..., :1, :]
    return _gram_determinant(edges @ edges.mT) / math.factorial(edges.shape[-2]) ** 2


def squared_volumes_of_rows(table: Tensor, indices: Tensor, scales: Tensor | None = None) -> Tensor:
    """V² of the simplices whose vertices are rows of a table, each times its factor in `scales`.

    table: [rows, d], any float type, any device; indices: [n, k+1] int64; scales: [rows] float64.
    Returns [n] float64 on the table's device. Gathers block by block; nothing of size n·d is kept.
    Source: SPEC G1, G2.
    """
    n, vertices = indices.shape
    d = table.shape[1]
    _check_dimensions(vertices - 1, d)
    if simplex_volumes.is_available(table, vertices):
        return simplex_volumes.squared_volumes(table, indices, scales)
    k = vertices - 1
    indices = indices.to(table.device)
    step = max(1, (_BLOCK_BYTES if table.device.type == "cpu" else 1 << 28) // (vertices * d * 8))
    stored = torch.empty(min(step, n) * vertices, d, dtype=table.dtype, device=table.device)
    block = torch.empty(min(step, n), vertices, d, dtype=torch.float64, device=table.device)
    gram = torch.empty(n, k, k, dtype=torch.float64, device=table.device)
    for start in range(0, n, step):
        part = indices[start : start + step].reshape(-1)
        rows = len(part) // vertices
        torch.index_select(table, 0, part, out=stored[: len(part)])
        block[:rows].copy_(stored[: len(part)].view(rows, vertices, d))
        if scales is not None:
            block[:rows].mul_(scales[part].view(rows, vertices, 1))
        edges = block[:rows, 1:]
        edges.sub_(block[:rows, :1])
        torch.bmm(edges, edges.mT, out=gram[start : start + rows])
    return _gram_determinant(gram) / math.factorial(k) ** 2


def draw_index_sets(rows: int, n: int, size: int, generator: torch.Generator) -> Tensor:
    """n uniform sets of `size` *distinct* indices below `rows`, as [n, size] int64 on the CPU.

    Floyd's algorithm, vectorised over the sets. Raises ValueError if rows < size.
    """
    if rows < size:
        raise ValueError(f"a simplex of {size} vertices needs at least {size} rows, got {rows}")
    sets = torch.empty(n, size, dtype=torch.int64)
    for position, top in enumerate(range(rows - size, rows)):
        drawn = torch.randint(0, top + 1, (n,), generator=generator)
        taken = (sets[:, :position] == drawn[:, None]).any(1)
        sets[:, position] = torch.where(taken, top, drawn)
    return sets


def regular_simplex_volume(k: int, edge: float = 1.0) -> float:
    """aᵏ/k! · √((k+1)/2ᵏ). Source: SPEC G1."""
    return edge**k / math.factorial(k) * math.sqrt((k + 1) / 2**k)


@dataclass(frozen=True, slots=True)
class VolumeStatistics:
    """CV and mean of pentachoron volumes, and how many simplices had V² ≤ 0 and were dropped.

    `volumes` are those that were kept, in the order of drawing, [valid] float64 on the CPU.
    """

    cv: Estimate
    mean: Estimate
    dropped: int
    volumes: Tensor = field(repr=False, compare=False)


class PentachoronDraws:
    """Volumes of random pentachora of a table's rows, drawn when first asked for and kept.

    table: [rows, d], d ≥ 4; `unit` scales every row to length one first. Statistics of one table
    with one seed and one number of samples share them.
    """

    def __init__(self, table: Tensor, sampling: Sampling, *, unit: bool = False) -> None:
        self._table, self._scales = table, _reciprocal_norms(table) if unit else None
        self._generator = sampling.generator("pentachora")
        self._kept: list[Tensor] = []

    def volumes(self, number: int, n: int) -> Tensor:
        """Those of the draw of that number, of n sets of rows; fewer where V² ≤ 0 was dropped.

        [valid] float64 on the CPU. Raises ValueError for fewer than five rows or d < 4.
        """
        if number == len(self._kept):
            self._kept.append(self._drawn(n))
        return self._kept[number]

    def _drawn(self, n: int) -> Tensor:
        rows, generator = len(self._table), self._generator
        sizes = [min(_SETS_AT_ONCE, n - start) for start in range(0, n, _SETS_AT_ONCE)]
        sets = (draw_index_sets(rows, size, PENTACHORON + 1, generator) for size in sizes)
        squared = torch.cat(
            [squared_volumes_of_rows(self._table, part, self._scales).cpu() for part in sets]
        )
        volumes: Tensor = squared[squared > 0].sqrt()
        return volumes


def volume_statistics(
    table: Tensor,
    sampling: Sampling,
    *,
    unit: bool = False,
    edges_of: Literal["cv", "mean"] = "cv",
) -> VolumeStatistics:
    """CV and mean volume over random pentachora of a table's rows. Source: SPEC G2.

    table: [rows, d], d ≥ 4; `unit` scales every row to length one first (directions alone);
    `edges_of` says which of the two has to clear the sampling's edges.
    Raises ValueError for fewer than five rows or d < 4, and if every simplex is degenerate.
    """
    draws = PentachoronDraws(table, sampling, unit=unit)
    return statistics_of(draws, sampling, edges_of=edges_of)


def statistics_of(
    draws: PentachoronDraws, sampling: Sampling, *, edges_of: Literal["cv", "mean"] = "cv"
) -> VolumeStatistics:
    """`volume_statistics` of draws that others may read too, all with as many samples."""
    of = {"cv": estimate.coefficient_of_variation, "mean": estimate.mean}
    asked: list[int] = []

    def draw(n: int) -> Tensor:
        asked.append(n)
        return draws.volumes(len(asked) - 1, n)

    def judged(volumes: Tensor) -> Estimate:
        if len(volumes) < 2:
            raise ValueError("every sampled pentachoron is degenerate (V² ≤ 0)")
        return of[edges_of](volumes)

    volumes, _ = estimate.refine(draw, judged, sampling)
    cv, mean = of["cv"](volumes), of["mean"](volumes)
    return VolumeStatistics(cv, mean, sum(asked) - len(volumes), volumes)


def _reciprocal_norms(table: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(table, dim=1, dtype=torch.float64)
    reciprocal: Tensor = norms.clamp_min(torch.finfo(torch.float64).tiny).reciprocal()
    return reciprocal


def _checked(vertices: Tensor) -> Tensor:
    _check_dimensions(vertices.shape[-2] - 1, vertices.shape[-1])
    return vertices


def _check_dimensions(k: int, d: int) -> None:
    if k < 1:
        raise ValueError("a simplex needs at least two vertices")
    if d < k:
        raise ValueError(f"a {k}-simplex needs at least {k} dimensions, got {d}")


def _gram_determinant(gram: Tensor) -> Tensor:
    """Determinant of positive semidefinite matrices [..., k, k] by symmetric elimination.

    Without pivoting, which positive semidefinite matrices do not need; vectorised over the batch,
    where a LAPACK call per k × k matrix would cost more than its arithmetic.
    """
    k = gram.shape[-1]
    rows = [[gram[..., i, j] for j in range(i + 1)] for i in range(k)]
    determinant = torch.ones_like(rows[0][0])
    for p in range(k):
        pivot = rows[p][p]
        determinant = determinant * pivot
        safe = torch.where(pivot > 0, pivot, 1.0)
        for i in range(p + 1, k):
            factor = rows[i][p] / safe
            for j in range(p + 1, i + 1):
                rows[i][j] = rows[i][j] - factor * rows[j][p]
    return determinant

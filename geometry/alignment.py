"""Principal components and orthogonal Procrustes between two clouds of paired rows (SPEC S13b)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometry.embedding import row_blocks


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """Mean [d], orthonormal axes [d, k] by falling variance, the share of variance they keep."""

    mean: Tensor
    axes: Tensor
    share: float

    def project(self, rows: Tensor) -> Tensor:
        """Rows [n, d] in the axes, [n, k] float64."""
        return torch.cat([(block - self.mean) @ self.axes for block in row_blocks(rows)])


def principal_components(rows: Tensor, k: int) -> PrincipalComponents:
    """The k axes of greatest variance of rows [n, d], from the covariance summed block by block.

    Float64 throughout; signs are fixed by the largest entry of each axis.
    Raises ValueError if k exceeds d, or n is below 2.
    """
    n, d = rows.shape
    if k > d or n < 2:
        raise ValueError(f"{n} rows of {d} dimensions have no {k} principal components")
    total = torch.zeros(d, dtype=torch.float64, device=rows.device)
    for block in row_blocks(rows):
        total += block.sum(0)
    mean = total / n
    covariance = torch.zeros(d, d, dtype=torch.float64, device=rows.device)
    for block in row_blocks(rows):
        centred = block - mean
        covariance.addmm_(centred.mT, centred)
    values, vectors = torch.linalg.eigh(covariance)
    axes = vectors[:, -k:].flip(1)
    largest = axes.abs().argmax(0)
    signs = axes[largest, torch.arange(k, device=axes.device)].sign()
    values = values.clamp_min(0)
    return PrincipalComponents(mean, axes * signs, (values[-k:].sum() / values.sum()).item())


@dataclass(frozen=True, slots=True)
class Procrustes:
    """The orthogonal map of one centred cloud onto another: (x − source) rotation + target."""

    rotation: Tensor
    source: Tensor
    target: Tensor

    def map(self, rows: Tensor) -> Tensor:
        """Rows of the source's space [n, d], mapped, float64."""
        return (rows.double() - self.source) @ self.rotation + self.target


def orthogonal_procrustes(source: Tensor, target: Tensor) -> Procrustes:
    """The orthogonal R that minimises ‖(source − mean) R − (target − mean)‖_F.

    source, target: [n, d] paired rows. R = U Vᵀ of the SVD of sourceᵀ target (Schönemann 1966), in
    float64; reflections are allowed. Raises ValueError if the shapes differ.
    """
    if source.shape != target.shape:
        raise ValueError(f"rows of {list(source.shape)} and {list(target.shape)} do not pair up")
    a, b = source.double(), target.double()
    means = a.mean(0), b.mean(0)
    u, _, v = torch.linalg.svd((a - means[0]).mT @ (b - means[1]))
    return Procrustes(u @ v, *means)

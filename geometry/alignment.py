"""One cloud of rows laid over another: principal components and Procrustes (SPEC S13b)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry import embedding, spectrum
from geometric_invariants.geometry.embedding import row_blocks


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
    values, vectors = torch.linalg.eigh(embedding.covariance(rows))
    axes = spectrum.with_fixed_signs(vectors[:, -k:].flip(1))
    values = values.clamp_min(0)
    share = (values[-k:].sum() / values.sum()).item()
    return PrincipalComponents(embedding.column_means(rows), axes, share)


@dataclass(frozen=True, slots=True)
class Procrustes:
    """The orthogonal map of one centred cloud onto another: (x − source) rotation + target.

    `singular_sum` is Σσ of the clouds' product, what scipy calls scale, in units of both; `factor`
    is Σσ over the source's centred square, the scale that the best similarity would add.
    """

    rotation: Tensor
    source: Tensor
    target: Tensor
    singular_sum: float
    factor: float

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
    centred = a - means[0]
    u, singular, v = torch.linalg.svd(centred.mT @ (b - means[1]))
    total = singular.sum()
    factor = (total / centred.square().sum()).item()
    return Procrustes(u @ v, *means, total.item(), factor)

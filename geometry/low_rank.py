"""Spectra of products of two thin factors, without the product (updates of LoRA)."""

from __future__ import annotations

import torch
from torch import Tensor


def product_singular_values(left: Tensor, right: Tensor) -> Tensor:
    """Singular values of left · right, descending, float64 [min(m, r, n)] on the CPU.

    left: [m, r], right: [r, n], any float type. From the triangular factors of both, whose product
    is at most r × r, so that the cost is that of two thin QR decompositions. Raises ValueError
    unless the shapes fit. Source: SPEC W1.

    >>> import torch
    >>> product_singular_values(torch.tensor([[3.0], [4.0]]), torch.tensor([[0.0, 2.0]])).tolist()
    [10.0]
    """
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
        raise ValueError(f"{list(left.shape)} · {list(right.shape)} is no product of matrices")
    triangles = [torch.linalg.qr(factor.double(), mode="r").R for factor in (left, right.mT)]
    values: Tensor = torch.linalg.svdvals(triangles[0] @ triangles[1].mT)
    return values.cpu()


def numerical_rank(values: Tensor, shape: tuple[int, int]) -> int:
    """How many singular values of a matrix [m, n] are above σ₁ · max(m, n) · 2⁻⁵².

    >>> numerical_rank(torch.tensor([2.0, 1.0, 1e-17]), (3, 5))
    2
    """
    if not len(values):
        return 0
    bound = values.max() * max(shape) * torch.finfo(torch.float64).eps
    return int((values > bound).sum())

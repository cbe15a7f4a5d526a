"""Query–key geometry of an attention layer, in both forms (SPEC W3).

`output_form` is the notebook's W_q W_kᵀ, which mixes heads; `head_signs` is of what attention
computes, B_h = W_{q,h}ᵀ W_{k,h}, from a problem of size 2·d_head and never the d × d product.
Weights are stored [out, in]. `latent_attention` has both of queries and keys in thin factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from geometric_invariants.geometry import spectrum
from geometric_invariants.geometry.spectrum import Inertia

_GROUP_ELEMENTS = 1 << 22  # of the queries in float64 at once
_GRID = 2_000
_WELL_CONDITIONED = 1e-3  # of Cholesky pivots: their squares' rounding stays under 1e-9


@dataclass(frozen=True, slots=True)
class OutputForm:
    """M = W_q W_kᵀ: its ranks, its asymmetry, the signs of sym(M) and their balance.

    `z_score` is (positive fraction − 0.5)·n/0.75, against square random weights. `descending` are
    the eigenvalues of sym(M) at the indices `even_ranks(size)`.
    """

    size: int
    stable_rank: float
    participation_ratio: float
    symmetry_deviation: float
    signs: Inertia
    descending: tuple[float, ...]

    @property
    def z_score(self) -> float:
        return (self.signs.positive_fraction - 0.5) * self.size / 0.75


def output_form(w_q: Tensor, w_k: Tensor) -> OutputForm:
    """The QK manifold of one layer in the claims' form. Source: SPEC W3.

    w_q, w_k: [inner, d], any float type. Raises ValueError if their shapes differ.
    """
    if w_q.shape != w_k.shape:
        raise ValueError(f"W_q {tuple(w_q.shape)} and W_k {tuple(w_k.shape)} must match")
    return _output_form(w_q.double() @ w_k.double().mT, len(w_q))


def thin_output_form(query: Tensor, key: Tensor) -> OutputForm:
    """The same for M = U Vᵀ of thin factors, never forming M.

    query, key: U, V [inner, r] float64. With [U V] = P [R_U R_V] a thin QR, M = P (R_U R_Vᵀ) Pᵀ:
    all but its zeros is a matrix of size 2r. Raises ValueError if their shapes differ.
    """
    if query.shape != key.shape:
        raise ValueError(f"factors {tuple(query.shape)} and {tuple(key.shape)} must match")
    inner, rank = query.shape
    if 2 * rank >= inner:
        return _output_form(query @ key.mT, inner)
    root = triangular_root(torch.cat([query, key], 1).mT[None])[0]
    return _output_form(root[:, :rank] @ root[:, rank:].mT, inner)


def _output_form(product: Tensor, size: int) -> OutputForm:
    """Of M [size, size] that is `product`, in some orthonormal basis, and zero beside it."""
    norm, skew = product.norm(), (product - product.mT).norm()
    values = spectrum.eigenvalues(product.mT @ product).clamp_min(0).sqrt()
    symmetric = product.add_(product.mT.clone()).div_(2)
    eigenvalues = spectrum.eigenvalues(symmetric)
    zeros = eigenvalues.new_zeros(size - len(eigenvalues))
    eigenvalues = torch.cat([eigenvalues, zeros]).sort(descending=True).values
    return OutputForm(
        size=size,
        stable_rank=spectrum.stable_rank(values),
        participation_ratio=spectrum.participation_ratio(values),
        symmetry_deviation=(skew / norm).item() if norm > 0 else 0.0,
        signs=spectrum.inertia(eigenvalues),
        descending=tuple(eigenvalues[list(spectrum.even_ranks(len(eigenvalues)))].tolist()),
    )


def random_rms(n: int, d: int, rms_q: float, rms_k: float) -> float:
    """Root mean square of sym(W_q W_kᵀ)'s eigenvalues, for independent zero-mean W [n, d] of these
    rms: E ‖sym(M)‖_F² is rms_q² rms_k² d n (n + 1)/2. Source: SPEC W3.
    """
    return rms_q * rms_k * math.sqrt(d * (n + 1) / 2)


@cache
def random_descending(n: int, d: int) -> tuple[float, ...]:
    """`OutputForm.descending` of independent Gaussian W_q, W_k [n, d], over their `random_rms`.

    sym(M) = (A Aᵀ − B Bᵀ)/2 with A, B = (W_q ± W_k)/√2, which are independent where both have one
    scale, and no scale but the product's counts. By free probability its resolvent G(z) solves
    z = 2abG/(1 − b²G²) + 1/G with a = d/2, b = n/2 (entries of variance 1): a cubic. Valid for
    large n. Source: Mingo & Speicher, Free Probability and Random Matrices (2017), ch. 2.
    """
    scale = random_rms(n, d, 1.0, 1.0)
    a, b = d / 2 / scale, n / 2 / scale
    edge = (math.sqrt(d) + math.sqrt(n)) ** 2 / 2 / scale
    x = np.linspace(0, edge, _GRID + 1)[1:] - edge / (2 * _GRID)
    companion = np.zeros((_GRID, 3, 3))
    companion[:, 1, 0] = companion[:, 2, 1] = 1
    # The polynomial: G³ + (2a − b)/(xb) G² − G/b² + 1/(xb²)
    companion[:, 0, 2], companion[:, 1, 2] = -1 / (x * b**2), 1 / b**2
    companion[:, 2, 2] = (b - 2 * a) / (x * b)
    density = np.abs(np.linalg.eigvals(companion).imag).max(1) / np.pi
    zero = max(0.0, 1 - 2 * d / n)  # of rank 2d at most
    half = (1 - zero) / 2
    above = np.cumsum(density[::-1]) / density.sum() * half  # share of eigenvalues ≥ x
    shares = (np.array(spectrum.even_ranks(n)) + 0.5) / n
    upper = np.interp(np.minimum(shares, 1 - shares), above, x[::-1], right=0.0)
    return tuple(np.where(shares <= 0.5, upper, -upper).tolist())


@dataclass(frozen=True, slots=True)
class HeadSigns:
    """Signs of sym(B_h): the signed mass Σe/Σ|e| and the inertia of the d × d form."""

    signed_mass: float
    signs: Inertia


def head_signs(
    w_q: Tensor, w_k: Tensor, heads: int, kv_heads: int | None = None
) -> list[HeadSigns]:
    """Signed mass and inertia of sym(W_{q,h}ᵀ W_{k,h}) for every head. Source: SPEC W3.

    w_q: [heads·d_head, d]; w_k: [kv_heads·d_head, d], each key head shared by heads/kv_heads
    consecutive query heads. Raises ValueError if the shapes do not divide so.

    With Sᵀ = P R a thin QR of the stacked rows S = [Q; K], sym(B) = P (R J Rᵀ) Pᵀ / 2 where J
    swaps the halves: its non-zero eigenvalues are those of a 2·d_head square matrix. Where S is
    well conditioned, R is the Cholesky factor of S Sᵀ, at a fraction of the cost.
    """
    kv_heads = heads if kv_heads is None else kv_heads
    d = w_q.shape[1]
    head_dim = w_q.shape[0] // max(heads, 1)
    if (
        heads < 1
        or heads * head_dim != w_q.shape[0]
        or w_k.shape != (kv_heads * head_dim, d)
        or heads % kv_heads
    ):
        raise ValueError(
            f"W_q {tuple(w_q.shape)} and W_k {tuple(w_k.shape)} do not split into {heads} query "
            f"and {kv_heads} key heads of one size"
        )
    query = w_q.view(heads, head_dim, d)
    key = w_k.view(kv_heads, head_dim, d)
    shared = heads // kv_heads
    group = max(1, _GROUP_ELEMENTS // (shared * head_dim * d))
    return signs_of_heads(
        (
            (q.double(), k.double().repeat_interleave(shared, 0))
            for q, k in zip(query.split(group * shared), key.split(group), strict=True)
        ),
        d,
    )


def signs_of_heads(groups: Iterable[tuple[Tensor, Tensor]], d: int) -> list[HeadSigns]:
    """The same from the heads' rows, some heads at a time: queries and keys [heads, n, w] float64.

    w is d, or fewer where the rows are given in an orthonormal basis of what they span: the form
    has d − w zeros more.
    """
    forms = [_nonzero_part(query, key) for query, key in groups]
    # Many small problems: LAPACK on the host solves them while the GPU does larger ones.
    eigenvalues = torch.linalg.eigvalsh(torch.cat(forms).cpu())
    missing = d - eigenvalues.shape[-1]
    return [_head_signs(values, missing) for values in eigenvalues]


def _nonzero_part(query: Tensor, key: Tensor) -> Tensor:
    """A symmetric matrix with the non-zero eigenvalues of sym(QᵀK), for every [n, d] of a batch."""
    head_dim, d = query.shape[1:]
    if 2 * head_dim < d:
        root = triangular_root(torch.cat([query, key], 1))
        query, key = root[..., :head_dim].mT, root[..., head_dim:].mT
    product = query.mT @ key
    return (product + product.mT) / 2


def triangular_root(rows: Tensor) -> Tensor:
    """R of the thin QR of rowsᵀ, for every [n, d] float64 of a batch with n < d.

    Its rows' signs are free. By Cholesky's factor of rows rowsᵀ where that is well conditioned.
    """
    factor, failed = torch.linalg.cholesky_ex(rows @ rows.mT)
    pivots = factor.diagonal(dim1=-2, dim2=-1)
    if not failed.any() and (pivots.amin(-1) > _WELL_CONDITIONED * pivots.amax(-1)).all():
        upper: Tensor = factor.mT
        return upper
    root: Tensor = torch.linalg.qr(rows.mT, mode="r").R
    return root


def _head_signs(eigenvalues: Tensor, missing: int) -> HeadSigns:
    signs = spectrum.inertia(eigenvalues)
    mass = eigenvalues.abs().sum()
    return HeadSigns(
        signed_mass=(eigenvalues.sum() / mass).item() if mass > 0 else 0.0,
        signs=Inertia(signs.positive, signs.negative, signs.zero + missing, signs.top),
    )

"""Do the two sides of a layer belong together? Trained weights say so; shuffled ones do not.

A neuron's input and output weights, and a head's values and outputs, learn together; in random
weights, and in halves that were exchanged, they know nothing of each other. The nulls are exact
permutation nulls: they hold for any weights, and need no reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry.permutations import linear_moments, quadratic_moments

BLOCK = 32  # neurons whose partners are dealt among each other
_ENTRIES = 1 << 22  # of vectors whose cosines are taken at once


@dataclass(frozen=True, slots=True)
class Pairing:
    """What pairs show, against the same with partners dealt at random.

    `observed` is the statistic's mean over `pairs`, `expected` and `std` those over permutations.
    `by_part` are the z of its parts: of `size` consecutive pairs each, the last perhaps of fewer.
    """

    observed: float
    expected: float
    std: float
    pairs: int
    size: int
    by_part: tuple[float, ...]

    @property
    def z(self) -> float:
        """Standard deviations above the null; 0 where permutations change nothing."""
        return self.excess / self.std if self.std > 0 else 0.0

    @property
    def excess(self) -> float:
        return self.observed - self.expected


@dataclass(frozen=True, slots=True)
class VectorPairing:
    """The pairing of vectors by their cosines, and by the magnitudes of these."""

    signed: Pairing
    magnitude: Pairing


def vector_pairing(left: Tensor, right: Tensor, *, parts: int = 64) -> VectorPairing:
    """Mean cosine, and mean |cosine|, of vectors and their partners.

    Both [n, width], any float type: a neuron's input weights and its output weights (the down
    projection's columns as rows), a token's rows of embedding and head. Partners are dealt inside
    blocks of about 32 pairs that lie far apart, so that the null is exact at a cost of 64
    operations an entry. A vector of zeros pairs with nothing. Raises ValueError unless the shapes
    agree and there are two pairs. Source: SPEC K2, K5, K9; of neurons, Gerstner and Schütze,
    arXiv 2505.17936.
    """
    if left.shape != right.shape or left.ndim != 2 or len(left) < 2:
        raise ValueError(f"{list(left.shape)} and {list(right.shape)} are no pairs of vectors")
    pairs = len(left)
    # Of the cosine and of its magnitude: observed, expected and variance, of every pair.
    found = torch.zeros(2, 3, pairs, dtype=torch.float64)
    for own in _blocks(pairs, left.shape[1]):
        rows = own.to(left.device)
        cosines = _directions(left[rows]) @ _directions(right[rows]).mT
        both = torch.stack([cosines, cosines.abs()])
        observed = both.diagonal(dim1=-2, dim2=-1).double()
        null = torch.stack(linear_moments(both), dim=1) / own.shape[1]
        found[:, 0, own] = observed.cpu()
        found[:, 1:, own] = null.cpu()[..., None].expand(2, 2, *own.shape)
    size = math.ceil(pairs / parts)
    return VectorPairing(_pairing(found[0], pairs, size), _pairing(found[1], pairs, size))


def head_pairing(left: Tensor, right: Tensor, heads: int) -> Pairing:
    """‖A_h B_h‖², the mean over heads, against B's channels permuted inside the heads.

    left: [width, heads · d], right: [heads · d, width], any float type: the output projection and
    the values, or transposed queries and the keys. The products are never formed: a head's norm is
    Σ_ij (AᵀA)_ij (BBᵀ)_ij. Parts are heads. Raises ValueError unless the shapes agree and heads
    have four channels or more. Source: SPEC K3.
    """
    channels = right.shape[0]
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != channels:
        raise ValueError(f"{list(left.shape)} and {list(right.shape)} share no channels")
    if heads < 1 or channels % heads or channels // heads < 4:
        raise ValueError(f"{channels} channels are not {heads} heads of four or more")
    first, second = (_grams(side, heads) for side in (left.mT, right))
    norms = (first * second).sum((-2, -1))
    mean, variance = quadratic_moments(first, second)
    return _pairing(torch.stack([norms, mean, variance]).cpu(), heads, 1)


def _blocks(pairs: int, width: int) -> Iterator[Tensor]:
    """Which pairs are dealt among each other: [blocks, size], blocks of one size together."""
    count = max(1, round(pairs / BLOCK))
    size, more = divmod(pairs, count)
    for first, last, own in ((0, more, size + 1), (more, count, size)):
        blocks = torch.arange(first, last)[:, None] + count * torch.arange(own)
        yield from blocks.split(max(1, _ENTRIES // (own * width))) if last > first else ()


def _pairing(found: Tensor, pairs: int, size: int) -> Pairing:
    """From observed, expected and variance of every pair, [3, pairs] float64."""
    observed, expected, variance = found.sum(-1).tolist()
    parts = torch.stack([part.sum(-1) for part in found.split(size, dim=-1)])
    z = (parts[:, 0] - parts[:, 1]) / parts[:, 2].sqrt()
    return Pairing(
        observed / pairs,
        expected / pairs,
        math.sqrt(variance) / pairs,
        pairs,
        size,
        tuple(torch.where(parts[:, 2] > 0, z, 0.0).tolist()),
    )


def _directions(vectors: Tensor) -> Tensor:
    """Rows of length one in float32; zeros stay zeros."""
    wide = vectors.float()
    scale = wide.abs().amax(-1, keepdim=True)
    wide = wide / scale.clamp(min=torch.finfo(torch.float32).tiny)
    return torch.nn.functional.normalize(wide, dim=-1)


def _grams(channels: Tensor, heads: int) -> Tensor:
    """Gram matrices of the heads' channels [heads · d, width] → [heads, d, d] float64."""
    grouped = channels.reshape(heads, -1, channels.shape[-1])
    wide = grouped if grouped.dtype == torch.float64 else grouped.float()
    return (wide @ wide.mT).double()

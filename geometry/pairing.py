"""Do the two sides of a layer belong together? Trained weights say so; shuffled ones do not.

A neuron's input and output weights, and a head's values and outputs, learn together; in random
weights, and in halves that were exchanged, they know nothing of each other. The nulls are exact
permutation nulls: they hold for any weights, and need no reference.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry.permutations import linear_moments, quadratic_moments

_CLEAR, _STRAY = 16.0, 4.0  # z of runs of pairs
BLOCK = 32  # neurons whose partners are dealt among each other
_ENTRIES, _ENTRIES_ON_GPU = 1 << 20, 1 << 24  # of vectors whose cosines are taken at once
_SAFE = 1e-25, 1e25  # squared lengths that float32 holds with all their digits
_NARROW = 256  # entries of a vector, under which cosines take more memory than vectors


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

    def strays(self) -> dict[tuple[int, int], float]:
        """z of the runs of pairs that do not stand out where most runs do, by first and last pair.

        The shortest runs whose median z is 16 or more are judged, and those under 4 are strays:
        which pairs follow each other in a sound layer is chance, so that its runs are alike (of 45
        layers of trained models none of such a run was under 10).
        """
        whole = self.by_part[: self.pairs // self.size]
        for together in (1, 2, 4, 8, 16, 32):
            count = len(whole) // together
            runs = [
                sum(whole[i * together : (i + 1) * together]) / math.sqrt(together)
                for i in range(count)
            ]
            if count > 1 and statistics.median(runs) >= _CLEAR:
                length = together * self.size
                return {
                    (i * length, (i + 1) * length - 1): z for i, z in enumerate(runs) if z < _STRAY
                }
        return {}


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
    return vector_pairings((left,), right, parts=parts)[0]


def vector_pairings(
    lefts: Sequence[Tensor], right: Tensor, *, parts: int = 64
) -> list[VectorPairing]:
    """The same of several with one set of partners, which is prepared once: gates and ups."""
    for left in lefts:
        if left.shape != right.shape or left.ndim != 2 or len(left) < 2:
            shapes = f"{list(left.shape)} and {list(right.shape)}"
            raise ValueError(f"{shapes} are no pairs of vectors")
    pairs, width = right.shape
    # Of every pair: the cosine and its magnitude, each observed, expected and its variance.
    found = torch.zeros(len(lefts), pairs, 2, 3, dtype=torch.float64, device=right.device)
    blocks = _blocks(pairs, width, right.device)
    entries = max((block.last - block.first) * block.size * width for block in blocks)
    first, second, spare = torch.empty(3, entries, device=right.device)
    ours, theirs = _Space(first, spare), _Space(second, spare)
    for dealt in blocks:
        partners = theirs.laid(dealt.of(right))
        for left, of_left in zip(lefts, found, strict=True):
            cosines = ours.laid(dealt.of(left)).cosines(partners)
            both = torch.stack([cosines, cosines.abs()], dim=1)
            null = torch.stack(linear_moments(both), dim=-1) / dealt.size
            own = dealt.of(of_left)
            own[..., 0] = both.diagonal(dim1=-2, dim2=-1).mT
            own[..., 1:] = null[:, None]
    size = math.ceil(pairs / parts)
    return [
        VectorPairing(_pairing(signed, pairs, size), _pairing(magnitude, pairs, size))
        for signed, magnitude in found.cpu().permute(0, 2, 3, 1)
    ]


def head_pairing(left: Tensor, right: Tensor, heads: int) -> Pairing:
    """‖A_h B_h‖², the mean over heads, against B's channels permuted inside the heads.

    left: [width, heads · d], right: [heads · d, width] or of fewer heads, each of which several
    neighbours share; any float type: the output projection and the values, or transposed queries
    and the keys. The products are never formed: a head's norm is Σ_ij (AᵀA)_ij (BBᵀ)_ij. Parts are
    heads. Raises ValueError unless the shapes agree and heads have four channels or more. Source:
    SPEC K3.
    """
    channels, own = left.shape[-1], right.shape[0]
    if left.ndim != 2 or right.ndim != 2 or not own or channels % own:
        raise ValueError(f"{list(left.shape)} and {list(right.shape)} share no channels")
    shared = channels // own
    if heads < 1 or channels % heads or channels // heads < 4 or heads % shared:
        raise ValueError(f"{channels} channels are not {heads} heads of four or more")
    first, second = _grams(left.mT, heads), _grams(right, heads // shared)
    second = second.repeat_interleave(shared, 0)
    norms = (first * second).sum((-2, -1))
    mean, variance = quadratic_moments(first, second)
    return _pairing(torch.stack([norms, mean, variance]).cpu(), heads, 1)


@dataclass(frozen=True, slots=True)
class _Dealt:
    """Blocks of `size` pairs dealt among each other: a block is every `count`-th pair."""

    first: int
    last: int
    count: int
    size: int

    def of(self, rows: Tensor) -> Tensor:
        """The blocks' rows [blocks, size, …] of [pairs, …], a view."""
        step, *others = rows.stride()
        shape = (self.last - self.first, self.size, *rows.shape[1:])
        strides = (step, self.count * step, *others)
        return rows.as_strided(shape, strides, rows.storage_offset() + self.first * step)


def _blocks(pairs: int, width: int, device: torch.device) -> list[_Dealt]:
    """All pairs, in blocks of one size that are few enough to stay in a CPU's cache."""
    count = max(1, round(pairs / BLOCK))
    size, more = divmod(pairs, count)
    entries = _ENTRIES_ON_GPU if device.type == "cuda" else _ENTRIES
    found = []
    for begin, end, own in ((0, more, size + 1), (more, count, size)):
        step = max(1, entries // (own * max(width, _NARROW)))
        found += [
            _Dealt(first, min(first + step, end), count, own) for first in range(begin, end, step)
        ]
    return found


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


@dataclass(frozen=True, slots=True)
class _Vectors:
    """Vectors [blocks, size, width] in float32, and the scale [blocks, size] that makes them units.

    Those of zeros stay zeros.
    """

    wide: Tensor
    scale: Tensor

    def cosines(self, others: _Vectors) -> Tensor:
        """[blocks, size, size], in the blocks' order."""
        found = self.wide @ others.wide.mT
        found *= self.scale[..., None]
        found *= others.scale[..., None, :]
        return found


@dataclass(slots=True)
class _Space:
    """Memory that vectors are laid into block after block: new pages would cost more than all."""

    first: Tensor
    spare: Tensor

    def laid(self, vectors: Tensor) -> _Vectors:
        """Vectors [blocks, size, width] of any float type, valid until the next call."""
        # Columns of a matrix are read along its rows, and laid down so that a product takes them.
        order = (2, 0, 1) if vectors.stride(0) < vectors.stride(2) else (0, 1, 2)
        back = (1, 2, 0) if order[0] else order
        shape = [vectors.shape[i] for i in order]
        wide, spare = (
            one[: vectors.numel()].view(shape).permute(back) for one in (self.first, self.spare)
        )
        wide.copy_(vectors)
        squares = torch.mul(wide, wide, out=spare).sum(-1)
        least, most = squares.aminmax()
        if not (_SAFE[0] < least and most < _SAFE[1]):
            largest = torch.maximum(wide.amax(-1), -wide.amin(-1))
            wide /= largest.clamp(min=torch.finfo(torch.float32).tiny)[..., None]
            squares = torch.mul(wide, wide, out=spare).sum(-1)
        return _Vectors(wide, squares.sqrt().clamp(min=1e-12).reciprocal())


def _grams(channels: Tensor, heads: int) -> Tensor:
    """Gram matrices of the heads' channels [heads · d, width] → [heads, d, d] float64."""
    grouped = channels.unflatten(0, (heads, -1))
    step = max(1, _ENTRIES // grouped[0].numel()) if channels.device.type == "cpu" else heads
    return torch.cat([_gram(some) for some in grouped.split(step)])


def _gram(channels: Tensor) -> Tensor:
    wide = channels if channels.dtype == torch.float64 else channels.float()
    return (wide @ wide.mT).double()

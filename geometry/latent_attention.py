"""Query–key geometry where queries and keys are products of thin factors (SPEC W3).

Multi-head latent attention: DeepSeek-V2 (arXiv 2405.04434), section 2.1. Weights are [out, in].
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry import attention
from geometric_invariants.geometry.attention import HeadSigns, OutputForm

_GROUP_ELEMENTS = 1 << 23  # of the queries and keys of some heads in float64
_DRAWS = 64
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Factors:
    """What queries and keys of all heads are products of, any float types.

    Queries: query_up · diag(query_gain) · query_down, [heads·(nope + rope), d]; without query_down,
    query_up itself. Keys of head h: its `nope` rows key_up_h · diag(key_gain) · key_down[:kv_rank],
    then the last `rope` rows of key_down, the same for all heads. key_up: [heads·(nope + value),
    kv_rank], of each head the keys, then the values, which play no part here. Gains are those of
    norms between two factors; None for none.

    A norm also divides its latent by the latent's own root mean square, which depends on the token:
    the forms are those of tokens whose latents have the root mean square one. In queries this is
    one positive factor, which changes no sign and no share; in keys it weighs a head's nope part
    against its rope part. Rotations cancel between a token and itself: forms are of distance zero.
    """

    query_down: Tensor | None
    query_gain: Tensor | None
    query_up: Tensor
    key_down: Tensor
    key_gain: Tensor | None
    key_up: Tensor
    heads: int
    nope: int
    rope: int

    def __post_init__(self) -> None:
        """Raise ValueError where shapes do not fit each other."""
        rank, rows = self.key_up.shape[1], self.heads * (self.nope + self.rope)
        fits = (
            len(self.query_up) == rows,
            self.key_down.shape[0] == rank + self.rope,
            self.heads > 0 and len(self.key_up) % self.heads == 0,
            len(self.key_up) >= self.heads * self.nope,
            self.query_inputs == self.query_up.shape[1],
            self.query_down is not None or self.query_gain is None,
            self.width == self.query_width,
            all(
                gain is None or len(gain) == size
                for gain, size in ((self.query_gain, self.query_inputs), (self.key_gain, rank))
            ),
        )
        if not all(fits):
            raise ValueError(
                f"{self.heads} heads of {self.nope} + {self.rope} dimensions do not fit queries"
                f" {_shape(self.query_up)} of {_shape(self.query_down)} and keys"
                f" {_shape(self.key_up)} of {_shape(self.key_down)}"
            )

    @property
    def head_dim(self) -> int:
        return self.nope + self.rope

    @property
    def width(self) -> int:
        """d, the model's."""
        return self.key_down.shape[1]

    @property
    def query_inputs(self) -> int:
        return len(self.query_down) if self.query_down is not None else self.query_up.shape[1]

    @property
    def query_width(self) -> int:
        return (self.query_up if self.query_down is None else self.query_down).shape[1]

    @property
    def rank(self) -> int:
        """The rank that no weights of these shapes exceed in the output form."""
        return min(self.query_inputs, len(self.key_down), self.width, len(self.query_up))


@dataclass(frozen=True, slots=True)
class LatentShape:
    """What random factors are drawn by: `query_rank` None where queries have one factor.

    `rope_scale` is the root mean square of the keys' rope rows over that of their nope rows.
    """

    query_rank: int | None
    key_rank: int
    nope: int
    rope: int
    rope_scale: float


@dataclass(frozen=True, slots=True)
class LatentForms:
    """Both forms of a layer, the root mean square of queries' and keys' composed weights."""

    output: OutputForm
    heads: tuple[HeadSigns, ...]
    rms: tuple[float, float]
    shape: LatentShape


def forms(factors: Factors) -> LatentForms:
    """Output form, signs of every head and scales, as `geometry.attention` has them of plain heads.

    Neither d × d nor [inner, d] is formed: the factors that read the state are replaced by their
    triangular root, so that heads have as many columns as latents have dimensions.
    """
    query_down, key_down = _in_own_basis(*_with_gains(factors))
    squares = torch.zeros(3, dtype=torch.float64, device=key_down.device)

    def heads() -> Iterator[tuple[Tensor, Tensor]]:
        for query, key in _heads(factors, query_down, key_down):
            nope, rope = key[:, : factors.nope], key[:, factors.nope :]
            squares.add_(torch.stack([part.square().sum() for part in (query, nope, rope)]))
            yield query, key

    signs = attention.signs_of_heads(heads(), factors.width)
    output = _output(factors, query_down, key_down)
    return LatentForms(output, tuple(signs), *_scales(factors, squares.tolist()))


def _scales(factors: Factors, squares: list[float]) -> tuple[tuple[float, float], LatentShape]:
    """Root mean squares of queries and keys, and the shape, from Σw² of queries and keys' parts."""
    every, (query, nope, rope) = factors.heads * factors.width, squares
    scale = math.sqrt(rope / max(1, factors.rope)) / max(_TINY, math.sqrt(nope / factors.nope))
    both = every * factors.head_dim
    rms = math.sqrt(query / both), math.sqrt((nope + rope) / both)
    query_rank = None if factors.query_down is None else len(factors.query_down)
    rank = factors.key_up.shape[1]
    return rms, LatentShape(query_rank, rank, factors.nope, factors.rope, scale)


def random_signed_mass_std(shape: LatentShape, d: int, generator: torch.Generator) -> float:
    """Std of the signed mass of one head whose factors are Gaussian, from 64 draws that share what
    a layer's heads share. Source: SPEC W3.
    """

    def drawn(rows: int, columns: int) -> Tensor:
        numbers = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
        return numbers / math.sqrt(columns)

    key_down = drawn(shape.key_rank + shape.rope, d)
    key_down[shape.key_rank :] *= shape.rope_scale
    factors = Factors(
        query_down=None if shape.query_rank is None else drawn(shape.query_rank, d),
        query_gain=None,
        query_up=drawn(_DRAWS * (shape.nope + shape.rope), shape.query_rank or d),
        key_down=key_down,
        key_gain=None,
        key_up=drawn(_DRAWS * shape.nope, shape.key_rank),
        heads=_DRAWS,
        nope=shape.nope,
        rope=shape.rope,
    )
    rows = _heads(factors, *_in_own_basis(*_with_gains(factors)))
    masses = [head.signed_mass for head in attention.signs_of_heads(rows, d)]
    return torch.tensor(masses, dtype=torch.float64).std().item()


def composed_heads(factors: Factors) -> Iterator[tuple[Tensor, Tensor]]:
    """Queries and keys of some heads at a time, [heads, nope + rope, d] float64."""
    yield from _heads(factors, *_with_gains(factors))


def _with_gains(factors: Factors) -> tuple[Tensor | None, Tensor]:
    """query_down and key_down, float64, each row times the gain of the norm behind it."""
    key = factors.key_down.double()
    if factors.key_gain is not None:
        gain = torch.nn.functional.pad(factors.key_gain.double(), (0, factors.rope), value=1.0)
        key = key * gain[:, None]
    if factors.query_down is None:
        return None, key
    query = factors.query_down.double()
    return query if factors.query_gain is None else query * factors.query_gain.double()[
        :, None
    ], key


def _in_own_basis(query: Tensor | None, key: Tensor) -> tuple[Tensor | None, Tensor]:
    """Rows [n, d] of both in an orthonormal basis of what they span, where that is less than d.

    A rotation of the inputs that is common to queries and keys changes no form.
    """
    if query is None or len(query) + len(key) >= key.shape[1]:
        return query, key
    root = attention.triangular_root(torch.cat([query, key])[None])[0].mT
    return root[: len(query)], root[len(query) :]


def _heads(
    factors: Factors, query_down: Tensor | None, key_down: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    rank = factors.key_up.shape[1]
    query_up = factors.query_up.unflatten(0, (factors.heads, factors.head_dim))
    key_up = factors.key_up.unflatten(0, (factors.heads, -1))[:, : factors.nope]
    group = max(1, _GROUP_ELEMENTS // (2 * factors.head_dim * key_down.shape[1]))
    for rows, up in zip(query_up.split(group), key_up.split(group), strict=True):
        query = rows.double() if query_down is None else rows.double() @ query_down
        nope = up.double() @ key_down[:rank]
        rope = key_down[rank:].expand(len(rows), -1, -1)
        yield query, torch.cat([nope, rope], 1)


def _output(factors: Factors, query_down: Tensor | None, key_down: Tensor) -> OutputForm:
    """W_q W_kᵀ = (query_up query_down key_downᵀ) (key_up, and ones where a row is rotary)ᵀ."""
    up = factors.query_up.double()
    inner = key_down.mT if query_down is None else query_down @ key_down.mT
    rank = factors.key_up.shape[1]
    key = up.new_zeros(factors.heads, factors.head_dim, len(key_down))
    key[:, : factors.nope, :rank] = factors.key_up.unflatten(0, (factors.heads, -1))[
        :, : factors.nope
    ].double()
    key[:, factors.nope :, rank:] = torch.eye(factors.rope, dtype=key.dtype, device=key.device)
    return attention.thin_output_form(up @ inner, key.flatten(0, 1))


def _shape(tensor: Tensor | None) -> tuple[int, ...]:
    return () if tensor is None else tuple(tensor.shape)

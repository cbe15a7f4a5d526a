"""A sketch of a tensor: few numbers that tell how far another one lies from it.

Products with random signs, as Alon, Matias and Szegedy 1996 (The space complexity of approximating
the frequency moments) estimate a norm: the mean square of k differences of two sketches is the
squared norm of the tensors' difference, to √(2/k) of itself. Here the signs are one sequence σ,
T[i, a] = σ(i + a), and the sketch of a matrix W is TᵀWT. So that of Wᵀ is its transpose, and that
of W moved by a row or by an element is itself so moved, but for the edge: what became of a tensor
can be told without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Side = Literal["", "rows", "columns"]
SHIFTS = 6  # of either side of a matrix
SUMS = 12  # over a side of free order
ENTRIES = 16  # of a vector
_CHUNK, _LARGE_CHUNK = 1 << 20, 1 << 24  # entries in float32: near a CPU's cache, on a GPU
_LARGEST = torch.finfo(torch.float32).max
# Steele, Lea and Flood 2014 (Fast splittable pseudorandom number generators), as signed numbers.
_GOLDEN, _FIRST, _SECOND = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15


@dataclass(frozen=True, slots=True)
class Free:
    """The side of a matrix whose order says nothing, but for the places within `period` of it.

    A neuron's period is 1, a head's its size.
    """

    side: Side = ""
    period: int = 1


FIXED = Free()


@dataclass(frozen=True, slots=True)
class Sketch:
    """Of a matrix W [rows, columns], or of a vector w, which has no rows. `norm` is Frobenius's.

    `products` are TᵀWT by rows, [6, 6], of a vector Tᵀw [16]. `sums` [12] are ρᵀWT or TᵀWρ, over
    the free side, ρ[i] = σ(i mod period); empty where neither side is, and of a vector.
    """

    rows: int
    columns: int
    norm: float
    products: tuple[float, ...]
    sums: tuple[float, ...] = ()
    free: Free = FIXED


def sketch(tensor: Tensor, free: Free = FIXED) -> Sketch:
    """The sketch of a matrix [rows, columns], a vector [n] or a number, of any float type.

    Of more dimensions than two, all but the first are columns. A vector of a free side is sorted:
    two sorted ones lie no farther apart than the two as they are. Products are
    summed in float32 over one side and in float64 over the other, with the same signs on every
    device; those that leave float32 are its largest number. Raises ValueError for an empty tensor.

    >>> sketch(torch.tensor([3.0, 4.0])).norm
    5.0
    """
    return sketch_of([tensor], free)


def sketch_of(blocks: Iterable[Tensor], free: Free = FIXED) -> Sketch:
    """The same of a tensor that comes in blocks of its rows, or a vector in one."""
    found: _Sums | None = None
    for block in blocks:
        if block.numel() == 0:
            raise ValueError(f"no sketch of a tensor {list(block.shape)}")
        matrix = block.detach().flatten(1) if block.ndim > 1 else _vector(block, free)
        if found is None:
            found = _Sums(matrix.shape[1], free, matrix.device, is_vector=block.ndim < 2)
        found.add(matrix)
    if found is None:
        raise ValueError("no sketch of nothing")
    return found.sketch()


def _vector(block: Tensor, free: Free) -> Tensor:
    numbers = block.detach().reshape(1, -1)
    return numbers.float().sort().values if free.side else numbers


class _Sums:
    """What the rows that were seen so far add up to."""

    def __init__(self, columns: int, free: Free, device: torch.device, *, is_vector: bool) -> None:
        self.columns, self.free, self.device = columns, free, device
        self.is_vector = is_vector
        self.rows, self.chunk = 0, _CHUNK if device.type == "cpu" else _LARGE_CHUNK
        self.wide = ENTRIES if is_vector else SUMS if free.side else SHIFTS
        self.left = 1 if is_vector else SHIFTS
        self.right = _shifted(0, columns, self.wide, device)
        self.by_columns = free.side == "columns" and not is_vector
        shape = (self.wide, columns) if self.by_columns else (self.left, self.wide)
        self.products = torch.zeros(shape, dtype=torch.float64, device=device)
        self.sums = torch.zeros(self.wide, dtype=torch.float64, device=device)
        self.squares = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, matrix: Tensor) -> None:
        for chunk in matrix.split(max(1, self.chunk // self.columns)):
            wide = chunk.float()
            self.squares += torch.linalg.vector_norm(wide, dtype=torch.float64) ** 2
            if self.by_columns:
                signs = _shifted(self.rows, len(wide), self.wide, self.device)
                self.products += signs.mT @ wide
            else:
                signs = _shifted(self.rows, len(wide), self.left, self.device)
                by_row = (wide @ self.right).double()
                self.products += signs.mT.double() @ by_row
                if self.free.side and not self.is_vector:
                    self.sums += _periodic(self.rows, len(wide), self.free, self.device) @ by_row
            self.rows += len(wide)

    def sketch(self) -> Sketch:
        products, sums = self.products, self.sums
        if self.by_columns:
            sums = products @ _periodic(0, self.columns, self.free, self.device)
            products = products[:SHIFTS] @ self.right.double()
        width = ENTRIES if self.is_vector else SHIFTS
        return Sketch(
            0 if self.is_vector else self.rows,
            self.columns,
            math.sqrt(self.squares.item()),
            _plain(products[:, :width]),
            _plain(sums) if self.free.side and not self.is_vector else (),
            self.free,
        )


def _plain(numbers: Tensor) -> tuple[float, ...]:
    return tuple(numbers.flatten().nan_to_num(_LARGEST, _LARGEST, -_LARGEST).tolist())


def _shifted(first: int, count: int, shifts: int, device: torch.device) -> Tensor:
    """T of rows first …, [count, shifts] float32."""
    run = signs(torch.arange(first, first + count + shifts - 1, device=device))
    return run.unfold(0, shifts, 1).contiguous()


def _periodic(first: int, count: int, free: Free, device: torch.device) -> Tensor:
    """ρ of places first …, [count] float64."""
    return signs(torch.arange(first, first + count, device=device) % free.period).double()


def signs(places: Tensor) -> Tensor:
    """σ of places [n] int64: ±1 in float32, a bit of SplitMix64."""
    mixed = (places + 1) * _GOLDEN
    mixed = (mixed ^ _right(mixed, 30)) * _FIRST
    mixed = (mixed ^ _right(mixed, 27)) * _SECOND
    return 1 - 2 * (mixed ^ _right(mixed, 31)).bitwise_and(1).float()


def _right(bits: Tensor, by: int) -> Tensor:
    """A shift of 64 bits that brings zeros in."""
    return (bits >> by) & ((1 << (64 - by)) - 1)

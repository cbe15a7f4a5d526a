"""The schema of a row profile: what blocks of a matrix's rows sum to, in few characters."""

from __future__ import annotations

import base64
import binascii
import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

_LARGEST = 3.4e38  # of float32
_PACKED = ("norms", "sums", "norm_noise", "sum_noise")


@dataclass(frozen=True, slots=True)
class Profile:
    """Of the matrix [rows, columns] of a tensor, its consecutive blocks of `step` rows.

    Each of the others is a float32 number per block, little-endian in base64 (`packed`): Frobenius
    norms and sums of the entries, and the standard deviations that rounding leaves in both, ""
    where entries are stored as they are. `encoding` is what they are stored as, `group` how many
    neighbours share a scale, 0 where more than a row does. `is_head`: a task may replace it, as it
    stands outside all layers. `free_rows`: which of them comes first says nothing. Raises
    ValueError for text that does not hold such numbers.
    """

    tensor: str
    rows: int
    columns: int
    step: int
    norms: str
    sums: str
    norm_noise: str = ""
    sum_noise: str = ""
    encoding: str = ""
    group: int = 0
    is_head: bool = False
    free_rows: bool = False

    def __post_init__(self) -> None:
        if min(self.rows, self.columns, self.step) < 1 or self.group < 0:
            raise ValueError(f"blocks of {self.step} rows of {self.rows} × {self.columns}")
        if bool(self.norm_noise) != bool(self.sum_noise):
            raise ValueError("what rounding leaves has to be known of norms and sums alike")
        for name in _PACKED:
            text = getattr(self, name)
            numbers = checked(name, text)
            if (text or not name.endswith("_noise")) and len(numbers) != self.blocks:
                raise ValueError(f"{name} holds {len(numbers)} numbers for {self.blocks} blocks")
            if name != "sums" and min(numbers, default=0.0) < 0:
                raise ValueError(f"{name} holds a negative number")

    @property
    def blocks(self) -> int:
        return -(-self.rows // self.step)

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def is_rounded(self) -> bool:
        return bool(self.norm_noise)

    def rows_in(self, block: int) -> int:
        """How many rows a block holds; the last may hold fewer."""
        return min(self.step, self.rows - block * self.step)

    def rows_of(self, block: int) -> str:
        """The rows of a block, in words."""
        first = block * self.step
        last = first + self.rows_in(block) - 1
        return f"row {first}" if first == last else f"rows {first} – {last}"


def packed(numbers: Iterable[float]) -> str:
    """Numbers as float32, in base64; those beyond its range as its largest.

    >>> unpacked(packed([1.0, -0.5]))
    (1.0, -0.5)
    """
    words = array("f", (max(-_LARGEST, min(_LARGEST, number)) for number in numbers))
    return base64.b64encode(_little_endian(words).tobytes()).decode("ascii")


def unpacked(text: str) -> tuple[float, ...]:
    """The inverse of `packed`. Raises ValueError for other text."""
    words = array("f")
    words.frombytes(base64.b64decode(text, validate=True))
    return tuple(_little_endian(words))


def _little_endian(words: array[float]) -> array[float]:
    if sys.byteorder == "big":
        words.byteswap()
    return words


def checked(name: str, text: str) -> tuple[float, ...]:
    """The same. Raises ValueError, with the name, also for what is not a number."""
    try:
        numbers = unpacked(text)
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{name} is no base64 of 32-bit numbers ({error})") from error
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name} holds what is not a number")
    return numbers

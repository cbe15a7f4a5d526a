"""The schema of sketches: a few numbers of every parameter, for a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from geometric_invariants.reports.profiles import checked, packed, unpacked

SHIFTS = 6  # of either side of a matrix
ENTRIES = 16  # of a vector
SUMS = 12  # over a side of free order
_NORMS = 3


@dataclass(frozen=True, slots=True)
class TensorSketch:
    """One tensor's Frobenius norm, what rounding took off it, and its products with signs.

    `scale` is the norm that a change is held against: its own, or more for a bias beside which its
    matrix is large. `products` are [6, 6] by rows, of a vector [16]; `sums` [12] those over the
    side whose order says nothing, or empty.
    """

    norm: float
    scale: float
    error: float
    products: tuple[float, ...]
    sums: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sketches:
    """The sketches of all tensors of one shape and kind, in the order of their `places`.

    `numbers` holds norm, scale, error, products and sums of one after the other, as float32
    (`packed`). A vector has no rows. `free` names the side whose order says nothing but for the
    places within `period`; a vector of free columns was sorted. `encoding` is what entries are
    stored as, "" as they are. `beside` the layers stand what a file may leave out (an *output*
    head, which may be tied), and what a *task* replaces. `by_name`: places hold names, which files
    of other formats do not share. Raises ValueError for text that does not hold such numbers.
    """

    rows: int
    columns: int
    places: tuple[str, ...]
    numbers: str
    free: Literal["", "rows", "columns"] = ""
    period: int = 1
    encoding: str = ""
    beside: Literal["", "output", "task"] = ""
    by_name: bool = False

    def __post_init__(self) -> None:
        if min(self.rows, self.columns - 1, self.period - 1) < 0:
            raise ValueError(f"every {self.period} of {self.rows} × {self.columns}")
        found, each = checked("numbers", self.numbers), self._each
        if len(found) != each * len(self.places):
            raise ValueError(f"{len(found)} numbers for {len(self.places)} tensors of {each}")
        if min((n for first in range(_NORMS) for n in found[first::each]), default=0.0) < 0:
            raise ValueError("a norm is negative")

    @property
    def order(self) -> tuple[str, int]:
        """What of the order of entries the sums do not tell."""
        return self.free, self.period

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def shape_in_words(self) -> str:
        return f"{self.columns}" if self.is_vector else f"{self.rows} × {self.columns}"

    @property
    def is_vector(self) -> bool:
        return self.rows == 0

    @property
    def _products(self) -> int:
        return ENTRIES if self.is_vector else SHIFTS**2

    @property
    def _each(self) -> int:
        return _NORMS + self._products + (SUMS if self.free and not self.is_vector else 0)

    def tensors(self) -> Iterator[tuple[str, TensorSketch]]:
        """Every place with its sketch."""
        found = unpacked(self.numbers)
        for index, place in enumerate(self.places):
            norm, scale, error, *rest = found[index * self._each : (index + 1) * self._each]
            products, sums = rest[: self._products], rest[self._products :]
            yield place, TensorSketch(norm, scale, error, tuple(products), tuple(sums))


def packed_sketches(tensors: Iterable[TensorSketch]) -> str:
    """The `numbers` of tensors of one shape."""
    return packed(
        number
        for one in tensors
        for number in (one.norm, one.scale, one.error, *one.products, *one.sums)
    )

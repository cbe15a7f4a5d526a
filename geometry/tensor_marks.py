"""What the values of one tensor show of damage: zeros, constants, outliers, codes (SPEC K1).

All from the extremes of its rows, the first entry of each piece of a row, and a sample of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Runs = tuple[tuple[int, int], ...]

_PIECE = 128  # entries of a row that are looked at together
_FIRST = 16  # entries that are looked at before all of a piece are
_RUN = 3 << 10  # bytes: what 4 KiB hold of whole pieces
_SAMPLED, _WIDEST = 64, 4096  # rows and columns of the sample
_SPELLED, _WIDE = 4, 512  # rows and columns of it whose values are counted
_FEW = 16  # values that are counted again in the whole sample
_FEWEST_COLUMNS = 16  # of a row that says something
_MOST_RUNS = 4096
_TOP = 32  # rows that may stand out together
_FEWEST_ROWS = 64
_FLOAT8, _LEAST_FLOAT8, _LEAST_INTEGER = torch.float8_e4m3fn, 240.0, 4.0


@dataclass(frozen=True, slots=True)
class TensorMarks:
    """Of a tensor in storage order; one of more dimensions as rows, a vector as a column.

    `zero_rows` and `constant_rows` (of another number; of 16 columns or more): first and last row
    of each run. `zero_spans`: entries [start, stop) that fill 3 KiB of whole pieces of 128 with
    zeros. `typical` is the median of the rows' largest magnitudes, `largest` the greatest, `at_
    largest` the share of rows that reach just that. `gap`: the greatest ratio of neighbours among
    the 33 largest of them, `outliers` the rows above it. Of 64 rows: `zeros`, the share of exact
    zeros; `flatness`, root mean square over largest magnitude, their median. `distinct`: values in
    `spelled` entries. `codes`: "integers" or "float8" where every entry is one, unscaled.
    """

    rows: int
    columns: int
    zero_rows: Runs = ()
    zero_spans: Runs = ()
    constant_rows: Runs = ()
    is_constant: bool = False
    typical: float = 0.0
    largest: float = 0.0
    at_largest: float = 0.0
    gap: float = 1.0
    outliers: tuple[int, ...] = ()
    zeros: float = 0.0
    flatness: float = 0.0
    distinct: int = 0
    spelled: int = 0
    codes: str = ""

    @property
    def is_zero(self) -> bool:
        """Whether every number is exactly zero."""
        return self.is_constant and self.largest == 0


@dataclass(slots=True)
class Marker:
    """Gathers the marks of a tensor of `rows` rows (along the first dimension) from blocks."""

    rows: int
    _columns: int = 1
    _done: int = 0
    _itemsize: int = 0
    _least: list[Tensor] = field(default_factory=list)
    _most: list[Tensor] = field(default_factory=list)
    _spans: list[tuple[int, int]] = field(default_factory=list)
    _sample: list[Tensor] = field(default_factory=list)
    _integers: bool = True
    _float8: bool = True

    def add(self, block: Tensor) -> bool:
        """Take the next rows [n, …] of any float type; whether all of their numbers are finite."""
        if not block.numel() or not block.is_floating_point():
            return True
        rows = block.reshape(-1, 1) if block.ndim < 2 else block.flatten(1)
        wide = rows.float() if rows.dtype.itemsize == 1 else rows
        self._columns, self._itemsize = rows.shape[1], rows.element_size()
        least, most = wide.amin(1), wide.amax(1)
        finite = bool((torch.isfinite(least) & torch.isfinite(most)).all())
        if finite:
            self._least.append(least.double().cpu())
            self._most.append(most.double().cpu())
            self._add_zeros(rows)
            step = -(-self.rows // _SAMPLED)
            sample = wide[-self._done % step :: step, :_WIDEST]
            self._sample.append(sample.to("cpu", torch.float64, copy=True))
            self._integers = self._integers and _all(wide, _are_integers)
            self._float8 = self._float8 and _all(wide, _are_float8)
        self._done += len(rows)
        return finite

    def marks(self) -> TensorMarks:
        """Of all that was taken."""
        if not self._least:
            return TensorMarks(self.rows, self._columns)
        least, most = torch.cat(self._least), torch.cat(self._most)
        magnitudes = torch.maximum(most, -least)
        largest = float(magnitudes.max())
        alike = (least == most) & (self._columns >= _FEWEST_COLUMNS)
        gap, outliers = _gap(magnitudes)
        sample = torch.cat(self._sample)
        zeros, flatness = _shape(sample)
        distinct, spelled = _distinct(sample)
        return TensorMarks(
            rows=self.rows,
            columns=self._columns,
            zero_rows=_runs(alike & (most == 0)),
            zero_spans=tuple(span for span in self._spans if self._is_long(span)),
            constant_rows=_runs(alike & (most != 0)),
            is_constant=bool(least.min() == most.max()),
            typical=float(magnitudes.median()),
            largest=largest,
            at_largest=float((magnitudes == largest).double().mean()),
            gap=gap,
            outliers=outliers,
            zeros=zeros,
            flatness=flatness,
            distinct=distinct,
            spelled=spelled,
            codes=self._codes(distinct, largest),
        )

    def _add_zeros(self, rows: Tensor) -> None:
        start, columns = self._done * self._columns, self._columns
        edges = start, start + len(rows) * columns
        found = _zero_pieces(rows, start)
        kept = [one for one in found if self._is_long(one) or {*one} & {*edges}]
        self._spans = _joined([*self._spans, *kept])

    def _is_long(self, span: tuple[int, int]) -> bool:
        return (span[1] - span[0]) * self._itemsize >= _RUN

    def _codes(self, distinct: int, largest: float) -> str:
        if self._integers and distinct > 2 and largest >= _LEAST_INTEGER:
            return "integers"
        return "float8" if self._float8 and distinct > 2 and largest >= _LEAST_FLOAT8 else ""


def tensor_marks(tensor: Tensor) -> TensorMarks:
    """The marks of a tensor of any shape; of one that holds no floats its shape alone.

    >>> tensor_marks(torch.tensor([[1.0] * 16, [0.0] * 16])).zero_rows
    ((1, 1),)
    """
    marker = Marker(len(tensor) if tensor.ndim else 1)
    marker.add(tensor)
    return marker.marks()


def _zero_pieces(rows: Tensor, start: int) -> list[tuple[int, int]]:
    """Entries [first, stop) of pieces, of 128 and of the rest of a row, that are zero."""
    columns = rows.shape[1]
    whole = columns - columns % _PIECE
    starts, stops = [], []
    for pieces, offset in (
        (rows[:, :whole].unflatten(1, (-1, _PIECE)), 0),
        (rows[:, whole:].unsqueeze(1), whole),
    ):
        if pieces.numel():
            places = _zero_places(pieces)
            first = start + offset + places[:, 0] * columns + places[:, 1] * pieces.shape[2]
            starts.append(first.cpu())
            stops.append(first.cpu() + pieces.shape[2])
    first, order = torch.cat(starts).sort()
    stop = torch.cat(stops)[order]
    begins = torch.ones_like(first, dtype=torch.bool)
    begins[1:] = first[1:] != stop[:-1]
    ends = begins.roll(-1)
    return list(zip(first[begins].tolist(), stop[ends].tolist(), strict=True))


def _zero_places(pieces: Tensor) -> Tensor:
    """Row and number of each piece, of [rows, pieces, size], that is zero."""
    places = (pieces[:, :, 0] == 0).nonzero()
    for entries in (_FIRST, pieces.shape[2]):
        if len(places):
            taken = pieces[places[:, 0], places[:, 1], :entries]
            places = places[(taken == 0).all(1)]
    return places


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, stop in spans:
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], stop
        else:
            found.append((start, stop))
    return found


def _runs(of_row: Tensor) -> Runs:
    """First and last of each run of rows that a mask [rows] is true of, the first 4,096."""
    rows = of_row.nonzero().flatten()
    if not len(rows):
        return ()
    begins = torch.ones_like(rows, dtype=torch.bool)
    begins[1:] = rows[1:] != rows[:-1] + 1
    first, last = rows[begins][:_MOST_RUNS], rows[begins.roll(-1)][:_MOST_RUNS]
    return tuple(zip(first.tolist(), last.tolist(), strict=True))


def _gap(magnitudes: Tensor) -> tuple[float, tuple[int, ...]]:
    """The greatest ratio of neighbours among the largest [rows], and the rows above it."""
    if len(magnitudes) < _FEWEST_ROWS:
        return 1.0, ()
    top, rows = magnitudes.topk(_TOP + 1)
    ratios = torch.where(top[1:] > 0, top[:-1] / top[1:], 1.0)
    place = int(ratios.argmax())
    return float(ratios[place]), tuple(sorted(rows[: place + 1].tolist()))


def _shape(sample: Tensor) -> tuple[float, float]:
    """Share of exact zeros, and the median of the rows' flatness where they are not zero."""
    zeros = float((sample == 0).double().mean())
    largest = sample.abs().amax(1)
    whole = largest > 0
    if not whole.any():
        return zeros, 0.0
    scaled = sample[whole] / largest[whole, None]
    return zeros, round(float(scaled.square().mean(1).sqrt().median()), 4)


def _distinct(sample: Tensor) -> tuple[int, int]:
    """How many values a few rows hold, or all where those hold few, and how many entries."""
    few = sample[:: max(1, len(sample) // _SPELLED), :_WIDE][:_SPELLED]
    looked_at = sample if few.unique().numel() <= _FEW else few
    return looked_at.unique().numel(), looked_at.numel()


def _all(rows: Tensor, test: Callable[[Tensor], bool]) -> bool:
    """Whether a test holds of all rows; of the first alone where it does not hold of that."""
    few = max(1, len(rows) // _SPELLED)
    return test(rows[:1]) and test(rows[::few]) and test(rows)


def _are_integers(rows: Tensor) -> bool:
    return bool((rows == rows.round()).all())


def _are_float8(rows: Tensor) -> bool:
    return bool((rows.to(_FLOAT8).to(rows.dtype) == rows).all())


def is_zero(matrix: Tensor) -> bool:
    """Whether a matrix [rows, …] holds nothing but zeros; all of it is read where its first row is.

    >>> is_zero(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    False
    """
    return not bool(matrix[:1].any()) and not bool(matrix.any())

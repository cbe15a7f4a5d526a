"""What blocks of a matrix's rows sum to: a sketch in which a damaged block shows.

Rounding off changes the squared norm of n entries by 2e/√n of it (one standard deviation, e the
root mean square of what was rounded off over that of the entries), and their sum by e√n root mean
squares. A scale that is doubled over g of them changes the squared norm by 3g/n, a zero point that
is shifted by one of its steps, √12 e, the sum by √12 e g. At k standard deviations the first shows
where 3g/n > 2ke/√n, the second where √12 g > k√n.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry.rounding import EXACT, Rounding
from geometric_invariants.geometry.row_blocks import RowBlocks

_CHUNK = 1 << 18  # entries in float64, near the CPU's cache


@dataclass(frozen=True, slots=True)
class RowProfile:
    """Of a matrix [rows, columns], `step` consecutive rows to a block, the last perhaps fewer.

    `norms` (Frobenius) and `sums` of each block's entries; `norm_noise` and `sum_noise` are the
    standard deviations that rounding leaves in them, empty where the entries are exact; `group` is
    that of the rounding, at most a row.
    """

    rows: int
    columns: int
    step: int
    norms: tuple[float, ...]
    sums: tuple[float, ...]
    norm_noise: tuple[float, ...] = ()
    sum_noise: tuple[float, ...] = ()
    group: int = 0

    @property
    def participation(self) -> float:
        """(Σ s)²/(m Σ s²) of the mean squares s of m rows, each that of its block; 0 of zeros.

        One where all rows have the same norm, 1/m where one row holds everything.
        """
        counts = [min(self.step, self.rows - i * self.step) for i in range(len(self.norms))]
        most = max(self.norms)
        if most == 0:
            return 0.0
        squares = [(norm / most) ** 2 for norm in self.norms]
        spread = sum(square**2 / count for square, count in zip(squares, counts, strict=True))
        return sum(squares) ** 2 / (self.rows * spread)


def row_profile(matrix: Tensor, most: int, rounding: Rounding = EXACT) -> RowProfile:
    """The profile of a matrix [rows, columns] of any float type, in at most so many blocks.

    Sums are in float64; `rounding` says how the entries were rounded. Raises ValueError for an
    empty matrix, other dimensions than two, or no block.

    >>> row_profile(torch.tensor([[3.0, 4.0], [0.0, -2.0]]), most=2).norms
    (5.0, 2.0)
    """
    return row_profile_of(lambda: iter([matrix]), most, rounding)


def row_profile_of(blocks: RowBlocks, most: int, rounding: Rounding = EXACT) -> RowProfile:
    """The same of a matrix whose rows come in blocks, each of any number of rows."""
    if rounding.of_peak and not rounding.group:
        peak = max(block.abs().amax().item() for block in blocks())
        absolute = math.hypot(rounding.absolute, rounding.of_peak * peak)
        rounding = dataclasses.replace(rounding, of_peak=0.0, absolute=absolute)
    found = [_by_row(block, rounding) for block in blocks()]
    by_row, columns = torch.cat([rows for rows, _ in found]), found[0][1]
    rows = len(by_row)
    if most < 1:
        raise ValueError(f"no {most} blocks of rows of a tensor {[rows, columns]}")
    step = -(-rows // most)
    padded = torch.nn.functional.pad(by_row, (0, 0, 0, -rows % step))
    squares, sums, *noise = padded.unflatten(0, (-1, step)).sum(1).unbind(1)
    profile = RowProfile(rows, columns, step, _plain(squares.sqrt()), _plain(sums))
    if not noise:
        return profile
    variance, weighted = noise
    of_norm = torch.where(squares > 0, weighted / squares, variance).sqrt()
    return dataclasses.replace(
        profile,
        norm_noise=_plain(of_norm),
        sum_noise=_plain(variance.sqrt()),
        group=min(rounding.group, columns),
    )


def _by_row(matrix: Tensor, rounding: Rounding) -> tuple[Tensor, int]:
    """The sums of `_of_rows` of a matrix, and how many columns it has."""
    if matrix.ndim != 2 or matrix.numel() == 0:
        raise ValueError(f"no rows of a tensor {list(matrix.shape)}")
    columns = matrix.shape[1]
    chunks = matrix.detach().split(max(1, _CHUNK // columns))
    return torch.cat([_of_rows(chunk.double(), rounding) for chunk in chunks]), columns


def _of_rows(entries: Tensor, rounding: Rounding) -> Tensor:
    """Σw², Σw and, of rounded entries, Σσ² and Σw²σ² of every row: [rows, 2 or 4] float64."""
    squares = entries.square()
    found = [squares.sum(1), entries.sum(1)]
    if not rounding.is_exact:
        variance = rounding.of_value**2 * squares + rounding.absolute**2
        if rounding.of_peak:
            variance += rounding.of_peak**2 * _peaks(squares, rounding.group)
        found += [variance.sum(1), (squares * variance).sum(1)]
    return torch.stack(found, 1)


def _peaks(squares: Tensor, group: int) -> Tensor:
    """For every entry [rows, columns] the largest of its group of neighbours in the row."""
    columns = squares.shape[1]
    group = min(group, columns)
    padded = torch.nn.functional.pad(squares, (0, -columns % group))
    peaks = padded.unflatten(1, (-1, group)).amax(2)
    spread: Tensor = peaks.repeat_interleave(group, 1)[:, :columns]
    return spread


def _plain(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist())

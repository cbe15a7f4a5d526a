"""How far numbers lie from those that were rounded to them, by the format alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import torch

_UNIFORM = 1 / math.sqrt(12)  # root mean square of what rounding to steps of one leaves
_IN_A_BINADE = 0.7355  # of 1/x over [1, 2), log-uniform: √(3 / (8 ln 2))


@dataclass(frozen=True, slots=True)
class Rounding:
    """Root mean square of what was rounded off a number, of which the parts add in squares.

    `of_value` for each unit of its own magnitude, `of_peak` for each unit of the largest magnitude
    among the `group` neighbours in a row that share a scale (0: all of the matrix), and
    `absolute`. Zero where numbers are stored as they are.
    """

    of_value: float = 0.0
    of_peak: float = 0.0
    group: int = 1
    absolute: float = 0.0

    @property
    def is_exact(self) -> bool:
        return not (self.of_value or self.of_peak or self.absolute)

    def expected(self) -> float:
        """Its root mean square over that of the numbers, if these are Gaussian.

        `absolute` left out; the peak is the median one, of 4,096 numbers for a whole matrix.
        """
        numbers = self.group or 1 << 12
        peak = NormalDist().inv_cdf(1 - (1 - 0.5 ** (1 / numbers)) / 2)
        return math.hypot(self.of_value, self.of_peak * peak)


EXACT = Rounding()


def of_integers(bits: int, group: int) -> Rounding:
    """Of integers that reach from −peak to peak, 2^bits − 1 steps apart; nf4's steps too.

    >>> round(of_integers(8, 64).of_peak, 5)
    0.00226
    """
    return Rounding(of_peak=2 * _UNIFORM / (2**bits - 1), group=group)


def of_floats(dtype: torch.dtype, group: int | None = None) -> Rounding:
    """Of floats of a torch dtype, scaled so that the peak of each group is the dtype's largest.

    Without a group they are not scaled. What lies below the normal numbers is rounded to the
    distance of the subnormal ones.

    >>> round(of_floats(torch.float8_e4m3fn).of_value, 4)
    0.0265
    """
    limits = torch.finfo(dtype)
    of_value, least = _IN_A_BINADE * _UNIFORM * limits.eps, _UNIFORM * limits.eps * limits.tiny
    if group is None:
        return Rounding(of_value, absolute=least)
    return Rounding(of_value, least / limits.max, group)


def of_four_bit_floats(group: int) -> Rounding:
    """Of E2M1, whose steps are 1/12, 1/6 and 1/3 of its peak: of Gaussian weights 1.3 of int4's."""
    return Rounding(of_peak=1.3 * of_integers(4, group).of_peak, group=group)

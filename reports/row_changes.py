"""Did a matrix change by more than its encoding explains? Block by block of its rows.

Where one of two models is stored in another encoding, both hold the same weights but for what
rounding took off, whose standard deviations the profiles bring. A block may differ by eight of
them, and by what rounding its scales to bfloat16 does; the rows as a whole may spread up to three
times as far as rounding to the nearest code does (codes that make up for each other's errors err
by more), and shrink by a little. Where both are floats, or codes of one kind, the one may be
trained further, and a block has to change its squared norm by half.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from geometric_invariants.reports.profiles import Profile, unpacked

_SIGMAS = 8.0
_MOST_SPREAD = 3.0
_ENOUGH = 16  # blocks whose spread tells that of all
_SCALES = 2.0**-8  # twice the most that rounding a scale to bfloat16 changes it by
_BFLOAT16 = 2.0**-9  # of a number, at most
_TRAINED = 0.5  # of a squared norm
_SMALL = 0.1  # of the median squared norm: what a block of small numbers is held against
_MAD = 0.6745  # median of a standard normal's magnitude


@dataclass(slots=True)
class RowChanges:
    """A line for every matrix that changed, that is gone, and that could not be compared."""

    moved: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)


def compare(old: Mapping[str, Profile], new: Mapping[str, Profile]) -> RowChanges:
    """Every matrix of the baseline with that of the same place; new ones are compared by nothing."""
    found = RowChanges()
    recoded = _kinds(old) != _kinds(new)
    for place, before in old.items():
        after = new.get(place)
        if after is None:
            found.gone.append(f"{before.tensor} of the baseline is gone")
        elif before.shape != after.shape or before.step != after.step:
            shapes = " → ".join(f"{p.rows} × {p.columns}" for p in (before, after))
            found.uncompared.append(f"{after.tensor}: {shapes}, its rows were not compared")
        else:
            found.moved += _recoded(before, after) if recoded else _trained(before, after)
    return found


def _kinds(profiles: Mapping[str, Profile]) -> set[str]:
    return {profile.encoding for profile in profiles.values() if profile.is_rounded}


@dataclass(frozen=True, slots=True)
class _Numbers:
    """One number of every block, before and after, and how far rounding explains a change.

    `noise` is one standard deviation, `bias` what is explained beside any of them.
    """

    name: Literal["norm", "sum"]
    before: Sequence[float]
    after: Sequence[float]
    noise: Sequence[float]
    bias: Sequence[float]

    def spread(self) -> float:
        """How many times as far as explained the blocks lie apart; 1 of too few."""
        ratios = [
            abs(after - before) / noise
            for before, after, noise in zip(self.before, self.after, self.noise, strict=True)
            if noise > 0
        ]
        return max(1.0, statistics.median(ratios) / _MAD) if len(ratios) >= _ENOUGH else 1.0


def _recoded(old: Profile, new: Profile) -> list[str]:
    """A line if a block, or all together, moved by more than the encodings explain."""
    norms, sums, scale = _numbers(old, new)
    if scale:
        return [scale]
    for numbers in (norms, sums):
        spread = numbers.spread()
        allowed = [
            min(spread, _MOST_SPREAD) * (_SIGMAS * noise + bias)
            for noise, bias in zip(numbers.noise, numbers.bias, strict=True)
        ]
        excess = [
            abs(after - before) - most
            for before, after, most in zip(numbers.before, numbers.after, allowed, strict=True)
        ]
        beyond = sum(one > 0 for one in excess)
        if not beyond and spread <= _MOST_SPREAD:
            continue
        worst = max(range(len(excess)), key=excess.__getitem__)
        line = _line(old, new, worst, numbers, allowed[worst])
        if spread > _MOST_SPREAD:
            return [f"{line}; all of its {numbers.name}s lie {spread:.3g} times as far apart"]
        return [line + (f"; {beyond - 1} more blocks moved" if beyond > 1 else "")]
    return []


def _numbers(old: Profile, new: Profile) -> tuple[_Numbers, _Numbers, str]:
    """Norms and sums, as if the whole had not shrunk; a line if that is too much."""
    before, after = unpacked(old.norms), unpacked(new.norms)
    old_sums, new_sums = unpacked(old.sums), unpacked(new.sums)
    of_norm = _noise(old.norm_noise, new.norm_noise, [0.0] * len(before))
    of_sum = _noise(old.sum_noise, new.sum_noise, [_BFLOAT16 * norm for norm in before])
    errors = [noise / norm if norm else 0.0 for noise, norm in zip(of_sum, before, strict=True)]
    usual = statistics.median(error**2 for error in errors)
    ratios = [b / a for a, b in zip(before, after, strict=True) if a > 0]
    scale = statistics.median(ratios) if ratios else 1.0
    size = statistics.median(before)
    allowed = 2 * usual + _SCALES
    if size:
        allowed += _SIGMAS * statistics.median(of_norm) / size / math.sqrt(len(before))
    said = ""
    if abs(scale - 1) > allowed:
        now = f"{size:.3g} → {size * scale:.3g}"
        said = f"{new.tensor}: norm of its rows {now}; {_explained(old, new, allowed * size)}"
    norms = _Numbers(
        "norm",
        before=[scale * norm for norm in before],
        after=after,
        noise=[math.hypot(n, _BFLOAT16 * norm) for n, norm in zip(of_norm, before, strict=True)],
        bias=[
            norm * (_SCALES + min(error, 2 * abs(error**2 - usual)))
            for norm, error in zip(before, errors, strict=True)
        ],
    )
    sums = _Numbers(
        "sum",
        before=[scale * s for s in old_sums],
        after=new_sums,
        noise=[math.hypot(n, _BFLOAT16 * s) for n, s in zip(of_sum, old_sums, strict=True)],
        bias=[abs(s) * (_SCALES + abs(scale - 1)) for s in old_sums],
    )
    return norms, sums, said


def _noise(old: str, new: str, of_floats: Sequence[float]) -> list[float]:
    """What rounding leaves on both sides together; of floats what a narrower type does."""
    if not (old or new):
        return list(of_floats)
    zero = [0.0] * len(of_floats)
    sides = (unpacked(old) or zero, unpacked(new) or zero)
    return [math.hypot(*pair) for pair in zip(*sides, strict=True)]


def _trained(old: Profile, new: Profile) -> list[str]:
    """A line if a block changed by more than training further does."""
    before, after = unpacked(old.norms), unpacked(new.norms)
    least = _SMALL * statistics.median(before) ** 2
    excess = [
        abs(b * b - a * a) - _TRAINED * max(a * a, least)
        for a, b in zip(before, after, strict=True)
    ]
    worst = max(range(len(excess)), key=excess.__getitem__)
    if excess[worst] <= 0:
        return []
    numbers = _Numbers("norm", before, after, (), ())
    return [_line(old, new, worst, numbers, before[worst] * (math.sqrt(1 + _TRAINED) - 1))]


def _line(old: Profile, new: Profile, block: int, numbers: _Numbers, allowed: float) -> str:
    moved = f"{numbers.before[block]:.4g} → {numbers.after[block]:.4g}"
    place = f"{new.tensor}, {new.rows_of(block)}"
    return f"{place}: {numbers.name} {moved}; {_explained(old, new, allowed)}"


def _explained(old: Profile, new: Profile, allowed: float) -> str:
    kinds = dict.fromkeys(p.encoding for p in (old, new) if p.is_rounded)
    what = " and ".join(kinds) or "rounding or further training"
    return f"{what} explains {allowed:.2g}"

"""Did a matrix change by more than its encoding explains? Block by block of its rows.

Where one of two models is stored in another encoding, both hold the same weights but for what
rounding took off, whose standard deviations the profiles bring, and what rounding scales to
bfloat16 does. A block may differ by eight of them; of 128 blocks or more, by seven of those that
the blocks themselves show, which may be a third of what was expected, or three times as much
(codes that make up for each other's errors err by more). All may shrink by a little. Where both
are floats, or codes of one kind, the one may be trained further: a block has to double or halve
its squared norm, and a head may be another.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from geometric_invariants.reports.profiles import Profile, unpacked

_SIGMAS = 8.0
_MOST_SPREAD, _LEAST_SPREAD = 3.0, 0.3
_ENOUGH, _MANY = 16, 128  # blocks whose spread tells that of all; and that it is less than expected
_SIGMAS_OF_MANY = 7.0  # of the spread that many blocks show
_SCALES = 2.0**-8  # twice the most that rounding a scale to bfloat16 changes it by
_BFLOAT16 = 2.0**-9  # of a number, at most
_TRAINED = 2.0  # times a squared norm; a published fine-tune changes a token's row by 1.6
_SMALL = 0.3  # of the median norm: what a block of small numbers is held against
_SKEW = 0.2  # standard deviations that the mean of what is rounded off is, of numbers of one sign
_STEP = math.sqrt(12)  # standard deviations of what rounding to it leaves
_MAD = 0.6745  # median of a standard normal's magnitude


@dataclass(slots=True)
class RowChanges:
    """A line for every matrix that changed, that is gone, and that could not be compared."""

    moved: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)


def compare(old: Mapping[str, Profile], new: Mapping[str, Profile]) -> RowChanges:
    """Every matrix of the baseline with that of the same place; new ones with nothing."""
    found = RowChanges()
    recoded = _kinds(old) != _kinds(new)
    for place, before in old.items():
        after = new.get(place)
        if after is None:
            lines = found.uncompared if before.is_head else found.gone
            lines.append(f"{before.tensor} of the baseline is gone")
        elif before.shape != after.shape or before.step != after.step:
            shapes = " → ".join(f"{p.rows} × {p.columns}" for p in (before, after))
            found.uncompared.append(f"{after.tensor}: {shapes}, its rows were not compared")
        elif recoded:
            found.moved += _recoded(before, after)
        elif not before.is_head:
            found.moved += _trained(before, after)
    return found


def _kinds(profiles: Mapping[str, Profile]) -> set[str]:
    return {profile.encoding for profile in profiles.values() if profile.is_rounded}


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of rows before and after, and one standard deviation of what rounding does to it."""

    norms: tuple[float, float]
    sums: tuple[float, float]
    norm_noise: float
    sum_noise: float
    numbers: int
    group: int

    @property
    def error(self) -> float:
        """The norm of what was rounded off over that of the block."""
        return self.sum_noise / self.norms[0] if self.norms[0] else 0.0

    @property
    def skew(self) -> float:
        """What rounding does to the norm where numbers are of one sign."""
        most = math.sqrt(self.numbers) * self.norms[0]
        return _SKEW * self.sum_noise * abs(self.sums[0]) / most if most else 0.0

    @property
    def cut_off(self) -> float:
        """What the sum loses where codes reach half a step less far up than down."""
        step = _STEP * self.sum_noise / math.sqrt(self.numbers)
        return step / 2 * self.numbers / self.group if self.group else 0.0


@dataclass(frozen=True, slots=True)
class _Move:
    """A block's norm or sum before and after; `bias` is explained beside any noise."""

    before: float
    after: float
    noise: float
    bias: float

    @property
    def deviations(self) -> float:
        """How many standard deviations it moved by."""
        return max(0.0, abs(self.after - self.before) - self.bias) / self.noise


def _recoded(old: Profile, new: Profile) -> list[str]:
    """A line if a block, or all together, moved by more than the encodings explain."""
    blocks = _blocks(old, new)
    ratios = [block.norms[1] / block.norms[0] for block in blocks if block.norms[0] > 0]
    scale = statistics.median(ratios) if ratios else 1.0
    if abs(scale - 1) > (allowed := _shrinkage(blocks)):
        size = statistics.median(block.norms[0] for block in blocks)
        explained = _explained(old, new, allowed * size)
        return [f"{new.tensor}: norm of its rows {size:.3g} → {size * scale:.3g}; {explained}"]
    norms = _judged(old, new, "norm", _norm_moves(blocks, scale))
    return norms or _judged(old, new, "sum", _sum_moves(blocks, scale))


def _blocks(old: Profile, new: Profile) -> list[_Block]:
    norms = list(zip(unpacked(old.norms), unpacked(new.norms), strict=True))
    sums = zip(unpacked(old.sums), unpacked(new.sums), strict=True)
    norm_noise = _noise(old.norm_noise, new.norm_noise, [0.0] * len(norms))
    sum_noise = _noise(old.sum_noise, new.sum_noise, [_BFLOAT16 * norm for norm, _ in norms])
    numbers = (old.columns * old.rows_in(block) for block in range(len(norms)))
    groups = (new.group or old.group for _ in norms)
    return list(map(_Block, norms, sums, norm_noise, sum_noise, numbers, groups))


def _noise(old: str, new: str, of_floats: list[float]) -> list[float]:
    """What rounding leaves on both sides together; of floats what a narrower type does."""
    if not (old or new):
        return of_floats
    zeros = (0.0,) * len(of_floats)
    both = zip(unpacked(old) or zeros, unpacked(new) or zeros, strict=True)
    return [math.hypot(*pair) for pair in both]


def _shrinkage(blocks: list[_Block]) -> float:
    """By which part of it the median block may change its norm: e² where peaks are cut off."""
    known = [block for block in blocks if block.norms[0] > 0]
    if not known:
        return math.inf
    of_one = statistics.median((b.norm_noise + b.skew) / b.norms[0] for b in known)
    usual = statistics.median(block.error**2 for block in known)
    return 2 * usual + _SCALES + _SIGMAS * of_one / math.sqrt(len(known))


def _norm_moves(blocks: list[_Block], scale: float) -> list[_Move]:
    """The norms, as if the whole had not changed its scale."""
    usual = statistics.median(block.error**2 for block in blocks)
    return [
        _Move(
            scale * block.norms[0],
            block.norms[1],
            math.hypot(block.norm_noise, _SCALES / 2 * block.norms[0]),
            block.norms[0] * min(block.error, 2 * abs(block.error**2 - usual)) + block.skew,
        )
        for block in blocks
    ]


def _sum_moves(blocks: list[_Block], scale: float) -> list[_Move]:
    return [
        _Move(
            scale * block.sums[0],
            block.sums[1],
            math.hypot(block.sum_noise, _SCALES / 2 * block.sums[0]),
            abs(block.sums[0] * (scale - 1))
            + block.skew * math.sqrt(block.numbers)
            + block.cut_off,
        )
        for block in blocks
    ]


def _judged(old: Profile, new: Profile, name: str, moves: list[_Move]) -> list[str]:
    """A line for the worst block, if one or all of them moved too far."""
    spread = _spread(moves)
    sigmas = _SIGMAS_OF_MANY if len(moves) >= _MANY else _SIGMAS
    allowed = [min(spread, _MOST_SPREAD) * sigmas * m.noise + m.bias for m in moves]
    excess = [abs(m.after - m.before) - most for m, most in zip(moves, allowed, strict=True)]
    beyond = sum(one > 0 for one in excess)
    if not beyond and spread <= _MOST_SPREAD:
        return []
    worst = max(range(len(excess)), key=excess.__getitem__)
    line = _line(old, new, worst, name, (moves[worst].before, moves[worst].after), allowed[worst])
    if spread > _MOST_SPREAD:
        return [f"{line}; all of its {name}s lie {spread:.3g} times as far apart"]
    return [line + (f"; so do {beyond - 1} more blocks" if beyond > 1 else "")]


def _spread(moves: list[_Move]) -> float:
    """How many times as far as noise explains the blocks lie apart; 1 where too few tell.

    More where what is explained beside noise does not suffice, less only where all of it is less.
    """
    found = [move for move in moves if move.noise > 0]
    if len(found) < _ENOUGH:
        return 1.0
    beside = statistics.median(move.deviations for move in found) / _MAD
    plain = statistics.median(abs(m.after - m.before) / m.noise for m in found) / _MAD
    least = _LEAST_SPREAD if len(found) >= _MANY else 1.0
    return max(least, beside, min(1.0, plain))


def _trained(old: Profile, new: Profile) -> list[str]:
    """A line if a block changed by more than training further does.

    Blocks of rows whose order says nothing are compared by size: where a block holds several rows,
    another order makes other blocks.
    """
    before, after = unpacked(old.norms), unpacked(new.norms)
    places, most = list(range(new.blocks)), _TRAINED
    if old.free_rows and new.free_rows:
        places.sort(key=after.__getitem__)
        before, after = tuple(sorted(before)), tuple(sorted(after))
        most = _TRAINED if new.step == 1 else _TRAINED**2
    least = _SMALL * statistics.median(before)
    floored = [(max(a, least), max(b, least)) for a, b in zip(before, after, strict=True)]
    ratios = [1.0 if a == b else max(a, b) / min(a, b) if a and b else math.inf for a, b in floored]
    worst = max(range(len(ratios)), key=ratios.__getitem__)
    if ratios[worst] <= math.sqrt(most):
        return []
    allowed = floored[worst][0] * (math.sqrt(most) - 1)
    moved = before[worst], after[worst]
    return [_line(old, new, places[worst], "norm", moved, allowed)]


def _line(
    old: Profile,
    new: Profile,
    block: int,
    name: str,
    numbers: tuple[float, float],
    allowed: float,
) -> str:
    place, (before, after) = f"{new.tensor}, {new.rows_of(block)}", numbers
    return f"{place}: {name} {before:.4g} → {after:.4g}; {_explained(old, new, allowed)}"


def _explained(old: Profile, new: Profile, allowed: float) -> str:
    kinds = dict.fromkeys(p.encoding for p in (old, new) if p.is_rounded)
    what = " and ".join(kinds) or "rounding or further training"
    return f"{what} explains {allowed:.2g}"

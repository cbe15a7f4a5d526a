"""Counts of |w| below thresholds, sums and the maximum, in one pass over a tensor on a GPU.

Reading is what it has to cost; what stands in the way is the arithmetic per entry. A float32 count
is a fused multiply-add that saturates to 0 or 1 and an addition; bfloat16 entries are compared and
counted two at a time. Σw² is float64. Source: SPEC W2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geometric_invariants.geometry.kernels import HAS_TRITON

_SMALLEST, _LARGEST = 2.0**-75, 2.0**26  # thresholds between which saturation is exact
_TYPES = (torch.float32, torch.bfloat16, torch.float16)
_BLOCK, _WARPS = 512, 4
_UNROLLED, _UNROLLED_PAIRS, _PAIR_ROUNDS = 4, 16, 2
_PROGRAMS_PER_UNIT = 12

if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

    from geometric_invariants.geometry.kernels.packed import on_pairs

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _below(w, edge):  # type: ignore[no-untyped-def]
        # saturate((t − w)·2¹⁰⁰) with edge = t·2¹⁰⁰: 1 below t, 0 from t on and for NaN.
        return tl.inline_asm_elementwise(
            "fma.rn.sat.f32 $0, $1, 0fF1800000, $2;",
            "=f,f,f",
            [w, edge],
            dtype=tl.float32,
            is_pure=True,
            pack=1,
        )

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _pair_below(w, edge):  # type: ignore[no-untyped-def]
        return on_pairs("set.lt.bf16x2.bf16x2 $0, $1, $2;", w, edge)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _pair_sum(a, b):  # type: ignore[no-untyped-def]
        return on_pairs("add.rn.bf16x2 $0, $1, $2;", a, b)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _pair_larger(a, b):  # type: ignore[no-untyped-def]
        return on_pairs("max.bf16x2 $0, $1, $2;", a, b)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _high(pair):  # type: ignore[no-untyped-def]
        return (pair & -65536).to(tl.float32, bitcast=True)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _low(pair):  # type: ignore[no-untyped-def]
        return (pair << 16).to(tl.float32, bitcast=True)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _store(out, c0, c1, c2, c3, c4, largest, total, squares):  # type: ignore[no-untyped-def]
        own = out + tl.program_id(0) * 8
        tl.store(own, tl.sum(c0.to(tl.float64)))
        tl.store(own + 1, tl.sum(c1.to(tl.float64)))
        tl.store(own + 2, tl.sum(c2.to(tl.float64)))
        tl.store(own + 3, tl.sum(c3.to(tl.float64)))
        tl.store(own + 4, tl.sum(c4.to(tl.float64)))
        tl.store(own + 5, tl.max(largest).to(tl.float64))
        tl.store(own + 6, tl.sum(total))
        tl.store(own + 7, tl.sum(squares))

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _entries(  # type: ignore[no-untyped-def]
        tensor,
        out,
        numel,
        steps,
        t0,
        t1,
        t2,
        t3,
        t4,
        MASKED: tl.constexpr,  # noqa: N803 (Triton's way to name what is known when compiling)
        U: tl.constexpr,  # noqa: N803
        B: tl.constexpr,  # noqa: N803
    ):
        lane = tl.arange(0, B)
        c0 = tl.zeros([B], tl.float32)
        c1 = tl.zeros([B], tl.float32)
        c2 = tl.zeros([B], tl.float32)
        c3 = tl.zeros([B], tl.float32)
        c4 = tl.zeros([B], tl.float32)
        largest = tl.zeros([B], tl.float32)
        total = tl.zeros([B], tl.float64)
        squares = tl.zeros([B], tl.float64)
        stride = tl.num_programs(0) * B
        here = tensor + tl.program_id(0).to(tl.int64) * B
        for _ in range(steps):
            for _ in tl.static_range(U):
                if MASKED:
                    inside = tl.program_id(0) * B + lane < numel
                    w = tl.abs(tl.load(here + lane, mask=inside, other=0.0).to(tl.float32))
                    c0 += tl.where(inside, _below(w, t0), 0.0)
                    c1 += tl.where(inside, _below(w, t1), 0.0)
                    c2 += tl.where(inside, _below(w, t2), 0.0)
                    c3 += tl.where(inside, _below(w, t3), 0.0)
                    c4 += tl.where(inside, _below(w, t4), 0.0)
                else:
                    w = tl.abs(tl.load(here + lane).to(tl.float32))
                    c0 += _below(w, t0)
                    c1 += _below(w, t1)
                    c2 += _below(w, t2)
                    c3 += _below(w, t3)
                    c4 += _below(w, t4)
                here += stride
                largest = tl.maximum(largest, w)
                wide = w.to(tl.float64)
                total += wide
                squares += wide * wide
        _store(out, c0, c1, c2, c3, c4, largest, total, squares)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _bfloat16_pairs(  # type: ignore[no-untyped-def]
        pairs,
        out,
        steps,
        t0,
        t1,
        t2,
        t3,
        t4,
        ROUNDS: tl.constexpr,  # noqa: N803
        U: tl.constexpr,  # noqa: N803
        B: tl.constexpr,  # noqa: N803
    ):
        lane = tl.arange(0, B)
        c0 = tl.zeros([B], tl.float32)
        c1 = tl.zeros([B], tl.float32)
        c2 = tl.zeros([B], tl.float32)
        c3 = tl.zeros([B], tl.float32)
        c4 = tl.zeros([B], tl.float32)
        largest = tl.zeros([B], tl.int32)
        total = tl.zeros([B], tl.float64)
        squares = tl.zeros([B], tl.float64)
        stride = tl.num_programs(0) * B
        here = pairs + tl.program_id(0).to(tl.int64) * B
        for _ in range(steps):
            k0 = tl.zeros([B], tl.int32)  # bfloat16 counts, exact up to 256
            k1 = tl.zeros([B], tl.int32)
            k2 = tl.zeros([B], tl.int32)
            k3 = tl.zeros([B], tl.int32)
            k4 = tl.zeros([B], tl.int32)
            for _ in range(ROUNDS):
                few = tl.zeros([B], tl.float32)
                for _ in tl.static_range(U):
                    w = tl.load(here + lane) & 0x7FFF7FFF
                    here += stride
                    k0 = _pair_sum(k0, _pair_below(w, t0))
                    k1 = _pair_sum(k1, _pair_below(w, t1))
                    k2 = _pair_sum(k2, _pair_below(w, t2))
                    k3 = _pair_sum(k3, _pair_below(w, t3))
                    k4 = _pair_sum(k4, _pair_below(w, t4))
                    largest = _pair_larger(largest, w)
                    few += _high(w) + _low(w)
                    one, other = _high(w).to(tl.float64), _low(w).to(tl.float64)
                    squares += one * one
                    squares += other * other
                total += few.to(tl.float64)
            c0 += _high(k0) + _low(k0)
            c1 += _high(k1) + _low(k1)
            c2 += _high(k2) + _low(k2)
            c3 += _high(k3) + _low(k3)
            c4 += _high(k4) + _low(k4)
        _store(out, c0, c1, c2, c3, c4, tl.maximum(_high(largest), _low(largest)), total, squares)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass found. `below` belongs to the thresholds in their order.

    A NaN is below none of them; it and infinities show in `total` and `squares`. Of bfloat16
    numbers Σ|w| is float32 within each 32 entries, float64 beyond.
    """

    below: tuple[int, ...]
    largest: float
    total: float
    squares: float


def is_available(tensor: Tensor, thresholds: Sequence[float]) -> bool:
    """Whether the kernel counts exactly here: a GPU, Triton, 16 or 32 bits, ordinary thresholds."""
    return (
        tensor.is_cuda
        and tensor.dtype in _TYPES
        and all(_SMALLEST < t < _LARGEST for t in thresholds)
        and HAS_TRITON
    )


def one_pass(tensor: Tensor, thresholds: Sequence[float]) -> Pass:
    """Five counts of |w| < t, max |w|, Σ|w| and Σw² of a tensor on a GPU, counts as in float64.

    `thresholds` are float32 numbers.
    """
    found = launch(tensor, thresholds).cpu()
    *below, _, total, squares = found.sum(0).tolist()
    return Pass(tuple(map(int, below)), found[:, 5].max().item(), total, squares)


def launch(tensor: Tensor, thresholds: Sequence[float]) -> Tensor:
    """What `one_pass` adds up: [programs, 8] float64 on the GPU, not waited for.

    What fills no whole block takes a second, masked launch.
    """
    flat = tensor.detach().contiguous().view(-1)
    by_pairs = flat.dtype == torch.bfloat16 and flat.data_ptr() % 16 == 0
    size = _BLOCK * (2 * _UNROLLED_PAIRS * _PAIR_ROUNDS if by_pairs else _UNROLLED)
    blocks = flat.numel() // size
    units = torch.cuda.get_device_properties(flat.device).multi_processor_count
    steps = -(-blocks // (units * _PROGRAMS_PER_UNIT))
    programs = blocks // max(1, steps)
    rest = flat[programs * steps * size :]
    rest_blocks = -(-rest.numel() // _BLOCK)
    out = torch.empty(programs + rest_blocks, 8, dtype=torch.float64, device=flat.device)
    edges = [t * 2.0**100 for t in thresholds]
    with torch.cuda.device(flat.device):
        if programs and by_pairs:
            _bfloat16_pairs[(programs,)](
                flat[: programs * steps * size].view(torch.int32),
                out,
                steps,
                *map(_pair, thresholds),
                ROUNDS=_PAIR_ROUNDS,
                U=_UNROLLED_PAIRS,
                B=_BLOCK,
                num_warps=_WARPS,
            )
        elif programs:
            whole = {"MASKED": False, "U": _UNROLLED, "B": _BLOCK, "num_warps": _WARPS}
            _entries[(programs,)](flat, out, flat.numel(), steps, *edges, **whole)
        if rest_blocks:
            masked = {"MASKED": True, "U": 1, "B": _BLOCK, "num_warps": _WARPS}
            _entries[(rest_blocks,)](rest, out[programs:], rest.numel(), 1, *edges, **masked)
    return out


@cache
def _pair(threshold: float) -> int:
    """The smallest bfloat16 not below the threshold, twice in one 32-bit integer."""
    rounded = torch.tensor(threshold, dtype=torch.bfloat16)
    if rounded.item() < threshold:
        rounded = torch.nextafter(rounded, torch.tensor(math.inf, dtype=torch.bfloat16))
    bits = rounded.view(torch.int16).item()
    return int(bits) * 65537  # positive: its sign bit is 0

"""Squared volumes of simplices of table rows: gather, edges and Gram matrix in one kernel.

One program, a single warp, per simplex, with float64 accumulators, so that memory and not
arithmetic bounds it: every gathered row is read once. Rows are read in words of 64 bits, which hold
several entries. Summing ten accumulators over a warp for every lane to see would cost as much as
the arithmetic on hundreds of columns; exchanging halves leaves each lane one sum instead. A second,
small kernel eliminates, one simplex a lane. Source: SPEC G1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geometric_invariants.geometry.kernels import HAS_TRITON

LARGEST = 4  # vertices less one
_GRAM = LARGEST * (LARGEST + 1) // 2  # entries on and above the diagonal
_SIMPLICES_AT_ONCE = 1 << 19  # their Gram matrices take 42 MB
_WORDS_AT_ONCE = 2  # a lane's, of each row: 64 bits each
_REGISTERS = 64  # of a lane; with more, too few warps fit to hide the latency of memory
_ELIMINATED_AT_ONCE = 128

if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

    from geometric_invariants.geometry.kernels.packed import on_pairs

    _FLOATS = {
        torch.float64: tl.float64,
        torch.float32: tl.float32,
        torch.bfloat16: tl.bfloat16,
        torch.float16: tl.float16,
    }

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _low(pair):  # type: ignore[no-untyped-def]
        # 2⁻⁸⁹⁶ times the bfloat16 in the low half: its bits moved to those of a float64.
        return tl.inline_asm_elementwise(
            """{ .reg .b32 h; shl.b32 h, $1, 16; shr.s32 h, h, 3; and.b32 h, h, 0x8FFFFFFF;
            mov.b64 $0, {0, h}; }""",
            "=d,r",
            [pair],
            dtype=tl.float64,
            is_pure=True,
            pack=1,
        )

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _high(pair):  # type: ignore[no-untyped-def]
        return tl.inline_asm_elementwise(
            """{ .reg .b32 h; shr.s32 h, $1, 3; and.b32 h, h, 0x8FFFE000;
            mov.b64 $0, {0, h}; }""",
            "=d,r",
            [pair],
            dtype=tl.float64,
            is_pure=True,
            pack=1,
        )

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _poison(nan, pair):  # type: ignore[no-untyped-def]
        # 0·w + nan: stays 0 for finite pairs.
        return on_pairs("{ .reg .b32 z; mov.b32 z, 0; fma.rn.bf16x2 $0, $1, z, $2; }", pair, nan)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _poison_all(nan, x0, x1, x2, x3, x4):  # type: ignore[no-untyped-def]
        nan = _poison(_poison(_poison(nan, x0), x1), x2)
        return _poison(_poison(nan, x3), x4)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _exchange(a, b, BIT: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
        # Sums over pairs of lanes that differ in BIT: of a for the lane without it, of b for the
        # one with it.
        return tl.inline_asm_elementwise(
            """{ .reg .pred p; .reg .b32 l, x, y; .reg .f64 given, kept;
            mov.u32 l, %laneid; and.b32 l, l, $3; setp.ne.u32 p, l, 0;
            selp.f64 given, $1, $2, p; selp.f64 kept, $2, $1, p;
            mov.b64 {x, y}, given;
            shfl.sync.bfly.b32 x, x, $3, 31, -1; shfl.sync.bfly.b32 y, y, $3, 31, -1;
            mov.b64 given, {x, y}; add.f64 $0, kept, given; }""",
            "=d,d,d,r",
            [a, b, BIT],
            dtype=tl.float64,
            is_pure=False,
            pack=1,
        )

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _add_edges(g, x0, e1, e2, e3, e4, K: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: N803
        g11, g12, g13, g14, g22, g23, g24, g33, g34, g44 = g
        e1 -= x0
        g11 += e1 * e1
        if K > 1:
            e2 -= x0
            g12 += e1 * e2
            g22 += e2 * e2
        if K > 2:
            e3 -= x0
            g13 += e1 * e3
            g23 += e2 * e3
            g33 += e3 * e3
        if K > 3:
            e4 -= x0
            g14 += e1 * e4
            g24 += e2 * e4
            g34 += e3 * e4
            g44 += e4 * e4
        return g11, g12, g13, g14, g22, g23, g24, g33, g34, g44

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _entry(  # type: ignore[no-untyped-def]
        word,
        NUMBER: tl.constexpr,  # noqa: N803 (Triton's way to name what is known when compiling)
        PER_WORD: tl.constexpr,  # noqa: N803
        FLOAT: tl.constexpr,  # noqa: N803
    ):
        if PER_WORD == 1:
            entry = word
        elif PER_WORD == 2:
            entry = (word >> (32 * NUMBER)).to(tl.int32).to(FLOAT, bitcast=True)
        else:
            entry = (word >> (16 * NUMBER)).to(tl.int16).to(FLOAT, bitcast=True)
        return entry.to(tl.float64)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _sum_of_one_entry(lane, g):  # type: ignore[no-untyped-def]
        """Each lane's entry of the Gram matrix, its sum over the warp, and whether to store it."""
        g11, g12, g13, g14, g22, g23, g24, g33, g34, g44 = g
        s0, s1, s2 = _exchange(g11, g12, 16), _exchange(g13, g14, 16), _exchange(g22, g23, 16)
        s3, s4 = _exchange(g24, g33, 16), _exchange(g34, g44, 16)
        s0, s1, s2 = _exchange(s0, s1, 8), _exchange(s2, s3, 8), _exchange(s4, s4, 8)
        s0, s1 = _exchange(s0, s1, 4), _exchange(s2, s2, 4)
        s0 = _exchange(s0, s1, 2)
        s0 = _exchange(s0, s0, 1)
        first, second, third = (lane >> 4) & 1, (lane >> 3) & 1, (lane >> 2) & 1
        fourth = (lane >> 1) & 1
        entry = tl.where(fourth == 0, first + 2 * second + 4 * third, 8 + first)
        once = ((lane & 1) == 0) & ((fourth == 0) | (second + third == 0))
        return entry, s0, once

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _gram(  # type: ignore[no-untyped-def]
        table,
        indices,
        scales,
        gram,
        width,
        FLOAT: tl.constexpr,  # noqa: N803
        PER_WORD: tl.constexpr,  # noqa: N803
        K: tl.constexpr,  # noqa: N803
        SCALED: tl.constexpr,  # noqa: N803
        WHOLE: tl.constexpr,  # noqa: N803
        U: tl.constexpr,  # noqa: N803
    ):
        """g11, g12, g13, g14, g22, g23, g24, g33, g34, g44 of the edges of each simplex.

        width: words in a row; WHOLE: whether 32·U divides it.
        """
        lane = tl.arange(0, 32)
        by_bits: tl.constexpr = (tl.bfloat16 == FLOAT) & (PER_WORD == 4)
        simplex = tl.program_id(0).to(tl.int64)
        at = indices + simplex * (K + 1)
        i0 = tl.load(at)
        i1 = tl.load(at + 1)
        i2 = tl.load(at + (2 if K > 1 else 0))
        i3 = tl.load(at + (3 if K > 2 else 0))
        i4 = tl.load(at + (4 if K > 3 else 0))
        r0, r1, r2 = table + i0 * width, table + i1 * width, table + i2 * width
        r3, r4 = table + i3 * width, table + i4 * width
        one = tl.full([], 2.0**896 if by_bits else 1.0, tl.float64)
        f0, f1, f2, f3, f4 = one, one, one, one, one
        if SCALED:
            f0 *= tl.load(scales + i0)
            f1 *= tl.load(scales + i1)
            f2 *= tl.load(scales + i2)
            f3 *= tl.load(scales + i3)
            f4 *= tl.load(scales + i4)
        zero = tl.zeros([32], tl.float64)
        g = (zero, zero, zero, zero, zero, zero, zero, zero, zero, zero)
        nan = tl.zeros([32], tl.int32)
        for start in range(0, width, 32 * U):
            for u in tl.static_range(U):
                column = start + 32 * u + lane
                inside = (column < width) | WHOLE
                x0 = tl.load(r0 + column, mask=inside, other=0)
                x1 = tl.load(r1 + column, mask=inside, other=0)
                x2 = tl.load(r2 + column, mask=inside, other=0) if K > 1 else x1
                x3 = tl.load(r3 + column, mask=inside, other=0) if K > 2 else x1
                x4 = tl.load(r4 + column, mask=inside, other=0) if K > 3 else x1
                if by_bits:
                    for half in tl.static_range(2):
                        y0, y1 = (x0 >> (32 * half)).to(tl.int32), (x1 >> (32 * half)).to(tl.int32)
                        y2, y3 = (x2 >> (32 * half)).to(tl.int32), (x3 >> (32 * half)).to(tl.int32)
                        y4 = (x4 >> (32 * half)).to(tl.int32)
                        nan = _poison_all(nan, y0, y1, y2, y3, y4)
                        l0, l1, l2, l3, l4 = _low(y0), _low(y1), _low(y2), _low(y3), _low(y4)
                        g = _add_edges(g, l0 * f0, l1 * f1, l2 * f2, l3 * f3, l4 * f4, K)
                        h0, h1, h2, h3, h4 = _high(y0), _high(y1), _high(y2), _high(y3), _high(y4)
                        g = _add_edges(g, h0 * f0, h1 * f1, h2 * f2, h3 * f3, h4 * f4, K)
                else:
                    for number in tl.static_range(PER_WORD):
                        w0 = _entry(x0, number, PER_WORD, FLOAT)
                        w1 = _entry(x1, number, PER_WORD, FLOAT)
                        w2 = _entry(x2, number, PER_WORD, FLOAT)
                        w3 = _entry(x3, number, PER_WORD, FLOAT)
                        w4 = _entry(x4, number, PER_WORD, FLOAT)
                        if SCALED:
                            w0, w1, w2, w3, w4 = w0 * f0, w1 * f1, w2 * f2, w3 * f3, w4 * f4
                        g = _add_edges(g, w0, w1, w2, w3, w4, K)
        if by_bits:
            g11, g12, g13, g14, g22, g23, g24, g33, g34, g44 = g
            g11 = tl.where((nan & 0x7FFF7FFF) != 0, float("nan"), g11)
            g = (g11, g12, g13, g14, g22, g23, g24, g33, g34, g44)
        entry, found, once = _sum_of_one_entry(lane, g)
        tl.store(gram + simplex * 10 + entry, found, mask=once)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _eliminate(  # type: ignore[no-untyped-def]
        gram,
        out,
        n,
        FACTOR: tl.constexpr,  # noqa: N803
        K: tl.constexpr,  # noqa: N803
        B: tl.constexpr,  # noqa: N803
    ):
        """det / FACTOR of the leading k × k part of what `_gram` leaves, without pivoting."""
        simplex = tl.program_id(0) * B + tl.arange(0, B)
        here = simplex < n
        g = gram + simplex * 10
        p1 = tl.load(g, mask=here, other=1.0)
        determinant = p1
        if K > 1:
            inverse1 = 1.0 / tl.where(p1 > 0, p1, 1.0)
            a12 = tl.load(g + 1, mask=here, other=0.0)
            p2 = tl.load(g + 4, mask=here, other=1.0) - a12 * (a12 * inverse1)
            determinant *= p2
        if K > 2:
            inverse2 = 1.0 / tl.where(p2 > 0, p2, 1.0)
            a13 = tl.load(g + 2, mask=here, other=0.0)
            l13 = a13 * inverse1
            a23 = tl.load(g + 5, mask=here, other=0.0) - a12 * l13
            l23 = a23 * inverse2
            p3 = tl.load(g + 7, mask=here, other=1.0) - a13 * l13 - a23 * l23
            determinant *= p3
        if K > 3:
            inverse3 = 1.0 / tl.where(p3 > 0, p3, 1.0)
            a14 = tl.load(g + 3, mask=here, other=0.0)
            l14 = a14 * inverse1
            a24 = tl.load(g + 6, mask=here, other=0.0) - a12 * l14
            l24 = a24 * inverse2
            a34 = tl.load(g + 8, mask=here, other=0.0) - a13 * l14 - a23 * l24
            p4 = tl.load(g + 9, mask=here, other=1.0) - a14 * l14 - a24 * l24
            determinant *= p4 - a34 * (a34 * inverse3)
        tl.store(out + simplex, determinant / FACTOR, mask=here)


def is_available(table: Tensor, vertices: int) -> bool:
    """Whether the kernels run on this table: on a GPU, with Triton, for at most five vertices."""
    return table.is_cuda and 2 <= vertices <= LARGEST + 1 and HAS_TRITON


def squared_volumes(table: Tensor, indices: Tensor, scales: Tensor | None) -> Tensor:
    """V² of simplices whose vertices are rows of a table on a GPU, [n] float64 there.

    table [rows, d] of any float type; indices [n, k + 1] int64 on any device, k ≤ 4, taken half a
    million at a time; scales [rows] float64 multiply the rows. Rows that no whole number of 64-bit
    words makes are read entry by entry.
    """
    table = table.contiguous()
    n, vertices = indices.shape
    k = vertices - 1
    words, per_word = _in_words(table)
    width = words.shape[1]
    factors = table if scales is None else scales.double().contiguous()
    out = torch.empty(n, dtype=torch.float64, device=table.device)
    gram = torch.empty(min(n, _SIMPLICES_AT_ONCE), _GRAM, dtype=torch.float64, device=table.device)
    with torch.cuda.device(table.device):
        for start in range(0, n, _SIMPLICES_AT_ONCE):
            part = indices[start : start + _SIMPLICES_AT_ONCE].to(table.device).contiguous()
            _gram[(len(part),)](
                words,
                part,
                factors,
                gram,
                width,
                FLOAT=_FLOATS[table.dtype],
                PER_WORD=per_word,
                K=k,
                SCALED=scales is not None,
                WHOLE=width % (32 * _WORDS_AT_ONCE) == 0,
                U=_WORDS_AT_ONCE,
                num_warps=1,
                maxnreg=_REGISTERS,
            )
            _eliminate[(triton.cdiv(len(part), _ELIMINATED_AT_ONCE),)](
                gram,
                out[start : start + len(part)],
                len(part),
                FACTOR=math.factorial(k) ** 2,
                K=k,
                B=_ELIMINATED_AT_ONCE,
            )
    return out


def _in_words(table: Tensor) -> tuple[Tensor, int]:
    """The table as 64-bit words and how many entries each holds; itself, where its rows are odd."""
    per_word = 8 // table.element_size()
    if per_word == 1 or table.shape[1] % per_word or table.data_ptr() % 8:
        return table, 1
    return table.view(torch.int64), per_word

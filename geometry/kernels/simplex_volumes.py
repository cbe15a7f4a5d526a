"""Squared volumes of simplices of table rows in one kernel: gather, edges, Gram, elimination.

One program per simplex, float64 accumulators, so that memory and not arithmetic bounds it: every
gathered row is read once and eight bytes are written. Source: SPEC G1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geometry.kernels import HAS_TRITON

LARGEST = 4  # vertices less one
_INDICES_AT_ONCE = 1 << 21
_COLUMNS_AT_ONCE, _PAIRS_AT_ONCE = 32, 64  # in one warp: measured best of 32 … 512, 1 … 4

if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

    from geometry.kernels.packed import on_pairs

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
    def _squared_volumes(  # type: ignore[no-untyped-def]  # noqa: C901
        table,
        indices,
        scales,
        out,
        width,
        FACTOR: tl.constexpr,  # noqa: N803 (Triton's way to name what is known when compiling)
        K: tl.constexpr,  # noqa: N803
        SCALED: tl.constexpr,  # noqa: N803
        PAIRS: tl.constexpr,  # noqa: N803
        B: tl.constexpr,  # noqa: N803
    ):
        simplex = tl.program_id(0).to(tl.int64)
        at = indices + simplex * (K + 1)
        i0 = tl.load(at)
        i1 = tl.load(at + 1)
        i2 = tl.load(at + (2 if K > 1 else 0))
        i3 = tl.load(at + (3 if K > 2 else 0))
        i4 = tl.load(at + (4 if K > 3 else 0))
        r0, r1, r2, r3, r4 = i0 * width, i1 * width, i2 * width, i3 * width, i4 * width
        unit = 2.0**896 if PAIRS else 1.0
        one = tl.full([], unit, tl.float64)
        f0, f1, f2, f3, f4 = one, one, one, one, one
        if SCALED:
            f0 *= tl.load(scales + i0)
            f1 *= tl.load(scales + i1)
            f2 *= tl.load(scales + i2)
            f3 *= tl.load(scales + i3)
            f4 *= tl.load(scales + i4)
        zero = tl.zeros([B], tl.float64)
        g11, g12, g13, g14, g22 = zero, zero, zero, zero, zero
        g23, g24, g33, g34, g44 = zero, zero, zero, zero, zero
        nan = tl.zeros([B], tl.int32)
        for start in range(0, width, B):
            column = start + tl.arange(0, B)
            inside = column < width
            x0 = tl.load(table + r0 + column, mask=inside, other=0)
            x1 = tl.load(table + r1 + column, mask=inside, other=0)
            x2, x3, x4 = x1, x1, x1
            if K > 1:
                x2 = tl.load(table + r2 + column, mask=inside, other=0)
            if K > 2:
                x3 = tl.load(table + r3 + column, mask=inside, other=0)
            if K > 3:
                x4 = tl.load(table + r4 + column, mask=inside, other=0)
            if PAIRS:
                nan = _poison(_poison(_poison(nan, x0), x1), x2)
                nan = _poison(_poison(nan, x3), x4)
                l0, l1, l2, l3, l4 = _low(x0), _low(x1), _low(x2), _low(x3), _low(x4)
                g = (g11, g12, g13, g14, g22, g23, g24, g33, g34, g44)
                g = _add_edges(g, l0 * f0, l1 * f1, l2 * f2, l3 * f3, l4 * f4, K)
                h0, h1, h2, h3, h4 = _high(x0), _high(x1), _high(x2), _high(x3), _high(x4)
                g = _add_edges(g, h0 * f0, h1 * f1, h2 * f2, h3 * f3, h4 * f4, K)
                g11, g12, g13, g14, g22, g23, g24, g33, g34, g44 = g
            else:
                w0, w1, w2 = x0.to(tl.float64), x1.to(tl.float64), x2.to(tl.float64)
                w3, w4 = x3.to(tl.float64), x4.to(tl.float64)
                if SCALED:
                    w0, w1, w2, w3, w4 = w0 * f0, w1 * f1, w2 * f2, w3 * f3, w4 * f4
                g = (g11, g12, g13, g14, g22, g23, g24, g33, g34, g44)
                g = _add_edges(g, w0, w1, w2, w3, w4, K)
                g11, g12, g13, g14, g22, g23, g24, g33, g34, g44 = g
        # One division per pivot: each costs more than all other arithmetic on it.
        p1 = tl.sum(g11)
        determinant = p1
        if K > 1:
            inverse1 = 1.0 / tl.where(p1 > 0, p1, 1.0)
            a12 = tl.sum(g12)
            p2 = tl.sum(g22) - a12 * (a12 * inverse1)
            determinant *= p2
        if K > 2:
            inverse2 = 1.0 / tl.where(p2 > 0, p2, 1.0)
            a13 = tl.sum(g13)
            l13 = a13 * inverse1
            a23 = tl.sum(g23) - a12 * l13
            l23 = a23 * inverse2
            p3 = tl.sum(g33) - a13 * l13 - a23 * l23
            determinant *= p3
        if K > 3:
            inverse3 = 1.0 / tl.where(p3 > 0, p3, 1.0)
            a14 = tl.sum(g14)
            l14 = a14 * inverse1
            a24 = tl.sum(g24) - a12 * l14
            l24 = a24 * inverse2
            a34 = tl.sum(g34) - a13 * l14 - a23 * l24
            determinant *= tl.sum(g44) - a14 * l14 - a24 * l24 - a34 * (a34 * inverse3)
        if PAIRS:
            determinant = tl.where(tl.max(nan & 0x7FFF7FFF) > 0, float("nan"), determinant)
        tl.store(out + simplex, determinant / FACTOR)


def is_available(table: Tensor, vertices: int) -> bool:
    """Whether the kernel runs on this table: on a GPU, with Triton, for at most five vertices."""
    return table.is_cuda and 2 <= vertices <= LARGEST + 1 and HAS_TRITON


def squared_volumes(table: Tensor, indices: Tensor, scales: Tensor | None) -> Tensor:
    """V² of simplices whose vertices are rows of a table on a GPU, [n] float64 there.

    table [rows, d] of any float type; indices [n, k + 1] int64 on any device, k ≤ 4, copied two
    million at a time; scales [rows] float64 multiply the rows. Rows of bfloat16 and even length are
    read in pairs.
    """
    table = table.contiguous()
    n, vertices = indices.shape
    k, width = vertices - 1, table.shape[1]
    by_pairs = table.dtype == torch.bfloat16 and width % 2 == 0 and table.data_ptr() % 4 == 0
    if by_pairs:
        table, width = table.view(torch.int32), width // 2
    out = torch.empty(n, dtype=torch.float64, device=table.device)
    with torch.cuda.device(table.device):
        for start in range(0, n, _INDICES_AT_ONCE):
            part = indices[start : start + _INDICES_AT_ONCE].to(table.device).contiguous()
            _squared_volumes[(len(part),)](
                table,
                part,
                table if scales is None else scales.double().contiguous(),
                out[start : start + len(part)],
                width,
                FACTOR=math.factorial(k) ** 2,
                K=k,
                SCALED=scales is not None,
                PAIRS=by_pairs,
                B=_PAIRS_AT_ONCE if by_pairs else _COLUMNS_AT_ONCE,
                num_warps=1,
            )
    return out

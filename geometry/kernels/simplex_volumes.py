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

if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _squared_volumes(  # type: ignore[no-untyped-def]  # noqa: C901
        table,
        indices,
        scales,
        out,
        d,
        FACTOR: tl.constexpr,  # noqa: N803 (Triton's way to name what is known when compiling)
        K: tl.constexpr,  # noqa: N803
        SCALED: tl.constexpr,  # noqa: N803
        B: tl.constexpr,  # noqa: N803
    ):
        simplex = tl.program_id(0).to(tl.int64)
        at = indices + simplex * (K + 1)
        i0 = tl.load(at)
        i1 = tl.load(at + 1)
        i2 = tl.load(at + (2 if K > 1 else 0))
        i3 = tl.load(at + (3 if K > 2 else 0))
        i4 = tl.load(at + (4 if K > 3 else 0))
        r0, r1, r2, r3, r4 = i0 * d, i1 * d, i2 * d, i3 * d, i4 * d
        g11 = tl.zeros([B], tl.float64)
        g12 = tl.zeros([B], tl.float64)
        g13 = tl.zeros([B], tl.float64)
        g14 = tl.zeros([B], tl.float64)
        g22 = tl.zeros([B], tl.float64)
        g23 = tl.zeros([B], tl.float64)
        g24 = tl.zeros([B], tl.float64)
        g33 = tl.zeros([B], tl.float64)
        g34 = tl.zeros([B], tl.float64)
        g44 = tl.zeros([B], tl.float64)
        for start in range(0, d, B):
            column = start + tl.arange(0, B)
            inside = column < d
            x0 = tl.load(table + r0 + column, mask=inside, other=0.0).to(tl.float64)
            e1 = tl.load(table + r1 + column, mask=inside, other=0.0).to(tl.float64)
            if SCALED:
                x0 *= tl.load(scales + i0)
                e1 *= tl.load(scales + i1)
            e1 -= x0
            g11 += e1 * e1
            if K > 1:
                e2 = tl.load(table + r2 + column, mask=inside, other=0.0).to(tl.float64)
                if SCALED:
                    e2 *= tl.load(scales + i2)
                e2 -= x0
                g12 += e1 * e2
                g22 += e2 * e2
                if K > 2:
                    e3 = tl.load(table + r3 + column, mask=inside, other=0.0).to(tl.float64)
                    if SCALED:
                        e3 *= tl.load(scales + i3)
                    e3 -= x0
                    g13 += e1 * e3
                    g23 += e2 * e3
                    g33 += e3 * e3
                    if K > 3:
                        e4 = tl.load(table + r4 + column, mask=inside, other=0.0).to(tl.float64)
                        if SCALED:
                            e4 *= tl.load(scales + i4)
                        e4 -= x0
                        g14 += e1 * e4
                        g24 += e2 * e4
                        g34 += e3 * e4
                        g44 += e4 * e4
        p1 = tl.sum(g11)
        determinant = p1
        if K > 1:
            safe1 = tl.where(p1 > 0, p1, 1.0)
            a12 = tl.sum(g12)
            p2 = tl.sum(g22) - a12 * a12 / safe1
            determinant *= p2
            if K > 2:
                safe2 = tl.where(p2 > 0, p2, 1.0)
                a13 = tl.sum(g13)
                a23 = tl.sum(g23) - a12 * a13 / safe1
                p3 = tl.sum(g33) - a13 * a13 / safe1 - a23 * a23 / safe2
                determinant *= p3
                if K > 3:
                    safe3 = tl.where(p3 > 0, p3, 1.0)
                    a14 = tl.sum(g14)
                    a24 = tl.sum(g24) - a12 * a14 / safe1
                    a34 = tl.sum(g34) - a13 * a14 / safe1 - a23 * a24 / safe2
                    p4 = tl.sum(g44) - a14 * a14 / safe1 - a24 * a24 / safe2 - a34 * a34 / safe3
                    determinant *= p4
        tl.store(out + simplex, determinant / FACTOR)


def is_available(table: Tensor, vertices: int) -> bool:
    """Whether the kernel runs on this table: on a GPU, with Triton, for at most five vertices."""
    return table.is_cuda and 2 <= vertices <= LARGEST + 1 and HAS_TRITON


def squared_volumes(
    table: Tensor, indices: Tensor, scales: Tensor | None, *, block: int = 64, warps: int = 1
) -> Tensor:
    """V² of simplices whose vertices are rows of a table on a GPU, [n] float64 there.

    table [rows, d] of any float type; indices [n, k + 1] int64 on any device, k ≤ 4, copied two
    million at a time; scales [rows] float64 multiply the rows. `block` columns go through a program
    at once, in `warps` warps: the defaults measured best for every d and type.
    """
    table = table.contiguous()
    n, vertices = indices.shape
    k, d = vertices - 1, table.shape[1]
    out = torch.empty(n, dtype=torch.float64, device=table.device)
    with torch.cuda.device(table.device):
        for start in range(0, n, _INDICES_AT_ONCE):
            part = indices[start : start + _INDICES_AT_ONCE].to(table.device).contiguous()
            _squared_volumes[(len(part),)](
                table,
                part,
                table if scales is None else scales.double().contiguous(),
                out[start : start + len(part)],
                d,
                FACTOR=math.factorial(k) ** 2,
                K=k,
                SCALED=scales is not None,
                B=block,
                num_warps=warps,
            )
    return out

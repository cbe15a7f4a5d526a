"""Eigenvalues of a large symmetric matrix on a GPU, by way of a band.

A tridiagonalisation in one stage multiplies the whole matrix by one vector per column. Here matrix
products reduce it to a band first; sweeps that follow each other down the band, as in a pipeline,
make that tridiagonal; and counts of sign changes enclose every eigenvalue. Sources: Bischof, Lang
and Sun, A framework for symmetric band reduction (2000); Barth, Martin and Wilkinson, Calculation
of the eigenvalues of a symmetric tridiagonal matrix by the method of bisection (1967).
"""

from __future__ import annotations

import threading
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geometric_invariants.geometry.kernels import HAS_TRITON

BAND = 32
AT_ONCE = 4  # matrices
SMALLEST = 3584  # under which torch's is faster
_FEWEST_PANEL_ROWS, _MOST_PANEL_ROWS = 128, 512
_CHASE_WARPS = 4
_ROUNDS, _POINTS, _EIGENVALUES = 18, 8, 4  # 8**18 = 2**54 parts of the interval
_places = threading.BoundedSemaphore(AT_ONCE)

if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _reflect(alpha, sigma):  # type: ignore[no-untyped-def]
        """β, τ and the scale of the tail of the Householder vector of (α, tail), σ = |tail|²."""
        norm = tl.sqrt(alpha * alpha + sigma)
        beta = tl.where(sigma > 0, tl.where(alpha > 0, -norm, norm), alpha)
        safe = tl.where(sigma > 0, beta, 1.0)
        tau = tl.where(sigma > 0, (beta - alpha) / safe, 0.0)
        scale = tl.where(sigma > 0, 1.0 / tl.where(sigma > 0, alpha - beta, 1.0), 0.0)
        return beta, tau, scale

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _wait(flag, target):  # type: ignore[no-untyped-def]
        while tl.atomic_add(flag, 0, sem="acquire") < target:
            pass
        tl.debug_barrier()

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _panel(  # type: ignore[no-untyped-def]
        panel,
        stride,
        vw,
        wv,
        t,
        sums,
        pivots,
        arrived,
        m,
        R: tl.constexpr,  # noqa: N803 (Triton's way to name what is known when compiling)
        G: tl.constexpr,  # noqa: N803
        B: tl.constexpr,  # noqa: N803
    ):
        """QR of a panel [m, B] by all programs together: one meeting per column."""
        program = tl.program_id(0)
        programs = tl.num_programs(0)
        row = program * R + tl.arange(0, R)
        lane = tl.arange(0, B)
        i, j = row[:, None], lane[None, :]
        group = tl.arange(0, G)[:, None]
        p = tl.load(panel + i * stride + j, mask=i < m, other=0.0)
        factor = tl.zeros([B, B], tl.float64)
        reflectors = tl.minimum(m - 1, B)
        for c in range(reflectors):
            tail = tl.where(row > c, tl.sum(tl.where(j == c, p, 0.0), 1), 0.0)
            tl.store(sums + (c * G + program) * B + lane, tl.sum(tail[:, None] * p, 0))
            if program == 0:
                tl.store(pivots + c * B + lane, tl.sum(tl.where(i == c, p, 0.0), 0))
            tl.debug_barrier()
            tl.atomic_add(arrived, 1, sem="release")
            _wait(arrived, programs * (c + 1))
            own = sums + (c * G + group) * B + j
            dots = tl.sum(tl.load(own, mask=group < programs, other=0.0, cache_modifier=".cg"), 0)
            pivot = tl.load(pivots + c * B + lane, cache_modifier=".cg")
            alpha = tl.sum(tl.where(lane == c, pivot, 0.0))
            beta, tau, scale = _reflect(alpha, tl.sum(tl.where(lane == c, dots, 0.0)))
            z = scale * dots + pivot
            v = tl.where(row == c, 1.0, tail * scale)
            p = tl.where(j > c, p - v[:, None] * (tau * z)[None, :], p)
            p = tl.where(j == c, tl.where(i > c, v[:, None], tl.where(i == c, beta, p)), p)
            earlier = tl.where(lane < c, z, 0.0)
            column = -tau * tl.sum(factor * earlier[None, :], 1)
            column = tl.where(lane == c, tau, column)
            factor = tl.where(j == c, column[:, None], factor)
        v = tl.where(i > j, p, tl.where(i == j, 1.0, 0.0))
        v = tl.where(j < reflectors, v, 0.0)
        tl.store(vw + i * (2 * B) + j, v, mask=i < m)
        tl.store(wv + i * (2 * B) + B + j, v, mask=i < m)
        tl.store(panel + i * stride + j, p, mask=(i < m) & (i <= j))
        if program == 0:
            tl.store(t + lane[:, None] * B + j, factor)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _chase(  # type: ignore[no-untyped-def]
        band,
        progress,
        ticket,
        n,
        B: tl.constexpr,  # noqa: N803
    ):
        """Band to tridiagonal; band[k, d] = A[k + d, k], d < 2B. A program takes sweep by sweep."""
        lane = tl.arange(0, B)
        q, p = lane[:, None], lane[None, :]
        low, high = tl.minimum(p, q), tl.maximum(p, q)
        sweep = tl.atomic_add(ticket, 1)
        while sweep < n - 2:
            steps = (n - 2 - sweep) // B + 1
            v = tl.zeros([B], tl.float64)
            tau = 0.0 * tl.sum(v)
            for step in range(steps):
                if sweep > 0:
                    _wait(progress + sweep - 1, step + 2)
                row = sweep + 1 + step * B
                column = tl.where(step == 0, sweep, row - B)
                width = tl.where(step == 0, 1, B)
                at_block = band + (column + q) * (2 * B) + (row + p - column - q)
                in_block = (q < width) & (row + p < n)
                block = tl.load(at_block, mask=in_block, other=0.0, cache_modifier=".cg")
                at_diagonal = band + (row + low) * (2 * B) + (high - low)
                in_diagonal = row + high < n
                diagonal = tl.load(at_diagonal, mask=in_diagonal, other=0.0, cache_modifier=".cg")
                block -= v[:, None] * (tau * tl.sum(block * v[:, None], 0))[None, :]
                x = tl.sum(tl.where(q == 0, block, 0.0), 0)
                alpha = tl.sum(tl.where(lane == 0, x, 0.0))
                beta, tau, scale = _reflect(alpha, tl.sum(tl.where(lane > 0, x * x, 0.0)))
                v = tl.where(lane == 0, 1.0, x * scale)
                block -= (tau * tl.sum(block * v[None, :], 1))[:, None] * v[None, :]
                block = tl.where(q == 0, tl.where(p == 0, beta, 0.0), block)
                tl.store(at_block, block, mask=in_block)
                y = tau * tl.sum(diagonal * v[:, None], 0)
                y -= 0.5 * tau * tl.sum(y * v) * v
                diagonal -= v[:, None] * y[None, :] + y[:, None] * v[None, :]
                tl.store(at_diagonal, diagonal, mask=in_diagonal & (p >= q))
                tl.debug_barrier()
                done = tl.where(step + 1 == steps, n, step + 1)
                tl.atomic_xchg(progress + sweep, done, sem="release")
            sweep = tl.atomic_add(ticket, 1)

    @triton.jit  # type: ignore[untyped-decorator, unused-ignore]
    def _multisect(  # type: ignore[no-untyped-def]
        diagonal,
        squares,
        bound,
        out,
        n,
        ROUNDS: tl.constexpr,  # noqa: N803
        P: tl.constexpr,  # noqa: N803
        E: tl.constexpr,  # noqa: N803
    ):
        """Eigenvalues of a tridiagonal, ascending; squares[i] couples i - 1 and i."""
        k = tl.program_id(0) * E + tl.arange(0, E)
        part = (tl.arange(0, P) + 1).to(tl.float64) / P
        hi = tl.zeros([E], tl.float64) + tl.load(bound)
        lo = -hi
        for _ in range(ROUNDS):
            x = lo[:, None] + (hi - lo)[:, None] * part[None, :]
            count = tl.zeros([E, P], tl.int32)
            pivot = tl.zeros([E, P], tl.float64) + 1.0
            for i in range(n):
                pivot = tl.load(diagonal + i) - x - tl.load(squares + i) / pivot
                pivot = tl.where(tl.abs(pivot) < 1e-290, -1e-290, pivot)
                count += (pivot < 0).to(tl.int32)
            under = count <= k[:, None]
            hi = tl.minimum(hi, tl.min(tl.where(under, float("inf"), x), 1))
            lo = tl.maximum(lo, tl.max(tl.where(under, x, float("-inf")), 1))
        tl.store(out + k, (lo + hi) / 2, mask=k < n)


def is_available(matrix: Tensor) -> bool:
    """Whether `eigvalsh` serves this matrix: large, float64, on a GPU with Triton."""
    n = len(matrix)
    return (
        HAS_TRITON
        and matrix.is_cuda
        and matrix.dtype == torch.float64
        and n >= SMALLEST
        and _panel_rows(n, matrix.device) <= _MOST_PANEL_ROWS
    )


def eigvalsh(matrix: Tensor) -> Tensor:
    """Eigenvalues of a symmetric matrix, ascending, to a few ε of the largest.

    matrix [n, n] float64 on a GPU, finite, n > 32; returns [n] float64 there. Threads, each on a
    stream of its own, may call it side by side; AT_ONCE of them get through at a time, since the
    programs of a panel wait for each other and all panels in flight have to fit on the GPU. Waits
    for its stream. Takes 8 n² bytes and little more.
    """
    n = len(matrix)
    with _places, torch.cuda.device(matrix.device):
        least, most = matrix.aminmax()
        largest = torch.maximum(most, -least)
        scale = torch.where(largest > 0, torch.exp2(largest.log2().round()), 1.0)
        padded = torch.zeros(n + BAND, n, dtype=torch.float64, device=matrix.device)
        torch.div(matrix, scale, out=padded[:n])
        _to_band(padded)
        found = _eigenvalues(*_tridiagonal(padded)) * scale
        torch.cuda.current_stream().synchronize()
    return found


@cache
def _panel_rows(n: int, device: torch.device) -> int:
    """Rows of a panel that one program holds, so that AT_ONCE panels fit on the GPU together."""
    units = torch.cuda.get_device_properties(device).multi_processor_count
    programs = 1 << (max(1, units // AT_ONCE).bit_length() - 1)
    return max(_FEWEST_PANEL_ROWS, int(triton.next_power_of_2(triton.cdiv(n, programs))))


def _to_band(padded: Tensor) -> None:
    """Reduce padded[:n], [n + BAND, n] with zeros below, to its BAND lower diagonals in place."""
    n, device = padded.shape[1], padded.device
    rows = _panel_rows(n, device)
    empty = partial(torch.empty, dtype=torch.float64, device=device)
    vw, wv = (empty(n, 2 * BAND) for _ in range(2))
    t = empty(BAND, BAND)
    programs = triton.next_power_of_2(triton.cdiv(n, rows))
    sums = empty(BAND, programs, BAND)
    pivots = empty(BAND, BAND)
    arrived = torch.zeros(triton.cdiv(n, BAND), dtype=torch.int32, device=device)
    for number, column in enumerate(range(0, n - BAND - 1, BAND)):
        start = column + BAND
        m = n - start
        _panel[(triton.cdiv(m, rows),)](
            padded[start:, column:],
            n,
            vw,
            wv,
            t,
            sums,
            pivots,
            arrived[number:],
            m,
            R=rows,
            G=programs,
            B=BAND,
            num_warps=rows // 32,
        )
        # QᵀAQ = A − V Wᵀ − W Vᵀ with Q = I − V T Vᵀ, Y = A V T and W = Y − V TᵀVᵀY / 2.
        rest = padded[start:n, start:]
        v = vw[:m, :BAND]
        y = (rest @ v) @ t
        w = torch.addmm(y, v, t.mT @ (v.mT @ y), alpha=-0.5)
        vw[:m, BAND:].copy_(w)
        wv[:m, :BAND].copy_(w)
        rest.addmm_(vw[:m], wv[:m].mT, alpha=-1)


def _tridiagonal(padded: Tensor) -> tuple[Tensor, Tensor]:
    """The diagonal [n] and the one beside it [n - 1] of what the sweeps leave of the band."""
    n = padded.shape[1]
    band = torch.zeros(n, 2 * BAND, dtype=torch.float64, device=padded.device)
    band[:, : BAND + 1].copy_(torch.as_strided(padded, (n, BAND + 1), (n + 1, n)))
    progress = torch.zeros(n + 1, dtype=torch.int32, device=padded.device)
    _chase[(triton.cdiv(n, 2 * BAND) + 1,)](
        band, progress, progress[n:], n, B=BAND, num_warps=_CHASE_WARPS
    )
    return band[:, 0].contiguous(), band[: n - 1, 1].contiguous()


def _eigenvalues(diagonal: Tensor, beside: Tensor) -> Tensor:
    """Those of a tridiagonal of the diagonals [n] and [n - 1], ascending."""
    n = len(diagonal)
    squares = torch.nn.functional.pad(beside.square(), (1, 0))
    sizes = torch.nn.functional.pad(beside.abs(), (1, 1))
    bound = (diagonal.abs() + sizes[:-1] + sizes[1:]).amax() * (1 + 1e-10)
    out = torch.empty_like(diagonal)
    _multisect[(triton.cdiv(n, _EIGENVALUES),)](
        diagonal, squares, bound, out, n, ROUNDS=_ROUNDS, P=_POINTS, E=_EIGENVALUES, num_warps=1
    )
    return out

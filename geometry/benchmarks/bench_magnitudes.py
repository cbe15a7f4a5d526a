"""Threshold counts and sums of a tensor in one pass, against torch, threshold by threshold.

On a GPU the share is by device events of the kernel alone, and `share_of_read` is of what a float32
sum reads; the table's times are the host's, with launch and synchronisation.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometric_invariants.geometry import sparsity
from geometric_invariants.geometry.benchmarks.ceilings import device_seconds, read_bandwidth, record
from geometric_invariants.geometry.benchmarks.work import Work
from geometric_invariants.geometry.kernels.magnitudes import launch, one_pass

CASES = [
    (device, numbers, dtype)
    for device, numbers in (("cpu", 1 << 24), ("cuda", 1 << 24), ("cuda", 1 << 30))
    for dtype in (torch.float32, torch.bfloat16)
]
EDGES = [torch.tensor(t, dtype=torch.float32).item() for t in sparsity.THRESHOLDS]


@pytest.fixture(
    scope="module",
    params=[pytest.param(c, marks=pytest.mark.gpu) if c[0] == "cuda" else c for c in CASES],
    ids=lambda c: f"{c[0]}-{c[1]}-{c[2]}",
)
def tensor(request: pytest.FixtureRequest) -> Tensor:
    device, numbers, dtype = request.param
    return (0.03 * torch.randn(numbers, device=device)).to(dtype)


def _measure(
    benchmark: BenchmarkFixture,
    tensor: Tensor,
    run: Callable[[], object],
    kernel: Callable[[], object] | None = None,
) -> None:
    device = tensor.device.type
    benchmark.group = f"magnitudes of {tensor.numel():,} numbers, {tensor.dtype}, {device}"

    def synchronised() -> None:
        run()
        if tensor.is_cuda:
            torch.cuda.synchronize()

    benchmark.pedantic(synchronised, rounds=10, warmup_rounds=2)
    seconds = device_seconds(kernel) if kernel else None
    record(benchmark, Work(tensor.nbytes, tensor.numel() * 14), device, seconds)
    if seconds:
        benchmark.extra_info["share_of_read"] = tensor.nbytes / seconds / read_bandwidth()


def test_one_pass(benchmark: BenchmarkFixture, tensor: Tensor) -> None:
    if tensor.is_cuda:
        _measure(benchmark, tensor, lambda: one_pass(tensor, EDGES), lambda: launch(tensor, EDGES))
    else:
        _measure(benchmark, tensor, lambda: sparsity.magnitudes(tensor))


def test_torch(benchmark: BenchmarkFixture, tensor: Tensor) -> None:
    def passes() -> list[object]:
        parts = tensor.split(1 << 27)
        return [
            [int((p.float().abs() < edge).sum()) for p in parts for edge in EDGES],
            [(p.abs().max().item(), p.double().square().sum().item()) for p in parts],
        ]

    _measure(benchmark, tensor, passes)

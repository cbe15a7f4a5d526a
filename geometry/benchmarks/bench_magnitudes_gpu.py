"""One pass of threshold counts and sums over a tensor on a GPU, against torch, and its floor.

`share_of_read` is the tensor's bytes a second, by device events, over what a float32 sum reads
in the same run; the table's times are the host's, with launch and synchronisation.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometry.benchmarks.ceilings import device_seconds, hardware, read_bandwidth
from geometry.kernels.magnitudes import launch, one_pass
from geometry.sparsity import THRESHOLDS

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
NUMBERS = 1 << 30
EDGES = [torch.tensor(t, dtype=torch.float32).item() for t in THRESHOLDS]


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def tensor(request: pytest.FixtureRequest) -> Tensor:
    return (0.03 * torch.randn(NUMBERS, device="cuda")).to(request.param)


def _measure(
    benchmark: BenchmarkFixture,
    tensor: Tensor,
    run: Callable[[], object],
    kernel: Callable[[], object] | None = None,
) -> None:
    benchmark.group = f"magnitudes of 2³⁰ numbers, {tensor.dtype}"

    def synchronised() -> None:
        run()
        torch.cuda.synchronize()

    benchmark.pedantic(synchronised, rounds=20, warmup_rounds=3)
    benchmark.extra_info |= {
        **hardware(),
        "bytes": tensor.nbytes,
        "flops": tensor.numel() * 14,
        "read_bytes_per_second": read_bandwidth(),
        "share_of_read": tensor.nbytes / device_seconds(kernel or run) / read_bandwidth(),
    }


def test_one_pass(benchmark: BenchmarkFixture, tensor: Tensor) -> None:
    _measure(benchmark, tensor, lambda: one_pass(tensor, EDGES), lambda: launch(tensor, EDGES))


def test_torch(benchmark: BenchmarkFixture, tensor: Tensor) -> None:
    def passes() -> list[object]:
        parts = tensor.split(1 << 27)
        return [
            [int((p.float().abs() < edge).sum()) for p in parts for edge in EDGES],
            [(p.abs().max().item(), p.double().square().sum().item()) for p in parts],
        ]

    _measure(benchmark, tensor, passes)

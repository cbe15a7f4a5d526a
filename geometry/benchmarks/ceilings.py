"""What the machine at hand can do at most, measured once a run, for benchmarks to hold against."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from pytest_benchmark.fixture import BenchmarkFixture

from geometric_invariants.geometry.benchmarks.work import Work

_NUMBERS = 1 << 29


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Bytes a second of a large copy, read and written, and operations of a large product."""

    bytes_per_second: float
    flops_per_second: float


def record(
    benchmark: BenchmarkFixture, work: Work, device: str = "cpu", seconds: float | None = None
) -> None:
    """Note device, versions, work, its floor and the share of it that was reached.

    The share is of `seconds`, by default the median on the host's clock, launches included.
    """
    if seconds is None:
        if benchmark.stats is None:
            return
        seconds = benchmark.stats.stats.median
    most = ceilings(device, work.dtype)
    moving, computing = work.bytes / most.bytes_per_second, work.flops / most.flops_per_second
    benchmark.extra_info |= {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "bytes": work.bytes,
        "flops": work.flops,
        "bytes_per_second_at_most": most.bytes_per_second,
        "flops_per_second_at_most": most.flops_per_second,
        "bound": "memory" if moving >= computing else "arithmetic",
        "floor_seconds": max(moving, computing),
        "share": max(moving, computing) / seconds,
    }


@cache
def ceilings(device: str, dtype: torch.dtype = torch.float64) -> Ceilings:
    """Of this machine's CPU or GPU."""
    n = 4096 if device == "cuda" else 2048
    square = torch.randn(n, n, dtype=dtype, device=device)
    if device == "cuda":
        return Ceilings(copy_bandwidth(), 2 * n**3 / device_seconds(lambda: square @ square))
    source = torch.randn(1 << 26)
    target = torch.empty_like(source)
    copying = _host_seconds(lambda: target.copy_(source))
    multiplying = _host_seconds(lambda: square @ square)
    return Ceilings(2 * source.nbytes / copying, 2 * n**3 / multiplying)


@cache
def copy_bandwidth() -> float:
    """Bytes read and written a second by a large copy on the GPU, median of 20."""
    source = torch.randn(_NUMBERS, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / device_seconds(lambda: target.copy_(source))


@cache
def read_bandwidth() -> float:
    """Bytes read a second by a large float32 sum on the GPU, median of 20."""
    source = torch.randn(_NUMBERS, device="cuda")
    return source.nbytes / device_seconds(source.sum)


def device_seconds(run: Callable[[], object], rounds: int = 20) -> float:
    """Median between two events on the GPU: launches and caches do not count.

    Before each run the device fills a gigabyte, which empties its cache and lets the host queue the
    launches before their turn comes.
    """
    before = torch.empty(_NUMBERS // 2, device="cuda")
    seconds: list[float] = []
    for _ in range(3 + rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.zero_()
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    return statistics.median(seconds[3:])


def _host_seconds(run: Callable[[], object]) -> float:
    seconds: list[float] = []
    for _ in range(6):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])

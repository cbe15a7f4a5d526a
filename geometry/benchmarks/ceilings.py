"""What the GPU at hand can move at most, measured once a run, for benchmarks to hold against."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import cache

import torch

_NUMBERS = 1 << 29


def hardware() -> dict[str, str]:
    """The device and the torch that a benchmark ran on, for its record."""
    return {"device": torch.cuda.get_device_name(), "torch": torch.__version__}


@cache
def copy_bandwidth() -> float:
    """Bytes read and written a second by a large copy on the device, median of 20."""
    source = torch.randn(_NUMBERS, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / device_seconds(lambda: target.copy_(source))


@cache
def read_bandwidth() -> float:
    """Bytes read a second by a large float32 sum, median of 20."""
    source = torch.randn(_NUMBERS, device="cuda")
    return source.nbytes / device_seconds(source.sum)


def device_seconds(run: Callable[[], object]) -> float:
    """Median of 20 runs between two events on the device: launches and caches do not count.

    Before each run the device fills a gigabyte, which empties its cache and lets the host queue the
    launches before their turn comes.
    """
    before = torch.empty(_NUMBERS // 2, device="cuda")
    seconds: list[float] = []
    for _ in range(23):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.zero_()
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    return statistics.median(seconds[3:])

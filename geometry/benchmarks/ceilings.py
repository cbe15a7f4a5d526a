"""What the GPU at hand can move at most, measured once a run, for benchmarks to hold against."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache

import torch

_NUMBERS = 1 << 29


@cache
def copy_bandwidth() -> float:
    """Bytes read and written a second by a large copy on the device, median of 20."""
    source = torch.randn(_NUMBERS, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / _median_seconds(lambda: target.copy_(source))


@cache
def read_bandwidth() -> float:
    """Bytes read a second by a large float32 sum, median of 20."""
    source = torch.randn(_NUMBERS, device="cuda")
    return source.nbytes / _median_seconds(source.sum)


def _median_seconds(run: Callable[[], object]) -> float:
    return statistics.median([_seconds(run) for _ in range(25)][5:])


def _seconds(run: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start

"""Pentachoron volumes on a GPU: the kernel, the Gram form and the bordered determinant in torch.

Shares are gathered bytes a second, by device events, over what a copy on the device moves in the
same run; the table's times are the host's, with launch and synchronisation.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometric_invariants.geometry import simplex
from geometric_invariants.geometry.benchmarks.ceilings import device_seconds, record
from geometric_invariants.geometry.benchmarks.work import pentachora_work
from geometric_invariants.geometry.kernels import simplex_volumes

pytestmark = pytest.mark.gpu
COUNT = 400_000
SHAPES = [(d, dtype) for dtype in (torch.float32, torch.bfloat16) for d in (512, 1024, 2560, 4096)]
_TABLE_BYTES = 6 << 30  # far beyond any cache


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
def job(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    d, dtype = request.param
    rows = _TABLE_BYTES // (d * dtype.itemsize)
    table = torch.randn(rows, d, device="cuda", dtype=dtype)
    sets = simplex.draw_index_sets(rows, COUNT, 5, torch.Generator().manual_seed(0))
    return table, sets.cuda()


def _measure(
    benchmark: BenchmarkFixture, job: tuple[Tensor, Tensor], run: Callable[[Tensor, Tensor], Tensor]
) -> None:
    table, sets = job
    d = table.shape[1]
    benchmark.group = f"400,000 pentachora, d = {d}, {table.dtype}"

    def synchronised() -> Tensor:
        found = run(table, sets)
        torch.cuda.synchronize()
        return found

    found = benchmark.pedantic(synchronised, rounds=10, warmup_rounds=2)
    seconds = device_seconds(lambda: run(table, sets), 20 if run is _kernel else 3)
    record(benchmark, pentachora_work(table, sets), "cuda", seconds)
    expected = simplex_volumes.squared_volumes(table, sets[:100], None)
    tolerance = 1e-9 if run is not _bordered else 1e-2
    torch.testing.assert_close(found[:100], expected, rtol=tolerance, atol=0)


def _kernel(table: Tensor, sets: Tensor) -> Tensor:
    return simplex_volumes.squared_volumes(table, sets, None)


def _gram(table: Tensor, sets: Tensor) -> Tensor:
    parts = []
    for block in sets.split(20_000):
        vertices = table[block].double()
        edges = vertices[:, 1:] - vertices[:, :1]
        parts.append(torch.linalg.det(edges @ edges.mT) / 576)
    return torch.cat(parts)


def _bordered(table: Tensor, sets: Tensor) -> Tensor:
    return torch.cat([simplex.cayley_menger_squared_volume(table[b]) for b in sets.split(4_096)])


def test_kernel(benchmark: BenchmarkFixture, job: tuple[Tensor, Tensor]) -> None:
    _measure(benchmark, job, _kernel)


def test_gram_in_torch(benchmark: BenchmarkFixture, job: tuple[Tensor, Tensor]) -> None:
    _measure(benchmark, job, _gram)


def test_bordered_determinant_in_torch(
    benchmark: BenchmarkFixture, job: tuple[Tensor, Tensor]
) -> None:
    _measure(benchmark, job, _bordered)

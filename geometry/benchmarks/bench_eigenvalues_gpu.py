"""All eigenvalues of a symmetric float64 matrix on a GPU: by way of a band, and torch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometric_invariants.geometry.benchmarks.ceilings import record
from geometric_invariants.geometry.benchmarks.work import Work, eigenvalue_flops
from geometric_invariants.geometry.kernels import eigenvalues

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", params=[2048, 3072, 3584, 4096], ids=str)
def matrix(request: pytest.FixtureRequest) -> Tensor:
    rows = torch.randn(request.param, request.param, dtype=torch.float64, device="cuda")
    return rows @ rows.mT


def _measure(benchmark: BenchmarkFixture, matrix: Tensor, run: Callable[[Tensor], Tensor]) -> None:
    n = len(matrix)
    benchmark.group = f"eigenvalues, {n} × {n}, float64"

    def synchronised() -> Tensor:
        found = run(matrix)
        torch.cuda.synchronize()
        return found

    found = benchmark.pedantic(synchronised, rounds=5, warmup_rounds=2)
    record(benchmark, Work(matrix.nbytes, eigenvalue_flops(n)), "cuda")
    expected = torch.linalg.eigvalsh(matrix)
    assert (found - expected).abs().max() < 1e-12 * expected[-1]


def test_by_way_of_a_band(benchmark: BenchmarkFixture, matrix: Tensor) -> None:
    _measure(benchmark, matrix, eigenvalues.eigvalsh)


def test_torch(benchmark: BenchmarkFixture, matrix: Tensor) -> None:
    _measure(benchmark, matrix, torch.linalg.eigvalsh)

"""100,000 pentachora of a real embedding table: Gram form, bordered determinant, Python loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometric_invariants.geometry import estimate, simplex
from geometric_invariants.geometry.benchmarks.ceilings import record
from geometric_invariants.geometry.benchmarks.work import pentachora_work

COUNT = 100_000
ROWS, WIDTH = 30_522, 384  # all-MiniLM-L6-v2's table


@pytest.fixture(scope="module")
def table() -> Tensor:
    """Rows with the spread of norms of a trained table: speed depends on the shape alone."""
    generator = torch.Generator().manual_seed(0)
    norms = 1 + 0.2 * torch.rand(ROWS, 1, generator=generator)
    return torch.randn(ROWS, WIDTH, generator=generator) * norms


@pytest.fixture(scope="module")
def indices() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return simplex.draw_index_sets(ROWS, COUNT, simplex.PENTACHORON + 1, generator)


@pytest.mark.benchmark(group="100,000 pentachora, 30,522 × 384, float32")
class TestPentachora:
    def test_gram_form(self, benchmark: BenchmarkFixture, table: Tensor, indices: Tensor) -> None:
        squared = benchmark(simplex.squared_volumes_of_rows, table, indices)
        _same_cv(benchmark, squared, table, indices)

    def test_bordered_determinant_in_torch(
        self, benchmark: BenchmarkFixture, table: Tensor, indices: Tensor
    ) -> None:
        def run() -> Tensor:
            blocks = indices.split(4096)
            return torch.cat([simplex.cayley_menger_squared_volume(table[b]) for b in blocks])

        _same_cv(benchmark, benchmark.pedantic(run, rounds=1), table, indices)

    def test_bordered_determinant_in_a_numpy_loop(
        self, benchmark: BenchmarkFixture, table: Tensor, indices: Tensor
    ) -> None:
        rows, sets = table.double().numpy(), indices.numpy()

        def run() -> Tensor:
            return torch.from_numpy(np.array([_bordered(rows[chosen]) for chosen in sets]))

        _same_cv(benchmark, benchmark.pedantic(run, rounds=1), table, indices)


def _bordered(vertices: np.ndarray) -> float:
    squared = ((vertices[:, None] - vertices[None]) ** 2).sum(-1)
    matrix = np.ones((6, 6))
    matrix[:5, :5] = squared
    matrix[5, 5] = 0
    return float(-np.linalg.det(matrix) / (2**4 * math.factorial(4) ** 2))


def _same_cv(benchmark: BenchmarkFixture, squared: Tensor, table: Tensor, indices: Tensor) -> None:
    """Every contender gives the CV of the Gram form within its interval."""
    found = estimate.coefficient_of_variation(squared[squared > 0].sqrt())
    reference = simplex.squared_volumes_of_rows(table, indices).sqrt()
    expected = estimate.coefficient_of_variation(reference)
    assert expected.low < found.value < expected.high
    record(benchmark, pentachora_work(table, indices))
    benchmark.extra_info["cv"] = found.value

"""Principal components and Procrustes against NumPy's SVD of all rows and SciPy's Procrustes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg
import torch
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from geometric_invariants.geometry.alignment import orthogonal_procrustes, principal_components
from geometric_invariants.geometry.benchmarks.ceilings import record
from geometric_invariants.geometry.benchmarks.work import Work, spectrum_flops

ROWS, WIDE, NARROW, ANCHORS = 20_000, 768, 256, 5_000


@pytest.fixture(scope="module")
def table() -> torch.Tensor:
    return torch.randn(ROWS, WIDE, generator=torch.Generator().manual_seed(0)).bfloat16()


def svd_of_all_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The definition, as one writes it first: the right singular vectors of the centred rows."""
    return np.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:NARROW].T


@pytest.mark.benchmark(group=f"principal components, {ROWS:,} × {WIDE} → {NARROW}", max_time=3)
@pytest.mark.parametrize("name", ["ours: blocked covariance", "numpy SVD, all rows in float64"])
def test_principal_components(benchmark: BenchmarkFixture, table: torch.Tensor, name: str) -> None:
    run: Callable[[], object]
    if name.startswith("ours"):
        run = lambda: principal_components(table, NARROW)  # noqa: E731
    else:
        run = lambda: svd_of_all_rows(table.double().numpy())  # noqa: E731
    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    record(benchmark, Work(table.nbytes, spectrum_flops(table.shape)))


@pytest.mark.benchmark(group=f"orthogonal Procrustes, {ANCHORS:,} × {NARROW}", max_time=3)
@pytest.mark.parametrize("name", ["ours", "scipy"])
def test_procrustes(benchmark: BenchmarkFixture, table: torch.Tensor, name: str) -> None:
    a, b = table[:ANCHORS, :NARROW].double(), table[:ANCHORS, NARROW : 2 * NARROW].double()
    if name == "ours":
        benchmark.pedantic(orthogonal_procrustes, (a, b), rounds=5, warmup_rounds=1)
    else:
        x, y = ((rows - rows.mean(0)).numpy() for rows in (a, b))
        benchmark.pedantic(scipy.linalg.orthogonal_procrustes, (x, y), rounds=5, warmup_rounds=1)
    record(benchmark, Work(a.nbytes + b.nbytes, 2 * ANCHORS * NARROW**2 + 4 * NARROW**3))

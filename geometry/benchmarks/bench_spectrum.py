"""Singular values: from the float64 Gram matrix, and LAPACK's or cuSOLVER's SVD."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometric_invariants.geometry import spectrum
from geometric_invariants.geometry.benchmarks.ceilings import record
from geometric_invariants.geometry.benchmarks.work import Work, spectrum_flops

SHAPES = [
    ("cpu", 768, 768),
    ("cpu", 1024, 4096),
    pytest.param(("cuda", 1024, 4096), marks=pytest.mark.gpu),
    pytest.param(("cuda", 4096, 4096), marks=pytest.mark.gpu),
    pytest.param(("cuda", 10_240, 4096), marks=pytest.mark.gpu),
]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: f"{s[0]}-{s[1]}x{s[2]}")
def weight(request: pytest.FixtureRequest) -> Tensor:
    device, rows, columns = request.param
    drawn = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    return (0.03 * drawn).bfloat16().to(device)


def _measure(
    benchmark: BenchmarkFixture, weight: Tensor, run: Callable[[], Tensor], tolerance: float
) -> None:
    rows, columns = weight.shape
    benchmark.group = f"singular values of {rows} × {columns}, bfloat16, {weight.device.type}"

    def synchronised() -> Tensor:
        return run().cpu()

    found = benchmark.pedantic(synchronised, rounds=3, warmup_rounds=1)
    record(benchmark, Work(weight.nbytes, spectrum_flops(weight.shape)), weight.device.type)
    expected = spectrum.singular_values(weight)
    assert (found - expected).abs().max() < tolerance * expected[0]


def test_float64_gram(benchmark: BenchmarkFixture, weight: Tensor) -> None:
    _measure(benchmark, weight, lambda: spectrum.singular_values(weight), 1e-12)


def test_svdvals_float32(benchmark: BenchmarkFixture, weight: Tensor) -> None:
    _measure(benchmark, weight, lambda: torch.linalg.svdvals(weight.float()), 1e-2)


def test_svdvals_float64(benchmark: BenchmarkFixture, weight: Tensor) -> None:
    if weight.is_cuda:
        pytest.skip("seconds a round; float32 is what one would pick on a GPU")
    _measure(benchmark, weight, lambda: torch.linalg.svdvals(weight.double()), 1e-12)

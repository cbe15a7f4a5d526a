"""Signed masses of all heads of a layer: by problems of 2·d_head, and by each d × d form."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from geometric_invariants.geometry import attention
from geometric_invariants.geometry.benchmarks.ceilings import record
from geometric_invariants.geometry.benchmarks.work import Work

HEAD_DIM = 64
SHAPES = [
    ("cpu", 384, 6),
    ("cpu", 768, 12),
    pytest.param(("cuda", 1024, 16), marks=pytest.mark.gpu),
    pytest.param(("cuda", 4096, 64), marks=pytest.mark.gpu),
]
Layer = tuple[Tensor, Tensor, int]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda s: f"{s[0]}-{s[1]}-{s[2]}")
def layer(request: pytest.FixtureRequest) -> Layer:
    device, width, heads = request.param
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn(2, heads * HEAD_DIM, width, generator=generator).to(device)
    return pair[0], pair[1], heads


def _masses_of_the_forms(layer: Layer) -> list[float]:
    query, key, heads = layer
    found = []
    for q, k in zip(query.double().chunk(heads), key.double().chunk(heads), strict=True):
        form = q.mT @ k
        values = torch.linalg.eigvalsh((form + form.mT) / 2)
        found.append((values.sum() / values.abs().sum()).item())
    return found


def _measure(
    benchmark: BenchmarkFixture, layer: Layer, run: Callable[[], list[float]], rounds: int
) -> list[float]:
    query, key, heads = layer
    benchmark.group = f"signed masses of {heads} heads, d = {query.shape[1]}, {query.device.type}"
    found: list[float] = benchmark.pedantic(run, rounds=rounds, warmup_rounds=rounds - 1)
    pair = 2 * HEAD_DIM
    flops = heads * (pair**2 * query.shape[1] + 3 * pair**3)
    record(benchmark, Work(query.nbytes + key.nbytes, flops), query.device.type)
    return found


def test_small_problems(benchmark: BenchmarkFixture, layer: Layer) -> None:
    query, key, heads = layer

    def run() -> list[float]:
        return [head.signed_mass for head in attention.head_signs(query, key, heads)]

    found = _measure(benchmark, layer, run, 5)
    assert found == pytest.approx(_masses_of_the_forms(layer), abs=1e-9)


def test_forms(benchmark: BenchmarkFixture, layer: Layer) -> None:
    _measure(benchmark, layer, lambda: _masses_of_the_forms(layer), 1)

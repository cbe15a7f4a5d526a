from __future__ import annotations

import math

import pytest
import torch

from geometric_invariants.geometry import sparsity
from geometric_invariants.geometry.kernels import magnitudes

pytestmark = pytest.mark.gpu
EDGES = [torch.tensor(t, dtype=torch.float32).item() for t in sparsity.THRESHOLDS]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1, 7, 1024, 2049, 65_536, 65_537, 1 << 20, 12_345_679])
def test_one_pass_is_what_float64_shows(size: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(size)
    tensor = (0.03 * torch.randn(size, generator=generator)).to(dtype).cuda()
    tensor[::97] = 0.1
    tensor[5::101] = -0.001
    tensor[6::103] = 1e-40
    wide = tensor.double().abs()
    found = magnitudes.one_pass(tensor, EDGES)
    assert found.below == tuple(int((wide < edge).sum()) for edge in EDGES)
    assert found.largest == wide.max().item()
    assert found.total == pytest.approx(wide.sum().item(), rel=1e-9)
    assert found.squares == pytest.approx(wide.square().sum().item(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_shows_and_is_below_nothing(odd: float, dtype: torch.dtype) -> None:
    for place in (0, 70_000, 100_000):
        tensor = torch.full((100_001,), 0.05, dtype=dtype, device="cuda")
        tensor[place] = odd
        found = magnitudes.one_pass(tensor, EDGES)
        assert found.below == (0, 0, 0, 0, 100_000)
        assert not math.isfinite(found.squares)
        assert sparsity.magnitudes(tensor).non_finite == 1


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str
)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-5, 0.03, 3e4])
def test_magnitudes_are_those_of_the_cpu(dtype: torch.dtype, scale: float) -> None:
    tensor = (scale * torch.randn(333, 411, generator=torch.Generator().manual_seed(0))).to(dtype)
    on_cpu, on_gpu = sparsity.magnitudes(tensor), sparsity.magnitudes(tensor.cuda())
    assert on_gpu.below == on_cpu.below
    assert on_gpu.below_relative == on_cpu.below_relative
    assert on_gpu.largest == on_cpu.largest
    assert on_gpu.non_finite == on_cpu.non_finite
    if on_cpu.non_finite == 0:
        assert on_gpu.sum_of_squares == pytest.approx(on_cpu.sum_of_squares, rel=1e-12)
        assert on_gpu.sum_of_magnitudes == pytest.approx(on_cpu.sum_of_magnitudes, rel=1e-9)


def test_a_slice_that_is_not_aligned() -> None:
    tensor = torch.randn(300_001, device="cuda").bfloat16()[1:]
    assert magnitudes.one_pass(tensor, EDGES).below == tuple(
        int((tensor.double().abs() < edge).sum()) for edge in EDGES
    )

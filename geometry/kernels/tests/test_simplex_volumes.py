from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geometric_invariants.geometry import simplex
from geometric_invariants.geometry.kernels import simplex_volumes

pytestmark = pytest.mark.gpu
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def drawn(rows: int, d: int, n: int, k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows + d + n + k)
    table = torch.randn(rows, d, generator=generator).to(dtype)
    return table, simplex.draw_index_sets(rows, n, k + 1, generator)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize(("d", "n"), [(5, 1), (63, 100), (300, 77), (512, 1000), (1001, 333)])
def test_volumes_are_those_of_the_cpu(d: int, n: int, k: int, dtype: torch.dtype) -> None:
    table, sets = drawn(200, d, n, k, dtype)
    scales = torch.rand(200, dtype=torch.float64) + 0.5
    for factors in (None, scales):
        expected = simplex.squared_volumes_of_rows(table, sets, factors)
        on_device = None if factors is None else factors.cuda()
        found = simplex.squared_volumes_of_rows(table.cuda(), sets, on_device)
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_a_table_that_is_not_aligned(dtype: torch.dtype) -> None:
    table, sets = drawn(50, 64, 40, 4, dtype)
    shifted = torch.empty(50 * 64 + 1, dtype=dtype, device="cuda")[1:].view(50, 64)
    shifted.copy_(table)
    found = simplex.squared_volumes_of_rows(shifted, sets)
    expected = simplex.squared_volumes_of_rows(table, sets)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-12, atol=0)


def test_thin_simplices() -> None:
    """The fifth vertex a thousandth of an edge above the others' hyperplane."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(5 * 400, 300, generator=generator, dtype=torch.float64)
    sets = torch.arange(5 * 400).view(400, 5)
    weights = torch.rand(400, 4, 1, generator=generator, dtype=torch.float64)
    base = table[sets[:, :4]]
    flat = (base * weights / weights.sum(1, keepdim=True)).sum(1)
    edge = (base[:, 1] - base[:, 0]).norm(dim=1, keepdim=True)
    normal = torch.randn(400, 300, generator=generator, dtype=torch.float64)
    table[sets[:, 4]] = flat + 1e-3 * edge * torch.nn.functional.normalize(normal)
    expected = simplex.squared_volumes_of_rows(table, sets)
    found = simplex.squared_volumes_of_rows(table.cuda(), sets).cpu()
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=0)


def test_every_output_is_written_and_many_go_through_in_blocks() -> None:
    table, _ = drawn(1000, 8, 1, 4, torch.float32)
    n = 10_000_000
    sets = simplex.draw_index_sets(1000, n, 5, torch.Generator().manual_seed(0))
    poison = torch.full((n,), torch.nan, dtype=torch.float64, device="cuda")
    del poison  # the allocator hands this very memory out again
    found = simplex_volumes.squared_volumes(table.cuda(), sets, None)
    assert found.isfinite().all()
    some = torch.randint(n, (1000,))
    expected = simplex.squared_volumes_of_rows(table, sets[some])
    torch.testing.assert_close(found[some.cuda()].cpu(), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf")])
def test_volumes_of_non_finite_rows_are_nan(odd: float, dtype: torch.dtype) -> None:
    table = torch.randn(6, 40, generator=torch.Generator().manual_seed(0)).to(dtype)
    table[2, 17] = odd
    sets = torch.tensor([[0, 1, 2, 3, 4], [0, 1, 3, 4, 5], [2, 1, 3, 4, 5]])
    found = simplex_volumes.squared_volumes(table.cuda(), sets, None)
    assert found.isnan().tolist() == [True, False, True]


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1e30])
def test_bfloat16_of_any_magnitude(scale: float) -> None:
    table = (scale * torch.randn(9, 64, generator=torch.Generator().manual_seed(0))).bfloat16()
    table[:, ::7] = 0
    sets = torch.tensor([[0, 1], [2, 3], [7, 8]])
    found = simplex_volumes.squared_volumes(table.cuda(), sets, None)
    expected = simplex.squared_volumes_of_rows(table, sets)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-12, atol=0)

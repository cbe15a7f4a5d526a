from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from geometric_invariants.geometry.kernels import eigenvalues

pytestmark = pytest.mark.gpu
ROUNDING = 1e-13  # of the largest eigenvalue


def symmetric(n: int, seed: int = 0) -> Tensor:
    matrix = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return matrix + matrix.mT


def check(matrix: Tensor) -> None:
    found = eigenvalues.eigvalsh(matrix.cuda()).cpu()
    expected = torch.linalg.eigvalsh(matrix)
    assert (found.diff() >= 0).all()
    assert (found - expected).abs().max() <= ROUNDING * expected.abs().max()


@pytest.mark.parametrize("n", [33, 34, 63, 64, 65, 100, 257, 1000, 2048, 2501])
def test_any_size(n: int) -> None:
    check(symmetric(n, n))


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e150])
def test_any_scale(scale: float) -> None:
    check(symmetric(300) * scale)


def test_few_and_repeated_eigenvalues() -> None:
    narrow = torch.randn(700, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    check(narrow @ narrow.mT)
    check(torch.eye(300, dtype=torch.float64))
    check(torch.zeros(300, 300, dtype=torch.float64))
    check(torch.diag(torch.arange(-150.0, 150.0, dtype=torch.float64)))
    check(torch.block_diag(symmetric(100), torch.zeros(50, 50), symmetric(150, 1)))


def test_a_spectrum_over_fifteen_decades() -> None:
    directions = torch.linalg.qr(symmetric(500)).Q
    check((directions * torch.logspace(-15, 0, 500, dtype=torch.float64)) @ directions.mT)


def test_threads_and_sizes_side_by_side() -> None:
    matrices = [symmetric(size, seed) for seed in range(4) for size in (600, 900, 1100)]

    def solve(matrix: Tensor) -> Tensor:
        with torch.cuda.stream(torch.cuda.Stream()):
            return eigenvalues.eigvalsh(matrix.cuda()).cpu()

    with ThreadPoolExecutor(6) as pool:
        for matrix, found in zip(matrices, pool.map(solve, matrices), strict=True):
            torch.testing.assert_close(found, torch.linalg.eigvalsh(matrix), rtol=0, atol=1e-11)


def test_the_same_bits_every_time() -> None:
    matrix = symmetric(1500).cuda()
    assert torch.equal(eigenvalues.eigvalsh(matrix), eigenvalues.eigvalsh(matrix))

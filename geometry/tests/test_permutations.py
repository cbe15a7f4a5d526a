from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry.permutations import linear_moments, quadratic_moments

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, *shape: int) -> Tensor:
    numbers = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return numbers.double() + torch.linspace(0, 3, shape[-1])  # rows and columns of their own


@given(SEEDS, st.integers(2, 6))
def test_linear_moments_are_those_of_all_permutations(seed: int, n: int) -> None:
    a = drawn(seed, 2, n, n)
    orders = torch.tensor(list(itertools.permutations(range(n))))
    sums = a[:, torch.arange(n), orders].sum(-1)
    mean, variance = linear_moments(a)
    torch.testing.assert_close(mean, sums.mean(-1))
    torch.testing.assert_close(variance, sums.var(-1, correction=0))


@given(SEEDS, st.integers(4, 6))
def test_quadratic_moments_are_those_of_all_permutations(seed: int, n: int) -> None:
    a, b = (m + m.mT for m in drawn(seed, 2, n, n))
    orders = list(itertools.permutations(range(n)))
    sums = torch.stack([(a * b[list(p)][:, list(p)]).sum() for p in orders])
    mean, variance = quadratic_moments(a, b)
    torch.testing.assert_close(mean, sums.mean())
    torch.testing.assert_close(variance, sums.var(correction=0))


@pytest.mark.parametrize("n", [4, 64])
def test_constants_do_not_vary(n: int) -> None:
    same = torch.ones(n, n)
    mean, variance = quadratic_moments(same, same)
    assert mean == n * n
    assert variance == pytest.approx(0, abs=1e-9 * n**4)

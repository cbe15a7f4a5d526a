from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geometric_invariants.geometry.bulk import (
    bulk,
    random_tail_exponent,
    tail_exponent,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(60, 150), st.integers(60, 150), st.floats(1e-6, 1e6))
def test_random_entries_keep_to_the_bulk(seed: int, m: int, n: int, scale: float) -> None:
    matrix = torch.randn(m, n, generator=torch.Generator().manual_seed(seed)).double() * scale
    found = bulk(torch.linalg.svdvals(matrix), (m, n))
    assert found.outside == 0
    assert found.distance < 5 / min(m, n)
    assert found.spike == pytest.approx(1, abs=0.15)


@given(SEEDS, st.integers(1, 5))
def test_spikes_are_counted(seed: int, spikes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(120, 80, generator=generator).double()
    directions = [
        torch.linalg.qr(torch.randn(k, spikes, generator=generator).double()).Q for k in (120, 80)
    ]
    found = bulk(torch.linalg.svdvals(matrix + 60 * directions[0] @ directions[1].mT), (120, 80))
    assert found.outside >= spikes / 80
    assert found.spike > 1.5


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_the_law_is_that_of_large_matrices(ratio: float) -> None:
    matrix = np.random.default_rng(0).standard_normal((1000, int(1000 * ratio)))
    values = torch.from_numpy(np.linalg.svd(matrix, compute_uv=False))
    assert bulk(values, matrix.shape).distance < 5 / len(values)


@given(SEEDS, st.floats(1.5, 6))
def test_the_exponent_of_a_power_law_is_found(seed: int, alpha: float) -> None:
    drawn = stats.pareto.rvs(alpha - 1, size=4000, random_state=seed)
    found = tail_exponent(torch.from_numpy(drawn), share=0.5)
    assert found == pytest.approx(alpha, abs=5 * (alpha - 1) / math.sqrt(2000))


def test_random_entries_show_the_stated_null() -> None:
    """Over 1,000 draws: next to nothing outside, a distance of 1.2 to 4.5 over their number."""
    found = []
    for seed in range(1000):
        matrix = torch.randn(48, 96, generator=torch.Generator().manual_seed(seed)).double()
        found.append(bulk(torch.linalg.svdvals(matrix), (48, 96)))
    assert sum(one.outside > 0 for one in found) <= 10
    distances = sorted(48 * one.distance for one in found)
    assert distances[10] > 1.2
    assert distances[-10] < 4.5


@pytest.mark.parametrize("shape", [(64, 64), (48, 96), (200, 50), (32, 256)])
def test_the_random_exponent_is_that_of_random_entries(shape: tuple[int, int]) -> None:
    drawn = [
        bulk(
            torch.linalg.svdvals(
                torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()
            ),
            shape,
        ).tail
        for seed in range(1000)
    ]
    assert sum(drawn) / 1000 == pytest.approx(random_tail_exponent(shape), rel=0.05)


def test_equal_values_have_no_tail() -> None:
    assert tail_exponent(torch.ones(10)) == math.inf


def test_nothing_stands_out_of_zeros() -> None:
    assert bulk(torch.zeros(4), (4, 6)).outside == 0
    assert math.isnan(tail_exponent(torch.zeros(10)))
    with pytest.raises(ValueError, match="3 singular values"):
        bulk(torch.ones(3), (4, 6))

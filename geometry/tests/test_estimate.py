from __future__ import annotations

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry.estimate import (
    Sampling,
    farthest,
    mean_of_few,
    normal,
    predicted,
)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_prediction_interval_is_students(draws: list[float]) -> None:
    n = len(draws)
    x = torch.tensor(draws, dtype=torch.float64)
    reach = scipy.stats.t.ppf(0.975, n - 1) * x.std().item() * (1 + 1 / n) ** 0.5
    found = predicted(draws)
    assert found.value == pytest.approx(x.mean().item(), abs=1e-9)
    assert found.half_width == pytest.approx(reach, abs=1e-9)


def test_a_further_draw_falls_inside_in_95_of_100_cases() -> None:
    draws = torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    inside = 0
    for *first, last in draws.tolist():
        found = predicted(first)
        inside += found.low <= last <= found.high
    assert inside / 4000 == pytest.approx(0.95, abs=0.011)  # three standard errors


def test_one_draw_predicts_nothing() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        predicted([1.0])
    with pytest.raises(ValueError, match="at least 2"):
        mean_of_few([1.0])


def test_the_mean_of_few_is_covered_in_95_of_100_cases() -> None:
    draws = torch.randn(4000, 5, generator=torch.Generator().manual_seed(0))
    found = [mean_of_few(few) for few in draws.tolist()]
    assert sum(one.low <= 0 <= one.high for one in found) / 4000 == pytest.approx(0.95, abs=0.011)


@pytest.mark.parametrize("n", [1, 3, 24])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_the_farthest_of_many_falls_where_the_null_says(n: int, side: float) -> None:
    null = normal(0.5, 0.02)
    found = farthest(null, n, 0.5 + side)
    draws = 0.02 * torch.randn(8000, n, generator=torch.Generator().manual_seed(n))
    worst = 0.5 + side * draws.double().abs().amax(1)
    assert worst.median().item() == pytest.approx(found.value, abs=0.001)
    inside = ((found.low <= worst) & (worst <= found.high)).double().mean().item()
    assert inside == pytest.approx(0.95, abs=0.0075)  # three standard errors


@given(st.integers(1, 1000), st.integers(2, 100))
def test_more_parts_lie_farther(n: int, times: int) -> None:
    null = normal(0.0, 1.0)
    assert farthest(null, n).low < farthest(null, n * times).low
    assert farthest(null, n).high < farthest(null, n * times).high
    with pytest.raises(ValueError, match="none"):
        farthest(null, 0)


def test_a_floor_of_draws_raises_the_limit_too() -> None:
    few = Sampling(samples=2, limit=32)
    assert (few.at_least(100).samples, few.at_least(100).limit) == (100, 100)
    assert Sampling().at_least(100) == Sampling()

from __future__ import annotations

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometry.estimate import predicted


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

from __future__ import annotations

import numpy as np
import pytest
import scipy.spatial.distance
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry.hidden_states import (
    averaged,
    layer_summary,
    mean_by_position,
    position_cosines,
)


@given(st.integers(2, 20), st.integers(1, 30), st.integers(0, 1000))
def test_summary_is_scipys(positions: int, d: int, seed: int) -> None:
    states = torch.randn(positions, d, generator=torch.Generator().manual_seed(seed)) * 3
    found = layer_summary(states)
    rows = states.double().numpy()
    cosines = 1 - scipy.spatial.distance.pdist(rows, "cosine")
    norms = np.linalg.norm(rows, axis=1)
    assert found.norm_mean == pytest.approx(norms.mean(), rel=1e-12)
    assert found.norm_std == pytest.approx(norms.std(), abs=1e-12)
    assert found.cosine_mean == pytest.approx(cosines.mean(), abs=1e-12)
    assert found.cosine_std == pytest.approx(cosines.std(), abs=1e-7)


def test_average_over_texts() -> None:
    one, two = layer_summary(torch.eye(3)), layer_summary(torch.ones(2, 4))
    both = averaged([one, two])
    assert (both.norm_mean, both.cosine_mean) == (1.5, 0.5)


def test_one_position_has_no_cosine() -> None:
    with pytest.raises(ValueError, match="at least 2 positions"):
        layer_summary(torch.ones(1, 4))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12), st.integers(0, 99))
def test_positions_that_both_have_are_compared(m: int, n: int, d: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(m, d, generator=generator), torch.randn(n, d, generator=generator)
    found = position_cosines(first, second)
    rows = zip(first.double().numpy(), second.double().numpy(), strict=False)
    expected = [1 - scipy.spatial.distance.cosine(a, b) for a, b in rows]
    assert found.tolist() == pytest.approx(expected, abs=1e-9)
    assert position_cosines(first, 3 * first).tolist() == pytest.approx([1] * m)


def test_means_by_position_count_the_texts_that_have_it() -> None:
    rows = [torch.tensor([1.0, 3.0]), torch.tensor([2.0, 5.0, 7.0])]
    assert mean_by_position(rows) == (1.5, 4.0, 7.0)
    with pytest.raises(ValueError, match="3 and 4 dimensions"):
        position_cosines(torch.ones(2, 3), torch.ones(2, 4))

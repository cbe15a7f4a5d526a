"""What a modulator does to states: properties, and an oracle for each number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry.modulation.impact import modulator_impact
from geometric_invariants.geometry.relations import draw_pairs


@given(st.integers(0, 99), st.floats(0.1, 10))
def test_a_common_scale_changes_norms_alone(seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    before = torch.randn(30, 5, generator=generator)
    found = modulator_impact(before, scale * before, draw_pairs(30, 200, generator))
    assert found.cosine_mean == pytest.approx(1, abs=1e-6)
    assert found.cosine_std == pytest.approx(0, abs=1e-6)
    assert found.norm_ratio_mean == pytest.approx(scale, rel=1e-5)
    assert found.norm_ratio_std == pytest.approx(0, abs=1e-5 * scale)
    assert found.shift_size == pytest.approx(0, abs=1e-6)


def test_impact_is_numpys() -> None:
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(50, 8, generator=generator)
    after = before + torch.randn(50, 8, generator=generator)
    pairs = draw_pairs(50, 100, generator)
    found = modulator_impact(before, after, pairs)
    x, y = before.double().numpy(), after.double().numpy()
    norms = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    cosines = (x * y).sum(1) / norms[0] / norms[1]
    assert found.cosine_mean == pytest.approx(cosines.mean(), abs=1e-6)
    assert found.cosine_std == pytest.approx(cosines.std(), abs=1e-6)
    ratios = norms[1] / norms[0]
    assert found.norm_ratio_mean == pytest.approx(ratios.mean())
    assert found.norm_ratio_std == pytest.approx(ratios.std())
    first, second = (p.numpy() for p in pairs)
    a = (x[first] * x[second]).sum(1) / norms[0][first] / norms[0][second]
    b = (y[first] * y[second]).sum(1) / norms[1][first] / norms[1][second]
    assert found.pairs_before == pytest.approx(a.mean(), abs=1e-6)
    assert found.pairs_after == pytest.approx(b.mean(), abs=1e-6)
    assert found.shift == pytest.approx((b - a).mean(), abs=1e-6)
    assert found.shift_std == pytest.approx((b - a).std(), abs=1e-6)
    assert found.shift_size == pytest.approx(np.abs(b - a).mean(), abs=1e-6)


def test_unlike_shapes_are_refused() -> None:
    rows = torch.zeros(4, 3)
    with pytest.raises(ValueError, match="before and"):
        modulator_impact(rows, rows[:2], (torch.tensor([0]), torch.tensor([1])))

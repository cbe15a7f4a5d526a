from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geometry import controls, sparsity

edges = [sign * t for t in sparsity.THRESHOLDS for sign in (1, -1)]
values = st.one_of(st.sampled_from(edges), st.floats(-1, 1, width=32))


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=values),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64]),
)
def test_counts_equal_float64_comparison(array: np.ndarray, dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(array).to(dtype)
    stored = np.abs(tensor.double().numpy())
    found = sparsity.magnitudes(tensor)
    assert found.below == tuple(int((stored < t).sum()) for t in sparsity.THRESHOLDS)
    assert found.rms == pytest.approx(np.sqrt((stored**2).mean()))
    assert found.below_relative == tuple(
        int((stored < t * found.rms).sum()) for t in sparsity.THRESHOLDS
    )
    assert found.largest == stored.max()


def test_gaussian_share_matches_its_closed_form() -> None:
    tensor = 0.2 * torch.randn(3_000_000, generator=torch.Generator().manual_seed(0))
    null = controls.gaussian_share_below(0.1, 0.2, tensor.numel())
    assert abs(sparsity.magnitudes(tensor).fraction_below(0.1) - null.value) < 3 * null.half_width


def test_blocks_add_up_to_the_whole() -> None:
    tensor = torch.randn(2**20 + 7, generator=torch.Generator().manual_seed(1))
    found = sparsity.magnitudes(tensor)
    assert found.fraction_below(0.1) == int((tensor.abs() < 0.1).sum()) / tensor.numel()
    assert found.fraction_below_rms(0.1) == pytest.approx(0.0797, abs=1e-3)


def test_non_finite_entries_are_counted_and_empty_refused() -> None:
    tensor = torch.tensor([1.0, float("nan"), float("inf"), 1e-7])
    assert sparsity.magnitudes(tensor).non_finite == 2
    with pytest.raises(ValueError, match="empty"):
        sparsity.magnitudes(torch.empty(0))

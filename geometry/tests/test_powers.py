from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from geometric_invariants.geometry.powers import Powers
from geometric_invariants.geometry.sparsity import magnitudes

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(2, 400), st.integers(0, 400), st.floats(1e-6, 1e6))
def test_blocks_add_up_to_the_whole(seed: int, numel: int, cut: int, scale: float) -> None:
    entries = torch.randn(numel, generator=torch.Generator().manual_seed(seed)).double() * scale
    entries[:: 1 + cut % 5] = 0
    whole, parts = Powers.of(entries), Powers.of(entries[:cut]) + Powers.of(entries[cut:])
    assert (whole.numel, whole.zeros) == (parts.numel, parts.zeros)
    assert whole.zeros == int((entries == 0).sum())
    assert whole.largest == pytest.approx(entries.abs().max().item())
    assert parts.rms == pytest.approx(whole.rms)
    assert parts.kurtosis == pytest.approx(whole.kurtosis, nan_ok=True)


def test_kurtosis_is_scipys_about_zero() -> None:
    entries = torch.randn(999, generator=torch.Generator().manual_seed(1)).double()
    entries = entries - entries.mean()
    expected = stats.kurtosis(entries.numpy(), fisher=False)
    assert Powers.of(entries).kurtosis == pytest.approx(expected)
    assert math.isnan(Powers.of(torch.zeros(5)).kurtosis)
    assert math.isnan(Powers().rms)


@given(SEEDS, st.floats(0, 1))
def test_a_matrix_tells_its_zeros_and_kurtosis_of_some_entries(seed: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(300, 200, generator=generator)
    matrix[torch.rand(300, 200, generator=generator) < share] = 0
    found = magnitudes(matrix)
    assert found.zeros == pytest.approx((matrix == 0).double().mean().item(), abs=0.03)

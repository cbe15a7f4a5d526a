from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from geometric_invariants.geometry.rotary_layout import rotary_layout

SEEDS = st.integers(0, 2**32 - 1)


def norms(seed: int, heads: int, d: int, shared: float) -> Tensor:
    """Norms whose planes' two rows share what one has and the other lacks, over a slow trend."""
    numbers = torch.randn(3, heads, d // 2, generator=torch.Generator().manual_seed(seed)).double()
    trend = torch.linspace(0, 2, d // 2).double()
    own, one, other = numbers * 0.1
    return torch.cat([trend + shared * own + one, trend - shared * own + other], dim=1).exp()


@given(SEEDS, st.integers(8, 16), st.sampled_from([32, 64, 128]), st.floats(0.1, 10))
def test_the_layout_shows_in_the_reading_that_is_right(
    seed: int, heads: int, d: int, scale: float
) -> None:
    halves = norms(seed, heads, d, 1.5) * scale
    found = rotary_layout(halves)
    assert found.halves < -0.4
    assert abs(found.neighbours) < 6 * found.std
    neighbours = halves.reshape(heads, 2, d // 2).mT.reshape(heads, d)
    exchanged = rotary_layout(neighbours)
    assert exchanged.neighbours == pytest.approx(found.halves, abs=0.1)  # but for the middle


def test_random_norms_spread_as_said() -> None:
    found = [rotary_layout(norms(seed, 8, 64, 0)) for seed in range(1000)]
    assert stats.kstest([f.halves / f.std for f in found], "norm").pvalue > 0.001


def test_rows_of_zeros_are_left_out() -> None:
    some = norms(1, 8, 64, 1.5)
    some[2, 7] = 0
    assert rotary_layout(some).halves == pytest.approx(
        rotary_layout(norms(1, 8, 64, 1.5)).halves, abs=0.1
    )
    assert rotary_layout(torch.zeros(2, 8)).halves == 0


@pytest.mark.parametrize("shape", [(8,), (2, 7), (2, 6)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no norms of heads"):
        rotary_layout(torch.ones(shape))

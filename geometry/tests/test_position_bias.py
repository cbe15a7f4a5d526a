from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry import position_bias


@given(st.integers(6, 40), st.data())
def test_the_peak_decides(buckets: int, data: st.DataObject) -> None:
    peak = data.draw(st.integers(0, buckets - 1))
    bias = torch.zeros(buckets, 1)
    bias[peak] = 2.5
    (head,) = position_bias.bias_heads(bias)
    assert (head.peak, head.amplitude) == (peak, 2.5)
    assert head.kind == ("local" if peak <= 2 else "global" if peak >= buckets - 3 else "mixed")


def test_a_falling_bias_is_local_and_falls_at_every_step() -> None:
    falling, flat = torch.linspace(1, -1, 32), torch.zeros(32)
    first, second = position_bias.bias_heads(torch.stack([falling, flat], 1))
    assert (first.kind, first.non_increasing) == ("local", 1.0)
    assert first.bucket_correlation == pytest.approx(-1)
    assert (second.amplitude, second.bucket_correlation) == (0.0, 0.0)
    assert (first.mean, first.std) == pytest.approx((0, falling.std(correction=0).item()))


def test_random_biases_are_mixed_as_often_as_the_null_says() -> None:
    bias = torch.randn(32, 2000, generator=torch.Generator().manual_seed(0))
    mixed = sum(head.kind == "mixed" for head in position_bias.bias_heads(bias))
    null = position_bias.random_mixed_heads([(32, 1000), (32, 1000)])
    assert null.low < mixed < null.high
    assert null.value == pytest.approx(2000 * 26 / 32)
    with pytest.raises(ValueError, match="buckets"):
        position_bias.bias_heads(torch.zeros(4, 2))

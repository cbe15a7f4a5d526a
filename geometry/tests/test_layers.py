from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry import controls, layers, neurons

seeds = st.integers(0, 2**31 - 1)


@given(seeds, st.integers(2, 6), st.integers(2, 200), st.integers(1, 50))
def test_correlation_is_the_cosine_however_blocked(
    seed: int, depth: int, numel: int, block: int
) -> None:
    flat = torch.randn(
        depth, numel, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    found = layers.layer_correlation(flat.split(block, dim=1))
    reference = torch.nn.functional.cosine_similarity(flat[:, None], flat[None], dim=-1)
    torch.testing.assert_close(found.cosines, reference, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.adjacent, reference.diagonal(1), rtol=1e-9, atol=1e-9)
    assert found.numel == numel


def test_independent_layers_stay_within_the_null() -> None:
    flat = torch.randn(40, 10_000, generator=torch.Generator().manual_seed(0))
    found = layers.layer_correlation([flat])
    null = controls.random_matrix_cosine(found.numel, len(found.adjacent))
    assert abs(found.adjacent.mean().item()) < 2 * null.half_width
    assert found.adjacent.std().item() == pytest.approx(found.null_std, rel=0.3)


def test_one_layer_has_no_correlation() -> None:
    with pytest.raises(ValueError, match="two layers"):
        layers.layer_correlation([torch.randn(1, 9)])


def test_norm_scale_counts() -> None:
    weight = torch.tensor([1.0, 1.1, 1.6, 0.4, 0.79])
    scale = layers.norm_scale(weight)
    assert (scale.above, scale.below, scale.near_one) == (1, 1, 2)
    assert scale.mean == pytest.approx(0.978)
    assert scale.quartiles == pytest.approx((0.4, 0.79, 1.0, 1.1, 1.6))
    centred = layers.norm_scale(weight - 1, zero_centred=True)
    assert (centred.above, centred.below, centred.near_one) == (1, 1, 2)
    assert centred.mean == pytest.approx(scale.mean, rel=1e-6)


def test_planted_dead_and_weak_neurons_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    up, down = torch.randn(200, 64, generator=generator), torch.randn(64, 200, generator=generator)
    up[3] *= 1e-4
    down[:, 7] *= 0.05
    scores = neurons.importance(up.norm(dim=1), down.norm(dim=0))
    summary = neurons.summarize(scores)
    assert (summary.dead, summary.weak) == (1, 2)
    gated = neurons.importance(up.norm(dim=1), down.norm(dim=0), torch.full((200,), 2.0))
    torch.testing.assert_close(gated, scores * 2)
    assert neurons.random_dead_share(64, 64, False, 200).high < 1e-6
    with pytest.raises(ValueError, match="neuron counts differ"):
        neurons.importance(torch.ones(3), torch.ones(4))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60))
def test_moments_are_numpys(values: list[float]) -> None:
    found = neurons.moments(torch.tensor(values, dtype=torch.float64))
    expected = (np.mean(values), np.std(values), min(values), max(values))
    assert dataclasses.astuple(found) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("gated", [False, True])
def test_neurons_of_random_weights_ascend_as_their_null(gated: bool) -> None:
    """And their importances' std over mean is the closed form's."""
    generator = torch.Generator().manual_seed(0)

    def norms(columns: int) -> torch.Tensor:
        drawn = torch.randn(2000, columns, generator=generator)
        return drawn.square().sum(1).sqrt()

    gates = norms(300) if gated else None
    summary = neurons.summarize(neurons.importance(norms(300), norms(200), gates))
    spread = neurons.random_spread(300, 200, gated=gated)
    assert summary.spread == pytest.approx(spread, rel=0.05)
    null = neurons.random_ascending(spread, 2000)
    assert len(summary.ascending) == len(null) == 33
    middle = slice(1, -1)  # the extremes are single draws
    assert summary.ascending[middle] == pytest.approx(null[middle], abs=0.2 * spread)
    assert list(summary.ascending) == sorted(summary.ascending)

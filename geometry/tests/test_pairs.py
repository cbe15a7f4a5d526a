from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry import controls, embedding, pairs
from geometric_invariants.geometry.distribution import Distribution
from geometric_invariants.geometry.estimate import Sampling

SAMPLING = Sampling()
seeds = st.integers(0, 2**31 - 1)


@given(seeds, st.integers(3, 60), st.integers(2, 12), st.floats(-5, 5))
def test_moments_over_all_pairs(seed: int, n: int, d: int, shift: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(n, d, generator=generator, dtype=torch.float64) + shift
    cosines = torch.nn.functional.cosine_similarity(table[:, None], table[None], dim=-1)
    i, j = torch.triu_indices(n, n, 1)
    moments, sample = pairs.cosine_moments(table), sampled(table)
    assert moments.mean == pytest.approx(cosines[i, j].mean().item(), abs=1e-9)
    assert moments.std == pytest.approx(cosines[i, j].std(correction=0).item(), abs=1e-6)
    assert sample.highest == pytest.approx(cosines[i, j].max().item(), abs=1e-5)


def sampled(table: Tensor, sampling: Sampling = SAMPLING) -> Distribution:
    return pairs.sampled_cosines(table, embedding.row_norms(table), sampling)


def test_a_cosine_at_the_distance_of_one_hundredth_is_not_near() -> None:
    """The source counts |cosine − mark| < 0.01."""
    table = torch.tensor([[1.0, 0.0], [0.01, (1 - 1e-4) ** 0.5]])
    assert sampled(table).share_near(0.0, pairs.NEAR) == 0.0
    table[1, 0] = 0.0099
    assert sampled(table).share_near(0.0, pairs.NEAR) == 1.0


@pytest.mark.parametrize("samples", [2, 1_000, 100_000])
def test_few_draws_still_give_rows(samples: int) -> None:
    table = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    cosines = sampled(table, Sampling(samples=samples))
    distances = pairs.sampled_distances(table, Sampling(samples=samples))
    assert cosines.lowest < cosines.mean < cosines.highest
    assert distances.lowest < distances.mean < distances.highest


def test_zero_rows_have_no_cosine() -> None:
    table = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([table, torch.zeros(30, 5)])
    assert pairs.cosine_moments(padded).mean == pytest.approx(pairs.cosine_moments(table).mean)
    assert len(sampled(padded)) == len(sampled(table)) == 190
    for cosines in (pairs.cosine_moments, sampled):
        with pytest.raises(ValueError, match="2 non-zero rows"):
            cosines(torch.zeros(5, 5))


def test_mean_cosine_null() -> None:
    generator = torch.Generator().manual_seed(0)
    means = [
        pairs.cosine_moments(torch.randn(300, 40, generator=generator)).mean for _ in range(60)
    ]
    null = controls.gaussian_mean_cosine(300, 40)
    assert torch.tensor(means).std().item() == pytest.approx(null.half_width / 1.96, rel=0.3)


def test_distances() -> None:
    table = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    found = pairs.sampled_distances(table, Sampling())
    expected = torch.pdist(table.double()).sort().values
    assert found.ordered.tolist() == pytest.approx(expected.tolist())
    with pytest.raises(ValueError, match="2 rows"):
        pairs.sampled_distances(table[:1], Sampling())

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometry import controls, embedding, pairs
from geometry.estimate import Sampling

seeds = st.integers(0, 2**31 - 1)


@given(seeds, st.integers(3, 60), st.integers(2, 12), st.floats(-5, 5))
def test_moments_over_all_pairs(seed: int, n: int, d: int, shift: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(n, d, generator=generator, dtype=torch.float64) + shift
    cosines = torch.nn.functional.cosine_similarity(table[:, None], table[None], dim=-1)
    i, j = torch.triu_indices(n, n, 1)
    summary = pairs.cosine_summary(table, Sampling())
    assert summary.moments.mean == pytest.approx(cosines[i, j].mean().item(), abs=1e-9)
    assert summary.moments.std == pytest.approx(cosines[i, j].std(correction=0).item(), abs=1e-6)
    assert summary.highest == pytest.approx(cosines[i, j].max().item(), abs=1e-5)


def test_a_cosine_at_the_distance_of_one_hundredth_is_not_near() -> None:
    """The source counts |cosine − mark| < 0.01."""
    table = torch.tensor([[1.0, 0.0], [0.01, (1 - 1e-4) ** 0.5]])
    assert pairs.cosine_summary(table, Sampling()).near[0.0] == 0.0
    table[1, 0] = 0.0099
    assert pairs.cosine_summary(table, Sampling()).near[0.0] == 1.0


@pytest.mark.parametrize("samples", [2, 1_000, 100_000])
def test_few_draws_still_give_rows(samples: int) -> None:
    table = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    cosines = pairs.cosine_summary(table, Sampling(samples=samples))
    distances = pairs.distance_summary(table, Sampling(samples=samples))
    assert cosines.lowest < cosines.sampled_mean < cosines.highest
    assert distances.lowest < distances.mean < distances.highest


def test_zero_rows_have_no_cosine() -> None:
    table = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([table, torch.zeros(30, 5)])
    whole, part = (
        pairs.cosine_summary(table, Sampling()),
        pairs.cosine_summary(padded, Sampling()),
    )
    assert whole.moments.mean == pytest.approx(part.moments.mean)
    assert embedding.norm_summary(padded).zero_rows == 30
    with pytest.raises(ValueError, match="2 non-zero rows"):
        pairs.cosine_summary(torch.zeros(5, 5), Sampling())


def test_mean_cosine_null() -> None:
    generator = torch.Generator().manual_seed(0)
    means = [
        pairs.cosine_moments(torch.randn(300, 40, generator=generator)).mean for _ in range(60)
    ]
    null = controls.gaussian_mean_cosine(300, 40)
    assert torch.tensor(means).std().item() == pytest.approx(null.half_width / 1.96, rel=0.3)


def test_distances() -> None:
    table = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    summary = pairs.distance_summary(table, Sampling())
    reference = torch.pdist(table.double())
    assert summary.mean == pytest.approx(reference.mean().item())
    assert summary.cv == pytest.approx((reference.std(correction=0) / reference.mean()).item())
    assert (summary.lowest, summary.highest) == pytest.approx(
        (reference.min().item(), reference.max().item())
    )

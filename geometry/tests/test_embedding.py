from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometry import controls, embedding, simplex
from geometry.estimate import Sampling

seeds = st.integers(0, 2**31 - 1)


@given(seeds, st.integers(3, 60), st.integers(2, 12), st.floats(-5, 5))
def test_moments_and_cosines_over_all_pairs(seed: int, n: int, d: int, shift: float) -> None:
    table = (
        torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        + shift
    )
    means, stds = embedding.column_moments(table)
    torch.testing.assert_close(means, table.mean(0))
    torch.testing.assert_close(stds, table.std(0, correction=0))
    torch.testing.assert_close(
        embedding.covariance(table), torch.cov(table.T), rtol=1e-8, atol=1e-10
    )
    cosines = torch.nn.functional.cosine_similarity(table[:, None], table[None], dim=-1)
    i, j = torch.triu_indices(n, n, 1)
    summary = embedding.cosine_summary(table, Sampling())
    assert summary.moments.mean == pytest.approx(cosines[i, j].mean().item(), abs=1e-9)
    assert summary.moments.std == pytest.approx(cosines[i, j].std(correction=0).item(), abs=1e-6)
    assert summary.highest == pytest.approx(cosines[i, j].max().item(), abs=1e-5)


def test_zero_rows_have_no_cosine() -> None:
    table = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([table, torch.zeros(30, 5)])
    whole, part = (
        embedding.cosine_summary(table, Sampling()),
        embedding.cosine_summary(padded, Sampling()),
    )
    assert whole.moments.mean == pytest.approx(part.moments.mean)
    assert embedding.norm_summary(padded).zero_rows == 30
    with pytest.raises(ValueError, match="2 non-zero rows"):
        embedding.cosine_summary(torch.zeros(5, 5), Sampling())


@pytest.mark.parametrize(("n", "d"), [(400, 100), (2000, 50)])
def test_participation_ratio_null(n: int, d: int) -> None:
    generator = torch.Generator().manual_seed(0)
    found = torch.tensor(
        [
            embedding.covariance_spectrum(
                torch.randn(n, d, generator=generator)
            ).participation_ratio
            for _ in range(60)
        ]
    )
    null = controls.gaussian_participation_ratio(n, d)
    assert found.mean().item() == pytest.approx(null.value, abs=null.half_width / 2)
    assert found.std().item() == pytest.approx(null.half_width / 1.96, rel=0.4)


def test_mean_cosine_null() -> None:
    generator = torch.Generator().manual_seed(0)
    means = [
        embedding.cosine_moments(torch.randn(300, 40, generator=generator)).mean for _ in range(60)
    ]
    null = controls.gaussian_mean_cosine(300, 40)
    assert torch.tensor(means).std().item() == pytest.approx(null.half_width / 1.96, rel=0.3)


def test_percentiles_equal_torch_quantile() -> None:
    values = torch.randn(1001, generator=torch.Generator().manual_seed(0)).double()
    found = embedding.percentiles(values)
    for p, value in found.items():
        assert value == pytest.approx(torch.quantile(values, p).item())


def test_distances() -> None:
    table = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    summary = embedding.distance_summary(table, Sampling())
    reference = torch.pdist(table.double())
    assert summary.mean == pytest.approx(reference.mean().item())
    assert summary.cv == pytest.approx((reference.std(correction=0) / reference.mean()).item())
    assert (summary.lowest, summary.highest) == pytest.approx(
        (reference.min().item(), reference.max().item())
    )


def test_digits_on_a_line_correlate_and_random_ones_stay_in_the_null() -> None:
    angle = torch.linspace(0, 1, 10, dtype=torch.float64)
    arc = torch.stack([angle.cos(), angle.sin()], 1)
    summary = embedding.digit_summary(arc)
    assert summary.correlation < -0.95
    assert summary.gap > 0
    null = controls.shuffled_correlation(_digit_gaps(), summary.cosines, Sampling())
    assert not null.low < summary.correlation < null.high
    random = embedding.digit_summary(
        torch.randn(10, 64, generator=torch.Generator().manual_seed(0))
    )
    assert null.low < random.correlation < null.high
    with pytest.raises(ValueError, match="ten digit rows"):
        embedding.digit_summary(torch.randn(9, 4))


def _digit_gaps() -> torch.Tensor:
    steps = torch.arange(10.0)
    return (steps[:, None] - steps).abs()


def test_categories() -> None:
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(60, 32, generator=generator)
    table[:10] += 3 * torch.randn(32, generator=generator)
    groups = {"tight": list(range(10)), "loose": list(range(20, 40)), "small": [50, 51]}
    summary = embedding.category_summary(table, groups, 0.0)
    assert set(summary.intra) == {"tight", "loose"}
    assert summary.lift["tight"] > 0.5 > summary.lift["loose"]
    assert summary.centroids.shape == (2, 2)
    assert embedding.category_summary(table, {}, 0.0).centroids.numel() == 0


def test_norm_matched_control_reproduces_random_directions() -> None:
    generator = torch.Generator().manual_seed(0)
    norms = torch.rand(3000, generator=generator) + 0.5
    table = (
        torch.nn.functional.normalize(torch.randn(3000, 48, generator=generator), dim=1)
        * norms[:, None]
    )
    measured = simplex.volume_statistics(table, Sampling(samples=40_000)).cv
    drawn = controls.norm_matched_volumes(norms, 48, 40_000, generator)
    assert (drawn.std() / drawn.mean()).item() == pytest.approx(
        measured.value, abs=4 * measured.half_width
    )


def test_per_dimension_control_reproduces_an_anisotropic_table() -> None:
    generator = torch.Generator().manual_seed(0)
    stds = torch.linspace(0.1, 2, 24)
    table = torch.randn(5000, 24, generator=generator) * stds
    measured = simplex.volume_statistics(table, Sampling(samples=40_000))
    drawn = controls.per_dimension_gaussian_volumes(stds, 40_000, generator)
    assert drawn.mean().item() == pytest.approx(measured.mean.value, rel=0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_row_norms_are_exact_block_by_block(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_BLOCK_BYTES", 512)
    matrix = torch.randn(50, 30, generator=torch.Generator().manual_seed(0)).to(dtype)
    for rows in (matrix, matrix.mT):
        expected = rows.double().square().sum(1).sqrt()
        torch.testing.assert_close(embedding.row_norms(rows), expected, rtol=1e-14, atol=0)

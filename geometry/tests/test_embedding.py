from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry import controls, embedding, simplex
from geometric_invariants.geometry.estimate import Sampling, exact

seeds = st.integers(0, 2**31 - 1)


@given(seeds, st.integers(3, 60), st.integers(2, 12), st.floats(-5, 5))
def test_moments_of_dimensions(seed: int, n: int, d: int, shift: float) -> None:
    table = (
        torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        + shift
    )
    found = embedding.moments(table)
    torch.testing.assert_close(found.norms, torch.linalg.vector_norm(table, dim=1))
    torch.testing.assert_close(found.means, table.mean(0))
    torch.testing.assert_close(found.stds, table.std(0, correction=0))
    assert found.overall_std == pytest.approx(table.std(correction=0).item())
    torch.testing.assert_close(
        embedding.covariance(table), torch.cov(table.T), rtol=1e-8, atol=1e-10
    )


@given(seeds, st.integers(40, 200), st.floats(0.2, 3))
def test_fewer_rows_show_a_smaller_participation_ratio(seed: int, n: int, decay: float) -> None:
    """1/PR_n ≈ 1/PR + 1/n − 1/N for n rows of N."""
    d, rows = 12, 4_000
    generator = torch.Generator().manual_seed(seed)
    scale = torch.linspace(1, decay, d, dtype=torch.float64)
    table = torch.randn(rows, d, generator=generator, dtype=torch.float64) * scale
    whole = embedding.covariance_spectrum(table).participation_ratio * d
    found = embedding.sampled_participation_ratio(table, n, Sampling(seed))
    predicted = 1 / (1 / whole + 1 / n - 1 / rows) / d
    assert found.low - 0.05 < predicted < found.high + 0.05


def test_the_interval_of_a_sampled_participation_ratio_covers_its_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    norms = torch.rand(3_000, 1, generator=generator) + 0.5
    table = torch.randn(3_000, 16, generator=generator) * torch.linspace(1, 3, 16) * norms
    found = [
        embedding.sampled_participation_ratio(table, 300, Sampling(seed)) for seed in range(200)
    ]
    mean = sum(one.value for one in found) / len(found)
    covered = sum(one.low <= mean <= one.high for one in found)
    assert covered / len(found) == pytest.approx(0.95, abs=0.045)  # three standard errors
    assert all(one.samples == 8 for one in found)


def test_a_table_of_fewer_rows_is_taken_whole() -> None:
    table = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    found = embedding.sampled_participation_ratio(table, 50, Sampling())
    assert found == exact(embedding.covariance_spectrum(table).participation_ratio)


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


@given(st.integers(1, 40), st.floats(-1e6, 1e6))
def test_moments_far_from_zero_keep_their_digits(rows_at_once: int, shift: float) -> None:
    """In float64 a mean a million times the std leaves it nine digits; blocks change nothing."""
    noise = torch.randn(100, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "_BLOCK_BYTES", 8 * 5 * rows_at_once)
        table = noise + shift
        before = table.clone()
        found = embedding.moments(table)
    assert torch.equal(table, before)
    torch.testing.assert_close(found.stds, noise.std(0, correction=0), rtol=1e-8, atol=0)
    torch.testing.assert_close(found.means, table.mean(0), rtol=1e-12, atol=1e-12)


@given(seeds, st.integers(1, 40), st.integers(1, 9))
def test_a_comparison_is_torchs_own(seed: int, n: int, d: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    a[0] = 0
    found = embedding.comparison(a, b)
    expected = torch.nn.functional.cosine_similarity(a, b, dim=1)
    torch.testing.assert_close(found.cosines, expected)
    assert found.first == pytest.approx(a.norm().item())
    assert found.second == pytest.approx(b.norm().item())
    assert found.difference == pytest.approx((a - b).norm().item())
    assert embedding.comparison(a, a).difference == 0
    with pytest.raises(ValueError, match="do not pair up"):
        embedding.comparison(a, b.T.repeat(2, 2))


def test_random_groups_are_the_mean_over_their_pairs() -> None:
    """Against groups taken one by one with the same draws; zero rows have no cosine."""
    table = torch.randn(30, 7, generator=torch.Generator().manual_seed(0))
    table[3] = 0
    found = embedding.random_group_cosines(table, 5, 40, torch.Generator().manual_seed(1))
    chosen = torch.randint(30, (40, 5), generator=torch.Generator().manual_seed(1))
    each = [embedding.cosines_within(table[rows]).mean().item() for rows in chosen]
    assert found.tolist() == pytest.approx(each, abs=1e-12)


def test_percentiles_equal_torch_quantile() -> None:
    values = torch.randn(1001, generator=torch.Generator().manual_seed(0)).double()
    found = embedding.percentiles(values)
    for p, value in found.items():
        assert value == pytest.approx(torch.quantile(values, p).item())


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

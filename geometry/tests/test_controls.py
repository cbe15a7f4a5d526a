from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch

from geometric_invariants.geometry import controls, spectrum
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.latent_attention import LatentShape
from geometric_invariants.geometry.spectrum import SpectrumSummary


@pytest.mark.parametrize(("m", "n"), [(12, 12), (20, 7), (5, 40), (1, 6), (1, 1)])
def test_drawn_singular_values_are_those_of_gaussian_matrices(m: int, n: int) -> None:
    """Largest, smallest and sum of the values against SVDs of whole matrices."""
    generator = np.random.default_rng(0)
    drawn = torch.stack([controls.gaussian_singular_values(m, n, generator) for _ in range(1500)])
    whole = torch.randn(1500, m, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    reference = torch.linalg.svdvals(whole)
    assert drawn.shape == reference.shape
    assert (drawn.diff(dim=1) <= 0).all()
    for one, other in (
        (drawn[:, 0], reference[:, 0]),
        (drawn[:, -1], reference[:, -1]),
        (drawn.sum(1), reference.sum(1)),
    ):
        assert scipy.stats.ks_2samp(one.numpy(), other.numpy()).pvalue > 1e-3


STATISTICS: dict[str, Callable[[SpectrumSummary, int], float]] = {
    "stable rank": lambda summary, size: summary.stable_rank / size,
    "participation ratio": lambda summary, size: summary.participation_ratio / size,
    "active fraction": lambda summary, _: summary.active_fraction,
    "rank for 90 %": lambda summary, size: summary.rank_90 / size,
    "condition": lambda summary, _: summary.condition,
}


@pytest.mark.parametrize("shape", [(128, 128), (96, 384)])
@pytest.mark.parametrize("name", STATISTICS)
def test_random_matrices_show_the_median_that_the_null_predicts(
    shape: tuple[int, int], name: str
) -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = [torch.randn(shape, generator=generator) * 0.02 for _ in range(9)]
    summaries = [spectrum.summarize(spectrum.singular_values(matrix)) for matrix in matrices]
    statistic = STATISTICS[name]
    null = controls.random_median([shape] * 9, statistic)
    found = float(np.median([statistic(summary, min(shape)) for summary in summaries]))
    width = null.high - null.low
    assert null.low - width / 2 <= found <= null.high + width / 2


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="at least one matrix"):
        controls.random_median([], STATISTICS["condition"])


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_mean_volume_of_gaussian_points_is_sharper_than_its_draws(spread: float) -> None:
    """Against the closed form where all stds agree, and against many draws."""
    stds = torch.linspace(1 - spread, 1 + spread, 48)
    generator = torch.Generator().manual_seed(0)
    draws = [controls.per_dimension_gaussian_volumes(stds, 1_000, generator) for _ in range(100)]
    found = [controls.per_dimension_gaussian_mean(stds, volumes) for volumes in draws]
    many = controls.per_dimension_gaussian_volumes(stds, 400_000, generator)
    truth = many.mean().item() if spread else controls.gaussian_pentachoron_mean(48, 1.0)
    inside = sum(one.low - 1e-3 * truth <= truth <= one.high + 1e-3 * truth for one in found)
    assert inside >= 90
    plain = 1.96 * many.std().item() / 1_000**0.5
    assert max(one.half_width for one in found) < plain / 4


def test_gaussian_volumes_have_the_closed_forms_mean_and_cv() -> None:
    volumes = controls.gaussian_volumes(24, 0.5, 100_000, torch.Generator().manual_seed(0))
    cv = controls.gaussian_pentachoron_cv(24).value
    mean = controls.gaussian_pentachoron_mean(24, 0.5)
    assert volumes.mean().item() == pytest.approx(mean, rel=4 * cv / 100_000**0.5)
    assert (volumes.std() / volumes.mean()).item() == pytest.approx(cv, rel=0.02)


@pytest.mark.parametrize(("n", "d"), [(400, 30), (20, 30), (3000, 8)])
def test_eigenvalues_of_a_gaussian_covariance(n: int, d: int) -> None:
    """Against numpy's covariances of drawn clouds; fewer rows than dimensions leave zeros."""
    found = controls.gaussian_covariance_eigenvalues(n, d, 0.7)
    generator = np.random.default_rng(1)
    covariances = np.stack([np.cov(generator.normal(0, 0.7, (n, d)).T) for _ in range(60)])
    expected = np.linalg.eigvalsh(covariances)[:, ::-1]
    assert found.shape == (d,)
    assert (np.abs(found.numpy() - expected.mean(0)) < 5 * expected.std(0) + 1e-12).all()
    assert int((found > 1e-12).sum()) == min(n - 1, d)


def test_volumes_of_no_extent_are_dropped_not_kept_as_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    norms = torch.tensor([1.0] * 6 + [0.0] * 6)
    matched = controls.norm_matched_volumes(norms, 8, 2_000, generator)
    assert 0 < len(matched) < 2_000
    assert (matched > 0).all()
    flat = controls.per_dimension_gaussian_volumes(torch.tensor([1.0, 1, 1, 0, 0]), 50, generator)
    assert (flat > 0).all()


@pytest.mark.parametrize("layers", [1, 6, 24])
def test_the_farthest_layer_of_random_weights_falls_where_the_null_says(layers: int) -> None:
    n = 32
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(600, n, n, generator=generator).double() for _ in range(2))
    product = query @ key.mT
    shares = (torch.linalg.eigvalsh(product + product.mT) > 0).double().mean(1)
    worst = 0.5 + (shares.view(-1, layers) - 0.5).abs().amax(1)
    null = controls.random_farthest_balance(n, layers, 1.0)
    # Shares are multiples of 1/32, a step wider than half the interval.
    inside = ((worst >= null.low - 1 / n) & (worst <= null.high + 1 / n)).double().mean()
    assert inside > 0.9


def test_medians_of_many_matrices_of_a_shape_vary_less() -> None:
    """A layer's 64 experts count as one number, which is nearer the middle than one matrix's."""

    def rank(summary: SpectrumSummary, size: int) -> float:
        return summary.stable_rank / size

    shapes = [(24, 40)] * 3
    one, many = (controls.random_median(shapes, rank, counts) for counts in ([1] * 3, [64] * 3))
    assert controls.random_median(shapes, rank) == one
    assert many.high - many.low < 0.5 * (one.high - one.low)
    assert one.low < many.value < one.high


def test_the_signed_mass_of_thin_heads_is_drawn_for_as_many_as_there_are() -> None:
    shape = LatentShape(query_rank=24, key_rank=16, nope=8, rope=4, rope_scale=1.0)
    few, more = (
        controls.random_latent_signed_mass(shape, 64, heads, Sampling()) for heads in (4, 16)
    )
    assert few.value == more.value == 0
    assert few.high == pytest.approx(2 * more.high)

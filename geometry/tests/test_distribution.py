"""A sorted array answers as numpy does over the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry.distribution import distribution
from geometric_invariants.geometry.embedding import PERCENTILES
from geometric_invariants.geometry.null_distributions import gaussian_norms, random_cosines

values = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60)


@given(values, st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_statistics_are_numpys(numbers: list[float], dtype: torch.dtype) -> None:
    x = torch.tensor(numbers, dtype=torch.float64).to(dtype)
    plain = x.double().numpy()
    found = distribution(x)
    assert (len(found), found.lowest, found.highest) == (len(x), plain.min(), plain.max())
    assert found.mean == pytest.approx(plain.mean(), abs=1e-9)
    assert found.std == pytest.approx(plain.std(), abs=1e-6)
    expected = dict(zip(PERCENTILES, np.quantile(plain, PERCENTILES).tolist(), strict=True))
    assert found.percentiles() == pytest.approx(expected, abs=1e-9)


@given(values, st.floats(-1e3, 1e3), st.floats(0, 10))
def test_what_lies_near_a_mark(numbers: list[float], mark: float, radius: float) -> None:
    x = torch.tensor(numbers, dtype=torch.float64)
    found = distribution(x)
    low, high = mark - radius, mark + radius
    assert found.share_near(mark, radius) == ((x > low) & (x < high)).double().mean().item()
    assert abs(found.nearest(mark) - mark) == (x - mark).abs().min().item()


@given(values, st.integers(1, 20))
def test_shares_are_numpys_histogram(numbers: list[float], bins: int) -> None:
    x = torch.tensor(numbers, dtype=torch.float64)
    edges = torch.linspace(-1e3, 1e3, bins + 1, dtype=torch.float64)
    expected = np.histogram(x.numpy(), edges.numpy())[0] / len(x)
    assert distribution(x).shares(edges).tolist() == pytest.approx(expected.tolist())


def test_nothing_has_no_distribution() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        distribution(torch.empty(0))


@pytest.mark.parametrize("d", [2, 3, 384, 4096])
def test_nulls_are_scipys(d: int) -> None:
    """χ and a stretched beta of scipy.stats."""
    pairs = (
        (gaussian_norms(d, 0.3), scipy.stats.chi(d, scale=0.3)),
        (random_cosines(d), scipy.stats.beta((d - 1) / 2, (d - 1) / 2, loc=-1, scale=2)),
    )
    for ours, theirs in pairs:
        assert ours.mean == pytest.approx(theirs.mean(), abs=1e-9)
        assert ours.std == pytest.approx(theirs.std(), rel=1e-6)
        at = theirs.ppf(np.linspace(0.001, 0.999, 30))
        assert ours.share_below(at).tolist() == pytest.approx(theirs.cdf(at).tolist(), abs=1e-9)
        percentiles = dict(zip(PERCENTILES, theirs.ppf(PERCENTILES).tolist(), strict=True))
        assert ours.percentiles() == pytest.approx(percentiles, rel=1e-6, abs=1e-9)
        assert ours.shares(torch.tensor(at)).sum().item() == pytest.approx(0.998)


def test_nulls_are_what_gaussian_points_show() -> None:
    rows = torch.randn(4_000, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows *= 0.4
    norms = torch.linalg.vector_norm(rows, dim=1)
    distances = torch.linalg.vector_norm(rows[::2] - rows[1::2], dim=1)
    cosines = torch.nn.functional.cosine_similarity(rows[::2], rows[1::2], dim=1)
    for drawn, null in (
        (norms, gaussian_norms(24, 0.4)),
        (distances, gaussian_norms(24, 0.4 * 2**0.5)),
        (cosines, random_cosines(24)),
    ):
        assert scipy.stats.kstest(drawn.numpy(), null.share_below).pvalue > 1e-3
    near = distribution(cosines).share_near(0.1, 0.05)
    assert random_cosines(24).share_near(0.1, 0.05) == pytest.approx(near, abs=0.03)

"""A wide table laid over a narrow one: planted maps, noise, and what NumPy says of the rest."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.projection import PERCENTILES, Projection, Spread, lay, project


def laid_and_measured(
    source: torch.Tensor, target: torch.Tensor, pairs: tuple[torch.Tensor, torch.Tensor]
) -> Projection:
    return project(lay(source, target, pairs, Sampling()), Sampling())


def tables(
    n: int, wide: int, narrow: int, noise: float
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """A wide table whose leading directions hold a narrow one, turned, shifted, in other rows."""
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(n, narrow, generator=generator, dtype=torch.float64) + 0.5
    basis = torch.linalg.qr(torch.randn(wide, wide, generator=generator, dtype=torch.float64))[0]
    source = (target - 0.5) @ basis[:narrow] + noise * torch.randn(
        n, wide, generator=generator, dtype=torch.float64
    )
    order = torch.randperm(n, generator=generator)
    return source[order] + 2, target, (torch.argsort(order), torch.arange(n))


def test_a_planted_projection_is_found_and_its_null_is_not() -> None:
    source, target, pairs = tables(900, 24, 8, 0.0)
    found = laid_and_measured(source, target, pairs)
    assert found.kept == pytest.approx(1)
    assert found.fit.cosine.mean.value == pytest.approx(1)
    assert found.fit.relational.correlation.value == pytest.approx(1)
    assert found.fit.unexplained == pytest.approx(0, abs=1e-12)
    assert found.fit.volumes.correlation == pytest.approx(1)
    assert found.fit.volumes.ratio == pytest.approx(1)
    assert found.fit.uncentred == pytest.approx(0, abs=1e-12)
    assert found.fit.above[0.99] == 1.0
    assert found.neighbours.value > 0.6  # the source's own mean shifts its cosines
    assert found.cka == pytest.approx(1)
    assert found.null.cosine.mean.value < 0.5
    assert found.null.relational.correlation.value < 0.9
    assert abs(found.cka_null) < 0.05
    assert found.neighbours_null.value < 0.1
    torch.testing.assert_close(found.map(source[pairs[0]]), target, atol=1e-9, rtol=0)
    assert found.laid.anchors + len(found.laid.held_out) == found.laid.pairs


@given(st.floats(0.02, 0.5))
@settings(max_examples=10)
def test_more_noise_fits_worse(noise: float) -> None:
    source, target, pairs = tables(300, 12, 6, noise)
    noisier = tables(300, 12, 6, 2 * noise)[0]
    one, two = (laid_and_measured(rows, target, pairs).fit for rows in (source, noisier))
    assert one.cosine.mean.value > two.cosine.mean.value
    assert one.unexplained < two.unexplained
    assert one.relational.correlation.value > two.relational.correlation.value


def test_best_and_worst_are_the_ends_of_the_cosines() -> None:
    source, target, pairs = tables(300, 12, 6, 0.5)
    fit = laid_and_measured(source, target, pairs).fit
    assert [v for _, v in fit.best] == sorted((v for _, v in fit.best), reverse=True)
    assert fit.best[-1][1] >= fit.cosine.percentiles[0.5] >= fit.worst[-1][1] >= fit.worst[0][1]


def test_what_cannot_be_projected() -> None:
    few = torch.arange(12)
    with pytest.raises(ValueError, match="12 tokens in common are too few"):
        lay(torch.randn(40, 8), torch.randn(40, 4), (few, few), Sampling())
    with pytest.raises(ValueError, match="fewer than 8"):
        lay(torch.randn(40, 4), torch.randn(40, 8), (few, few), Sampling())


@given(st.integers(2, 50), st.integers(0, 99))
def test_a_spread_is_numpys(n: int, seed: int) -> None:
    values = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = Spread.of(values)
    assert found.std == pytest.approx(np.std(values.numpy()))
    assert (found.lowest, found.highest) == (values.min().item(), values.max().item())
    for share in PERCENTILES:
        assert found.percentiles[share] == pytest.approx(np.quantile(values.numpy(), share))


def test_the_cell_alone_is_that_of_the_whole_measurement() -> None:
    """Random twins are measured by `relational` alone."""
    source, target, pairs = tables(300, 12, 6, 0.3)
    laid = lay(source, target, pairs, Sampling())
    alone, whole = laid.relational, project(laid, Sampling()).fit
    assert alone.correlation.value == pytest.approx(whole.relational.correlation.value, abs=1e-12)


def test_the_uncentred_residual_is_that_of_its_second_moments() -> None:
    source, target, pairs = tables(300, 12, 6, 0.3)
    found = laid_and_measured(source, target, pairs)
    residual = (
        target[found.laid.held_out] - found.map(source[pairs[0][found.laid.held_out]])
    ).numpy()
    largest = np.linalg.svd(residual, compute_uv=False)[0] ** 2 / len(residual)
    assert found.fit.uncentred == pytest.approx(largest)
    centred = np.linalg.eigvalsh(np.cov(residual.T))[-1]
    assert found.fit.residual.eigenvalues[0].item() == pytest.approx(centred)


def test_the_shares_above_a_cosine_count_tokens() -> None:
    source, target, pairs = tables(300, 12, 6, 0.5)
    fit = laid_and_measured(source, target, pairs).fit
    values = fit.cosine.values.numpy()
    for threshold, share in fit.above.items():
        assert share == pytest.approx((values > threshold).mean())

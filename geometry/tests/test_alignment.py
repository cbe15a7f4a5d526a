from __future__ import annotations

import numpy as np
import procrustes
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.alignment import (
    orthogonal_procrustes,
    principal_components,
    project,
)
from geometry.estimate import Sampling


def planted(d: int, seed: int, *, reflect: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(40, d, generator=generator, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0]
    if (torch.linalg.det(turn) < 0) != reflect:
        turn[:, 0] *= -1
    return rows, turn, torch.randn(d, generator=generator, dtype=torch.float64)


@given(st.integers(1, 12), st.integers(0, 999), st.booleans())
def test_a_planted_turn_and_shift_are_recovered(d: int, seed: int, reflect: bool) -> None:
    rows, turn, shift = planted(d, seed, reflect=reflect)
    found = orthogonal_procrustes(rows, rows @ turn + shift)
    torch.testing.assert_close(found.rotation, turn, atol=1e-9, rtol=0)
    torch.testing.assert_close(found.map(rows), rows @ turn + shift, atol=1e-9, rtol=0)


@given(st.integers(1, 12), st.integers(0, 999), st.floats(0.01, 3), st.floats(0.1, 10))
def test_with_noise_and_scale_it_is_scipys(d: int, seed: int, noise: float, scale: float) -> None:
    rows, turn, shift = planted(d, seed, reflect=False)
    generator = torch.Generator().manual_seed(seed + 1)
    target = scale * (rows @ turn + noise * torch.randn(40, d, generator=generator)) + shift
    found = orthogonal_procrustes(rows, target)
    expected, _ = scipy.linalg.orthogonal_procrustes(
        (rows - rows.mean(0)).numpy(), (target - target.mean(0)).numpy()
    )
    torch.testing.assert_close(found.rotation, torch.from_numpy(expected), atol=1e-7, rtol=0)
    eye = torch.eye(d, dtype=torch.float64)
    torch.testing.assert_close(found.rotation @ found.rotation.mT, eye, atol=1e-10, rtol=0)


@given(st.integers(2, 30), st.integers(2, 9), st.integers(0, 99))
def test_components_are_those_of_the_svd(n: int, d: int, seed: int) -> None:
    rows = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    k = min(d, n - 1)
    found = principal_components(rows, k)
    centred = (rows - rows.mean(0)).numpy()
    values = np.linalg.svd(centred, compute_uv=False)
    projected = found.project(rows)
    np.testing.assert_allclose(
        torch.linalg.vector_norm(projected, dim=0).numpy(), values[:k], atol=1e-7
    )
    kept = (values[:k] ** 2).sum() / (values**2).sum()
    assert found.share == pytest.approx(kept, abs=1e-9)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="do not pair up"):
        orthogonal_procrustes(torch.ones(3, 2), torch.ones(4, 2))
    with pytest.raises(ValueError, match="no 3 principal components"):
        principal_components(torch.ones(5, 2), 3)


def test_the_published_example_of_a_procrustes_library() -> None:
    generator = np.random.default_rng(0)
    a = generator.random((5, 3))
    b = a @ scipy.stats.ortho_group.rvs(3, random_state=0) + generator.random((1, 3))
    theirs = procrustes.orthogonal(a, b, translate=True, scale=False)
    ours = orthogonal_procrustes(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(ours.rotation.numpy(), theirs.t, atol=1e-10)
    assert theirs.error == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(ours.map(torch.from_numpy(a)).numpy(), b, atol=1e-10)


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
    found = project(source, target, pairs, Sampling())
    assert found.kept == pytest.approx(1)
    assert found.fit.cosine.mean.value == pytest.approx(1)
    assert found.fit.relational.value == pytest.approx(1)
    assert found.fit.unexplained == pytest.approx(0, abs=1e-12)
    assert found.fit.volumes == pytest.approx(1)
    assert found.fit.cv_mapped == pytest.approx(found.fit.cv_native)
    assert found.fit.above[0.99] == 1.0
    assert found.neighbours.value > 0.6  # the source's own mean shifts its cosines
    assert found.cka == pytest.approx(1)
    assert found.null.cosine.mean.value < 0.5
    assert found.null.relational.value < 0.9
    assert abs(found.cka_null) < 0.05
    assert found.neighbours_null.value < 0.1
    torch.testing.assert_close(found.map(source[pairs[0]]), target, atol=1e-9, rtol=0)
    assert found.anchors + len(found.held_out) == found.pairs


@given(st.floats(0.02, 0.5))
@settings(max_examples=10)
def test_more_noise_fits_worse(noise: float) -> None:
    source, target, pairs = tables(300, 12, 6, noise)
    noisier = tables(300, 12, 6, 2 * noise)[0]
    one, two = (project(rows, target, pairs, Sampling()).fit for rows in (source, noisier))
    assert one.cosine.mean.value > two.cosine.mean.value
    assert one.unexplained < two.unexplained
    assert one.relational.value > two.relational.value


def test_best_and_worst_are_the_ends_of_the_cosines() -> None:
    source, target, pairs = tables(300, 12, 6, 0.5)
    fit = project(source, target, pairs, Sampling()).fit
    assert [v for _, v in fit.best] == sorted((v for _, v in fit.best), reverse=True)
    assert fit.best[-1][1] >= fit.cosine.percentiles[0.5] >= fit.worst[-1][1] >= fit.worst[0][1]


def test_what_cannot_be_projected() -> None:
    few = torch.arange(12)
    with pytest.raises(ValueError, match="12 tokens in common are too few"):
        project(torch.randn(40, 8), torch.randn(40, 4), (few, few), Sampling())
    with pytest.raises(ValueError, match="fewer than 8"):
        project(torch.randn(40, 4), torch.randn(40, 8), (few, few), Sampling())

from __future__ import annotations

import numpy as np
import procrustes
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry.alignment import orthogonal_procrustes, principal_components


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
    centred, theirs = (rows - rows.mean(0)).numpy(), (target - target.mean(0)).numpy()
    expected, singular_sum = scipy.linalg.orthogonal_procrustes(centred, theirs)
    torch.testing.assert_close(found.rotation, torch.from_numpy(expected), atol=1e-7, rtol=0)
    eye = torch.eye(d, dtype=torch.float64)
    torch.testing.assert_close(found.rotation @ found.rotation.mT, eye, atol=1e-10, rtol=0)
    assert found.singular_sum == pytest.approx(singular_sum)
    turned = centred @ expected
    assert found.factor == pytest.approx(np.vdot(turned, theirs) / np.vdot(turned, turned))


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

"""Indices of likeness of paired clouds, against their definitions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from geometric_invariants.geometry.similarity import linear_cka, paired_volumes, shared_neighbours
from geometric_invariants.geometry.simplex import draw_index_sets, squared_volumes_of_rows


def clouds(n: int, p: int, q: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, p, generator=generator, dtype=torch.float64)
    return x, torch.randn(n, q, generator=generator, dtype=torch.float64)


def turn(d: int, seed: int) -> torch.Tensor:
    """A random orthogonal map of ℝᵈ."""
    found: torch.Tensor = torch.linalg.qr(clouds(d, d, d, seed)[0])[0]
    return found


def hsic_by_definition(x: torch.Tensor, y: torch.Tensor) -> float:
    """Song et al. 2012, equation 5, from the n × n kernels."""
    n = len(x)
    k, kl = (rows @ rows.mT for rows in (x, y))
    k.fill_diagonal_(0)
    kl.fill_diagonal_(0)
    ends = k.sum() * kl.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ kl).sum()
    return ((torch.trace(k @ kl) + ends) / (n * (n - 3))).item()


@given(st.integers(4, 30), st.integers(1, 8), st.integers(1, 8), st.integers(0, 99))
def test_cka_is_its_definition_and_knows_no_rotation_or_scale(
    n: int, p: int, q: int, seed: int
) -> None:
    x, y = clouds(n, p, q, seed)
    y = y + x[:, :1]
    scale = hsic_by_definition(x, x) * hsic_by_definition(y, y)
    assume(scale > 1e-6)
    assert linear_cka(x, y) == pytest.approx(hsic_by_definition(x, y) / scale**0.5, abs=1e-9)
    turned = 3 * x @ turn(p, seed) + 5
    assert linear_cka(turned, y) == pytest.approx(linear_cka(x, y), abs=1e-9)
    assert linear_cka(x, turned) == pytest.approx(1)


def test_cka_of_independent_clouds_is_zero_however_wide() -> None:
    found = [linear_cka(*clouds(60, 200, 100, seed)) for seed in range(40)]
    assert abs(sum(found)) / 40 < 3 * torch.tensor(found).std().item() / 40**0.5


@given(st.integers(12, 60), st.integers(2, 8), st.integers(1, 9), st.integers(0, 99))
def test_neighbours_are_shared_wholly_or_by_chance(n: int, d: int, k: int, seed: int) -> None:
    x, y = clouds(n, d, d, seed)
    assert shared_neighbours(x, x @ turn(d, seed), k).value == 1
    unit = [rows / rows.norm(dim=1, keepdim=True) for rows in (x, y)]
    near = [(u @ u.mT).fill_diagonal_(-2).topk(k).indices.tolist() for u in unit]
    shares = [len(set(a) & set(b)) / k for a, b in zip(*near, strict=True)]
    assert shared_neighbours(x, y, k).value == pytest.approx(sum(shares) / n)


def test_too_few_rows() -> None:
    with pytest.raises(ValueError, match="at least 4 pairs"):
        linear_cka(torch.ones(3, 2), torch.ones(3, 2))
    with pytest.raises(ValueError, match="no 5 neighbours"):
        shared_neighbours(torch.ones(5, 2), torch.ones(5, 2), 5)


@given(st.integers(4, 9), st.integers(0, 99))
def test_volumes_of_a_turned_cloud_are_its_own(d: int, seed: int) -> None:
    x, y = clouds(20, d, d, seed)
    sets = draw_index_sets(20, 50, 5, torch.Generator().manual_seed(seed))
    found = paired_volumes(x, x @ turn(d, seed), sets)
    assert found.dropped == 0
    torch.testing.assert_close(found.first, found.second, rtol=1e-7, atol=0)
    other = paired_volumes(x, y, sets)
    torch.testing.assert_close(other.second, squared_volumes_of_rows(y, sets).sqrt())


def test_a_degenerate_simplex_leaves_both_lists_and_the_others_stay_paired() -> None:
    x, _ = clouds(30, 6, 6, 0)
    flat = 2 * x
    flat[1] = flat[0]  # two words of one synset have one encoding
    sets = draw_index_sets(30, 2_000, 5, torch.Generator().manual_seed(0))
    found = paired_volumes(x, flat, sets)
    both = (sets == 0).any(1) & (sets == 1).any(1)
    untouched = ~((sets == 0) | (sets == 1)).any(1)
    assert found.dropped >= int(both.sum()) > 10
    assert len(found.first) == len(found.second) == 2_000 - found.dropped
    kept = squared_volumes_of_rows(x, sets[~both]).sqrt()
    torch.testing.assert_close(found.first, kept)
    alike = untouched[~both]
    torch.testing.assert_close(16 * found.first[alike], found.second[alike])
    assert (found.second > 0).all()
    with pytest.raises(ValueError, match="50 of 50 simplices are degenerate"):
        paired_volumes(x, torch.ones(30, 6), sets[:50])

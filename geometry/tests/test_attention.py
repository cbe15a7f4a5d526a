from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry import attention, controls
from geometric_invariants.geometry.estimate import Sampling

seeds = st.integers(0, 2**31 - 1)


def weights(seed: int, rows: int, d: int) -> Tensor:
    return torch.randn(rows, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seeds, st.integers(1, 4), st.integers(1, 5), st.integers(1, 12), st.sampled_from([1, 2]))
def test_head_signs_equal_the_full_form(
    seed: int, heads: int, dim: int, d: int, group: int
) -> None:
    """The 2·d_head problem against eigenvalues of the d × d matrix, grouped keys included."""
    query, key = weights(seed, heads * group * dim, d), weights(seed + 1, heads * dim, d)
    found = attention.head_signs(query, key, heads * group, heads)
    for h, head in enumerate(found):
        q = query[h * dim : (h + 1) * dim]
        k = key[(h // group) * dim : (h // group + 1) * dim]
        bilinear = q.mT @ k
        values = torch.linalg.eigvalsh((bilinear + bilinear.mT) / 2)
        mass = (values.sum() / values.abs().sum()).item()
        assert head.signed_mass == pytest.approx(mass, abs=1e-9)
        assert head.signs.positive == int((values > 1e-9).sum())
        assert head.signs.negative == int((values < -1e-9).sum())
        assert head.signs.positive + head.signs.negative + head.signs.zero == d


@given(seeds, st.integers(1, 4), st.integers(1, 6), st.integers(0, 9))
def test_sylvester_fixes_the_balance_of_thin_heads(
    seed: int, heads: int, dim: int, extra: int
) -> None:
    d = 2 * dim + extra
    for head in attention.head_signs(
        weights(seed, heads * dim, d), weights(seed + 1, heads * dim, d), heads
    ):
        assert (head.signs.positive, head.signs.negative) == (dim, dim)
        assert head.signs.zero == d - 2 * dim


@given(seeds, st.integers(1, 5), st.integers(3, 9))
def test_equal_query_and_key_weigh_all_positive(seed: int, dim: int, d: int) -> None:
    query = weights(seed, dim, d)
    (head,) = attention.head_signs(query, query, 1)
    assert head.signed_mass == pytest.approx(1.0)
    assert head.signs.negative == 0
    (opposed,) = attention.head_signs(query, -query, 1)
    assert opposed.signed_mass == pytest.approx(-1.0)


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_output_form_against_the_definition(seed: int, inner: int, d: int) -> None:
    query, key = weights(seed, inner, d), weights(seed + 1, inner, d)
    form = attention.output_form(query, key)
    product = query @ key.mT
    singular = torch.linalg.svdvals(product)
    assert form.stable_rank == pytest.approx(
        (singular.square().sum() / singular[0] ** 2).item(), rel=1e-6
    )
    assert form.symmetry_deviation == pytest.approx(
        ((product - product.mT).square().sum().sqrt() / product.square().sum().sqrt()).item()
    )
    values = torch.linalg.eigvalsh((product + product.mT) / 2)
    assert form.signs.positive == int((values > 1e-10).sum())
    assert form.signs.positive + form.signs.negative + form.signs.zero == inner
    assert form.descending == pytest.approx(values.flip(0).tolist(), abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(256, 256), (128, 400), (300, 100)])
def test_random_eigenvalues_follow_their_closed_form(n: int, d: int) -> None:
    """Also where the product cannot have full rank: n = 300 from d = 100."""
    form = attention.output_form(0.3 * weights(0, n, d), 2 * weights(1, n, d))
    found = torch.tensor(form.descending) / attention.random_rms(n, d, 0.3, 2.0)
    null = torch.tensor(attention.random_descending(n, d))
    assert len(null) == len(found) == 64
    assert (found - null).abs().mean() < 0.04
    assert (found - null).abs().max() < 0.2
    assert null.square().mean().item() == pytest.approx(1, abs=0.1)


def test_random_square_weights_balance_at_one_half() -> None:
    scores = [
        attention.output_form(weights(seed, 256, 256), weights(seed + 100, 256, 256)).z_score
        for seed in range(12)
    ]
    assert abs(sum(scores) / len(scores)) < 1.5
    assert torch.tensor(scores).std().item() == pytest.approx(1.0, abs=0.6)


@pytest.mark.parametrize(("dim", "d"), [(8, 64), (16, 20)])
def test_random_heads_show_the_drawn_null(dim: int, d: int) -> None:
    heads = 400
    found = attention.head_signs(weights(0, heads * dim, d), weights(1, heads * dim, d), heads)
    null = controls.random_signed_mass(dim, d, heads, Sampling())
    mean = sum(head.signed_mass for head in found) / heads
    assert abs(mean) < 2.2 * null.half_width


def test_shapes_that_do_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match="do not split into 3 query"):
        attention.head_signs(weights(0, 8, 4), weights(0, 8, 4), 3)
    with pytest.raises(ValueError, match="must match"):
        attention.output_form(weights(0, 8, 4), weights(0, 4, 4))

from __future__ import annotations

import pytest
import torch

from geometric_invariants.geometry.low_rank import numerical_rank, product_singular_values


@pytest.mark.parametrize(
    ("m", "r", "n"), [(40, 4, 30), (30, 4, 40), (3, 5, 7), (7, 5, 3), (6, 1, 6)]
)
def test_spectrum_of_a_product_is_that_of_the_matrix(m: int, r: int, n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(m, r, generator=generator, dtype=torch.float64)
    right = torch.randn(r, n, generator=generator, dtype=torch.float64)
    values = product_singular_values(left, right)
    expected = torch.linalg.svdvals(left @ right)[: min(m, r, n)]
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-12)
    assert numerical_rank(values, (m, n)) == torch.linalg.matrix_rank(left @ right)


def test_factors_that_repeat_each_other_have_the_rank_of_one() -> None:
    left, right = torch.ones(50, 4), torch.arange(4.0)[:, None] * torch.ones(4, 20)
    values = product_singular_values(left, right)
    assert numerical_rank(values, (50, 20)) == 1
    assert values[0] == pytest.approx(6 * 1000**0.5)
    assert numerical_rank(product_singular_values(left * 0, right), (50, 20)) == 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[2, 3\] · \[2, 3\] is no product"):
        product_singular_values(torch.ones(2, 3), torch.ones(2, 3))

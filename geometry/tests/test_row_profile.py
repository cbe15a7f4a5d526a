from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.geometry import controls, rounding
from geometric_invariants.geometry.rounding import Rounding
from geometric_invariants.geometry.row_profile import row_profile, row_profile_of

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
roundings = st.builds(
    Rounding, st.floats(0, 0.1), st.floats(0, 0.1), st.integers(0, 50), st.floats(0, 0.1)
)


def gaussian(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


@given(shapes, st.integers(1, 50), st.integers(0, 9))
def test_blocks_sum_to_the_matrix(shape: tuple[int, int], most: int, seed: int) -> None:
    matrix = gaussian(*shape, seed=seed).double()
    profile = row_profile(matrix, most)
    assert len(profile.norms) == math.ceil(shape[0] / profile.step) <= most
    assert sum(profile.sums) == pytest.approx(matrix.sum().item(), abs=1e-9)
    assert math.hypot(*profile.norms) == pytest.approx(matrix.norm().item())
    blocks = matrix.split(profile.step)
    assert profile.norms == pytest.approx([block.norm().item() for block in blocks])
    assert 1 / shape[0] - 1e-9 <= profile.participation <= 1 + 1e-9


@given(shapes, st.integers(1, 50), roundings, st.integers(0, 9))
def test_noise_is_what_errors_of_these_sizes_add_up_to(
    shape: tuple[int, int], most: int, rounded: Rounding, seed: int
) -> None:
    """Entry by entry, as the definition says it."""
    matrix = gaussian(*shape, seed=seed).double()
    profile = row_profile(matrix, most, rounded)
    if rounded.is_exact:
        assert profile.norm_noise == profile.sum_noise == ()
        return
    variance = torch.empty_like(matrix)
    group = rounded.group or shape[1]
    for row, entries in enumerate(matrix):
        for first in range(0, shape[1], group):
            members = entries[first : first + group]
            peak = (members if rounded.group else matrix).abs().max()
            variance[row, first : first + group] = (
                (rounded.of_value * members) ** 2
                + (rounded.of_peak * peak) ** 2
                + rounded.absolute**2
            )
    blocks = zip(matrix.split(profile.step), variance.split(profile.step), strict=True)
    norm_noise, sum_noise = [], []
    for block, errors in blocks:
        norm_noise.append(((block**2 * errors).sum() / block.square().sum()).sqrt().item())
        sum_noise.append(errors.sum().sqrt().item())
    assert profile.norm_noise == pytest.approx(norm_noise)
    assert profile.sum_noise == pytest.approx(sum_noise)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16])
def test_rounding_to_floats_is_as_predicted(dtype: torch.dtype) -> None:
    matrix = gaussian(200, 300)
    error = (matrix.to(dtype).float() - matrix).norm() / matrix.norm()
    assert rounding.of_floats(dtype).expected() == pytest.approx(error.item(), rel=0.03)


@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("group", [32, 128])
def test_rounding_to_integers_is_as_predicted(bits: int, group: int) -> None:
    matrix = gaussian(256, 256).reshape(-1, group)
    step = 2 * matrix.abs().amax(1, keepdim=True) / (2**bits - 1)
    error = ((matrix / step - 0.5).round() + 0.5) * step - matrix
    predicted = rounding.of_integers(bits, group).expected()
    assert predicted == pytest.approx((error.norm() / matrix.norm()).item(), rel=0.05)


@settings(max_examples=20)
@given(st.integers(2, 60), st.integers(1, 60), st.integers(0, 9))
def test_gaussian_rows_have_the_participation_of_the_null(m: int, n: int, seed: int) -> None:
    found = [row_profile(gaussian(m, n, seed + 97 * i), m).participation for i in range(60)]
    mean = sum(1 / one for one in found) / len(found)
    assert controls.gaussian_row_participation(m, n) == pytest.approx(1 / mean, rel=0.2)


def test_one_row_of_many_holds_everything() -> None:
    matrix = torch.zeros(8, 3)
    assert row_profile(matrix, 8).participation == 0
    matrix[3] = 2
    assert row_profile(matrix, 8).participation == pytest.approx(1 / 8)
    assert row_profile(torch.ones(7, 3), 3).participation == pytest.approx(1)


@given(shapes, st.integers(1, 50), roundings, st.integers(1, 7))
def test_rows_may_come_in_blocks(
    shape: tuple[int, int], most: int, rounding: Rounding, size: int
) -> None:
    matrix = gaussian(*shape)
    found = row_profile_of(lambda: iter(matrix.split(size)), most, rounding)
    assert found == row_profile(matrix, most, rounding)


@pytest.mark.parametrize(("shape", "most"), [((0, 3), 2), ((3,), 2), ((2, 2), 0)])
def test_what_has_no_blocks_is_refused(shape: tuple[int, ...], most: int) -> None:
    with pytest.raises(ValueError, match="rows of a tensor"):
        row_profile(torch.zeros(shape), most)

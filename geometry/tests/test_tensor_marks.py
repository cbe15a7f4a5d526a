"""Damage planted in tensors, and found again."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry.tensor_marks import Marker, TensorMarks, is_zero, tensor_marks

_FLOATS = [torch.float32, torch.float16, torch.bfloat16, torch.float64]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 + torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@given(
    st.integers(1, 90),
    st.sampled_from([3, 17, 128, 200, 300]),
    st.sampled_from(_FLOATS),
    st.lists(st.integers(1, 30), max_size=4),
    st.data(),
)
def test_blocks_and_the_whole_show_the_same(
    rows: int, columns: int, dtype: torch.dtype, cuts: list[int], data: st.DataObject
) -> None:
    matrix = drawn(rows, columns).to(dtype)
    first = data.draw(st.integers(0, rows - 1))
    matrix[first : first + data.draw(st.integers(0, 40))] = 0
    marker = Marker(rows)
    for block in matrix.tensor_split(sorted(cuts)):
        assert marker.add(block)
    assert marker.marks() == tensor_marks(matrix)


@given(st.sampled_from([64, 128, 200, 384, 1000]), st.sampled_from(_FLOATS[:3]), st.data())
def test_a_page_of_zeros_is_found_wherever_it_lies(
    columns: int, dtype: torch.dtype, data: st.DataObject
) -> None:
    page = 4096 // dtype.itemsize
    matrix = drawn(8 * page // columns + 1, columns).to(dtype)
    start = data.draw(st.integers(0, matrix.numel() - page))
    assert tensor_marks(matrix).zero_spans == ()
    matrix.view(-1)[start : start + page] = 0
    (span,) = tensor_marks(matrix).zero_spans
    assert start <= span[0] < span[1] <= start + page
    assert (span[1] - span[0]) * dtype.itemsize >= 3072


@given(st.lists(st.sampled_from(["zero", "constant", ""]), min_size=1, max_size=40))
def test_rows_of_one_number_are_told_from_rows_of_zeros(kinds: list[str]) -> None:
    matrix = drawn(len(kinds), 16)
    for row, kind in enumerate(kinds):
        if kind:
            matrix[row] = 0.0 if kind == "zero" else 0.5
    found = tensor_marks(matrix)
    for kind, runs in (("zero", found.zero_rows), ("constant", found.constant_rows)):
        rows = [row for first, last in runs for row in range(first, last + 1)]
        assert rows == [row for row, own in enumerate(kinds) if own == kind]
    assert found.is_zero == is_zero(matrix) == (set(kinds) == {"zero"})


@given(st.sets(st.integers(0, 99), min_size=1, max_size=8), st.sampled_from([1, 20]))
def test_rows_beyond_all_others_are_the_outliers(places: set[int], columns: int) -> None:
    matrix = drawn(100, columns)
    matrix[sorted(places), 0] = -torch.arange(500.0, 500.0 + len(places))
    found = tensor_marks(matrix.flatten() if columns == 1 else matrix)
    assert found.outliers == tuple(sorted(places))
    assert found.gap > 400
    assert found.largest == 499 + len(places)


@pytest.mark.parametrize("dtype", _FLOATS)
def test_codes_are_told_from_numbers(dtype: torch.dtype) -> None:
    gaussian = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    assert tensor_marks(gaussian.to(dtype)).codes == ""
    assert tensor_marks((40 * gaussian).round().to(dtype)).codes == "integers"
    scaled = gaussian * (448 / gaussian.abs().max())
    assert tensor_marks(scaled.to(torch.float8_e4m3fn).to(dtype)).codes == "float8"
    assert tensor_marks(gaussian.to(torch.float8_e4m3fn).to(dtype)).codes == ""
    assert tensor_marks(gaussian.sign().to(dtype)).codes == ""


def test_what_is_not_finite_is_said_and_left_out() -> None:
    matrix = drawn(4, 20)
    for value in (float("nan"), float("inf"), -float("inf")):
        spoilt = matrix.clone()
        spoilt[2, 7] = value
        assert not Marker(4).add(spoilt)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0), (2, 3, 4), (5,), ()])
def test_tensors_of_any_shape_have_marks(shape: tuple[int, ...]) -> None:
    found = tensor_marks(torch.full(shape, 0.5))
    assert not found.is_zero
    assert found.largest == (0.5 if 0 not in shape else 0.0)


def test_a_tensor_of_no_floats_has_none() -> None:
    assert tensor_marks(torch.arange(5)) == TensorMarks(5, 1)


def test_shares_of_a_sample() -> None:
    matrix = torch.randn(256, 256, generator=torch.Generator().manual_seed(0))
    sound = tensor_marks(matrix)
    assert (sound.zeros, sound.at_largest) == (0.0, 1 / 256)
    assert 0.2 < sound.flatness < 0.45
    assert tensor_marks(matrix.sign()).flatness == 1
    assert tensor_marks(matrix.sign()).distinct == 2
    assert tensor_marks(matrix.clamp(-1, 1)).at_largest == 1
    pruned = tensor_marks(torch.where(matrix.abs() < 0.5, 0.0, matrix)).zeros
    assert pruned == pytest.approx(0.38, abs=0.02)

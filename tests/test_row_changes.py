"""What rounding does to rows passes, what it does not fails: over matrices of many kinds."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry.rounding import EXACT, Rounding, of_floats, of_integers
from geometric_invariants.geometry.row_profile import row_profile
from geometric_invariants.reports import row_changes
from geometric_invariants.reports.profiles import Profile, packed

TRIALS = 150
GROUP = 32
EIGHT_BITS = of_floats(torch.float8_e4m3fn, 0)


def told(matrix: Tensor, rounding: Rounding = EXACT, most: int = 1024) -> dict[str, Profile]:
    found = row_profile(matrix, most, rounding)
    profile = Profile(
        "w",
        found.rows,
        found.columns,
        found.step,
        packed(found.norms),
        packed(found.sums),
        packed(found.norm_noise),
        packed(found.sum_noise),
        "" if rounding.is_exact else "codes",
        found.group,
    )
    return {"w": profile}


def moved(old: Tensor, new: Tensor, rounding: Rounding, most: int = 1024) -> list[str]:
    return row_changes.compare(told(old, most=most), told(new, rounding, most)).moved


def weights(kind: str, rows: int, columns: int, seed: int) -> Tensor:
    """Entries as trained matrices have them: Gaussian, heavy-tailed, uneven by row or column."""
    generator = torch.Generator().manual_seed(seed)
    entries = torch.randn(rows, columns, generator=generator)
    if kind == "heavy tails":
        entries /= (torch.randn(4, rows, columns, generator=generator) ** 2).mean(0).sqrt()
    elif kind == "uneven rows":
        entries *= torch.randn(rows, 1, generator=generator).exp()
    elif kind == "large columns":
        entries[:, ::37] *= 20
    elif kind == "mostly zero":
        entries *= torch.rand(rows, columns, generator=generator) < 0.1
    elif kind == "of one sign":
        entries = entries.abs() + 1
    return 0.04 * entries


KINDS = ("Gaussian", "heavy tails", "uneven rows", "large columns", "mostly zero", "of one sign")
matrices = st.builds(
    weights,
    st.sampled_from(KINDS),
    st.integers(1, 200),
    st.integers(1, 12).map(lambda n: n * GROUP),
    st.integers(0, 1000),
)


def integers(matrix: Tensor, bits: int, *, symmetric: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Codes less zero points [groups, 32], scales and zero points [groups, 1], to the nearest."""
    groups = matrix.reshape(-1, GROUP)
    if symmetric:
        top = 2 ** (bits - 1) - 1
        scale = (groups.abs().amax(1, keepdim=True) / top).clamp(min=1e-12)
        return (groups / scale).round(), scale, torch.zeros_like(scale)
    low = groups.amin(1, keepdim=True).clamp(max=0)
    scale = ((groups.amax(1, keepdim=True).clamp(min=0) - low) / (2**bits - 1)).clamp(min=1e-12)
    zero = (-low / scale).round()
    return (groups / scale + zero).round().clamp(0, 2**bits - 1) - zero, scale, zero


@settings(max_examples=TRIALS)
@given(matrices, st.integers(3, 8), st.booleans(), st.sampled_from([1024, 64, 4]))
def test_rounding_to_the_nearest_integer_raises_no_alarm(
    matrix: Tensor, bits: int, symmetric: bool, most: int
) -> None:
    codes, scale, _ = integers(matrix, bits, symmetric=symmetric)
    rounded = (codes * scale.bfloat16().float()).reshape(matrix.shape)
    assert moved(matrix, rounded, of_integers(bits, GROUP), most) == []


@settings(max_examples=TRIALS // 3)
@given(matrices, st.sampled_from([1024, 4]))
def test_rounding_to_eight_bit_floats_raises_no_alarm(matrix: Tensor, most: int) -> None:
    scale = matrix.abs().amax() / 448 + 1e-30
    rounded = (matrix / scale).to(torch.float8_e4m3fn).float() * scale
    assert moved(matrix, rounded, EIGHT_BITS, most) == []


@settings(max_examples=TRIALS // 3)
@given(st.integers(3, 60), st.integers(2, 12), st.integers(4, 8), st.integers(0, 99), st.data())
def test_a_doubled_scale_is_found_in_its_row(
    rows: int, groups: int, bits: int, seed: int, data: st.DataObject
) -> None:
    """Of 384 columns at most: 3g/n is a quarter or more, of which four bits explain a third."""
    matrix = weights("Gaussian", rows, groups * GROUP, seed)
    codes, scale, _ = integers(matrix, bits, symmetric=True)
    place = data.draw(st.integers(0, rows * groups - 1))
    scale[place] *= 2
    (line,) = moved(matrix, (codes * scale).reshape(matrix.shape), of_integers(bits, GROUP))
    assert line.startswith(f"w, row {place // groups}: norm ")
    assert "codes explains" in line


@settings(max_examples=TRIALS // 3)
@given(st.integers(3, 60), st.integers(4, 8), st.integers(0, 99), st.data())
def test_a_shifted_zero_point_is_found_in_its_row(
    rows: int, bits: int, seed: int, data: st.DataObject
) -> None:
    """By 32 steps, of which rounding them to the nearest explains 8 · √(32/12) = 13."""
    matrix = weights("Gaussian", rows, GROUP, seed)
    codes, scale, _ = integers(matrix, bits, symmetric=False)
    place = data.draw(st.integers(0, rows - 1))
    codes[place] += 1
    (line,) = moved(matrix, (codes * scale).reshape(matrix.shape), of_integers(bits, GROUP))
    assert line.startswith(f"w, row {place}: ")


@settings(max_examples=TRIALS // 3)
@given(matrices, st.sampled_from([torch.bfloat16, torch.float16, torch.float32]), st.integers(0, 9))
def test_training_further_and_narrower_floats_raise_no_alarm(
    matrix: Tensor, dtype: torch.dtype, seed: int
) -> None:
    """A step of a hundredth of the matrix's norm."""
    step = torch.randn(matrix.shape, generator=torch.Generator().manual_seed(seed))
    trained = matrix + 0.01 * step * matrix.norm() / step.norm().clamp(min=1e-12)
    new = told(trained.to(dtype))
    assert row_changes.compare(told(matrix), new) == row_changes.RowChanges()


def test_a_row_of_floats_that_is_damaged_is_named() -> None:
    matrix = weights("Gaussian", 40, 64, 0)
    damaged = matrix.clone()
    damaged[7] *= 1.5
    assert row_changes.compare(told(matrix), told(damaged)).moved == [
        f"w, row 7: norm {matrix[7].norm():.4g} → {damaged[7].norm():.4g};"
        f" rounding or further training explains {0.4142 * matrix[7].norm():.2g}"
    ]


@pytest.mark.parametrize("most", [1024, 20])
def test_floats_beside_codes_hold_the_same_numbers(most: int) -> None:
    """What another encoding leaves as floats is no training further."""
    coded, plain = weights("Gaussian", 40, 64, 0), weights("Gaussian", 40, 64, 1)
    old = told(coded, most=most) | {"v": told(plain, most=most)["w"]}
    for factor, alarms in ((1.0, 0), (1.02, 1)):
        codes, scale, _ = integers(coded, 8, symmetric=True)
        values = (codes * scale).reshape(coded.shape)
        new = told(values, of_integers(8, GROUP), most)
        changed = (plain * factor).bfloat16()
        found = row_changes.compare(old, new | {"v": told(changed, most=most)["w"]})
        assert len(found.moved) == alarms


def test_what_truncates_is_told_from_what_rounds() -> None:
    matrix = weights("Gaussian", 40, 256, 0)
    _, scale, _ = integers(matrix, 8, symmetric=True)
    truncated = ((matrix.reshape(-1, GROUP) / scale).floor() * scale).reshape(matrix.shape)
    (line,) = moved(matrix, truncated, of_integers(8, GROUP))
    assert "all of its sums lie" in line


def test_scales_of_another_matrix_are_told() -> None:
    """Those of another row, in half of the rows; twice what they are, in all."""
    matrix = weights("Gaussian", 40, 256, 0)
    codes, scale, _ = integers(matrix, 8, symmetric=True)
    turned = scale.clone()
    turned[160:] = scale[160:].flip(0)
    (line,) = moved(matrix, (codes * turned).reshape(matrix.shape), of_integers(8, GROUP))
    assert line.startswith("w, row ")
    doubled = (2 * codes * scale).reshape(matrix.shape)
    (line,) = moved(matrix, doubled, of_integers(8, GROUP))
    assert line.startswith("w: norm of its rows ")


def test_what_is_gone_and_what_has_another_shape() -> None:
    matrix = weights("Gaussian", 40, 64, 0)
    old = told(matrix)
    assert row_changes.compare(old, {}).gone == ["w of the baseline is gone"]
    head = {"w": dataclasses.replace(old["w"], is_head=True)}
    assert row_changes.compare(head, {}).uncompared == ["w of the baseline is gone"]
    assert row_changes.compare(head, told(9 * matrix)).moved == []
    assert row_changes.compare({}, old) == row_changes.RowChanges()
    grown = row_changes.compare(old, told(matrix[:30]))
    assert grown.moved == []
    assert grown.uncompared == ["w: 40 × 64 → 30 × 64, its rows were not compared"]
    again = {"w": dataclasses.replace(old["w"], tensor="other")}
    assert row_changes.compare(old, again) == row_changes.RowChanges()


@settings(max_examples=TRIALS, deadline=None)
@given(
    st.sampled_from(["Gaussian", "heavy tails", "uneven rows"]),
    st.integers(40, 300),
    st.sampled_from([64, 1024]),
    st.integers(0, 2**31),
)
def test_neurons_in_another_order_pass(kind: str, rows: int, most: int, seed: int) -> None:
    old = weights(kind, rows, 96, seed)
    new = old[torch.randperm(rows, generator=torch.Generator().manual_seed(seed))]
    before, after = (
        {"w": dataclasses.replace(told(matrix, most=most)["w"], free_rows=True)}
        for matrix in (old, new)
    )
    assert row_changes.compare(before, after).moved == []


def test_a_neuron_that_is_scaled_is_told_in_any_order() -> None:
    old = weights("Gaussian", 64, 96, 0)
    new = old.flip(0).clone()
    new[7] *= 2
    before, after = (
        {"w": dataclasses.replace(told(matrix)["w"], free_rows=True)} for matrix in (old, new)
    )
    (line,) = row_changes.compare(before, after).moved
    assert "row 7" in line

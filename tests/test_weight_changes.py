"""What moved is told by how far, and by what became of it; what is benign is not told."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry.sketch import FIXED, Free, sketch
from geometric_invariants.reports import weight_changes
from geometric_invariants.reports.results import Tolerance
from geometric_invariants.reports.sketches import Sketches, TensorSketch, packed_sketches
from geometric_invariants.reports.weight_changes import WeightChanges

TOLERANCE = Tolerance(0.03, rounding=3.0)
Fault = Callable[[Tensor], Tensor]


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def told(
    *tensors: Tensor, free: Free = FIXED, encoding: str = "", error: float = 0.0, beside: str = ""
) -> tuple[Sketches, ...]:
    """Of tensors of one shape, at places "layer 0" …; `error` is a share of the norm."""
    found = [sketch(tensor, free) for tensor in tensors]
    ones = [
        TensorSketch(one.norm, one.norm, error * one.norm, one.products, one.sums) for one in found
    ]
    places = tuple(f"layer {i}" for i in range(len(ones)))
    first, (side, period) = found[0], (free.side, free.period)
    numbers = packed_sketches(ones)
    shape = first.rows, first.columns
    return (Sketches(*shape, places, numbers, side, period, encoding, beside),)  # type: ignore[arg-type]


def moved(old: Tensor, new: Tensor, free: Free = FIXED) -> list[str]:
    return weight_changes.compare(told(old, free=free), told(new, free=free), TOLERANCE).moved


def late(matrix: Tensor) -> Tensor:
    return matrix.flatten().roll(1).view(matrix.shape)


FATES: dict[str, tuple[Fault, str]] = {
    "zeros": (torch.zeros_like, "all zeros"),
    "doubled": (lambda w: 2 * w, "scaled by 2"),
    "negative": (lambda w: -w, "sign flipped"),
    "transposed": (lambda w: w.mT, "transposed"),
    "a row late": (lambda w: w.roll(1, 0), "moved by a row"),
    "a row early": (lambda w: w.roll(-1, 0), "moved by a row"),
    "an element late": (late, "moved by an element"),
    "an element early": (lambda w: w.flatten().roll(-1).view(w.shape), "moved by an element"),
    "drawn anew": (lambda w: gaussian(*w.shape, seed=77), ""),
}


@pytest.mark.parametrize("name", FATES)
@settings(max_examples=25)
@given(
    st.integers(96, 160),
    st.sampled_from([FIXED, Free("rows"), Free("columns"), Free("rows", 8)]),
    st.sampled_from([torch.float32, torch.bfloat16]),
    st.integers(0, 1000),
)
def test_what_became_of_a_matrix_is_told(
    name: str, size: int, free: Free, dtype: torch.dtype, seed: int
) -> None:
    """Also along a side whose order is free, and after rounding."""
    fault, words = FATES[name]
    matrix = gaussian(size // 8 * 8, size // 8 * 8, seed=seed)
    (line,) = moved(matrix, fault(matrix).to(dtype), free)
    assert line.startswith("layer 0 changed by ")
    assert f"{words}; tolerance 0.03; all weights together by " in line


@settings(max_examples=25)
@given(st.integers(96, 300), st.integers(0, 1000))
def test_what_became_of_a_vector_is_told(size: int, seed: int) -> None:
    gains = 1 + 0.2 * gaussian(size, seed=seed)
    for fault, words in ((torch.zeros_like, ", all zeros"), (lambda w: 2 * w, ", scaled by 2")):
        assert f" of its norm{words}; tolerance 0.015" in moved(gains, fault(gains))[0]
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    assert moved(gains, gains[order])
    assert moved(gains, gains[order], Free("columns")) == []


def test_exchanged_tensors_are_told_by_their_places() -> None:
    layers = [gaussian(64, 48, seed=seed) for seed in range(4)]
    exchanged = [layers[0], layers[2], layers[1], layers[3]]
    (line,) = weight_changes.compare(told(*layers), told(*exchanged), TOLERANCE).moved
    first, second = ("layer 1", "layer 2") if line.startswith("layer 1") else ("layer 2", "layer 1")
    assert f"of its norm, it holds what {second} held; tolerance 0.03; so did 1 more of 4" in line
    assert line.startswith(f"{first} changed by 1.")
    assert "(1 exchanged or copied)" in line


@settings(max_examples=60)
@given(
    st.tuples(st.integers(32, 120), st.integers(32, 120)),
    st.sampled_from([FIXED, Free("rows"), Free("columns")]),
    st.sampled_from([torch.bfloat16, torch.float16, torch.float32]),
    st.sampled_from([0, 1, 8]),
    st.integers(0, 1000),
)
def test_narrower_floats_and_small_steps_pass(
    shape: tuple[int, int], free: Free, dtype: torch.dtype, rank: int, seed: int
) -> None:
    """A step of a hundredth of the norm: of full rank (0), of one or of eight."""
    matrix, (rows, columns) = 0.04 * gaussian(*shape, seed=seed), shape
    step = gaussian(*shape, seed=seed + 1)
    if rank:
        step = gaussian(rows, rank, seed=seed + 1) @ gaussian(rank, columns, seed=seed + 2)
    trained = matrix + 0.01 * step * matrix.norm() / step.norm()
    assert moved(matrix, trained.to(dtype), free) == []


@settings(max_examples=60)
@given(st.integers(8, 24), st.integers(1, 16), st.integers(24, 80), st.integers(0, 1000))
def test_a_consistent_permutation_passes(heads: int, size: int, width: int, seed: int) -> None:
    """Of neurons (1) or whole heads; of few, some order is that of a matrix moved by a row."""
    matrix = gaussian(heads * size, width, seed=seed)
    order = torch.randperm(heads, generator=torch.Generator().manual_seed(seed))
    exchanged = matrix.unflatten(0, (heads, size))[order].flatten(0, 1)
    assert moved(matrix, exchanged, Free("rows", size)) == []
    assert moved(matrix.mT, exchanged.mT, Free("columns", size)) == []


def test_the_order_inside_heads_is_seen() -> None:
    """Meta's layout of rotary planes against the hub's."""
    matrix = gaussian(128, 96)
    other = matrix.unflatten(0, (4, 2, 16)).transpose(1, 2).flatten(0, 2)
    assert moved(matrix, other, Free("rows", 32))
    assert moved(matrix, other, Free("rows")) == []


def test_an_offset_that_all_neurons_share_is_no_larger_than_it_is() -> None:
    matrix = gaussian(4096, 64)
    offset = 0.005 * gaussian(1, 64, seed=1)
    assert moved(matrix, matrix + offset, Free("rows")) == []


def test_another_encoding_may_move_by_what_rounding_explains() -> None:
    matrix = gaussian(96, 96)
    rounded = matrix + 0.1 * gaussian(96, 96, seed=1)
    coded = told(rounded, encoding="int4", error=0.1)
    assert weight_changes.compare(told(matrix), coded, TOLERANCE) == WeightChanges()
    assert weight_changes.compare(told(matrix), told(rounded), TOLERANCE).moved
    same = told(matrix, encoding="int4", error=0.1)
    assert weight_changes.compare(same, coded, TOLERANCE).moved
    wrong = told(matrix.mT, encoding="int4", error=0.1)
    (line,) = weight_changes.compare(told(matrix), wrong, TOLERANCE).moved
    assert ", transposed; tolerance 0.33" in line


def test_what_is_gone_what_a_task_replaces_and_what_has_another_shape() -> None:
    matrix = gaussian(40, 30)
    old = told(matrix)
    assert weight_changes.compare(old, (), TOLERANCE).gone == ["layer 0 of the baseline is gone"]
    for beside in ("output", "task"):
        head = told(matrix, beside=beside)
        gone = weight_changes.compare(head, (), TOLERANCE)
        assert (gone.gone, gone.uncompared) == ([], ["layer 0 of the baseline is gone"])
        other = weight_changes.compare(head, told(-matrix, beside=beside), TOLERANCE)
        assert bool(other.moved) == (beside == "output")
    assert other.uncompared[0].startswith("layer 0, which a task replaces, changed by ")
    assert weight_changes.compare((), old, TOLERANCE) == WeightChanges()
    grown = weight_changes.compare(old, told(gaussian(41, 30)), TOLERANCE)
    assert grown.uncompared == ["layer 0: 40 × 30 → 41 × 30, its change was not estimated"]


def test_zeros_and_numbers_beyond_all_bounds() -> None:
    zeros, ones = torch.zeros(30, 30), torch.ones(30, 30)
    assert moved(zeros, zeros) == []
    assert moved(zeros, ones)[0].startswith(
        "layer 0 changed by inf of its norm, where all was zero"
    )
    broken = ones.clone()
    broken[3, 4:9] = 3e38
    (line,) = moved(ones, broken)
    assert math.isfinite(float(line.split()[4]))
    assert moved(broken, broken) == []
    assert moved(broken, ones)


def test_all_weights_together_are_told() -> None:
    """Two of four tensors of one norm turned round: 2 of √2 of √4."""
    old = [gaussian(64, 64, seed=seed) for seed in range(4)]
    new = [-old[0], -old[1], *old[2:]]
    (line,) = weight_changes.compare(told(*old), told(*new), TOLERANCE).moved
    assert "(1 sign flipped)" in line
    assert float(line.rpartition(" ")[2]) == pytest.approx(math.sqrt(2), rel=0.25)

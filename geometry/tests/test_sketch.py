"""Sketches tell distances, forget orders that are free, and move as their tensors move."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry.sketch import (
    ENTRIES,
    FIXED,
    SHIFTS,
    SUMS,
    Free,
    Sketch,
    signs,
    sketch,
    sketch_of,
)

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
large = st.tuples(st.integers(24, 90), st.integers(24, 90))
seeds = st.integers(0, 1000)
dtypes = st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64])
frees = st.sampled_from([FIXED, Free("rows"), Free("columns"), Free("rows", 4)])
# Of k squares of normal numbers the mean lies within this of one, but for one in 10⁵.
SURE = 4.5 * math.sqrt(2)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def grid(found: Sketch) -> Tensor:
    return torch.tensor(found.products, dtype=torch.float64).view(SHIFTS, SHIFTS)


def apart(new: tuple[float, ...] | Tensor, old: tuple[float, ...] | Tensor) -> float:
    """Root mean square of differences."""
    one, other = (torch.as_tensor(x, dtype=torch.float64) for x in (new, old))
    return (one - other).square().mean().sqrt().item()


def splitmix(state: int) -> int:
    """Vigna's reference in whole numbers, for the state after so many steps of its constant."""
    whole = (1 << 64) - 1
    z = (state + 1) * 0x9E3779B97F4A7C15 & whole
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & whole
    z = (z ^ z >> 27) * 0x94D049BB133111EB & whole
    return z ^ z >> 31


@given(st.integers(0, 1 << 40))
def test_signs_are_those_of_the_published_generator(place: int) -> None:
    assert signs(torch.tensor([place])).tolist() == [1 - 2 * (splitmix(place) & 1)]


@given(shapes, seeds, frees)
def test_a_sketch_is_what_the_definition_says(
    shape: tuple[int, int], seed: int, free: Free
) -> None:
    matrix = gaussian(*shape, seed=seed).double()
    found = sketch(matrix, free)

    def shifted(count: int, shifts: int) -> Tensor:
        return torch.stack([signs(torch.arange(count) + a).double() for a in range(shifts)], 1)

    rows, columns = (shifted(n, SHIFTS) for n in shape)
    assert found.products == pytest.approx(
        (rows.mT @ matrix @ columns).flatten().tolist(), abs=1e-3
    )
    assert found.norm == pytest.approx(matrix.norm().item())
    sums: list[float] = []
    if free.side:
        folded = matrix if free.side == "rows" else matrix.mT
        places = torch.arange(folded.shape[0]) % free.period
        sums = (signs(places).double() @ folded @ shifted(folded.shape[1], SUMS)).tolist()
    assert found.sums == pytest.approx(sums, abs=1e-3)


@settings(max_examples=200)
@given(large, seeds, st.floats(1e-3, 10), dtypes)
def test_differences_tell_how_far_two_tensors_lie_apart(
    shape: tuple[int, int], seed: int, size: float, dtype: torch.dtype
) -> None:
    """Within what the number of products and sums leaves open."""
    old = gaussian(*shape, seed=seed)
    new = (old + size * gaussian(*shape, seed=seed + 1)).to(dtype)
    before, after = sketch(old, Free("rows")), sketch(new, Free("rows"))
    true = (new.double() - old.double()).norm().item()
    off_diagonal = ~torch.eye(SHIFTS, dtype=torch.bool)
    by_products = apart(grid(after)[off_diagonal], grid(before)[off_diagonal])
    for found, count in (
        (by_products, SHIFTS * (SHIFTS - 1)),
        (apart(after.sums, before.sums), SUMS),
    ):
        assert (found / true) ** 2 <= 1 + 1.5 * SURE / math.sqrt(count)
        assert found / true >= 0.25


@given(st.integers(24, 300), seeds, st.floats(1e-3, 10))
def test_vectors_tell_it_too_and_sorted_ones_no_more(count: int, seed: int, size: float) -> None:
    old, step = gaussian(count, seed=seed), size * gaussian(count, seed=seed + 1)
    found = apart(sketch(old + step).products, sketch(old).products) / step.norm().item()
    assert 0.25 < found < math.sqrt(1 + 1.5 * SURE / math.sqrt(ENTRIES))
    free = Free("columns")
    least = (old + step).sort().values - old.sort().values
    found = apart(sketch(old + step, free).products, sketch(old, free).products)
    assert found == pytest.approx(apart(sketch(least).products, (0.0,) * ENTRIES), abs=1e-4)


def test_a_mean_over_many_tensors_is_without_bias() -> None:
    """Of steps of low rank and of one row too."""
    for step in (
        gaussian,
        lambda *s, seed: gaussian(s[0], 1, seed=seed) * gaussian(s[1], seed=-seed),
    ):
        squares = [
            apart(sketch(d := step(40, 50, seed=seed + 1), Free("rows")).sums, (0.0,) * SUMS) ** 2
            / d.square().sum().item()
            for seed in range(600)
        ]
        assert sum(squares) / len(squares) == pytest.approx(1, abs=0.25)


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 30), seeds)
def test_whole_heads_and_neurons_may_be_exchanged(
    heads: int, size: int, width: int, seed: int
) -> None:
    matrix = gaussian(heads * size, width, seed=seed)
    order = torch.randperm(heads, generator=torch.Generator().manual_seed(seed))
    exchanged = matrix.unflatten(0, (heads, size))[order].flatten(0, 1)
    by_row = Free("rows", size)
    expected = pytest.approx(sketch(matrix, by_row).sums, abs=1e-3)
    assert sketch(exchanged, by_row).sums == expected
    assert sketch(exchanged.mT, Free("columns", size)).sums == expected
    numbers = gaussian(heads, seed=seed)
    free = Free("columns")
    assert sketch(numbers[order], free).products == sketch(numbers, free).products


@given(large, seeds)
def test_a_sketch_moves_as_its_tensor_does(shape: tuple[int, int], seed: int) -> None:
    """But for the edge, whose numbers are 2 of n."""
    matrix = gaussian(*shape, seed=seed)
    found = grid(sketch(matrix))
    scale = matrix.norm().item()
    edge = 5 * math.sqrt(2 / min(shape))
    assert apart(grid(sketch(matrix.mT)), found.mT) < 1e-5 * scale
    assert apart(grid(sketch(-2 * matrix)), -2 * found) < 1e-5 * scale
    assert apart(grid(sketch(matrix.roll(1, 0)))[:-1], found[1:]) < edge * scale
    late = matrix.flatten().roll(1).view(shape)
    assert apart(grid(sketch(late))[:, :-1], found[:, 1:]) < edge * scale


@given(shapes, st.integers(1, 7), frees, dtypes)
def test_rows_may_come_in_blocks(
    shape: tuple[int, int], size: int, free: Free, dtype: torch.dtype
) -> None:
    matrix = gaussian(*shape).to(dtype)
    whole, found = sketch(matrix, free), sketch_of(matrix.split(size), free)
    assert (found.rows, found.columns, found.free) == (*shape, free)
    assert found.norm == pytest.approx(whole.norm)
    for name in ("products", "sums"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), abs=1e-3)
    assert sketch(matrix, free) == whole


def test_what_float32_does_not_hold_is_its_largest_number() -> None:
    broken = sketch(torch.full((8, 8), 3e38))
    assert broken.norm == pytest.approx(24e38)
    assert max(map(abs, broken.products)) <= torch.finfo(torch.float32).max


def test_further_dimensions_are_columns() -> None:
    stack = gaussian(3, 4, 5)
    assert sketch(stack) == sketch(stack.flatten(1))
    assert sketch(torch.tensor(2.0)).norm == 2
    assert sketch(torch.tensor(2.0)).rows == 0


@pytest.mark.parametrize("tensor", [torch.zeros(0), torch.zeros(0, 3), torch.zeros(3, 0)])
def test_what_is_empty_is_refused(tensor: Tensor) -> None:
    with pytest.raises(ValueError, match="no sketch of"):
        sketch(tensor)
    with pytest.raises(ValueError, match="no sketch of nothing"):
        sketch_of([])


@pytest.mark.gpu
def test_devices_agree() -> None:
    matrix = gaussian(300, 200)
    for free in (FIXED, Free("rows"), Free("columns", 4)):
        here, there = sketch(matrix, free), sketch(matrix.cuda(), free)
        assert there.products == pytest.approx(here.products, abs=0.02)
        assert there.sums == pytest.approx(here.sums, abs=0.02)

"""Scales: ticks lie within them, at round places, and no label comes twice."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports.drawing import scales
from geometric_invariants.reports.drawing.axes import fitting, marks, names
from geometric_invariants.reports.drawing.frame import Frame, width
from geometric_invariants.reports.drawing.scales import Scale

numbers = st.floats(-1e300, 1e300) | st.floats(-10, 10) | st.integers(-3, 3).map(float)
positive = st.floats(1e-299, 1e300) | st.floats(0.01, 100)


@given(st.tuples(numbers, numbers), st.booleans(), st.integers(1, 9))
def test_linear_ticks_lie_inside_and_differ(
    ends: tuple[float, float], from_zero: bool, most: int
) -> None:
    low, high = min(ends), max(ends)
    axis = scales.scale((low, high), from_zero=from_zero)
    assert axis.low <= low <= high <= axis.high
    assert axis.low < axis.high
    ticks = axis.ticks(most)
    assert len(ticks) <= most + 1
    assert all(axis.low <= tick.value <= axis.high for tick in ticks)
    assert [t.value for t in ticks] == sorted({t.value for t in ticks})
    assert len({tick.label for tick in ticks}) == len(ticks)
    assert most < 5 or len(ticks) >= 2


@given(st.tuples(positive, positive), st.integers(2, 9))
def test_logarithmic_ticks_lie_inside_and_differ(ends: tuple[float, float], most: int) -> None:
    low, high = min(ends), max(ends)
    axis = scales.scale((low, high), is_log=True)
    ticks = axis.ticks(most)
    assert all(axis.low <= tick.value <= axis.high for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)
    for number in (low, high):
        share = axis.share(number)
        assert share is not None
        assert -1e-9 <= share <= 1 + 1e-9


@given(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)))
def test_a_label_says_its_number(ends: tuple[float, float]) -> None:
    axis = scales.scale((min(ends), max(ends)))
    for tick in axis.ticks():
        if "·" not in tick.label and "10" not in tick.label:
            said = float(tick.label.replace(",", ""))
            assert math.isclose(
                said, tick.value, rel_tol=1e-9, abs_tol=(axis.high - axis.low) / 1e3
            )


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ((0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((0.516, 0.517), ["0.5160", "0.5162", "0.5164", "0.5166", "0.5168", "0.5170"]),
        ((0.0, 24000.0), ["0", "5,000", "10,000", "15,000", "20,000"]),
        ((0.0, 4e-7), ["0", "10⁻⁷", "2·10⁻⁷", "3·10⁻⁷", "4·10⁻⁷"]),
    ],
)
def test_labels_have_the_digits_they_need(ends: tuple[float, float], shown: list[str]) -> None:
    assert [tick.label for tick in scales.scale(ends).ticks()] == shown


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ((1.0, 30522.0), ["1", "10", "100", "1,000", "10,000"]),
        ((0.3, 4.0), ["0.5", "1", "2"]),
        ((1e-12, 1.0), ["10⁻¹²", "10⁻⁹", "10⁻⁶", "0.001", "1"]),
    ],
)
def test_logarithmic_labels(ends: tuple[float, float], shown: list[str]) -> None:
    assert [tick.label for tick in scales.scale(ends, is_log=True).ticks(6)] == shown


def test_zero_has_no_place_on_a_logarithmic_axis() -> None:
    axis = scales.scale((1.0, 10.0), is_log=True)
    assert axis.share(0.0) is None
    assert axis.share(-1.0) is None
    assert scales.span([0.0, -3.0], is_log=True) is None
    assert scales.span([0.0, 2.0], is_log=True) == (2.0, 2.0)


@given(st.lists(st.text("abc ", max_size=40), min_size=1, max_size=60), st.floats(3, 100))
def test_names_under_a_plot_do_not_overlap(labels: list[str], step: float) -> None:
    shown = names(labels, step)
    apart = shown.every * step
    if shown.turned:
        assert apart >= 13 * math.sqrt(2) - 2
    else:
        assert apart >= max(map(width, shown.labels[:: shown.every]))


@given(st.dictionaries(st.text("abc", min_size=1, max_size=20), st.floats(0, 1), max_size=6))
def test_names_of_marks_do_not_overlap(named: dict[str, float]) -> None:
    frame = Frame(Scale(0, 1), Scale(0, 1), 40, 352, 0, 100)
    placed = marks(named, frame).places
    assert sorted(name for name, *_ in placed) == sorted(named)
    for row in {row for *_, row in placed}:
        spans = []
        for name, x, at in placed:
            if at == row:
                middle = max(width(name) / 2, min(x, frame.right - width(name) / 2))
                spans.append((middle - width(name) / 2, middle + width(name) / 2))
        spans.sort()
        assert all(left[1] <= right[0] for left, right in pairwise(spans))


@given(numbers, numbers)
def test_ticks_stand_side_by_side(one: float, other: float) -> None:
    axis = scales.scale((min(one, other), max(one, other)))
    assert len(ticks := fitting(axis, 300)) <= 2 or sum(width(t.label) for t in ticks) <= 300

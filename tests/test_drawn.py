"""Figures and tables keep what they are drawn from, in few numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.invariants import drawn

samples = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200).map(torch.tensor)


@given(samples, st.integers(1, 80))
def test_a_histogram_holds_every_sample(values: torch.Tensor, bins: int) -> None:
    figure = drawn.histogram("h", {"a": values}, x_label="x", bins=bins)
    assert len(figure.x) == bins + 1
    shares = [share or 0.0 for share in figure.series["a"]]
    assert len(shares) == bins
    assert sum(shares) == pytest.approx(1, abs=1e-3)


def test_a_histogram_leaves_out_what_lies_outside() -> None:
    values = torch.tensor([0.0, 0.5, 1.0, 9.0])
    figure = drawn.histogram("h", {"a": values}, x_label="x", bins=2, within=(0, 1))
    assert figure.series["a"] == (0.25, 0.5)


@given(st.integers(1, 300_000))
def test_thinning_keeps_both_ends_in_order(count: int) -> None:
    kept = drawn.thinned(count)
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert kept == sorted(set(kept))
    assert len(kept) <= 64


def test_spectra_of_two_lengths_share_their_ranks() -> None:
    figure = drawn.spectrum(
        "s", {"long": torch.arange(500.0), "short": torch.arange(10.0)}, y_label="σ"
    )
    assert len(figure.series["long"]) == len(figure.series["short"]) == len(figure.x)
    long = dict(zip(figure.x, figure.series["long"], strict=True))
    assert all(value == float(rank) - 1 for rank, value in long.items())
    assert [v for v in figure.series["short"] if v is not None][-1] == 9


@settings(deadline=None)
@given(st.integers(1, 20_000))
def test_points_are_few_and_stay_pairs(count: int) -> None:
    x = torch.arange(float(count))
    figure = drawn.points("p", x, {"twice": 2 * x}, x_label="x", y_label="y")
    assert 0 < len(figure.x) <= drawn.MOST_POINTS
    pairs = zip(figure.x, figure.series["twice"], strict=True)
    assert all(y == pytest.approx(2 * float(a), rel=2e-3) for a, y in pairs if y is not None)


def test_boxes_are_the_five_numbers() -> None:
    figure = drawn.boxes("b", {"g": torch.arange(5.0)}, x_label="x", y_label="y")
    assert [values[0] for values in figure.series.values()] == [0, 1, 2, 3, 4]


def test_a_heat_map_has_gaps_where_nothing_is_known() -> None:
    values = torch.tensor([[1.0, float("nan")]])
    figure = drawn.heatmap("m", ["r"], ["a", "b"], values, x_label="x", y_label="y")
    assert figure.series["r"] == (1.0, None)


def test_a_row_that_does_not_fit_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells under 1 columns"):
        drawn.table("t", ["a"], {"r": (1.0, 2.0)})


def test_counts_in_a_table_stay_whole() -> None:
    shown = drawn.table("t", ["count", "share"], {"r": (5_706_241, 0.123456789)})
    assert shown.rows["r"] == (5_706_241, 0.123457)

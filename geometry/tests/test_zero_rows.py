"""Rows of zeros, planted."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry.zero_rows import is_zero, zero_runs


@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.integers(1, 40),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
    st.integers(0, 9),
)
def test_the_runs_are_those_that_were_planted(
    blank: list[bool], columns: int, dtype: torch.dtype, seed: int
) -> None:
    entries = torch.zeros(len(blank), columns, dtype=dtype)
    places = torch.randint(columns, (len(blank),), generator=torch.Generator().manual_seed(seed))
    for row, is_blank in enumerate(blank):
        entries[row, places[row]] = 0.0 if is_blank else 1e-30
    runs = zero_runs(entries)
    found = [row for first, last in runs for row in range(first, last + 1)]
    assert found == [row for row, is_blank in enumerate(blank) if is_blank]
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(runs))
    assert is_zero(entries) == all(blank)
    assert is_zero(entries[0]) == blank[0]


def test_nothing_is_not_zero() -> None:
    assert not is_zero(torch.empty(0, 3))
    assert zero_runs(torch.empty(0, 3)) == []

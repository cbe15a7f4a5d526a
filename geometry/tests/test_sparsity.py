from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geometric_invariants.geometry import controls, sparsity

edges = [sign * t for t in sparsity.THRESHOLDS for sign in (1, -1)]
values = st.one_of(st.sampled_from(edges), st.floats(-1, 1, width=32))


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=values),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64]),
)
def test_counts_equal_float64_comparison(array: np.ndarray, dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(array).to(dtype)
    stored = np.abs(tensor.double().numpy())
    found = sparsity.magnitudes(tensor)
    assert found.below == tuple(int((stored < t).sum()) for t in sparsity.THRESHOLDS)
    assert found.rms == pytest.approx(np.sqrt((stored**2).mean()))
    assert found.below_relative == tuple(
        int((stored < t * found.rms).sum()) for t in sparsity.THRESHOLDS
    )
    assert found.largest == stored.max()


@given(
    hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1, 1, width=32)),
    st.lists(st.integers(0, 60), max_size=3),
)
def test_the_small_add_up_over_any_pieces(array: np.ndarray, cuts: list[int]) -> None:
    pieces = np.split(array, sorted(cuts))
    whole = sparsity.small(torch.from_numpy(array))
    assert sum((sparsity.small(torch.from_numpy(p)) for p in pieces), sparsity.Small()) == whole
    assert whole.below == sparsity.magnitudes(torch.from_numpy(array)).below


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-200, 200)))
def test_bins_equal_numpys_histogram(array: np.ndarray) -> None:
    found = sparsity.magnitudes(torch.from_numpy(array)).binned
    inside = np.clip(np.abs(array), 1e-8, 99.9)
    assert found == tuple(np.histogram(inside, 10 ** np.array(sparsity.LOG_EDGES))[0])


def test_bins_of_a_large_matrix_stand_for_all_its_columns() -> None:
    """Every k-th entry of 256 columns of as many scales: k shares no divisor with 256."""
    matrix = torch.randn(4096, 256, generator=torch.Generator().manual_seed(0))
    scales = torch.logspace(-4, 1, 256)
    counts = torch.tensor(sparsity.magnitudes(matrix * scales).binned)
    expected = torch.stack([sparsity.gaussian_bins(s) for s in scales.tolist()]).mean(0)
    assert counts.sum() <= 1 << 14
    assert (counts / counts.sum() - expected).abs().max() < 5 * (0.03 / counts.sum()).sqrt()


def test_gaussian_share_matches_its_closed_form() -> None:
    tensor = 0.2 * torch.randn(3_000_000, generator=torch.Generator().manual_seed(0))
    null = controls.gaussian_share_below(0.1, 0.2, tensor.numel())
    assert abs(sparsity.magnitudes(tensor).fraction_below(0.1) - null.value) < 3 * null.half_width


def test_blocks_add_up_to_the_whole() -> None:
    tensor = torch.randn(2**20 + 7, generator=torch.Generator().manual_seed(1))
    found = sparsity.magnitudes(tensor)
    assert found.fraction_below(0.1) == int((tensor.abs() < 0.1).sum()) / tensor.numel()
    assert found.fraction_below_rms(0.1) == pytest.approx(0.0797, abs=1e-3)


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 6)), elements=values),
    st.lists(st.integers(1, 39), max_size=3, unique=True),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
)
def test_blocks_of_rows_are_the_whole(
    array: np.ndarray, cuts: list[int], dtype: torch.dtype
) -> None:
    matrix = torch.from_numpy(array).to(dtype)
    inner = [cut for cut in sorted(cuts) if cut < len(matrix)]
    blocks = matrix.tensor_split(inner)
    found, whole = sparsity.magnitudes_of(lambda: iter(blocks)), sparsity.magnitudes(matrix)
    assert found.sum_of_squares == pytest.approx(whole.sum_of_squares, rel=1e-14)
    assert found.sum_of_magnitudes == pytest.approx(whole.sum_of_magnitudes, rel=1e-14)
    assert (found.numel, found.largest) == (whole.numel, whole.largest)
    assert (found.below, found.binned) == (whole.below, whole.binned)


def test_bins_of_blocks_take_up_where_the_last_one_ended() -> None:
    matrix = torch.randn(3000, 37, generator=torch.Generator().manual_seed(2))
    blocks = matrix.split(701)
    found = sparsity.magnitudes_of(lambda: iter(blocks))
    assert found.binned == sparsity.magnitudes(matrix).binned
    assert found.below_relative == sparsity.magnitudes(matrix).below_relative


def test_non_finite_entries_are_counted_and_empty_refused() -> None:
    tensor = torch.tensor([1.0, float("nan"), float("inf"), 1e-7])
    assert sparsity.magnitudes(tensor).non_finite == 2
    assert sparsity.magnitudes_of(lambda: iter(tensor.split(2))).non_finite == 2
    with pytest.raises(ValueError, match="empty"):
        sparsity.magnitudes(torch.empty(0))

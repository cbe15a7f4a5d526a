from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry.untrained_rows import fits_initialisation, fits_unused, repeats

SEEDS = st.integers(0, 2**32 - 1)


def trained(seed: int, rows: int, width: int) -> Tensor:
    """Rows that share a direction, of norms that differ by a fifth."""
    generator = torch.Generator().manual_seed(seed)
    own, shared = torch.randn(rows + 1, width, generator=generator).split([rows, 1])
    table: Tensor = (own + 1.5 * shared) * (
        1 + 0.2 * torch.randn(rows, 1, generator=generator)
    ).abs()
    return table


@given(SEEDS, st.integers(48, 256), st.floats(0.01, 0.3))
def test_rows_that_were_drawn_afresh_are_found(seed: int, width: int, std: float) -> None:
    table = trained(seed, 400, width)
    table[40:60] = torch.randn(20, width, generator=torch.Generator().manual_seed(seed)) * std
    found = fits_initialisation(table, std)
    assert found[40:60].sum() >= 19
    assert not found[:40].any()
    assert not found[60:].any()


def test_a_random_table_fits_its_own_initialisation() -> None:
    table = torch.randn(2000, 64, generator=torch.Generator().manual_seed(1)) * 0.02
    assert fits_initialisation(table, 0.02).double().mean() > 0.995
    assert not fits_initialisation(table, 0.06).any()


@given(SEEDS, st.integers(32, 128))
def test_rows_like_the_unused_ones_are_found(seed: int, width: int) -> None:
    table = trained(seed, 300, width)
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(width, generator=generator) * 0.5
    table[:60] = common + 0.05 * torch.randn(60, width, generator=generator)
    found = fits_unused(table, torch.arange(40))
    assert found is not None
    assert found[40:60].sum() >= 5
    assert not found[60:].any()


def test_unused_rows_of_no_common_direction_say_nothing() -> None:
    table = torch.randn(300, 64, generator=torch.Generator().manual_seed(2))
    assert fits_unused(table, torch.arange(40)) is None
    assert fits_unused(table, torch.arange(5)) is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@given(SEEDS)
def test_rows_that_repeat_others_are_counted_once_each(dtype: torch.dtype, seed: int) -> None:
    table = torch.randn(50, 8, generator=torch.Generator().manual_seed(seed)).to(dtype)
    assert not repeats(table).any()
    table[[7, 20, 49]] = table[3].clone()
    table[[8, 21]] = 0
    assert repeats(table).nonzero().flatten().tolist() == [7, 20, 21, 49]

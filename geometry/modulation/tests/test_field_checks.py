"""Checks of field modulators: CVs in two forms, and a forward pass that must leave nulls alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from geometric_invariants.geometry.modulation.field import FieldModulator, FieldSettings
from geometric_invariants.geometry.modulation.field_checks import (
    cv_check,
    self_test,
    sources_cv_check,
)
from geometric_invariants.geometry.simplex import cayley_menger_squared_volume, draw_index_sets


def test_the_check_is_of_the_volumes_that_are_spanned() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(60, 12, generator=generator)
    rows[1] = rows[0]
    sets = draw_index_sets(60, 300, 5, generator)
    flat = torch.tensor([[0, 1, 2, 3, 4]] * 30)
    found = cv_check(rows, torch.cat([sets, flat]))
    squares = cayley_menger_squared_volume(rows.double()[sets])
    both = (sets == 0).any(1) & (sets == 1).any(1)
    volumes = squares[~both].sqrt()
    assert found.cv == pytest.approx((volumes.std(correction=0) / volumes.mean()).item(), rel=1e-4)
    assert found.mean == pytest.approx(volumes.mean().item(), rel=1e-4)
    assert found.valid == pytest.approx(int((~both).sum()) / 330)
    near = FieldSettings(cv_target=found.cv, cv_reach=0.001)
    assert cv_check(rows, sets, near).in_band
    assert not cv_check(rows, sets, FieldSettings(cv_target=found.cv + 0.1)).in_band


def test_nothing_spanned_is_not_in_band() -> None:
    found = cv_check(torch.zeros(9, 6), torch.tensor([[0, 1, 2, 3, 4]]))
    assert math.isnan(found.cv)
    assert (found.valid, found.in_band) == (0.0, False)


def test_the_sources_check_looks_at_eight_coordinates_and_repeats_points() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(7, 20, generator=generator)
    other = rows.clone()
    other[:, 8:] = 100 * torch.randn(7, 12, generator=generator)
    first, second = (
        sources_cv_check(x, torch.Generator().manual_seed(1), count=5_000) for x in (rows, other)
    )
    assert first == second
    distinct = math.perm(7, 5) / 7**5
    assert first.valid == pytest.approx(distinct, abs=0.03)


@pytest.mark.parametrize("null_space", ["tail", "scattered"])
def test_a_sound_modulator_passes_and_one_that_touches_nulls_does_not(null_space: str) -> None:
    torch.manual_seed(0)
    modulator = FieldModulator(32, 3, FieldSettings(null_space=null_space))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    assert self_test(modulator, generator).passed

    class Leaking(FieldModulator):
        def forward(self, states: Tensor, tokens: Tensor | None, layer: int) -> Tensor:
            return super().forward(states, tokens, layer) + 1e-3

    found = self_test(Leaking(32, 3), generator)
    assert found.shapes_kept
    assert not found.null_untouched
    assert not found.passed

"""Chains of hypernyms and the decay of cosines along them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry import chains, relations


def test_chains_follow_the_first_hypernym_through_the_matched() -> None:
    #     0 ← 1 ← 2 ← 3 ← 4,  5 alone; synset 2 is not matched
    above = torch.tensor([-1, 0, 1, 2, 3, -1])
    place = torch.tensor([7, 6, -1, 5, 4, 3])
    found = chains.hypernym_chains(above, torch.tensor([4, 3, 1, 5]), place)
    assert found[:, :5].tolist() == [[4, 5, 6, 7, -1], [5, 6, 7, -1, -1]]
    unit = relations.unit_rows(torch.randn(8, 5, generator=torch.Generator().manual_seed(0)))
    cosines = chains.chain_cosines(unit, found)
    assert cosines[0, 2].item() == pytest.approx((unit[4] @ unit[7]).item(), abs=1e-6)
    assert cosines[:, 3:].isnan().all()
    assert not cosines[0, :3].isnan().any()


@given(st.integers(0, 30), st.integers(0, 99))
def test_decay_is_the_difference_of_means_over_those_that_reach(long: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = relations.unit_rows(torch.randn(50, 6, generator=generator))
    rows = torch.randint(50, (40, 11), generator=generator)
    rows[long:, 3:] = -1
    cosines = chains.chain_cosines(unit, rows)
    expected = cosines[:, 0].nanmean() - cosines[:, 4].nanmean()
    found = chains.chain_decay(unit, rows)
    assert found.value == pytest.approx(expected.item(), abs=1e-6, nan_ok=True)
    assert found.low <= found.value <= found.high or long < 20


def test_the_decays_interval_knows_that_chains_share_ancestors() -> None:
    """A thousand chains under the same five ancestors are no thousand draws."""
    covered = 0
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        unit = relations.unit_rows(torch.randn(400, 16, generator=generator))
        rows = torch.full((300, 11), -1)
        rows[:, 0] = torch.randint(40, 400, (300,), generator=generator)
        rows[:, 1:6] = torch.randint(40, (300, 5), generator=generator)
        found = chains.chain_decay(unit, rows)
        covered += found.low <= 0 <= found.high
    assert covered / 60 > 0.88

"""A faithful copy of the source passes, whatever the source's own draw was."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.experiments.modulation import prints
from geometric_invariants.invariants.experiments.modulation.sweep import HIGH, LOW
from geometric_invariants.invariants.printed import Parts, Printed, Way, over_draws

REPEATS = 20_000
CLAIMS = load_claims()


def passing(parts: list[Printed], seed: int) -> float:
    """Share of sources whose rounded print of one draw holds of our mean over draws, all parts."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    held = torch.ones(REPEATS, dtype=torch.bool)
    for one in parts:
        truth = one.value + one.digit * torch.rand(REPEATS, generator=generator).double()
        source = ((truth + one.spread * normal(REPEATS)) / one.digit).round() * one.digit
        ours = truth + one.spread * normal(one.draws, REPEATS).mean(0)
        held &= (ours - source).abs() <= one.reach
    return held.double().mean().item()


@pytest.mark.parametrize(
    ("claim", "parts"),
    [
        ("modulator_alpha_001", [*prints.PRINTED[LOW].values()]),
        ("modulator_alpha_050", [*prints.PRINTED[HIGH].values()]),
        (
            "modulator_best_result",
            [prints.PEARSON_GAIN, prints.SPEARMAN_GAIN, prints.TRAINED_CV],
        ),
    ],
)
def test_a_faithful_copy_passes_ninety_nine_times_of_a_hundred(
    claim: str, parts: list[Printed]
) -> None:
    assert CLAIMS[claim].band_for("t5_small") == (-1, 1)
    assert CLAIMS[claim].of == "every part"
    assert passing(parts, seed=0) >= 0.99


@settings(deadline=None)
@given(st.floats(0, 1))
def test_a_place_on_the_way_passes_wherever_it_lies(truth: float) -> None:
    assert CLAIMS["phase_boundary"].band_for("t5_small") == (0, 1)
    generator = torch.Generator().manual_seed(0)
    held = torch.ones(REPEATS, dtype=torch.bool)
    for way in prints.WAYS.values():
        noise = torch.randn(way.draws, REPEATS, generator=generator, dtype=torch.float64)
        placed = way.place(truth + way.ours * noise.mean(0))
        held &= (placed >= 0) & (placed <= 1)
    assert held.double().mean().item() >= 0.99


def test_a_gain_of_two_blurred_correlations_spreads_as_reckoned() -> None:
    generator = torch.Generator().manual_seed(0)
    before, after = 0.099, 0.099 * 2.52
    noise = 0.009 * torch.randn(2, REPEATS, generator=generator, dtype=torch.float64)
    gains = (after + noise[0]) / (before + noise[1]) - 1
    assert gains.std().item() == pytest.approx(prints.PEARSON_GAIN.spread, rel=0.05)


@given(st.floats(-2, 2), st.floats(0.001, 1), st.floats(0, 0.5), st.integers(1, 9))
def test_a_band_is_the_print_and_what_blurs_it(
    value: float, digit: float, spread: float, draws: int
) -> None:
    printed = Printed(value, digit, spread, draws)
    edges = torch.tensor([value + side * printed.reach for side in (-1, 0, 1)], dtype=torch.float64)
    assert printed.place(edges).tolist() == pytest.approx([-1, 0, 1], abs=1e-4)
    assert printed.reach >= digit / 2 + 2.5758 * spread
    way = Way(spread, spread, draws)
    ends = torch.tensor([-way.beyond, 1 + way.beyond]).double()
    assert way.place(ends).tolist() == pytest.approx([0, 1], abs=1e-6)


def test_the_worst_part_is_the_one_farthest_out_and_noise_is_the_greatest() -> None:
    draws = {"a": torch.tensor([0.1, 0.3]).double(), "b": torch.tensor([-1.5, -1.5]).double()}
    parts = Parts(draws, {"b": 0.2})
    assert parts.means == pytest.approx({"a": 0.2, "b": -1.5})
    worst = parts.worst(-1, 1)
    own = max(torch.tensor([0.1, 0.3]).std().item(), 0.2)
    assert worst.value == -1.5
    assert worst.half_width == pytest.approx(1.96 * own / math.sqrt(2), rel=1e-3)
    assert parts.noise == pytest.approx(worst.half_width)
    assert over_draws(torch.tensor([4.0])).half_width == 0

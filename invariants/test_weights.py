"""Claims on single weight matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.invariants.conftest import Measure


def test_q_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.q_sparsity(model))


def test_encoder_q_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.encoder_q_sparsity(model))


def test_decoder_q_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.decoder_q_sparsity(model))


def test_cross_q_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.cross_q_sparsity(model))


def test_k_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.k_sparsity(model))


def test_v_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.v_sparsity(model))


def test_weight_sparsity(model: Model, measure: Measure) -> None:
    measure(quantities.weights.weight_sparsity(model))


def test_stable_rank(model: Model, measure: Measure) -> None:
    measure(quantities.spectra.stable_rank(model))


def test_spectral_participation_ratio(model: Model, measure: Measure) -> None:
    measure(quantities.spectra.spectral_participation_ratio(model))


def test_active_fraction(model: Model, measure: Measure) -> None:
    measure(quantities.spectra.active_fraction(model))


def test_rank_90(model: Model, measure: Measure) -> None:
    measure(quantities.spectra.rank_90(model))


def test_condition_number(model: Model, measure: Measure) -> None:
    measure(quantities.spectra.condition_number(model))


def test_bulk_and_spikes(model: Model, measure: Measure) -> None:
    measure(quantities.bulk.bulk_and_spikes(model))


def test_tail_exponent(model: Model, measure: Measure) -> None:
    measure(quantities.bulk.tail_exponent(model))


def test_row_profile(model: Model, measure: Measure) -> None:
    measure(quantities.profiles.row_profile(model))


def test_weight_change(model: Model, measure: Measure) -> None:
    measure(quantities.change.weight_change(model))


def test_dead_neurons(model: Model, measure: Measure) -> None:
    measure(quantities.weights.dead_neurons(model))

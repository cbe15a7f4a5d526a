"""Claims on single weight matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invariants import quantities

if TYPE_CHECKING:
    from fixtures.model import Model
    from geometry.estimate import Sampling
    from invariants.conftest import Measure


def test_q_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.q_sparsity(model, sampling))


def test_encoder_q_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.encoder_q_sparsity(model, sampling))


def test_decoder_q_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.decoder_q_sparsity(model, sampling))


def test_cross_q_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.cross_q_sparsity(model, sampling))


def test_k_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.k_sparsity(model, sampling))


def test_v_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.v_sparsity(model, sampling))


def test_weight_sparsity(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.weight_sparsity(model, sampling))


def test_stable_rank(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.spectra.stable_rank(model, sampling))


def test_spectral_participation_ratio(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.spectra.spectral_participation_ratio(model, sampling))


def test_active_fraction(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.spectra.active_fraction(model, sampling))


def test_rank_90(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.spectra.rank_90(model, sampling))


def test_condition_number(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.spectra.condition_number(model, sampling))


def test_dead_neurons(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.weights.dead_neurons(model, sampling))

"""Claims on modulated encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.conftest import Measure


def test_modulator_alpha_001(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.modulation.modulator_alpha_001(model, sampling))


def test_modulator_alpha_050(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.modulation.modulator_alpha_050(model, sampling))


def test_phase_boundary(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.modulation.phase_boundary(model, sampling))


def test_field_modulator_parameters(model: Model, measure: Measure) -> None:
    measure(quantities.modulation.field_modulator_parameters(model))


def test_modulator_best_result(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.training.modulator_best_result(model, sampling))


def test_modulator_alpha_rises(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.training.modulator_alpha_rises(model, sampling))

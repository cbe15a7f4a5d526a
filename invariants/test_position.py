"""Claims on relative position biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.invariants.conftest import Measure


def test_decoder_position_crystallization(model: Model, measure: Measure) -> None:
    measure(quantities.position.decoder_position_crystallization(model))

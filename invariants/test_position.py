"""Claims on relative position biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invariants import quantities

if TYPE_CHECKING:
    from fixtures.model import Model
    from invariants.conftest import Measure


def test_decoder_position_crystallization(model: Model, measure: Measure) -> None:
    measure(quantities.position.decoder_position_crystallization(model))

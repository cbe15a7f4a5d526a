"""Claims on forward passes and on the model as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.invariants.conftest import Measure


def test_layer_evolution(model: Model, measure: Measure) -> None:
    measure(quantities.terrain.layer_evolution(model))


def test_encoder_decoder_cosine(model: Model, measure: Measure) -> None:
    measure(quantities.terrain.encoder_decoder_cosine(model))


def test_special_token_norm(model: Model, measure: Measure) -> None:
    measure(quantities.words.special_token_norm(model))

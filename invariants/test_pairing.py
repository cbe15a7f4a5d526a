"""Claims on what belongs together: a layer's two sides, kin tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.invariants.conftest import Measure


def test_neuron_pairing(model: Model, measure: Measure) -> None:
    measure(quantities.pairing.neuron_pairing(model))


def test_head_pairing(model: Model, measure: Measure) -> None:
    measure(quantities.pairing.head_pairing(model))


def test_kin_tokens(model: Model, measure: Measure) -> None:
    measure(quantities.pairing.kin_tokens(model))

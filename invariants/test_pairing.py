"""Claims on what belongs together: a layer's two sides, kin tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.invariants.conftest import Measure


def test_neuron_pairing(model: Model, measure: Measure) -> None:
    measure(quantities.pairing.neuron_pairing(model))


def test_unpaired_heads(model: Model, measure: Measure) -> None:
    measure(quantities.pairing.unpaired_heads(model))


def test_head_pairing(model: Model, measure: Measure) -> None:
    measure(quantities.pairing.head_pairing(model))


def test_rotary_layout(model: Model, measure: Measure) -> None:
    measure(quantities.rotary.rotary_layout(model))


def test_head_and_table(model: Model, measure: Measure) -> None:
    measure(quantities.token_rows.head_and_table(model))


def test_untrained_rows(model: Model, measure: Measure) -> None:
    measure(quantities.token_rows.untrained_rows(model))


def test_position_order(model: Model, measure: Measure) -> None:
    measure(quantities.token_rows.position_order(model))


def test_kin_tokens(model: Model, measure: Measure) -> None:
    measure(quantities.kin.kin_tokens(model))

"""Claims across layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.invariants.conftest import Measure


def test_cross_layer_correlation(model: Model, measure: Measure) -> None:
    measure(quantities.layers.cross_layer_correlation(model))


def test_layernorm_scale(model: Model, measure: Measure) -> None:
    measure(quantities.layers.layernorm_scale(model))

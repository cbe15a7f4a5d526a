"""Claims across layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invariants import quantities

if TYPE_CHECKING:
    from fixtures.model import Model
    from geometry.estimate import Sampling
    from invariants.conftest import Measure


def test_cross_layer_correlation(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.layers.cross_layer_correlation(model, sampling))


def test_layernorm_scale(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.layers.layernorm_scale(model, sampling))

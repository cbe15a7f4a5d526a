"""Claims on a model beside a larger one of the same vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.conftest import Measure


def test_cross_scale_relational_correlation(
    model: Model, sampling: Sampling, measure: Measure
) -> None:
    measure(quantities.projection.cross_scale_relational_correlation(model, sampling))

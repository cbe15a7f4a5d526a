"""Claims on what the files hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.conftest import Measure


def test_manifest(model: Model, measure: Measure) -> None:
    measure(quantities.parameters.manifest(model))


def test_lost_tensors(model: Model, measure: Measure) -> None:
    measure(quantities.completeness.lost_tensors(model))


def test_peak_magnitude(model: Model, measure: Measure) -> None:
    measure(quantities.tensors.peak_magnitude(model))


def test_blank_weights(model: Model, measure: Measure) -> None:
    measure(quantities.damage.blank_weights(model))


def test_damaged_weights(model: Model, measure: Measure) -> None:
    measure(quantities.damage.damaged_weights(model))


def test_embedding_parameter_share(model: Model, measure: Measure) -> None:
    measure(quantities.parameters.embedding_parameter_share(model))


def test_embedding_head_cosine(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.head.embedding_head_cosine(model, sampling))

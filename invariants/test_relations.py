"""Claims on token representations against WordNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.conftest import Measure


def test_wordnet_matched(model: Model, measure: Measure) -> None:
    measure(quantities.relations.wordnet_matched(model))


def test_static_encoder_cosine(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.static_encoder_cosine(model, sampling))


def test_relational_alignment(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.relational_alignment(model, sampling))


def test_encoder_relational_lift(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.encoder_relational_lift(model, sampling))


def test_hypernym_decay(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.hypernym_decay(model, sampling))


def test_stability_over_seeds(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.stability_over_seeds(model, sampling))


def test_paired_volume_correlation(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.paired_volume_correlation(model, sampling))


def test_lexicographer_cosine(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.relations.lexicographer_cosine(model, sampling))

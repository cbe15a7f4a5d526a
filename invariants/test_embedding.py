"""Claims on the token-embedding table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.conftest import Measure


def test_pentachoron_cv(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.volumes.pentachoron_cv(model, sampling))


def test_volume_ratio_to_gaussian(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.volumes.volume_ratio_to_gaussian(model, sampling))


def test_embedding_participation_ratio(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.embedding.embedding_participation_ratio(model, sampling))


def test_mean_pairwise_cosine(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.embedding.mean_pairwise_cosine(model, sampling))


def test_digit_distance_correlation(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.words.digit_distance_correlation(model, sampling))


def test_category_lift(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.words.category_lift(model, sampling))


def test_embedding_norm(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.norms.embedding_norm(model, sampling))

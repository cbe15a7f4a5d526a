"""Claims on the query–key geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geometric_invariants.invariants import quantities

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.conftest import Measure


def test_self_attention_qk_balance(model: Model, measure: Measure) -> None:
    measure(quantities.attention.self_attention_qk_balance(model))


def test_cross_attention_qk_balance(model: Model, measure: Measure) -> None:
    measure(quantities.attention.cross_attention_qk_balance(model))


def test_head_signed_mass(model: Model, sampling: Sampling, measure: Measure) -> None:
    measure(quantities.attention.head_signed_mass(model, sampling))

"""Single tensors of sound small models show no damage, whatever their architecture."""

from __future__ import annotations

from pathlib import Path

import pytest

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.tests import small_architectures
from geometric_invariants.invariants.quantities.damage import blank_weights, damaged_weights


@pytest.mark.parametrize("model_type", small_architectures.POPULAR)
def test_small_models_raise_no_alarm(model_type: str, tmp_path: Path) -> None:
    small_architectures.build(model_type, tmp_path)
    model = Model(model_type, tmp_path)
    assert (blank_weights(model).where, damaged_weights(model).where) == ("", "")

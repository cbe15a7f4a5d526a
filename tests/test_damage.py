"""Single tensors of sound small models show no damage, whatever their architecture."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.tests import small_architectures
from geometric_invariants.invariants.quantities.damage import blank_weights, damaged_weights
from geometric_invariants.invariants.quantities.depth import jump


@pytest.mark.parametrize("model_type", small_architectures.POPULAR)
def test_small_models_raise_no_alarm(model_type: str, tmp_path: Path) -> None:
    small_architectures.build(model_type, tmp_path)
    model = Model(model_type, tmp_path)
    assert (blank_weights(model).where, damaged_weights(model).where) == ("", "")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-0.1, 0.1), min_size=4, max_size=40),
    st.floats(-0.2, 0.2),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(0, 100),
)
def test_a_scale_off_the_course_of_the_layers_is_told(
    noise: list[float], slope: float, factor: float, place: int
) -> None:
    """Layers that drift and waver are sound; one that is doubled or halved is named."""
    scales = {layer: math.exp(slope * layer + wave / 2) for layer, wave in enumerate(noise)}
    layer = 1 + place % (len(scales) - 2)
    scales[layer] *= factor
    assert jump(scales) == (None if factor == 1 else layer)

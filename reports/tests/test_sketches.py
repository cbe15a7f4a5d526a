from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports.files import from_json, to_json
from geometric_invariants.reports.profiles import packed
from geometric_invariants.reports.results import Measurement
from geometric_invariants.reports.sketches import (
    ENTRIES,
    SHIFTS,
    SUMS,
    Sketches,
    TensorSketch,
    packed_sketches,
)

VECTOR = TensorSketch(1.0, 1.0, 0.0, (0.5,) * ENTRIES, ())
ONE = Sketches(0, 5, ("b",), packed_sketches([VECTOR]))
floats = st.floats(-(2.0**99), 2.0**99, width=32)
sizes = st.floats(0, 2.0**99, width=32)


@given(st.lists(st.tuples(sizes, sizes, sizes), min_size=1, max_size=4), st.data())
def test_sketches_survive_packing(
    norms: list[tuple[float, float, float]], data: st.DataObject
) -> None:
    def numbers(count: int) -> tuple[float, ...]:
        return tuple(data.draw(st.lists(floats, min_size=count, max_size=count)))

    tensors = [TensorSketch(*three, numbers(SHIFTS**2), numbers(SUMS)) for three in norms]
    places = tuple(f"layer {i}" for i in range(len(tensors)))
    whole = Sketches(4, 8, places, packed_sketches(tensors), "rows", 2)
    assert dict(whole.tensors()) == dict(zip(places, tensors, strict=True))
    cell = Measurement("m", "c", "measured", sketches=(whole, ONE))
    assert from_json(to_json(cell)) == cell


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": -1}, "-1 × 5"),
        ({"columns": 0}, "0 × 0"),
        ({"period": 0}, "every 0 of"),
        ({"rows": 3}, "19 numbers for 1 tensors of 39"),
        ({"places": ()}, "19 numbers for 0 tensors"),
        ({"numbers": "?"}, "numbers is no base64 of 32-bit numbers"),
        ({"numbers": packed([float("-1"), *([0.0] * 18)])}, "a norm is negative"),
        ({"numbers": packed([0.0, 0.0, -1.0, *([0.0] * 16)])}, "a norm is negative"),
    ],
)
def test_hostile_sketches_are_refused_with_their_place(
    fields: dict[str, object], message: str
) -> None:
    content = to_json(Measurement("m", "c", "measured", sketches=(ONE,)))
    content["sketches"][0].update(fields)
    with pytest.raises(ValueError, match=rf"sketches\[0\]: .*{message}"):
        from_json(content)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(ONE, **fields)  # type: ignore[arg-type]

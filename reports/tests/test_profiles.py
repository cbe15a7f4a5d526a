from __future__ import annotations

import base64
import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports.files import from_json, to_json
from geometric_invariants.reports.profiles import Profile, packed, unpacked
from geometric_invariants.reports.results import Measurement

floats = st.floats(width=32, allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) < 3e38)
TWO = packed([1.0, 2.0])
PLAIN = Profile("w", 3, 5, 2, TWO, TWO)


@given(st.lists(floats, max_size=20))
def test_numbers_survive_packing(numbers: list[float]) -> None:
    text = packed(numbers)
    assert unpacked(text) == tuple(numbers)
    assert base64.b64decode(text) == struct.pack(f"<{len(numbers)}f", *numbers)


def test_numbers_beyond_its_range_are_its_largest() -> None:
    assert unpacked(packed([1e300, -1e300])) == pytest.approx((3.4e38, -3.4e38))


def test_rows_of_a_block() -> None:
    assert [PLAIN.rows_of(block) for block in range(PLAIN.blocks)] == ["rows 0 – 1", "row 2"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0}, "blocks of 2 rows of 0 × 5"),
        ({"step": -1}, "blocks of -1 rows"),
        ({"rows": 1 << 62}, "norms holds 2 numbers for"),
        ({"norms": packed([1.0])}, "norms holds 1 numbers for 2 blocks"),
        ({"norms": ""}, "norms holds 0 numbers"),
        ({"norms": packed([1.0, -2.0])}, "norms holds a negative number"),
        ({"sums": "?"}, "sums is no base64 of 32-bit numbers"),
        ({"sums": "ü"}, "sums is no base64 of 32-bit numbers"),
        ({"sums": "AAA="}, "sums is no base64 of 32-bit numbers"),
        ({"norms": base64.b64encode(b"\xff" * 8).decode()}, "norms holds what is not a number"),
        ({"norm_noise": TWO}, "has to be known of norms and sums alike"),
        ({"norm_noise": TWO, "sum_noise": packed([-1.0, 0.0])}, "sum_noise holds a negative"),
    ],
)
def test_a_hostile_profile_is_refused_with_its_place(
    fields: dict[str, object], message: str
) -> None:
    whole = Measurement("m", "c", "measured", profiles={"encoder": PLAIN})
    content = to_json(whole)
    assert from_json(content) == whole
    content["profiles"]["encoder"].update(fields)
    with pytest.raises(ValueError, match=f"profiles.encoder: .*{message}"):
        from_json(content)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PLAIN, **fields)  # type: ignore[arg-type]

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.results import (
    Figure,
    Measurement,
    Provenance,
    Reference,
    Results,
    ResultsError,
    Tolerance,
    Value,
    from_json,
    latest,
    read_results,
    to_json,
    write_atomically,
    write_results,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.builds(Value, finite, finite, finite, st.integers(0, 10**9), st.text(max_size=5))
measurements = st.builds(
    Measurement,
    model=st.text(min_size=1, max_size=5),
    claim=st.text(min_size=1, max_size=5),
    verdict=st.sampled_from(["holds", "violated", "measured", "not applicable", "error"]),
    value=st.none() | values,
    twin=st.none() | values,
    band=st.none() | st.tuples(st.none() | finite, st.none() | finite),
    controls=st.lists(st.builds(Reference, st.text(), values, st.text())).map(tuple),
    parts=st.dictionaries(st.text(), finite, max_size=3),
    figures=st.lists(
        st.builds(
            Figure,
            st.text(),
            st.sampled_from(["lines", "heatmap"]),
            st.lists(finite | st.text()).map(tuple),
            st.dictionaries(st.text(), st.lists(st.none() | finite).map(tuple), max_size=2),
        ),
        max_size=2,
    ).map(tuple),
    notes=st.lists(st.text()).map(tuple),
    tolerance=st.builds(Tolerance, finite, finite, st.text()),
    provenance=st.builds(Provenance, checkpoint=st.text(), seconds=finite),
)


@given(measurements)
def test_json_round_trip(measurement: Measurement) -> None:
    assert from_json(json.loads(json.dumps(to_json(measurement)))) == measurement


def test_files_round_trip_and_refuse_what_is_not_a_number(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "r.json"
    results = Results((Measurement("m", "c", "measured", value=Value(1.0, 0.5, 1.5)),))
    write_results(results, file)
    assert read_results(file) == results
    poisoned = Results((Measurement("m", "c", "measured", value=Value(math.nan, 0, 1)),))
    with pytest.raises(ValueError, match="JSON compliant"):
        write_results(poisoned, file)
    assert read_results(file) == results
    assert [p.name for p in file.parent.iterdir()] == ["r.json"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable results file"),
        ("[]", "not results of schema"),
        ('{"schema": 99, "measurements": []}', "not results of schema"),
        ('{"schema": 1}', "malformed measurement"),
        ('{"schema": 1, "measurements": [3]}', "malformed measurement"),
        ('{"schema": 1, "measurements": [{"model": "m"}]}', "malformed measurement"),
        (
            '{"schema": 1, "measurements": [{"model": "m", "claim": "c", "verdict": "fine"}]}',
            "unknown verdict",
        ),
        (
            '{"schema": 1, "measurements": [{"model": "m", "claim": "c", "verdict": "holds",'
            ' "margin": NaN}]}',
            "NaN is not a number",
        ),
    ],
)
def test_malformed_files_name_file_and_cause(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)
    with pytest.raises(ResultsError, match=message) as raised:
        read_results(file)
    assert str(file) in str(raised.value)


def test_the_last_measurement_of_a_cell_counts() -> None:
    first = Measurement("m", "c", "error")
    second = Measurement("m", "c", "measured", value=Value(1, 1, 1))
    other = Measurement("n", "c", "unavailable")
    results = latest([first, other, second])
    assert results.measurements == (second, other)
    assert results.coverage() == "1 of 2 models measured, 1 unavailable: n"

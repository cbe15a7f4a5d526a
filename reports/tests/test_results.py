from __future__ import annotations

import dataclasses
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports.decoding import is_number
from geometric_invariants.reports.files import (
    ResultsError,
    from_json,
    read_results,
    to_json,
    write_atomically,
    write_results,
)
from geometric_invariants.reports.finite import finite
from geometric_invariants.reports.results import (
    Measurement,
    Provenance,
    Reference,
    Results,
    Standing,
    Value,
    latest,
    percent,
)
from geometric_invariants.reports.tests.measurements import broken, judged, measurements

BAND = (0.2, 0.3)
INSIDE, OUTSIDE, ACROSS = Value(0.25, 0.24, 0.26), Value(0.4, 0.39, 0.41), Value(0.3, 0.29, 0.31)


@given(measurements())
def test_json_round_trip(measurement: Measurement) -> None:
    assert from_json(json.loads(json.dumps(to_json(measurement)))) == measurement


@given(measurements(broken))
def test_what_is_no_number_is_said_and_the_rest_is_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, measurement: Measurement
) -> None:
    file = tmp_path_factory.mktemp("results") / "r.json"
    write_results(Results((measurement,)), file)
    (again,) = read_results(file).measurements
    assert again == finite(measurement) == finite(finite(measurement))
    given_none = any(not is_number(x) for x in _floats(dataclasses.replace(measurement, band=None)))
    assert (again == dataclasses.replace(measurement, band=again.band)) == (not given_none)
    if given_none:
        assert any("is not a number" in said for said in (*again.notes, again.message))


def _floats(content: Any) -> list[float]:
    if dataclasses.is_dataclass(content):
        content = list(vars_of(content))
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list | tuple):
        return [x for item in content for x in _floats(item)]
    return [content] if isinstance(content, float) else []


def vars_of(content: Any) -> list[Any]:
    return [getattr(content, field.name) for field in dataclasses.fields(content)]


def test_a_value_that_is_no_number_is_an_error_and_what_stands_beside_it_is_kept() -> None:
    cell = Measurement(
        "m",
        "c",
        "holds",
        value=Value(math.nan, math.nan, math.nan),
        worst_part="decoder layer 5",
        related=(Reference("cosine", Value(math.inf, 0, 1), ""), Reference("norm", INSIDE, "")),
        parts={"layer 0": 1.0, "layer 1": math.nan},
    )
    said = finite(cell)
    assert (said.verdict, said.value) == ("error", None)
    assert said.message == "the value is not a number (decoder layer 5)"
    assert [r.name for r in said.related] == ["norm"]
    assert said.parts == {"layer 0": 1.0}
    assert said.notes == ("beside it: cosine is not a number", "part layer 1 is not a number")
    unbounded = finite(dataclasses.replace(cell, value=Value(1.0, 0.5, math.inf), worst_part=None))
    assert (unbounded.verdict, unbounded.message) == (
        "error",
        "the value's interval is not a number",
    )


@pytest.mark.parametrize(
    ("value", "random", "standing"),
    [
        (INSIDE, OUTSIDE, "holds, random does not"),
        (INSIDE, INSIDE, "holds, random too"),
        (OUTSIDE, OUTSIDE, "outside"),
        (OUTSIDE, INSIDE, "outside, random inside"),
        (ACROSS, INSIDE, "undecided"),
        (INSIDE, ACROSS, "undecided"),
        (None, INSIDE, None),
        (INSIDE, None, None),
    ],
)
def test_the_one_verdict_on_random(
    value: Value | None, random: Value | None, standing: Standing | None
) -> None:
    reference = None if random is None else Reference("random twins", random, "")
    cell = Measurement("m", "c", "measured", value=value, band=BAND, random=reference)
    assert cell.standing == standing
    assert dataclasses.replace(cell, band=None).standing is None


@given(judged())
def test_the_verdict_on_random_agrees_with_the_intervals(cell: Measurement) -> None:
    assert cell.value is not None
    assert cell.random is not None
    low, high = (cell.band or (None, None))[0], (cell.band or (None, None))[1]

    def place(value: Value) -> str:
        least = -math.inf if low is None else low
        most = math.inf if high is None else high
        if value.low >= least and value.high <= most:
            return "in"
        return "out" if value.high < least or value.low > most else "across"

    expected = {
        ("in", "out"): "holds, random does not",
        ("in", "in"): "holds, random too",
        ("out", "out"): "outside",
        ("out", "in"): "outside, random inside",
    }
    places = place(cell.value), place(cell.random.value)
    assert cell.standing == expected.get(places, "undecided")
    assert cell.standing in get_args(Standing)


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"r\.json: cannot be written"):
        write_atomically(Path("/proc/nowhere/r.json"), "text")


def cell(fields: str) -> str:
    """A results file of one measurement."""
    required = '"model": "m", "claim": "c", "verdict": "holds"'
    return f'{{"schema": 3, "measurements": [{{{required}{fields}}}]}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a readable results file"),
        ("[]", "not results of schema"),
        ('{"schema": 99, "measurements": []}', "not results of schema"),
        ('{"schema": [1], "measurements": []}', "not results of schema"),
        (
            '{"schema": 1, "measurements": []}',
            r"written by an earlier version \(schema 1, now 3\).*measure again",
        ),
        ('{"schema": 3}', "malformed measurement .measurements is missing"),
        ('{"schema": 3, "measurements": [3]}', r"measurements\[0\] must be an object, not 3"),
        ('{"schema": 3, "measurements": [{"model": "m"}]}', r"measurements\[0\].claim is missing"),
        (cell("").replace("holds", "fine"), "verdict must be one of holds, .* not 'fine'"),
        (cell(', "margin": NaN'), "NaN is not a number"),
        (cell(', "margin": 1e999'), "margin must be a number within ±1e.300, not inf"),
        (cell(', "margin": 1').replace('"m"', "7"), "model must be Unicode text, not 7"),
        (cell(', "claim": "\\ud800"'), "claim must be Unicode text"),
        (cell(', "colour": "red"'), "colour is not a field"),
        (cell(', "parts": [1, 2]'), "parts must be an object, not a list"),
        (cell(', "parts": "many"'), "parts must be an object, not 'many'"),
        (cell(', "parts": {"layer 0": "1"}'), "parts.layer 0 must be a number"),
        (cell(', "stated": 1'), "stated must be true or false"),
        (cell(', "version": true'), "version must be a whole number"),
        (cell(', "version": 1' + "0" * 30), "version must be a whole number of 64 bits"),
        (cell(', "value": {"value": 1, "low": 2, "high": 0}'), "value: an interval from 2 to 0"),
        (cell(', "band": [2, 1]'), "a band from 2 to 1"),
        (cell(', "band": [2]'), "band must hold 2 values, not 1"),
        (
            cell(', "figures": [{"title": "t", "kind": "lines", "x": [], "series": {},')[:-3]
            + ' "spread": {"a": []}}]}]}',
            "the spread of 'a', which is no series",
        ),
        (cell('}, {"model": "m", "claim": "c", "verdict": "error"'), r"c \[m\] stands twice"),
        ("[" * 100_000, "nested too deep"),
        (cell(', "parts": ' + '{"a":' * 100_000), "nested too deep"),
    ],
)
def test_malformed_files_name_file_and_cause(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)
    with pytest.raises(ResultsError, match=message) as raised:
        read_results(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert len(str(raised.value)) < 400


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(measurements(), st.data())
def test_a_field_of_any_content_is_read_or_refused(cell: Measurement, data: st.DataObject) -> None:
    content = to_json(cell)
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(json_like)
    with suppress(ValueError):
        read = from_json(content)
        assert from_json(json.loads(json.dumps(to_json(read)))) == read


def test_the_last_measurement_of_a_cell_counts() -> None:
    first = Measurement("m", "c", "error")
    second = Measurement("m", "c", "measured", value=Value(1, 1, 1))
    other = Measurement("n", "c", "unavailable")
    results = latest([first, other, second])
    assert results.measurements == (second, other)
    assert results.coverage() == "1 of 2 models measured, 1 unavailable: n"


def test_coverage_says_the_share_of_parameters_that_were_measured() -> None:
    def counted(model: str, measured: int) -> Measurement:
        origin = Provenance(parameters=10_000, measured_parameters=measured)
        return Measurement(model, "c", "measured", value=INSIDE, provenance=origin)

    results = latest([counted("mine", 9_820), Measurement("away", "c", "unavailable")])
    assert results.coverage() == (
        "1 of 2 models measured, 1 unavailable: away; 98.2 % of the parameters of mine"
    )
    assert results.measured_share("away") is None
    assert latest([counted("a", 10_000)]).coverage().endswith("; 100 % of the parameters of a")


@given(st.integers(0, 10**6))
def test_only_all_is_a_hundred_percent(measured: int) -> None:
    assert (percent(measured / 10**6) == "100 %") == (measured == 10**6)

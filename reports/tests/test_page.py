"""The page and the terminal: well formed, complete, and of one mind."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports import drawing, page, terminal, wording
from geometric_invariants.reports.finite import finite
from geometric_invariants.reports.results import Measurement, Provenance, Reference, Results, Value
from geometric_invariants.reports.tests.measurements import broken, judged, measurements, values

VOID = {"meta", "br", "line", "circle", "polyline"}
NULL = Reference("random", Value(0.5, 0.4, 0.6), "weights at random")


class Balanced(HTMLParser):
    """Fails on a tag that closes another than the last one opened; keeps texts, and by class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.classes: list[str | None] = []
        self.text: list[str] = []
        self.by_class: dict[str | None, list[str]] = {}
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
            self.classes.append(dict(attrs).get("class"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag
            self.classes.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.classes:
            self.by_class.setdefault(self.classes[-1], []).append(data)


def measured(value: float, **fields: object) -> Measurement:
    return Measurement(
        "m",
        "c",
        "measured",
        title="A claim",
        value=Value(value, value - 0.01, value + 0.01, 100),
        controls=(NULL,),
        random=NULL,
        provenance=Provenance(load="1", load_seconds=2, bytes=3 << 20),
        **fields,  # type: ignore[arg-type]
    )


def test_the_page_shows_cells_evidence_and_what_is_missing() -> None:
    away = Measurement("t5_xxl", "c", "unavailable", message="not here", command="get --it")
    failing = Measurement("n", "c", "error", message="<broken & bent>")
    html = page.render(Results((measured(0.9, band=(0.2, 0.3)), away, failing)))
    text = " ".join(Balanced(html).text)
    for shown in (
        "A claim",
        "0.9",
        "get --it",
        "<broken & bent>",
        "random 0.5 [0.4, 0.6]",
        "3.0 MiB",
    ):
        assert shown in text
    assert "<broken" not in html


# Sentences of which one cell could once say two that contradict each other.
CONTRADICTING = ("training made", "Tells", "discriminates", "= null", "≠", "Says nothing")


@given(judged())
def test_page_and_terminal_speak_of_random_alike_and_once(cell: Measurement) -> None:
    """One verdict a cell: in matrix, table, detail, both terminals the same words and no others."""
    shown = Balanced(page.render(Results((cell,))))
    (read,) = shown.by_class["reading"]
    lines = [terminal.cell_line(cell), *terminal.text_summary(Results((cell,)))]
    assert wording.reading(cell) == read.removesuffix(".")
    assert wording.reading(cell) in lines[0]
    if cell.standing is None:
        assert "standing" not in shown.by_class
        assert not any(standing in " ".join([read, *lines]) for standing in wording.STANDINGS)
    else:
        assert shown.by_class["standing"] == [cell.standing] * 2  # matrix, and beside random
        assert read.startswith(f"{cell.standing}: ")
        assert f"  against random: 1 × {cell.standing}" in lines
        said = re.findall("holds, random (?:too|does not)|outside, random inside|undecided", read)
        assert set(said) <= {cell.standing}
    if cell.stated:
        assert (
            any(line.endswith(f"; {wording.reading(cell)}") for line in lines) or not cell.message
        )
    for phrase in CONTRADICTING:
        assert phrase not in " ".join([*shown.text, *lines])
    if cell.worst_part:
        assert "decoder layer 5" in " ".join(shown.text)
        assert "decoder layer 5" in lines[0]


@given(measurements(broken))
def test_whatever_was_measured_can_be_shown(cell: Measurement) -> None:
    results = Results((finite(cell),))
    html = page.render(results)
    Balanced(html)
    drawn = re.findall(' (?:[xy][12]?|c[xy]|r|width|height|points)="([^"]*)"', html)
    assert not any("nan" in place or "inf" in place for place in drawn)
    assert terminal.text_summary(results)
    assert terminal.cell_line(finite(cell))


@given(values(), values())
def test_the_distance_from_random_is_a_number_and_no_verdict(value: Value, random: Value) -> None:
    away = wording.distance(value, random)
    assert float(away.removesuffix(" half-widths")) >= 0
    assert wording.distance(random, value) == away


def test_the_distance_counts_half_widths_of_both() -> None:
    # Half-widths 0.3 and 0.4 make 0.5 together; 2 apart.
    assert wording.distance(Value(1, 0.7, 1.3), Value(3, 2.6, 3.4)) == "4 half-widths"
    assert wording.distance(Value(1, 1, 1), Value(3, 3, 3)) == "2"


def test_without_a_band_random_stands_beside_the_value_without_a_verdict() -> None:
    assert wording.reading(measured(0.9)) == "random 0.5 [0.4, 0.6], 3.98 half-widths away"
    assert wording.reading(measured(0.9, band=(0.8, 1.0))) == (
        "holds, random does not: random 0.5 [0.4, 0.6], 3.98 half-widths away"
    )
    assert wording.reading(Measurement("m", "c", "error")) == ""


def test_random_twins_are_shown_beside_the_value() -> None:
    twins = Reference("random twins", Value(0.85, 0.8, 0.895), "5 seeds")
    cell = dataclasses.replace(measured(0.9), random=twins)
    assert "random twins" in drawing.interval(cell)
    text = " ".join(Balanced(page.render(Results((cell,)))).text)
    assert "Trained or random" in text
    assert "0.85 [0.8, 0.895]" in text
    alone = dataclasses.replace(cell, random=None)
    assert "Trained or random" not in page.render(Results((alone,)))


def test_shares_remarks_and_what_was_not_compared_are_said() -> None:
    origin = Provenance(
        parameters=1000, measured_parameters=982, remarks=("an old index lies beside the file",)
    )
    cell = dataclasses.replace(measured(0.9), provenance=origin, change="not comparable")
    results = Results((cell, dataclasses.replace(cell, claim="d", change="steady")))
    shown = Balanced(page.render(results))
    text = " ".join(shown.text)
    assert "98.2 % of the parameters of m" in text
    assert "an old index lies beside the file" in text
    assert terminal.text_summary(results)[1].strip() == "an old index lies beside the file"
    assert "1 of 2 values were not compared" in "".join(shown.by_class["banner"])
    assert [(row.parameters, row.share) for row in page.ledger(results)] == [(1000, 0.982)]


def test_text_summary_names_failures() -> None:
    violated = Measurement("m", "c", "violated", stated=True, message="claimed 1, measured 2")
    lines = terminal.text_summary(Results((violated,)))
    assert lines == ["m: 1 violated", "  ✗ c: claimed 1, measured 2"]


numbers = st.floats(-1e6, 1e6)


@given(
    numbers,
    st.floats(0, 1e3),
    st.none() | numbers,
    st.dictionaries(st.text("ab<&", max_size=3), numbers),
)
def test_figures_are_well_formed(
    value: float, spread: float, edge: float | None, parts: dict[str, float]
) -> None:
    measurement = Measurement(
        "m",
        "c",
        "measured",
        value=Value(value, value - spread, value + spread),
        band=(edge, None),
        controls=(NULL,),
    )
    for svg in (drawing.interval(measurement), drawing.strip(parts)):
        assert "nan" not in svg
        Balanced(svg)


def test_the_ledger_counts_loads() -> None:
    results = Results((measured(0.9),))
    assert [(row.model, row.loads, row.seconds) for row in page.ledger(results)] == [("m", 1, 2)]

from __future__ import annotations

from html.parser import HTMLParser
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from reports import figures, page
from reports.results import Figure, Measurement, Provenance, Reference, Results, Value

VOID = {"meta", "br", "line", "circle", "polyline"}
NULL = Reference("random", Value(0.5, 0.4, 0.6), "weights at random")


class Balanced(HTMLParser):
    """Fails on a tag that closes another than the last one opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def measured(value: float, **fields: object) -> Measurement:
    return Measurement(
        "m",
        "c",
        "measured",
        title="A claim",
        value=Value(value, value - 0.01, value + 0.01, 100),
        controls=(NULL,),
        discriminates=not 0.39 < value < 0.61,
        provenance=Provenance(load="1", load_seconds=2, bytes=3 << 20),
        **fields,  # type: ignore[arg-type]
    )


def test_the_page_shows_cells_evidence_and_what_is_missing() -> None:
    away = Measurement("t5_xxl", "c", "unavailable", message="not here", command="get --it")
    failing = Measurement("n", "c", "error", message="<broken & bent>")
    html = page.render(Results((measured(0.9, band=(0.2, 0.3)), away, failing)))
    text = " ".join(Balanced(html).text)
    for shown in ("A claim", "0.9", "get --it", "<broken & bent>", "Tells this model", "3.0 MiB"):
        assert shown in text
    assert "<broken" not in html


def test_the_reading_is_in_words() -> None:
    same = page.reading(measured(0.5, band=(0.4, None)))
    assert "Says nothing about training" in same
    assert "The control satisfies the claim too." in same
    assert page.reading(measured(0.9, band=(0.8, 1.0))) == (
        "Tells this model from its control (random: 0.5)."
    )
    assert page.reading(Measurement("m", "c", "error")) == ""


def test_random_twins_are_shown_beside_the_value() -> None:
    apart = measured(0.9, twin=Value(0.5, 0.4, 0.6))
    alike = measured(0.9, twin=Value(0.85, 0.8, 0.895))
    assert apart.tells_trained is True
    assert alike.tells_trained is False
    assert "Tells trained from random: random twins show 0.5, 0.4 – 0.6." in page.reading(apart)
    assert "Random twins show it too: 0.85" in page.reading(alike)
    assert "random twins" in figures.interval(apart)
    for cell, sign in ((apart, "≠"), (alike, "=")):
        text = " ".join(Balanced(page.render(Results((cell,)))).text)
        assert "Trained or random" in text
        assert text.count(sign) > page.render(Results((measured(0.9),))).count(f">{sign}<")
    assert "Trained or random" not in page.render(Results((measured(0.9),)))


def test_text_summary_names_failures() -> None:
    violated = Measurement("m", "c", "violated", stated=True, message="claimed 1, measured 2")
    lines = page.text_summary(Results((violated,)))
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
    for svg in (figures.interval(measurement), figures.strip(parts)):
        assert "nan" not in svg
        Balanced(svg)


@given(
    st.sampled_from(["lines", "heatmap"]),
    st.lists(numbers, max_size=5) | st.lists(st.text("ab<&", max_size=3), max_size=5),
    st.dictionaries(st.text("ab<&", max_size=3), st.lists(st.none() | numbers, max_size=5)),
    st.dictionaries(st.text("ab<&", max_size=3), numbers, max_size=2),
)
def test_drawings_are_well_formed(
    kind: Literal["lines", "heatmap"],
    x: list[float | str],
    series: dict[str, list[float | None]],
    marks: dict[str, float],
) -> None:
    drawn = Figure(
        "<t>",
        kind,
        tuple(x),
        {name: tuple(v) for name, v in series.items()},
        marks,
    )
    svg = figures.figure(drawn)
    assert "nan" not in svg
    Balanced(svg)


def test_a_drawing_names_its_series_and_marks() -> None:
    drawn = Figure("sweep", "lines", (0.0, 0.5), {"a": (1.0, 2.0)}, {"constant": 0.29154})
    text = " ".join(Balanced(page.render(Results((measured(0.9, figures=(drawn,)),)))).text)
    assert all(shown in text for shown in ("sweep", "a: 2", "constant: 0.29154"))


def test_the_ledger_counts_loads() -> None:
    results = Results((measured(0.9),))
    assert [(row.model, row.loads, row.seconds) for row in page.ledger(results)] == [("m", 1, 2)]

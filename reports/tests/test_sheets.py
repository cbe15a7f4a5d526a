"""The sheets of figures and the tables: every one once, on one scale, reached by a link."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.reports import page, tabulating
from geometric_invariants.reports.exhibits import Figure, Table
from geometric_invariants.reports.results import Measurement, Results
from geometric_invariants.reports.sheets import sheets
from geometric_invariants.reports.tests.measurements import measurements
from geometric_invariants.reports.tests.test_drawing import KINDS, example
from geometric_invariants.reports.tests.test_page import VOID, Balanced, measured

_MODELS = ("one", "two", "three")


def _results(figures: tuple[Figure, ...], tables: tuple[Table, ...] = ()) -> Results:
    cell = dataclasses.replace(measured(0.9), figures=figures, tables=tables)
    return Results(tuple(dataclasses.replace(cell, model=model) for model in _MODELS))


class Links(HTMLParser):
    """Ids, those of them that lie inside a details element (below or in its summary), and links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.inside: set[str] = set()
        self.on_details: list[str] = []
        self.targets: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given_ = dict(attrs)
        if (found := given_.get("id")) is not None:
            self.ids.append(found)
            if "details" in self._open:
                self.inside.add(found)
            if tag == "details":
                self.on_details.append(found)
        target = given_.get("href")
        if target is not None and target.startswith("#"):
            self.targets.append(target[1:])
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()


@settings(max_examples=40, deadline=None)
@given(st.lists(measurements(), max_size=3, unique_by=lambda m: m.key))
def test_every_link_leads_to_an_id_and_cells_open(cells: list[Measurement]) -> None:
    links = Links(page.render(Results(tuple(cells))))
    assert len(set(links.ids)) == len(links.ids)
    assert set(links.targets) <= set(links.ids)
    assert links.on_details == []
    opening = {i for i in links.ids if "/" in i and not i.startswith("details/")}
    assert opening <= links.inside


def test_every_figure_is_in_the_bytes_once() -> None:
    drawn = tuple(dataclasses.replace(example(kind), title=f"of {kind}") for kind in KINDS)
    html = page.render(_results(drawn))
    for kind in KINDS:
        assert html.count(f"<figcaption>of {kind}</figcaption>") == len(_MODELS)
        assert html.count(f'aria-label="of {kind}: {kind}"') == len(_MODELS)
    links = Links(html)
    assert all(links.targets.count(f"{model}/c/{i}") == 1 for model in _MODELS for i in range(6))


def test_figures_of_one_claim_and_title_have_one_scale() -> None:
    results = _results((Figure("t", "lines", (0.0, 1.0), {"a": (0.0, 1.0)}),))
    other = Figure("t", "lines", (0.0, 9.0), {"a": (0.0, 8.0)})
    first, *rest = results.measurements
    results = Results((dataclasses.replace(first, figures=(other,)), *rest))
    html = page.render(results)
    axes = [
        re.findall(r'class="t[xy]" x="[^"]*" y="[^"]*">([^<]*)<', part)
        for part in html.split("<figcaption>")[1:]
    ]
    assert len(axes) == 3
    assert "8" in axes[0]
    assert axes[1][:8] == axes[2][:8] == axes[0][:8]
    apart = dataclasses.replace(first, claim="d", figures=(other,))
    alone = sheets(Results((apart, *rest)))["two"][0].drawn[0].limits
    assert alone.y == (0.0, 1.0)


def test_a_figure_that_would_be_a_dot_on_the_common_scale_has_its_own() -> None:
    small = Figure("t", "lines", (0.0, 1.0), {"a": (0.0, 1.0)})
    large = Figure("t", "lines", (0.0, 1.0), {"a": (0.0, 80.0)})
    first, *rest = _results((small,)).measurements
    mixed = Results((dataclasses.replace(first, figures=(large,)), *rest))
    limits = {name: groups[0].drawn[0].limits for name, groups in sheets(mixed).items()}
    assert [one.y for one in limits.values()] == [(0.0, 80.0), (0.0, 1.0), (0.0, 1.0)]
    assert {one.x for one in limits.values()} == {(0.0, 1.0)}


def test_a_page_of_three_models_stays_small() -> None:
    wave = tuple(float(f"{(i * 0.618) % 1:.4g}") for i in range(800))
    layers = tuple(f"encoder layer {i}" for i in range(24))
    share = tuple(v / 30 for v in wave[:60])
    shapes = (
        Figure("points", "points", wave, {"static": wave[::-1], "encoder": wave}),
        Figure("cells", "heatmap", layers, {n: wave[24 * i :][:24] for i, n in enumerate(layers)}),
        Figure("shares", "histogram", tuple(range(61)), {"a": share, "random": share[::-1]}),
        Figure("curves", "lines", wave[:64], dict.fromkeys(layers[:6], wave[64:128])),
        Figure("bars", "bars", layers, {"a": wave[:24], "random": wave[24:48]}),
    )
    many = tuple(
        dataclasses.replace(shape, title=f"{shape.title} {i}") for i in range(9) for shape in shapes
    )
    html = page.render(_results(many))
    assert html.count("<figure") == 3 * 45
    assert len(html.encode()) < 2_000_000
    assert len(html.encode()) / (3 * 45) < 6500


def test_a_table_is_labelled_reachable_and_escaped() -> None:
    table = Table(
        "by <role>", ("share", "kind"), {"q & k": (0.25, "local"), "v": (None, None)}, "m!"
    )
    html = page.render(_results((), (table,)))
    text = " ".join(Balanced(html).text)
    assert all(shown in text for shown in ("by <role>", "m!", "q & k", "0.2500", "local", "–"))
    region = re.search(
        r'<div class="scroll" role="region" tabindex="0" aria-label="by [^"]*">', html
    )
    assert region is not None
    assert unescape(region.group()).endswith('aria-label="by <role>">')
    assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", html))
    assert all('tabindex="0"' in box for box in re.findall(r'<div class="scroll"[^>]*>', html))


def test_numbers_of_a_column_are_aligned_and_keep_their_digits() -> None:
    assert tabulating.column([0.5, 0.25, None, 1.0]) == ["0.500", "0.250", "–", "1.000"]
    assert tabulating.column([30522.0, 384.0]) == ["30,522", "384"]
    assert tabulating.column([12.5, 0.00012]) == ["12.50", "0.00012"]
    assert tabulating.column(["local", 3.0]) == ["local", "3"]
    assert tabulating.column([1e300, -2.5]) == ["1e+300", "-2.5"]


@given(st.lists(st.none() | st.floats(-1e300, 1e300) | st.text(max_size=3), max_size=5))
def test_no_number_is_written_as_zero_unless_it_is(cells: list[float | str | None]) -> None:
    for cell, shown in zip(cells, tabulating.column(cells), strict=True):
        if isinstance(cell, float):
            said = float(shown.replace(",", ""))
            assert abs(said - cell) <= 0.05 * abs(cell)

"""Each kind of figure is drawn whole, labelled and escaped, whatever the results hold."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.reports import drawing
from geometric_invariants.reports.drawing.limits import Limits
from geometric_invariants.reports.drawing.palette import classes, is_control
from geometric_invariants.reports.exhibits import Figure, Kind
from geometric_invariants.reports.tests.measurements import figures, near, numbers
from geometric_invariants.reports.tests.test_page import Balanced

KINDS: tuple[Kind, ...] = get_args(Kind)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def example(kind: Kind, **fields: object) -> Figure:
    """Three places, or three bins, with a measured series and a control; five numbers a box."""
    x: tuple[float | str, ...] = (1.0, 2.0, 4.0)
    series: dict[str, tuple[float | None, ...]] = {
        "encoder": (0.2, 0.4, 0.1),
        "random rows": (0.1, 0.1, 0.2),
    }
    if kind == "histogram":
        x = (*x, 8.0)
    if kind in {"bars", "boxes"}:
        x = ("query", "key", "value")
    if kind == "boxes":
        parts = ("lowest", "lower quartile", "median", "upper quartile", "highest")
        series = {name: (0.1 * i, 0.2 * i, 0.3 * i) for i, name in enumerate(parts)}
    content: dict[str, object] = {"x_label": "rank", "y_label": "cosine", **fields}
    return Figure("a title", kind, x, series, **content)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_its_labels(kind: Kind) -> None:
    html = drawing.figure(example(kind))
    text = " ".join(Balanced(html).text)
    assert all(shown in text for shown in ("a title", "rank", "cosine"))
    assert all(name in text for name in example(kind).series)
    assert html.count("<text") >= 6  # numbers at both axes, or rows, columns and colours
    if kind in {"bars", "boxes"}:
        assert all(name in text for name in ("query", "key", "value"))
    assert "style=" not in html


@given(figures(numbers) | figures(near) | figures(st.floats(-1e-300, 1e-300)))
@settings(max_examples=400)
def test_nothing_in_a_figure_breaks_the_page(drawn: Figure) -> None:
    html = drawing.figure(drawn)
    Balanced(html)
    assert "<script" not in html
    for path in re.findall(r' d="([^"]*)"', html):
        assert "nan" not in path
        assert "inf" not in path
        assert "e" not in path
        assert all(len(n.partition(".")[2]) <= 1 for n in NUMBER.findall(path))


@given(figures(numbers))
def test_what_is_drawn_lies_within_the_drawing(drawn: Figure) -> None:
    html = drawing.figure(drawn)
    height = float((re.findall(r'viewBox="0 0 360 ([\d.]+)"', html) or ["0"])[0])
    for across, down in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", html):
        assert -1 <= float(across) <= 361
        assert -1 <= float(down) <= height + 1


def test_names_are_escaped() -> None:
    bad = "<script>alert(1)</script>"
    drawn = Figure(
        bad, "lines", (bad, "b"), {bad: (1.0, 2.0)}, {bad: 0.0}, {}, {bad: 1.0}, bad, bad
    )
    html = drawing.figure(drawn)
    assert "<script" not in html
    assert "<script>alert(1)</script>" in " ".join(Balanced(html).text)


def test_zero_and_less_are_left_out_of_a_logarithmic_axis() -> None:
    drawn = Figure("t", "lines", (0.0, 1.0, 10.0), {"a": (5.0, -1.0, 2.0)}, log="xy")
    html = drawing.figure(drawn)
    dots = re.findall(r'class="d s\d" d="([^"]*)"', html)
    assert [dot.count("M") for dot in dots] == [1]
    assert "no numbers" in drawing.figure(Figure("t", "bars", ("a",), {"a": (0.0,)}, log="y"))


def test_a_line_is_broken_at_a_gap() -> None:
    drawn = Figure("t", "lines", (0.0, 1.0, 2.0, 3.0, 4.0), {"a": (1.0, 2.0, None, 1.0, 2.0)})
    (line,) = re.findall(r'class="l s\d" d="([^"]*)"', drawing.figure(drawn))
    assert (line.count("M"), line.count("L")) == (2, 2)


def test_spread_stands_at_its_own_value_where_an_earlier_one_is_missing() -> None:
    drawn = Figure("t", "lines", (0.0, 1.0), {"a": (None, 1.0)}, spread={"a": (9.0, 0.5)})
    (stroke,) = re.findall(r'class="w s\d" d="([^"]*)"', drawing.figure(drawn))
    assert stroke.count("M") == 1
    shown = " ".join(Balanced(drawing.figure(drawn)).text)
    assert "1.5" in shown
    assert "2.0" not in shown


def test_points_are_paths_and_few_bytes() -> None:
    x = tuple(float(f"{(i * 0.618) % 1:.4g}") for i in range(800))
    y = tuple(float(f"{(i * 0.414) % 1:.4g}") for i in range(800))
    html = drawing.figure(Figure("t", "points", x, {"a": y}, x_label="x", y_label="y"))
    assert "<circle" not in html
    assert html.count("z") > 750
    assert len(html) < 6400


def test_colours_part_at_zero_only_where_values_have_both_signs() -> None:
    both = drawing.figure(Figure("t", "heatmap", ("a", "b"), {"r": (-1.0, 1.0)}))
    one = drawing.figure(Figure("t", "heatmap", ("a", "b"), {"r": (0.5, 1.0)}))
    assert 'class="n12"' in both
    assert 'class="n' not in one
    assert "all 3" in " ".join(Balanced(drawing.figure(_flat())).text)


def _flat() -> Figure:
    return Figure("t", "heatmap", ("a", "b"), {"r": (3.0, 3.0)})


def test_cells_alike_are_one_stroke_and_a_gap_is_seen() -> None:
    html = drawing.figure(Figure("t", "heatmap", tuple("abcd"), {"r": (1.0, 1.0, None, 0.0)}))
    (cells,) = re.findall(r'class="h12" d="([^"]*)"', html.split("</g>")[1])
    assert cells == "M0 0h2"
    assert 'class="gap" d="M2.3 0h.4"' in html


def test_a_role_has_one_colour_and_controls_share_theirs() -> None:
    one = classes(["encoder", "static", "shuffled"])
    other = classes(["random", "static", "encoder", "b"])
    assert one["encoder"] == other["encoder"]
    assert one["static"] == other["static"]
    assert (one["shuffled"], other["random"]) == ("c0", "c0")
    assert other["b"] not in {other["static"], other["encoder"]}
    for name in ("random", "Null model", "shuffled", "Gaussian", "initialisation"):
        assert is_control(name)


@given(st.lists(st.sampled_from("abcdefgh") | st.just("random"), unique=True, max_size=8))
def test_as_many_classes_as_series(names: list[str]) -> None:
    found = classes(names)
    assert list(found) == names
    assert len(set(found.values())) == len(names)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "boxes"])
def test_shared_limits_widen_an_axis(kind: Kind) -> None:
    drawn = example(kind)
    wide = drawing.figure(drawn, Limits(None, (0.0, 50.0)))
    assert re.search(r">[45]0<", wide)
    assert not re.search(r">[45]0<", drawing.figure(drawn))

"""docs/notebook.md says where every item of the notebook stands; what it names must be there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from geometric_invariants.invariants import notebook
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.notebook import Item, items, problems
from geometric_invariants.reports.exhibits import Figure, Table
from geometric_invariants.reports.results import Measurement, Reference, Results, Value

ROOT = Path(__file__).parent.parent
SECTIONS = {
    "0 Summary": 11,
    "1 T5-Small terrain": 44,
    "2 WordNet alignment": 22,
    "3 50-seed stability": 10,
    "4 T5 weight topology": 24,
    "5 Cross-architecture battery": 14,
    "6 T5-XXL battery": 13,
    "7 LERP modulator": 10,
    "8 Self-contained pipeline": 14,
    "9 Training": 17,
    "10 The constant": 9,
    "11 Talk": 7,
    "12 Field modulator": 19,
    "13a Qwen probe (S13a)": 25,
    "13b Across scales (S13b)": 22,
    "Design card": 10,
    "Corrections (a second reading)": 17,
}
CELL = Measurement(
    model="m",
    claim="q_sparsity",
    verdict="measured",
    value=Value(1, 1, 1),
    related=(Reference("mean norm", Value(1, 1, 1), "of a row"),),
    parts={"encoder layer 0": 1.0},
    notes=("half of it lies near 0.1",),
    design="entries of all matrices",
    figures=(Figure("spectra", "lines", (1.0,), {"encoder q": (1.0,)}, x_label="rank"),),
    tables=(Table("by role", ("mean", "std"), {"q": (1.0, 2.0)}),),
)
RESULTS = Results((CELL,))


def problem(place: str, model: str = "m") -> list[str]:
    return problems(RESULTS, [Item("s", "i", model, (place,))])


def test_every_item_stands_in_the_document() -> None:
    counted: dict[str, int] = {}
    for item in items():
        counted[item.section] = counted.get(item.section, 0) + 1
    assert counted == SECTIONS


@pytest.mark.parametrize(
    "place",
    [
        "q_sparsity",
        "q_sparsity band",
        "q_sparsity / mean norm",
        "q_sparsity / encoder layer *",
        "q_sparsity / *near 0.1",
        "q_sparsity # spectra",
        "q_sparsity # spectra # encoder q",
        "q_sparsity # by role # std",
        "q_sparsity # by role # q",
    ],
)
def test_a_place_that_is_there_is_no_problem(place: str) -> None:
    assert problem(place) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("sparsity", "no claim is called sparsity"),
        ("k_sparsity", "m has no value of it"),
        ("q_sparsity / std norm", "nothing of that name on m"),
        ("q_sparsity # spectrum", "no figure or table of that title on m"),
        ("q_sparsity # spectra # decoder q", "nothing of that name in it on m"),
        ("stable_rank band", "no band is claimed"),
        ("run / dtype", "the run says no dtype of m"),
    ],
)
def test_a_place_that_is_not_there_is_named(place: str, said: str) -> None:
    (line,) = problem(place)
    assert line == f"docs/notebook.md: s: i: `{place}`: {said}"


def test_a_value_that_was_not_measured_is_no_place() -> None:
    unmeasured = Results((dataclasses.replace(CELL, value=None),))
    assert problems(unmeasured, [Item("s", "i", "m", ("q_sparsity",))])


def test_an_item_without_a_place_is_named() -> None:
    assert problems(RESULTS, [Item("s", "i", "m", ())]) == ["docs/notebook.md: s: i: shown nowhere"]


def test_every_claim_that_is_named_is_there() -> None:
    claims = load_claims()
    named = {place.split(" ")[0] for item in items() for place in item.places}
    known = {name for name in named if name.isidentifier() and name != "run"}
    assert known <= claims.keys()


def test_tests_that_are_named_are_there() -> None:
    for place in notebook.places("::"):
        file, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), place

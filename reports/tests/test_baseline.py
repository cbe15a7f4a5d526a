from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports import baseline
from geometric_invariants.reports.profiles import Profile, packed
from geometric_invariants.reports.results import (
    Encoding,
    Measurement,
    Provenance,
    Results,
    Tolerance,
    Value,
)

OLD = Measurement(
    "m",
    "c",
    "measured",
    value=Value(0.5, 0.5, 0.5),
    parts={"layer 0": 0.4, "layer 1": 0.6},
    design="token embedding",
    tolerance=Tolerance(0.01, 0.02, "why"),
    provenance=Provenance(checkpoint="abc"),
)


def at(number: float, spread: float = 0.0, samples: int = 0) -> Value:
    return Value(number, number - spread, number + spread, samples)


@given(st.floats(-1, 1))
def test_a_move_beyond_the_tolerance_regresses(move: float) -> None:
    judged = baseline.judge(OLD, dataclasses.replace(OLD, value=at(0.5 + move)))
    allowed = 0.01 + 0.02 * 0.5
    if abs(abs(move) - allowed) > 1e-9:
        assert judged.change == ("regressed" if abs(move) > allowed else "steady")
    if judged.change == "regressed":
        assert "c: 0.5 → " in judged.changes[0]
        assert "tolerance 0.02 (why)" in judged.changes[0]


@given(*[st.floats(-1, 1)] * 3, st.floats(0, 0.1))
def test_what_moved_beyond_what_it_may_is_what_regressed(
    value: float, first: float, second: float, spread: float
) -> None:
    new = dataclasses.replace(
        OLD, value=at(value, spread, 100), parts={"layer 0": first, "layer 1": second}
    )
    excess = baseline.excess(OLD, new)
    assert excess is not None
    assert (excess > 1) == (baseline.judge(OLD, new).change == "regressed")
    assert baseline.excess(OLD, dataclasses.replace(new, value=None)) is None
    assert baseline.excess(OLD, dataclasses.replace(new, version=OLD.version + 1)) is None
    assert baseline.excess(OLD, OLD) == 0


@given(st.floats(0.001, 0.1), st.floats(0.001, 0.1), st.floats(-0.5, 0.5))
def test_sampling_noise_widens_the_tolerance(old: float, new: float, move: float) -> None:
    before = dataclasses.replace(OLD, value=at(0.5, old, 100), parts={})
    after = dataclasses.replace(OLD, value=at(0.5 + move, new, 100), parts={})
    allowed = 0.02 + 2 * (old**2 + new**2) ** 0.5
    if abs(abs(move) - allowed) > 1e-9:
        expected = "regressed" if abs(move) > allowed else "steady"
        assert baseline.judge(before, after).change == expected


def coded(*errors: float) -> Provenance:
    kinds = (Encoding(f"codes {error}", 3, 4.0, error) for error in errors)
    return Provenance(checkpoint="other", encodings=tuple(kinds))


@given(
    st.lists(st.floats(0.001, 0.2), max_size=2, unique=True),
    st.lists(st.floats(0.001, 0.2), max_size=2, unique=True),
    st.floats(-0.5, 0.5),
)
def test_another_encoding_widens_the_tolerance_by_its_error(
    old: list[float], new: list[float], move: float
) -> None:
    """By that of both where they differ, and by nothing where they are one."""
    tolerance = Tolerance(0.01, 0.02, "why", rounding=0.5)
    before = dataclasses.replace(OLD, parts={}, provenance=coded(*old))
    after = dataclasses.replace(
        before, value=at(0.5 + move), tolerance=tolerance, provenance=coded(*new)
    )
    added = 0.5 * math.hypot(max(old, default=0), max(new, default=0)) if old != new else 0
    allowed = 0.02 + added
    if abs(abs(move) - allowed) > 1e-9:
        judged = baseline.judge(before, after)
        assert judged.change == ("regressed" if abs(move) > allowed else "steady")
        if judged.change == "regressed":
            assert ("for the rounding of the weights' encoding" in judged.changes[0]) == bool(added)


def test_rows_are_gated_by_place() -> None:
    """A row's norm that doubles regresses, one that is gone has vanished, one of another shape is
    said not to be compared.
    """
    profile = Profile("w", 2, 5, 1, packed([1.0, 1.0]), packed([0.0, 0.0]))
    old = dataclasses.replace(OLD, profiles={"encoder layer 0 mlp_up": profile})

    def judged(**fields: Any) -> Measurement:
        now = {place: dataclasses.replace(one, **fields) for place, one in old.profiles.items()}
        return baseline.judge(old, dataclasses.replace(old, profiles=now))

    assert judged(tensor="other").change == "steady"
    moved = judged(norms=packed([1.0, 2.0]))
    assert moved.change == "regressed"
    assert moved.changes[0].startswith("c: w, row 1: norm 1 → 2; ")
    grown = judged(columns=6)
    assert (grown.change, grown.changes) == (
        "steady",
        ("w: 2 × 5 → 2 × 6, its rows were not compared",),
    )
    gone = baseline.judge(old, dataclasses.replace(old, profiles={}))
    assert (gone.change, gone.changes) == ("vanished", ("c: w of the baseline is gone",))


def test_parts_are_gated_by_name() -> None:
    moved = dataclasses.replace(OLD, parts={"layer 0": 0.4, "layer 1": 0.7})
    judged = baseline.judge(OLD, moved)
    assert judged.change == "regressed"
    assert judged.changes == ("c, layer 1: 0.6 → 0.7, moved by +0.1; tolerance 0.022 (why)",)
    assert (
        baseline.judge(OLD, dataclasses.replace(OLD, parts={"layer 0": 0.4})).change == "vanished"
    )


@given(st.floats(0, 0.1), st.floats(0, 0.1), st.floats(-0.5, 0.5))
def test_what_drawing_leaves_in_each_part_widens_its_tolerance(
    old: float, new: float, move: float
) -> None:
    before = dataclasses.replace(OLD, parts={"seed 0": 0.4}, part_noise=old)
    after = dataclasses.replace(OLD, parts={"seed 0": 0.4 + move}, part_noise=new)
    allowed = 0.01 + 0.02 * 0.4 + 2 * (old**2 + new**2) ** 0.5
    if abs(abs(move) - allowed) > 1e-9:
        expected = "regressed" if abs(move) > allowed else "steady"
        assert baseline.judge(before, after).change == expected


def test_the_worst_part_may_move_by_the_noise_of_parts() -> None:
    worst = dataclasses.replace(OLD, worst_part="seed 0", part_noise=0.1, parts={})
    # 0.02 is the tolerance at 0.5; 2 √(0.1² + 0.1²) = 0.283 the noise.
    for move, change in ((0.30, "steady"), (0.31, "regressed")):
        moved = dataclasses.replace(worst, value=at(0.5 + move))
        assert baseline.judge(worst, moved).change == change


def test_parts_that_only_the_new_one_has_are_compared_by_nothing() -> None:
    grown = dataclasses.replace(OLD, parts={**OLD.parts, "layer 2": 9.0})
    assert baseline.judge(OLD, grown).change == "steady"


def test_the_two_questions_stay_apart() -> None:
    violated = dataclasses.replace(OLD, verdict="violated")
    assert baseline.judge(violated, violated).change == "steady"
    assert baseline.judge(violated, violated).fails
    drifting = baseline.judge(OLD, dataclasses.replace(OLD, verdict="holds", value=at(0.9)))
    assert (drifting.verdict, drifting.change) == ("holds", "regressed")


def test_new_vanished_and_not_comparable() -> None:
    assert baseline.judge(None, OLD).change == "new"
    absent = dataclasses.replace(OLD, value=None, verdict="error", message="broke")
    assert baseline.judge(None, absent).change is None
    assert baseline.judge(OLD, absent).change == "vanished"
    away = dataclasses.replace(OLD, value=None, verdict="unavailable")
    assert baseline.judge(OLD, away).change == "not comparable"
    assert not baseline.judge(OLD, away).fails
    for change in ({"version": 2}, {"design": "10,000 rows"}):
        assert baseline.judge(OLD, dataclasses.replace(OLD, **change)).change == "not comparable"


@pytest.mark.parametrize(("checkpoint", "noted"), [("abc", True), ("other", False)])
def test_a_moved_value_of_the_same_file_blames_the_environment(
    checkpoint: str, noted: bool
) -> None:
    again = dataclasses.replace(OLD, value=at(0.501), provenance=Provenance(checkpoint=checkpoint))
    judged = baseline.judge(OLD, again)
    assert judged.change == "steady"
    assert any("environment moved" in line for line in judged.changes) == noted


def test_updates_and_what_nothing_measures() -> None:
    stale = dataclasses.replace(OLD, claim="gone")
    other = dataclasses.replace(OLD, model="elsewhere")
    stored = Results((OLD, stale, other))
    new = dataclasses.replace(OLD, value=at(0.7), change="regressed")
    run = Results((new, dataclasses.replace(OLD, claim="extra")))
    assert baseline.unmeasured(stored, run) == [
        "gone [m]: in the baseline, but nothing in this run measures it"
    ]
    updated, lines = baseline.updated(stored, run, new_only=False)
    assert updated.by_key()["m", "c"].value == at(0.7)
    assert updated.by_key()["m", "c"].change is None
    assert lines == ["c [m]: 0.5 → 0.7", "extra [m]: — → 0.5"]
    kept, lines = baseline.updated(stored, run, new_only=True)
    assert kept.by_key()["m", "c"].value == at(0.5)
    assert lines == ["extra [m]: — → 0.5"]


def test_comparison_of_two_files_shows_vanished_cells_and_models() -> None:
    gone = dataclasses.replace(OLD, claim="gone")
    elsewhere = dataclasses.replace(OLD, model="elsewhere")
    old, new = Results((OLD, gone, elsewhere)), Results((OLD,))
    judged = baseline.compare(old, new)
    assert [(m.model, m.claim, m.change) for m in judged.measurements] == [
        ("m", "c", "steady"),
        ("m", "gone", "vanished"),
        ("elsewhere", "c", "vanished"),
    ]
    assert baseline.absent_models(old, new) == ["elsewhere"]
    assert baseline.absent_models(new, old) == []


STEADY = dataclasses.replace(OLD, change="steady")
NEW = dataclasses.replace(OLD, claim="d", change="new")
OTHER = dataclasses.replace(OLD, claim="e", change="not comparable", changes=("version 1, 2",))


def test_the_counts_say_what_was_not_compared() -> None:
    assert baseline.summary(Results((STEADY,))) == (
        "baseline: 1 steady, 0 regressed, 0 new, 0 vanished, 0 not comparable"
    )
    assert baseline.summary(Results((STEADY, NEW, OTHER))) == (
        "baseline: 1 steady, 0 regressed, 1 new, 0 vanished, 1 not comparable:"
        " 2 of 3 values were not compared"
    )
    assert baseline.summary(Results((OLD,))) == ""


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ((NEW,), "nothing of m was compared: the baseline does not hold it"),
        ((OTHER,), "nothing of m was compared: version 1, 2"),
        ((NEW, OTHER), "nothing of m was compared: 1 new, 1 not comparable; version 1, 2"),
    ],
)
def test_a_model_of_which_nothing_was_compared_is_named_with_the_reason(
    cells: tuple[Measurement, ...], line: str
) -> None:
    assert baseline.uncompared(Results(cells), every=False) == [line]
    assert baseline.uncompared(Results((STEADY, *cells)), every=False) == []


def test_every_value_that_was_not_compared_is_named_where_all_must_be() -> None:
    assert baseline.uncompared(Results((STEADY, NEW, OTHER)), every=True) == [
        "d [m] was not compared: the baseline does not hold it",
        "e [m] was not compared: version 1, 2",
    ]
    assert baseline.uncompared(Results((STEADY,)), every=True) == []
    absent = dataclasses.replace(OLD, value=None, verdict="not applicable")
    assert baseline.uncompared(Results((STEADY, absent)), every=True) == []


@given(st.lists(st.sampled_from([STEADY, NEW, OTHER]), unique_by=lambda m: m.claim, min_size=1))
def test_a_run_is_whole_only_if_all_that_was_measured_was_compared(
    cells: list[Measurement],
) -> None:
    results = Results(tuple(cells))
    all_compared = all(m.change == "steady" for m in cells)
    assert (baseline.uncompared(results, every=True) == []) == all_compared
    assert (baseline.uncompared(results, every=False) == []) == (STEADY in cells)
    assert ("not compared" in baseline.summary(results)) != all_compared

"""Is this checkpoint whole? One line when all is well, else a line for each fault."""

from __future__ import annotations

import dataclasses
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.reports import page, terminal
from geometric_invariants.reports.checks import WITHOUT_BASELINE, checks
from geometric_invariants.reports.results import (
    Change,
    Measurement,
    Provenance,
    Reference,
    Results,
    Value,
    Verdict,
)
from geometric_invariants.reports.tests.measurements import measurements
from geometric_invariants.reports.tests.test_page import Balanced

ONE = Value(1, 1, 1)


def cell(claim: str, verdict: Verdict = "holds", **fields: object) -> Measurement:
    given = {"value": ONE, "is_check": True, "title": claim.capitalize(), **fields}
    return Measurement("m", claim, verdict, **given)  # type: ignore[arg-type]


def manifest(share: float = 1.0) -> Measurement:
    related = tuple(
        Reference(name, Value(count, count, count), "")
        for name, count in (("tensors", 101), ("parameters", 22_640_000))
    )
    value = Value(share, share, share)
    origin = Provenance(load_seconds=0.42)
    return cell("manifest", "measured", value=value, related=related, provenance=origin)


PAIRING = cell(
    "neuron_pairing",
    value=Value(129, 129, 129),
    stated=True,
    parts={"encoder layer 0 up": 129.0, "encoder layer 0 gate": 200.0, "encoder layer 1 up": 150.0},
)


def test_all_well_is_one_line() -> None:
    away = cell("kin_tokens", "not applicable", value=None, title="Kin tokens")
    found = checks([PAIRING, cell("other"), manifest(), away])
    assert found is not None
    assert found.lines == (
        "whole: 101 tensors, 22.6 M parameters, all finite; 2 layers pair (z ≥ 129);"
        " other 1; not checked: kin tokens; in 0.4 s",
    )
    unjudged = checks([dataclasses.replace(PAIRING, stated=False), cell("head_pairing")])
    assert unjudged is not None
    assert "neurons of 2 layers too alike to judge (z ≥ 129); heads pair (median z 1)" in (
        unjudged.passed
    )
    part = checks([manifest(0.9876)])
    assert part is not None
    assert "98.7 % of known role" in part.passed


def test_what_several_claims_say_alike_is_one_fault() -> None:
    reason = "model.safetensors: a.weight holds 1 NaN or infinite entries, in row 7"
    spoilt = [
        cell(name, "error", value=None, message=reason) for name in ("manifest", "kin_tokens")
    ]
    moved = cell("head_pairing", "measured", change="regressed", changes=("14 → 2, moved by -12",))
    violated = dataclasses.replace(
        PAIRING, verdict="violated", message="z 2", notes=("rows 0 – 7",)
    )
    found = checks([*spoilt, moved, violated])
    assert found is not None
    assert not found.ok
    assert found.lines == (
        f"manifest, kin_tokens: {reason}",
        "head_pairing: regressed: 14 → 2, moved by -12",
        "neuron_pairing: z 2; rows 0 – 7",
    )


def test_without_checks_nothing_is_said() -> None:
    assert checks([Measurement("m", "c", "measured", value=ONE)]) is None
    assert checks([cell("manifest", "unavailable", value=None)]) is None
    assert "whole?" not in page.render(Results((Measurement("m", "c", "measured", value=ONE),)))


@given(
    measurements(),
    st.booleans(),
    st.sampled_from(get_args(Verdict)),
    st.none() | st.sampled_from(get_args(Change)),
)
def test_a_failing_check_has_a_line_and_no_other_has(
    drawn: Measurement, is_check: bool, verdict: Verdict, change: Change | None
) -> None:
    m = dataclasses.replace(drawn, is_check=is_check, verdict=verdict, change=change)
    found = checks([m])
    if not is_check or verdict == "unavailable":
        assert found is None
        return
    assert found is not None
    assert found.ok != m.fails
    assert len(found.lines) >= 1
    assert bool(found.passed) == found.ok
    html = page.render(Results((m,)))
    Balanced(html)
    assert "Is this checkpoint whole?" in html


def test_the_page_says_it_first_and_links_to_the_evidence() -> None:
    violated = dataclasses.replace(PAIRING, model="n", verdict="violated", message="z 2 <of> a")
    html = page.render(Results((manifest(), violated)))
    text = " ".join(Balanced(html).text)
    assert html.index('id="whole"') < html.index('id="claims"')
    assert "whole: 101 tensors" in text
    assert "z 2 <of> a" in text
    assert '<a href="#n/neuron_pairing">Neuron_pairing</a>' in html
    assert 'id="n/neuron_pairing"' in html
    assert WITHOUT_BASELINE in text
    compared = [dataclasses.replace(m, change="steady") for m in (manifest(), violated)]
    assert WITHOUT_BASELINE not in page.render(Results(tuple(compared)))


def test_the_terminal_says_one_line_of_checks_alone() -> None:
    alone = terminal.text_summary(Results((manifest(), PAIRING)))
    assert len(alone) == 1
    assert alone[0].startswith("m: whole: 101 tensors")
    more = Measurement("m", "c", "measured", value=ONE)
    beside = terminal.text_summary(Results((manifest(), PAIRING, more)))
    assert beside[0] == "m: 1 holds, 2 measured"
    assert f"  {alone[0].removeprefix('m: ')}" in beside

"""Measurements drawn at random, for the properties of everything that reads them."""

from __future__ import annotations

import math
from typing import Any, get_args

from hypothesis import strategies as st

from geometric_invariants.reports.exhibits import Figure, Kind, Table
from geometric_invariants.reports.profiles import Profile, packed
from geometric_invariants.reports.results import (
    Band,
    Encoding,
    Measurement,
    Provenance,
    Reference,
    Tolerance,
    Value,
)
from geometric_invariants.reports.sketches import ENTRIES, Sketches

numbers = st.floats(-1e300, 1e300)
broken = numbers | st.sampled_from([float("nan"), float("inf"), float("-inf"), 1e308])
text = st.text(max_size=5)
near = st.integers(-3, 3).map(float)
encodings = st.builds(Encoding, text, st.integers(0, 99), st.floats(0, 32), st.floats(0, 1))
profiles = st.builds(
    Profile,
    text,
    rows=st.integers(3, 4),
    columns=st.integers(1, 9),
    step=st.just(2),
    norms=st.tuples(st.floats(0, 1e30), st.floats(0, 1e30)).map(packed),
    sums=st.tuples(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30)).map(packed),
    encoding=text,
)

sketches = st.builds(
    lambda places, numbers: Sketches(0, 5, (places,), packed(numbers)),
    text,
    st.lists(st.floats(0, 1e30), min_size=ENTRIES + 3, max_size=ENTRIES + 3),
)


def values(floats: st.SearchStrategy[float] = numbers) -> st.SearchStrategy[Value]:
    """A number and an interval about it, each of them as drawn."""

    def build(drawn: list[float], samples: int, method: str) -> Value:
        low, value, high = _ordered(drawn)
        return Value(value, low, high, samples, method)

    three = st.lists(floats, min_size=3, max_size=3)
    return st.builds(build, three, st.integers(0, 10**9), text)


def bands(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Band]:
    """Two edges as drawn, each of which may be missing."""

    def build(drawn: list[float], lower: bool, upper: bool) -> Band:
        low, high = _ordered(drawn)
        return low if lower else None, high if upper else None

    two = st.lists(floats, min_size=2, max_size=2)
    return st.builds(build, two, st.booleans(), st.booleans())


def _ordered(drawn: list[float]) -> list[float]:
    """NaN first, where no comparison is true of it."""
    return sorted(drawn, key=lambda x: -math.inf if math.isnan(x) else x)


def figures(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Figure]:
    """Figures of any kind, whose lists need not have the lengths that their kind asks for."""

    def build(series: dict[str, tuple[float | None, ...]], half: float, *rest: Any) -> Figure:
        title, kind, x, marks, levels, x_label, y_label, log = rest
        spread = dict.fromkeys(list(series)[:1], (half,) * 3)
        return Figure(title, kind, x, series, marks, spread, levels, x_label, y_label, log)

    values = st.lists(st.none() | floats | near, max_size=5).map(tuple)
    places = st.lists(floats, max_size=5) | st.lists(floats | text, max_size=5)
    return st.builds(
        build,
        st.dictionaries(st.sampled_from(["a", "<&", "random", "<script>"]), values, max_size=3),
        floats,
        text,
        st.sampled_from(get_args(Kind)),
        places.map(tuple),
        st.dictionaries(text, floats, max_size=1),
        st.dictionaries(text, floats, max_size=1),
        text,
        text,
        st.sampled_from(["", "x", "y", "xy"]),
    )


def tables(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Table]:
    cells = st.tuples(floats, st.none() | text)
    rows = st.dictionaries(text, cells, max_size=3)
    return st.builds(Table, text, st.just(("number", "word")), rows, text)


def measurements(floats: st.SearchStrategy[float] = numbers) -> st.SearchStrategy[Measurement]:
    """Any Measurement whose numbers are drawn from `floats`."""
    references = st.builds(Reference, text, values(floats), text)
    return st.builds(
        Measurement,
        model=st.text(min_size=1, max_size=5),
        claim=st.text(min_size=1, max_size=5),
        verdict=st.sampled_from(["holds", "violated", "measured", "not applicable", "error"]),
        value=st.none() | values(floats),
        worst_part=st.none() | text,
        band=st.none() | bands(floats),
        stated=st.booleans(),
        margin=st.none() | floats,
        controls=st.lists(references, max_size=2).map(tuple),
        related=st.lists(references, max_size=2).map(tuple),
        random=st.none() | references,
        parts=st.dictionaries(text, floats, max_size=3),
        part_noise=floats,
        figures=st.lists(figures(floats), max_size=2).map(tuple),
        tables=st.lists(tables(floats), max_size=2).map(tuple),
        notes=st.lists(text, max_size=2).map(tuple),
        profiles=st.dictionaries(text, profiles, max_size=2),
        sketches=st.lists(sketches, max_size=2).map(tuple),
        tolerance=st.builds(Tolerance, floats, floats, text, floats),
        change=st.none() | st.sampled_from(["steady", "regressed", "new", "not comparable"]),
        message=text,
        provenance=st.builds(
            Provenance,
            checkpoint=text,
            seconds=floats,
            load_seconds=floats,
            parameters=st.integers(0, 1 << 40),
            remarks=st.lists(text, max_size=2).map(tuple),
            encodings=st.lists(encodings, max_size=2).map(tuple),
        ),
    )


def judged() -> st.SearchStrategy[Measurement]:
    """Measurements with a value, a band and something random, all near one another."""
    return st.builds(
        Measurement,
        model=st.just("m"),
        claim=st.just("c"),
        verdict=st.sampled_from(["holds", "violated", "measured"]),
        title=st.just("A claim"),
        stated=st.booleans(),
        value=values(near),
        worst_part=st.none() | st.just("decoder layer 5"),
        band=bands(near),
        random=st.builds(
            Reference, st.sampled_from(["random twins", "Gaussian"]), values(near), text
        ),
        controls=st.lists(st.builds(Reference, st.just("Gaussian"), values(near), text)).map(tuple),
    )

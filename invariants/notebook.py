"""docs/notebook.md: every item of the notebook, and where a reader finds it here.

The document states the grammar of its places. Those in results are looked up in the results of a
run; commands, options and tests are looked up by this project's own tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from geometric_invariants.invariants.claims import Claim, load_claims
from geometric_invariants.reports.exhibits import Figure, Table
from geometric_invariants.reports.results import Measurement, Results

DOCUMENT = Path(__file__).parent.parent / "docs" / "notebook.md"
_PLACE = re.compile(r"`([^`]+)`")
_HEADING = "| item | model | shown by |"


@dataclass(frozen=True, slots=True)
class Item:
    """A row: what the notebook shows, on which model it is shown here, and at which places."""

    section: str
    name: str
    model: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.section}: {self.name}"


def items(text: str | None = None) -> list[Item]:
    """Every row of the document's tables of items."""
    lines = (DOCUMENT.read_text(encoding="utf-8") if text is None else text).splitlines()
    section, inside, found = "", False, []
    for line in lines:
        if line.startswith("## "):
            section, inside = line.removeprefix("## "), False
        elif line == _HEADING:
            inside = True
        elif inside and line.startswith("| ") and not line.startswith("| ---"):
            name, model, shown = (part.strip() for part in _cells(line))
            found.append(Item(section, name, model, tuple(_PLACE.findall(shown))))
    return found


def problems(results: Results, rows: Iterable[Item] | None = None) -> list[str]:
    """A line for every row without a place, and for every place that is not in the results.

    Places outside of results (commands, options, tests) are taken as they stand.
    """
    claims = load_claims()
    return [
        f"docs/notebook.md: {item}: {problem}"
        for item in (items() if rows is None else rows)
        for problem in _problems(item, results, claims)
    ]


def places(kind: str, rows: Iterable[Item] | None = None) -> list[str]:
    """All places of a kind: "$ " commands, "--" options, "::" tests."""
    every = (place for item in (items() if rows is None else rows) for place in item.places)
    return [place for place in every if (kind in place if kind == "::" else place.startswith(kind))]


def _cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line.strip().strip("|"))


def _problems(item: Item, results: Results, claims: dict[str, Claim]) -> Iterator[str]:
    if not item.places:
        yield "shown nowhere"
    for place in item.places:
        if place.startswith(("$ ", "--")) or "::" in place:
            continue
        problem = _lookup(place, item.model, results, claims)
        if problem:
            yield f"`{place}`: {problem}"


def _lookup(place: str, model: str, results: Results, claims: dict[str, Claim]) -> str:
    """What is wrong with a place in results; empty where it is there."""
    if place.startswith("run / "):
        return _in_ledger(place.removeprefix("run / "), model, results)
    claim = re.split(r" band$| / | # ", place, maxsplit=1)[0]
    if claim not in claims:
        return f"no claim is called {claim}"
    if place.endswith(" band"):
        is_claimed = claims[claim].band is not None or claims[claim].stated
        return "" if is_claimed else "no band is claimed"
    measured = results.by_key().get((model, claim))
    if measured is None or measured.value is None:
        return f"{model or 'no model'} has no value of it"
    if " # " in place:
        return _in_exhibits(place.split(" # ")[1:], measured)
    if " / " in place:
        name = place.partition(" / ")[2]
        return "" if _matches(name, _beside(measured)) else f"nothing of that name on {model}"
    return ""


def _in_ledger(field: str, model: str, results: Results) -> str:
    origins = (m.provenance for m in results.of(model))
    shown = any(getattr(origin, field, None) for origin in origins)
    return "" if shown else f"the run says no {field} of {model}"


def _in_exhibits(path: list[str], measured: Measurement) -> str:
    exhibits: tuple[Figure | Table, ...] = (*measured.figures, *measured.tables)
    titled = [e for e in exhibits if fnmatchcase(e.title, path[0])]
    if not titled:
        return f"no figure or table of that title on {measured.model}"
    if len(path) > 1 and not any(_matches(path[1], _named(one)) for one in titled):
        return f"nothing of that name in it on {measured.model}"
    return ""


def _named(exhibit: Figure | Table) -> Iterator[str]:
    if isinstance(exhibit, Table):
        yield from (*exhibit.columns, *exhibit.rows)
    else:
        yield from (*exhibit.series, *map(str, exhibit.x), *exhibit.marks, *exhibit.levels)
        yield from (exhibit.x_label, exhibit.y_label)
        yield from (f"{name} spread" for name in exhibit.spread)


def _beside(m: Measurement) -> Iterator[str]:
    yield from (reference.name for reference in (*m.controls, *m.related))
    yield from m.parts
    yield from m.notes
    yield m.design
    yield from (f"{reference.name}: {reference.meaning}" for reference in m.related)


def _matches(pattern: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)

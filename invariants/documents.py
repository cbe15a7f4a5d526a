"""Tables of docs/ drawn from what was recorded or kept, so that they cannot say anything else.

A document names a table by `<!-- table: NAME -->`; all up to the next `<!-- end -->` is replaced.
`python -m invariants docs` draws every table anew, with `--check` it exits 1 where one is stale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.invariants import trained_or_random
from geometric_invariants.invariants.experiments.gate_rates.tables import gate_tables
from geometric_invariants.invariants.experiments.recorded_tables import recorded_tables

DOCS = Path(__file__).parent.parent / "docs"
Table = Callable[[], str]
_PLACE = re.compile(r"<!-- table: (?P<name>.*?) -->\n(?P<drawn>.*?)<!-- end -->", re.DOTALL)
_MARK = re.compile(r"<!-- (table: .*?|end) -->")


class DocumentError(InputError):
    """A document asks for a table that there is none of, or leaves one open."""


def tables() -> dict[str, Table]:
    """What draws each table, by its name in the documents."""
    return {**recorded_tables(), "trained or random": trained_or_random.table, **gate_tables()}


def stale() -> dict[Path, str]:
    """The documents whose tables are not what they would be now, and what they would be.

    Raises DocumentError.
    """
    known = tables()
    found = {}
    for file in sorted(DOCS.glob("*.md")):
        text = file.read_text(encoding="utf-8")
        now = drawn(text, known, str(file))
        if now != text:
            found[file] = now
    return found


def drawn(text: str, known: Mapping[str, Table], where: str = "text") -> str:
    """A document with its tables drawn anew. Raises DocumentError."""

    def replace(place: re.Match[str]) -> str:
        name = place["name"]
        if name not in known:
            raise DocumentError(f"{where}: no table {name!r}; known: {', '.join(sorted(known))}")
        return f"<!-- table: {name} -->\n{known[name]()}\n<!-- end -->"

    found, places = _PLACE.subn(replace, text)
    if len(_MARK.findall(text)) != 2 * places:
        raise DocumentError(f"{where}: every <!-- table: NAME --> needs one <!-- end --> after it")
    return found

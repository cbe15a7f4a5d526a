"""Values beside those of random weights, kept of one run for docs/trained_or_random.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geometric_invariants.invariants.experiments.recorded_tables import markdown
from geometric_invariants.reports import wording
from geometric_invariants.reports.files import read_results, write_atomically
from geometric_invariants.reports.results import Measurement, Results

KEPT = Path(__file__).parent.parent / "docs" / "trained_or_random.json"
MODELS = ("minilm_l6", "t5_tiny", "t5_mini")
_RELATIVE, _ABSOLUTE = 1e-3, 1e-6  # what another machine's rounding may move a value by

Kept = dict[str, dict[str, dict[str, Any]]]


def keep(results: Results) -> None:
    """Take the values of a run as those that the document shows."""
    write_atomically(KEPT, json.dumps(_kept(results), indent=1, ensure_ascii=False) + "\n")


def table() -> str:
    """The kept values: by claim and model, the value, what random weights show, the standing."""
    kept: Kept = json.loads(KEPT.read_text(encoding="utf-8"))
    rows = ([title, *(_cell(cells.get(m)) for m in MODELS)] for title, cells in kept.items())
    return markdown(("quantity", *MODELS), rows)


def differences(file: Path) -> list[str]:
    """A line for every kept value that a run's results do not bear out.

    Raises ResultsError where the file cannot be used.
    """
    kept: Kept = json.loads(KEPT.read_text(encoding="utf-8"))
    return list(_differences(kept, _kept(read_results(file))))


def _kept(results: Results) -> Kept:
    kept: Kept = {}
    for m in results.measurements:
        if m.model in MODELS and m.value is not None:
            kept.setdefault(m.title, {})[m.model] = _entry(m)
    return kept


def _entry(m: Measurement) -> dict[str, Any]:
    assert m.value is not None
    entry: dict[str, Any] = {"value": m.value.value, "standing": m.standing}
    if m.random is not None:
        value = m.random.value
        entry["random"] = [value.value, value.low, value.high]
    return entry


def _cell(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return "–"
    shown = f"**{wording.number(entry['value'])}**"
    if "random" in entry:
        value, low, high = map(wording.number, entry["random"])
        shown += f"; {value}" + (f" [{low}, {high}]" if low != high else "")
    return shown + (f"; {entry['standing']}" if entry["standing"] else "")


def _differences(kept: Kept, found: Kept) -> Iterator[str]:
    for title, cells in kept.items():
        for model, entry in cells.items():
            now = found.get(title, {}).get(model)
            if now is None:
                yield f"{title}, {model}: the document has {entry['value']:.5g}, the run nothing"
            elif not _alike(entry["value"], now["value"]) or entry["standing"] != now["standing"]:
                yield (
                    f"{title}, {model}: the document has {entry['value']:.5g}"
                    f" ({entry['standing']}), the run {now['value']:.5g} ({now['standing']})"
                )
    for title in found.keys() - kept.keys():
        yield f"{title}: not in the document"


def _alike(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)

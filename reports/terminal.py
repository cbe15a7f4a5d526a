"""A run's results as lines of text."""

from __future__ import annotations

from geometric_invariants.reports.checks import checks
from geometric_invariants.reports.results import Measurement, Results
from geometric_invariants.reports.wording import GLYPHS, reading, standings, verdicts, with_interval


def text_summary(results: Results) -> list[str]:
    """The counts per model, its remarks, and a line for every claim that was asserted or moved.

    Of a run of checks alone: one line where all is well, else one for each failure.
    """
    lines = []
    for model in results.models():
        cells = results.of(model)
        if results.is_absent(model):
            lines.append(f"{model}: unavailable, {cells[0].message}; {cells[0].command}")
            continue
        checked = checks(cells)
        if checked is not None and all(m.is_check for m in cells):
            lines += [f"{model}: {line}" for line in checked.lines]
            continue
        lines.append(f"{model}: {verdicts(cells)}")
        lines += [f"  {checked.passed}"] if checked is not None and checked.ok else []
        if random := standings(cells):
            lines.append(f"  against random: {random}")
        lines += [f"  {remark}" for remark in results.remarks(model)]
        lines += [_asserted(m) for m in cells if m.stated or m.verdict == "error"]
        lines += [f"  {m.change} {line}" for m in cells if m.fails for line in m.changes]
    return lines


def cell_line(measurement: Measurement) -> str:
    """One cell whole: model, claim, verdict, value and where it stands against random."""
    m = measurement
    cell = f"{m.model:<14} {m.claim:<32} {m.verdict:<14}"
    if m.value is None:
        return f"{cell} {m.message}".rstrip()
    where = f" ({m.worst_part})" if m.worst_part else ""
    return f"{cell} {with_interval(m.value)}{where}  {reading(m)}".rstrip()


def _asserted(measurement: Measurement) -> str:
    said = "; ".join(filter(None, (measurement.message, reading(measurement))))
    return f"  {GLYPHS[measurement.verdict]} {measurement.claim}: {said}"

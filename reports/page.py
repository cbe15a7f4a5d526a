"""One self-contained HTML page of a run, and its summary as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from reports import figures
from reports.results import Measurement, Results

_TEMPLATES = Path(__file__).with_name("templates")
_GLYPHS = {
    "holds": "✓",
    "violated": "✗",
    "measured": "·",
    "not applicable": "–",
    "unavailable": "○",
    "error": "!",
}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one model cost: opened how often, seconds, bytes on disk, peak memory."""

    model: str
    loads: int
    seconds: float
    bytes: int
    peak_host_bytes: int
    peak_device_bytes: int
    checkpoint: str
    location: str
    dtype: str
    device: str


def render(results: Results) -> str:
    """The page as HTML: no request to anywhere, readable without JavaScript."""
    shown = [m for m in results.models() if not _is_absent(results, m)]
    return _template().render(
        results=results,
        models=shown,
        cells=results.by_key(),
        claims=_titles(results),
        absent=[_first(results, m) for m in results.models() if _is_absent(results, m)],
        counts=_counts(results.measurements),
        ledger=ledger(results),
        changed=[m for m in results.measurements if m.change not in (None, "steady")],
        twinned=[m for m in shown if any(c.twin for c in results.of(m))],
        judged=any(m.change for m in results.measurements),
    )


def text_summary(results: Results) -> list[str]:
    """A line for every claim that was asserted or has moved, and the counts per model."""
    lines = []
    for model in results.models():
        if _is_absent(results, model):
            first = _first(results, model)
            lines.append(f"{model}: unavailable, {first.message}; {first.command}")
            continue
        cells = results.of(model)
        counts = ", ".join(f"{count} {verdict}" for verdict, count in _counts(cells).items())
        lines.append(f"{model}: {counts}")
        lines += [
            f"  {_GLYPHS[m.verdict]} {m.claim}: {m.message}"
            for m in cells
            if m.stated or m.verdict == "error"
        ]
        lines += [f"  {m.change} {line}" for m in cells if m.fails for line in m.changes]
    return lines


def ledger(results: Results) -> list[LedgerRow]:
    """What every measured model cost."""
    rows = []
    for model in results.measured_models():
        costs = [m.provenance for m in results.of(model) if m.is_measured]
        rows.append(
            LedgerRow(
                model=model,
                loads=len({cost.load for cost in costs}),
                seconds=max(cost.load_seconds for cost in costs),
                bytes=costs[0].bytes,
                peak_host_bytes=max(cost.peak_host_bytes for cost in costs),
                peak_device_bytes=max(cost.peak_device_bytes for cost in costs),
                checkpoint=costs[0].checkpoint,
                location=costs[0].location,
                dtype=costs[0].dtype,
                device=costs[0].device,
            )
        )
    return rows


def reading(measurement: Measurement) -> str:
    """What the control and the random twins say of the value, in words."""
    return f"{_control_reading(measurement)} {_twin_reading(measurement)}".strip()


def _twin_reading(measurement: Measurement) -> str:
    twin = measurement.twin
    if measurement.tells_trained is None or twin is None:
        return ""
    shown = f"{_number(twin.value)}, {_number(twin.low)} – {_number(twin.high)}"
    if measurement.tells_trained:
        return f"Tells trained from random: random twins show {shown}."
    return f"Random twins show it too: {shown}."


def _control_reading(measurement: Measurement) -> str:
    if measurement.value is None or measurement.discriminates is None:
        return ""
    control = measurement.controls[0]
    band, null = measurement.band, control.value
    if measurement.discriminates:
        text = f"Tells this model from its control ({control.name}: {null.value:.4g})."
    else:
        text = (
            f"Says nothing about training: its control ({control.name}: {null.value:.4g}) "
            "shows the same value."
        )
    if band is not None and _inside(null.value, band):
        text += " The control satisfies the claim too."
    return text


def _template() -> Template:
    return _environment().get_template("page.html.j2")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number,
        size=_size,
        reading=reading,
        interval=lambda m: Markup(figures.interval(m)),  # noqa: S704 (escaped where it is drawn)
        figure=lambda drawn: Markup(figures.figure(drawn)),  # noqa: S704
        strip=lambda parts: Markup(figures.strip(parts)),  # noqa: S704
    )
    environment.globals["glyphs"] = _GLYPHS
    return environment


def _titles(results: Results) -> dict[str, Measurement]:
    """Each claim's best-described cell: a killed worker leaves one without a title."""
    titles: dict[str, Measurement] = {}
    for measurement in results.measurements:
        if measurement.claim not in titles or not titles[measurement.claim].title:
            titles[measurement.claim] = measurement
    return titles


def _is_absent(results: Results, model: str) -> bool:
    return all(m.verdict == "unavailable" for m in results.of(model))


def _first(results: Results, model: str) -> Measurement:
    return results.of(model)[0]


def _counts(measurements: Sequence[Measurement]) -> dict[str, int]:
    found = [m.verdict for m in measurements]
    return {verdict: found.count(verdict) for verdict in _GLYPHS if verdict in found}


def _inside(number: float, band: tuple[float | None, float | None]) -> bool:
    low, high = band
    return (low is None or number >= low) and (high is None or number <= high)


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.5g}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"

"""One self-contained HTML page of a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from geometric_invariants.reports import baseline, checks, drawing, sheets, tabulating, wording
from geometric_invariants.reports.anchors import anchor
from geometric_invariants.reports.drawing.colours import STEPS
from geometric_invariants.reports.results import Measurement, Results, percent

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one model cost: opened how often, seconds, bytes on disk, peak memory.

    `share` is that of its parameters which were measured; None where they were not counted.
    """

    model: str
    parameters: int
    share: float | None
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
    absent = [model for model in results.models() if results.is_absent(model)]
    shown = [model for model in results.models() if model not in absent]
    return _template().render(
        results=results,
        models=shown,
        cells=results.by_key(),
        checked=[found for model in shown if (found := checks.checks(results.of(model)))],
        without_baseline=checks.WITHOUT_BASELINE,
        claims=_titles(results),
        absent=[results.of(model)[0] for model in absent],
        ledger=ledger(results),
        sheets=sheets.sheets(results),
        changed=[m for m in results.measurements if m.change not in (None, "steady")],
        beside_random=[m for m in shown if any(c.random for c in results.of(m))],
        compared=baseline.summary(results),
        uncompared=baseline.uncompared(results, every=False),
    )


def ledger(results: Results) -> list[LedgerRow]:
    """What every measured model cost."""
    rows = []
    for model in results.measured_models():
        costs = [m.provenance for m in results.of(model) if m.is_measured]
        rows.append(
            LedgerRow(
                model=model,
                parameters=costs[0].parameters,
                share=results.measured_share(model),
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
        number=wording.number,
        with_interval=wording.with_interval,
        reading=wording.reading,
        verdicts=wording.verdicts,
        standings=wording.standings,
        percent=percent,
        size=_size,
        interval=lambda m: Markup(drawing.interval(m)),  # noqa: S704 (escaped where it is drawn)
        figure=lambda one: Markup(drawing.figure(one.figure, one.limits)),  # noqa: S704
        strip=lambda parts: Markup(drawing.strip(parts)),  # noqa: S704
        written=tabulating.written,
    )
    environment.globals.update(
        anchor=anchor,
        distance=wording.distance,
        figure_id=sheets.figure_id,
        glyphs=wording.GLYPHS,
        steps=STEPS,
    )
    return environment


def _titles(results: Results) -> dict[str, Measurement]:
    """Each claim's best-described cell: a killed worker leaves one without a title."""
    titles: dict[str, Measurement] = {}
    for measurement in results.measurements:
        if measurement.claim not in titles or not titles[measurement.claim].title:
            titles[measurement.claim] = measurement
    return titles


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"

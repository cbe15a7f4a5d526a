"""The schema of a Measurement, and results.json: written atomically, read strictly."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

SCHEMA = 1
Verdict = Literal["holds", "violated", "measured", "not applicable", "unavailable", "error"]
Change = Literal["steady", "regressed", "new", "vanished", "not comparable"]
FAILING: frozenset[str] = frozenset({"violated", "regressed", "vanished", "error"})


class ResultsError(Exception):
    """A results or baseline file cannot be used; the message names it and the cause."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its 95 % interval; `samples` is 0 where nothing was sampled."""

    value: float
    low: float
    high: float
    samples: int = 0
    method: str = "exact"


@dataclass(frozen=True, slots=True)
class Reference:
    """A named number to read a measurement beside: a null control or a related quantity."""

    name: str
    value: Value
    meaning: str


@dataclass(frozen=True, slots=True)
class Figure:
    """Numbers to draw: `series` over `x`, as lines, or as the rows of a heat map.

    `x` holds numbers or labels; `marks` are named places on it. None is a gap. `spread` is drawn
    about a line's points, as much above as below.
    """

    title: str
    kind: Literal["lines", "heatmap"]
    x: tuple[float | str, ...]
    series: Mapping[str, tuple[float | None, ...]]
    marks: Mapping[str, float] = field(default_factory=dict)
    spread: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a value may move from its baseline, beyond sampling noise, and why that far."""

    absolute: float = 0.0
    relative: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a value was measured on, with what, and what that cost so far for the model."""

    checkpoint: str = ""
    location: str = ""
    dtype: str = ""
    device: str = ""
    seed: int = 0
    seconds: float = 0.0
    load: str = ""
    load_seconds: float = 0.0
    bytes: int = 0
    peak_host_bytes: int = 0
    peak_device_bytes: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One cell of model × claim: two verdicts, the value and everything it rests on.

    `twin` is the same quantity of the same architecture randomly initialised: mean over seeds and
    the interval that a further one falls into. `parts` are exact values by layer or role, gated
    like the value. `design` names definition,
    shape and sampling; values of different designs are not comparable.
    """

    model: str
    claim: str
    verdict: Verdict
    version: int = 1
    title: str = ""
    statement: str = ""
    source: str = ""
    value: Value | None = None
    band: tuple[float | None, float | None] | None = None
    stated: bool = False
    margin: float | None = None
    controls: tuple[Reference, ...] = ()
    related: tuple[Reference, ...] = ()
    discriminates: bool | None = None
    twin: Value | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    design: str = ""
    tolerance: Tolerance = Tolerance()
    change: Change | None = None
    changes: tuple[str, ...] = ()
    message: str = ""
    command: str = ""
    provenance: Provenance = Provenance()

    @property
    def key(self) -> tuple[str, str]:
        return self.model, self.claim

    @property
    def is_measured(self) -> bool:
        return self.value is not None

    @property
    def tells_trained(self) -> bool | None:
        """Whether the value lies where no random twin's does; None without twins."""
        if self.value is None or self.twin is None:
            return None
        return self.value.high < self.twin.low or self.twin.high < self.value.low

    @property
    def fails(self) -> bool:
        return self.verdict in FAILING or self.change in FAILING


@dataclass(frozen=True, slots=True)
class Results:
    """All measurements of a run."""

    measurements: tuple[Measurement, ...]

    def models(self) -> list[str]:
        """Model ids in the order they first appear."""
        return list(dict.fromkeys(m.model for m in self.measurements))

    def claims(self) -> list[str]:
        """Claim ids in the order they first appear."""
        return list(dict.fromkeys(m.claim for m in self.measurements))

    def measured_models(self) -> list[str]:
        """Models with at least one value."""
        measured = {m.model for m in self.measurements if m.is_measured}
        return [model for model in self.models() if model in measured]

    def by_key(self) -> dict[tuple[str, str], Measurement]:
        return {m.key: m for m in self.measurements}

    def coverage(self) -> str:
        """One line that says what the run did not test."""
        verdicts = {model: [m.verdict for m in self.of(model)] for model in self.models()}
        measured = self.measured_models()
        absent = [m for m, found in verdicts.items() if set(found) == {"unavailable"}]
        broken = [m for m in verdicts if m not in measured and m not in absent]
        line = f"{len(measured)} of {len(verdicts)} models measured"
        if absent:
            line += f", {len(absent)} unavailable: {', '.join(absent)}"
        if broken:
            line += f", {len(broken)} without a value: {', '.join(broken)}"
        return line

    def of(self, model: str) -> list[Measurement]:
        return [m for m in self.measurements if m.model == model]


def to_json(measurement: Measurement) -> dict[str, Any]:
    """Builtin types only, as xdist and JSON need them."""
    return dataclasses.asdict(measurement)


def from_json(content: Mapping[str, Any]) -> Measurement:
    """The inverse of `to_json`. Raises TypeError, KeyError or ValueError on malformed content."""
    fields = dict(content)
    for name in ("controls", "related"):
        fields[name] = tuple(
            Reference(item["name"], Value(**item["value"]), item["meaning"])
            for item in fields.get(name, ())
        )
    fields["figures"] = tuple(_figure(item) for item in fields.get("figures", ()))
    for name in ("notes", "changes"):
        fields[name] = tuple(fields.get(name, ()))
    for name in ("value", "twin"):
        if fields.get(name) is not None:
            fields[name] = Value(**fields[name])
    if fields.get("band") is not None:
        low, high = fields["band"]
        fields["band"] = (low, high)
    fields["tolerance"] = Tolerance(**fields.get("tolerance", {}))
    fields["provenance"] = Provenance(**fields.get("provenance", {}))
    measurement = Measurement(**fields)
    if measurement.verdict not in get_args(Verdict):
        raise ValueError(f"unknown verdict {measurement.verdict!r}")
    return measurement


def _figure(content: Mapping[str, Any]) -> Figure:
    fields = dict(content)
    fields["x"] = tuple(fields["x"])
    for lines in ("series", "spread"):
        fields[lines] = {name: tuple(values) for name, values in fields.get(lines, {}).items()}
    return Figure(**fields)


def write_results(results: Results, file: Path) -> None:
    """Write results.json; the file is either whole or as it was."""
    content = {"schema": SCHEMA, "measurements": [to_json(m) for m in results.measurements]}
    write_atomically(file, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False))


def read_results(file: Path) -> Results:
    """Read results.json. Raises ResultsError naming the file and what is wrong with it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file}: not a readable results file ({error})") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ResultsError(f"{file}: not results of schema {SCHEMA}")
    try:
        return Results(tuple(from_json(item) for item in content["measurements"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{file}: malformed measurement ({error})") from error


def write_atomically(file: Path, text: str) -> None:
    """Replace a file by a complete new one, through a temporary file beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def latest(measurements: Iterable[Measurement]) -> Results:
    """Results with the last measurement of every cell, grouped by model, in order of appearance."""
    cells = {m.key: m for m in measurements}
    models = dict.fromkeys(model for model, _ in cells)
    return Results(tuple(m for model in models for m in cells.values() if m.model == model))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")

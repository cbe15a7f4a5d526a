"""The schema of a Measurement, and results.json: written atomically, read strictly."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

SCHEMA = 2
Verdict = Literal["holds", "violated", "measured", "not applicable", "unavailable", "error"]
Change = Literal["steady", "regressed", "new", "vanished", "not comparable"]
Standing = Literal[
    "holds, random does not", "holds, random too", "outside", "outside, random inside", "undecided"
]
Band = tuple[float | None, float | None]
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

    def lies_in(self, band: Band) -> bool | None:
        """Whether the interval lies inside a closed band; None where it straddles an edge."""
        low = -math.inf if band[0] is None else band[0]
        high = math.inf if band[1] is None else band[1]
        if low <= self.low and self.high <= high:
            return True
        return False if self.high < low or high < self.low else None


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
    """What a value was measured on, with what, and what that cost so far for the model.

    `parameters` are those the files hold, `measured_parameters` those whose role is known and
    measured; `remarks` say what a reader of the model should know (an index that is not used, …).
    """

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
    parameters: int = 0
    measured_parameters: int = 0
    remarks: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One cell of model × claim: two verdicts, the value and everything it rests on.

    `random` is what random weights show of the same quantity: the model's random twins (mean over
    seeds, and the interval that a further one falls into), else its null in closed form; None for
    counts that random weights cannot change. `parts` are values by layer, role or seed, gated like
    the value; `part_noise` is the 95 % half-width that drawing leaves in each. Where a claim is
    about every part, the value is the worst one's and `worst_part` names it. `design` names
    definition and sampling; values of different designs are not comparable.
    """

    model: str
    claim: str
    verdict: Verdict
    version: int = 1
    title: str = ""
    statement: str = ""
    source: str = ""
    value: Value | None = None
    band: Band | None = None
    worst_part: str | None = None
    stated: bool = False
    margin: float | None = None
    controls: tuple[Reference, ...] = ()
    related: tuple[Reference, ...] = ()
    random: Reference | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    part_noise: float = 0.0
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
    def standing(self) -> Standing | None:
        """The one verdict on random: does the value lie in the band, and does random?

        None without a value, a band, or anything random to hold them against.
        """
        if self.value is None or self.band is None or self.random is None:
            return None
        own, other = self.value.lies_in(self.band), self.random.value.lies_in(self.band)
        if own is None or other is None:
            return "undecided"
        if own:
            return "holds, random too" if other else "holds, random does not"
        return "outside, random inside" if other else "outside"

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
    if fields.get("random") is not None:
        item = fields["random"]
        fields["random"] = Reference(item["name"], Value(**item["value"]), item["meaning"])
    fields["figures"] = tuple(_figure(item) for item in fields.get("figures", ()))
    for name in ("notes", "changes"):
        fields[name] = tuple(fields.get(name, ()))
    if fields.get("value") is not None:
        fields["value"] = Value(**fields["value"])
    if fields.get("band") is not None:
        low, high = fields["band"]
        fields["band"] = (low, high)
    fields["tolerance"] = Tolerance(**fields.get("tolerance", {}))
    provenance = dict(fields.get("provenance", {}))
    provenance["remarks"] = tuple(provenance.get("remarks", ()))
    fields["provenance"] = Provenance(**provenance)
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
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and 0 < schema < SCHEMA:
        raise ResultsError(
            f"{file}: written by an earlier version (schema {schema}, now {SCHEMA}), whose verdicts"
            " mean something else; measure again with this version"
        )
    if schema != SCHEMA:
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

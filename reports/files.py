"""results.json: written atomically, read strictly."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometric_invariants.reports.decoding import decode
from geometric_invariants.reports.finite import finite
from geometric_invariants.reports.results import Measurement, Results

SCHEMA = 3


class ResultsError(Exception):
    """A results or baseline file cannot be used; the message names it and the cause."""


def to_json(measurement: Measurement) -> dict[str, Any]:
    """Builtin types only, as xdist and JSON need them."""
    return dataclasses.asdict(measurement)


def from_json(content: Mapping[str, Any]) -> Measurement:
    """The inverse of `to_json`. Raises ValueError naming what is malformed, and where."""
    return decode(Measurement, content)


def write_results(results: Results, file: Path) -> None:
    """Write results.json; the file is either whole or as it was.

    Numbers that are none are taken out, and each cell says which. Raises ResultsError naming a
    file that cannot be written.
    """
    content = {"schema": SCHEMA, "measurements": [to_json(finite(m)) for m in results.measurements]}
    write_atomically(file, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False))


def read_results(file: Path) -> Results:
    """Read results.json. Raises ResultsError naming the file and what is wrong with it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file}: not a readable results file ({error})") from error
    except RecursionError as error:
        raise ResultsError(f"{file}: not a readable results file (nested too deep)") from error
    _check_schema(content, file)
    try:
        measurements = decode(_Content, content).measurements
    except ValueError as error:
        raise ResultsError(f"{file}: malformed measurement ({error})") from error
    _check_unique(measurements, file)
    return Results(measurements)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a results file holds."""

    schema: int
    measurements: tuple[Measurement, ...]


def _check_schema(content: object, file: Path) -> None:
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema in range(1, SCHEMA):
        raise ResultsError(
            f"{file}: written by an earlier version (schema {schema}, now {SCHEMA}), which"
            " says other things; measure again with this version"
        )
    if schema != SCHEMA:
        raise ResultsError(f"{file}: not results of schema {SCHEMA}")


def _check_unique(measurements: Iterable[Measurement], file: Path) -> None:
    seen: set[tuple[str, str]] = set()
    for measurement in measurements:
        if measurement.key in seen:
            raise ResultsError(f"{file}: {measurement.claim} [{measurement.model}] stands twice")
        seen.add(measurement.key)


def write_atomically(file: Path, text: str) -> None:
    """Replace a file by a complete new one, through a temporary file beside it.

    Raises ResultsError naming a file that cannot be written.
    """
    try:
        _replace(file, text)
    except OSError as error:
        raise ResultsError(f"{file}: cannot be written ({error})") from error


def _replace(file: Path, text: str) -> None:
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


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")

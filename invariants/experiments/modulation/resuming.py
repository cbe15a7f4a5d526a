"""A sweep's points kept in a file as they are measured, so that a run that is cut off goes on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.experiments.modulation.sweep import Point, point_of


class PointFile:
    """A line that says of what weights and draws the points are, then a line of JSON per point.

    Numbers come back as they were, bit for bit; a last line that a killed run left half written is
    dropped. Raises InputError for a file of other weights or draws, or that holds no points.
    """

    def __init__(self, file: Path, model: Model, sampling: Sampling) -> None:
        self._file = file
        origin = {
            "checkpoint": model.checkpoint.sha256(),
            "device": model.device.type,
            "seed": sampling.seed,
            "samples": sampling.samples,
        }
        self.points = self._read(origin) if file.exists() else ()
        whole = [origin, *map(dataclasses.asdict, self.points)]
        self._write("w", whole)

    def keep(self, point: Point) -> None:
        """Add a point, at once."""
        self._write("a", [dataclasses.asdict(point)])

    def _write(self, mode: str, content: list[dict[str, Any]]) -> None:
        with self._file.open(mode, encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in content)

    def _read(self, origin: dict[str, Any]) -> tuple[Point, ...]:
        lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
        try:
            whole = [json.loads(line) for line in lines if line.endswith("\n")]
            if whole and whole[0] != origin:
                raise InputError(f"{self._file}: points of {whole[0]}, not of {origin}")
            return tuple(map(point_of, whole[1:]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self._file}: not a file of points ({error})") from error

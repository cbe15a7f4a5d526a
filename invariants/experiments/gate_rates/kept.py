"""What the gate did with each model, as it is kept in docs/gate.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import reduce
from pathlib import Path

from geometric_invariants.reports.decoding import decode
from geometric_invariants.reports.files import ResultsError, write_atomically

KEPT = Path(__file__).parents[3] / "docs" / "gate.json"
_MOST = 1e9


@dataclass(frozen=True, slots=True)
class Tally:
    """Of so many tries, those that something was made of without a baseline, and with it."""

    tries: int = 0
    alone: int = 0
    compared: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.tries + other.tries, self.alone + other.alone, self.compared + other.compared
        )


@dataclass(frozen=True, slots=True)
class Caught:
    """The claims that catch a change without a baseline and with it, as places in `Rates.claims`.

    A file that is refused is caught both ways, by none of them.
    """

    alone: tuple[int, ...]
    compared: tuple[int, ...]
    refused: bool = False

    @property
    def is_caught_alone(self) -> bool:
        return bool(self.alone) or self.refused

    @property
    def is_caught(self) -> bool:
        return bool(self.compared) or self.refused

    @property
    def tally(self) -> Tally:
        return Tally(1, int(self.is_caught_alone), int(self.is_caught))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A benign change that something was made of: a false alarm."""

    change: str
    conditions: str
    seed: int
    caught: Caught


Tallies = Mapping[str, Mapping[str, Tally]]


@dataclass(frozen=True, slots=True)
class Rates:
    """One model's. `claims` took part, the sound model itself fails the `failing`.

    `pairs`: by conditions and benign change; `nearest`: by claim the most that a benign change
    moved it, over what it may; `faults`: by name, those that do not apply left out; `sized`: by
    family and size; `pairing`: by claim z of every layer.
    """

    claims: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    pairing: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pairs: Tallies = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    nearest: Mapping[str, float] = field(default_factory=dict)
    faults: Mapping[str, Caught] = field(default_factory=dict)
    sized: Tallies = field(default_factory=dict)

    def named(self, places: Iterable[int]) -> list[str]:
        return [self.claims[place] for place in places]

    def __add__(self, other: Rates) -> Rates:
        """With what was measured elsewhere of the same model by the same claims."""
        claims = self.nearest.keys() | other.nearest.keys()
        return Rates(
            self.claims or other.claims,
            self.failing or other.failing,
            self.pairing or other.pairing,
            _together(self.pairs, other.pairs),
            (*self.alarms, *other.alarms),
            {
                c: max(self.nearest.get(c, 0.0), other.nearest.get(c, 0.0))
                for c in self.claims or other.claims
                if c in claims
            },
            {**self.faults, **other.faults},
            _together(self.sized, other.sized),
        )


def total(tallies: Iterable[Tally]) -> Tally:
    return reduce(Tally.__add__, tallies, Tally())


def read(file: Path) -> dict[str, Rates]:
    """Rates by model. Raises ResultsError naming a file that is none of this version."""
    try:
        return dict(decode(_Content, json.loads(file.read_text(encoding="utf-8"))).models)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{file}: no rates of the gate ({error}); measure them again") from error


def write(rates: Mapping[str, Rates], file: Path) -> None:
    """Keep rates by model, a line for each, numbers to three digits. Raises ResultsError."""
    lines = ",\n".join(f"{json.dumps(name)}: {_line(one)}" for name, one in rates.items())
    write_atomically(file, f'{{"models": {{\n{lines}\n}}}}\n')


@dataclass(frozen=True, slots=True)
class _Content:
    models: Mapping[str, Rates]


def _line(rates: Rates) -> str:
    content = _rounded(asdict(rates))
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _rounded(content: object) -> object:
    """Floats to three digits; what is beyond all bounds as a billion."""
    if isinstance(content, float):
        return float(f"{min(content, _MOST):.3g}")
    if isinstance(content, dict):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return content


def _together(one: Tallies, other: Tallies) -> dict[str, dict[str, Tally]]:
    """Sums, in the order of whichever came first."""
    found: dict[str, dict[str, Tally]] = {}
    for tallies in (one, other):
        for name, by in tallies.items():
            own = found.setdefault(name, {})
            for key, tally in by.items():
                own[key] = own.get(key, Tally()) + tally
    return found

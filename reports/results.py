"""The schema of a Measurement, and the results of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from geometric_invariants.reports.exhibits import Figure, Table
from geometric_invariants.reports.profiles import Profile
from geometric_invariants.reports.sketches import Sketches

Verdict = Literal["holds", "violated", "measured", "not applicable", "unavailable", "error"]
Change = Literal["steady", "regressed", "new", "vanished", "not comparable"]
Standing = Literal[
    "holds, random does not", "holds, random too", "outside", "outside, random inside", "undecided"
]
Band = tuple[float | None, float | None]
FAILING: frozenset[str] = frozenset({"violated", "regressed", "vanished", "error"})


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its 95 % interval; `samples` is 0 where nothing was sampled.

    Raises ValueError for an interval whose bounds are exchanged.
    """

    value: float
    low: float
    high: float
    samples: int = 0
    method: str = "exact"

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an interval from {self.low:g} to {self.high:g}")

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

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
class Tolerance:
    """How far a value may move from its baseline, beyond sampling noise, and why that far.

    `rounding` is for a baseline whose weights are stored in another encoding: how far, for each
    unit of the encodings' relative error.
    """

    absolute: float = 0.0
    relative: float = 0.0
    reason: str = ""
    rounding: float = 0.0


@dataclass(frozen=True, slots=True)
class Encoding:
    """What some weights are stored as: how many, and bits for each of their numbers.

    `error` is the norm of what rounding takes off Gaussian weights over theirs.
    """

    kind: str
    weights: int
    bits: float
    error: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a value was measured on, with what, and what that cost so far for the model.

    `parameters` are those the files hold, `measured_parameters` those whose role is known and
    measured; `remarks` say what a reader of the model should know (an index that is not used, …);
    `encodings` are those of weights stored as codes.
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
    encodings: tuple[Encoding, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One cell of model × claim: two verdicts, the value and everything it rests on.

    `random` is what random weights show of the same quantity: the model's random twins (mean over
    seeds, and the interval that a further one falls into), else its null in closed form; None for
    counts that random weights cannot change. `parts` are values by layer, role or seed, gated like
    the value; `part_noise` is the 95 % half-width that drawing leaves in each. Where a claim is
    about every part, the value is the worst one's and `worst_part` names it. `design` names
    definition and sampling; values of different designs are not comparable. `profiles` sketch the
    matrices' rows, by place, and `sketches` all tensors, for a baseline alone. Raises ValueError
    for a band whose edges are exchanged.
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
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    sketches: tuple[Sketches, ...] = ()
    design: str = ""
    tolerance: Tolerance = Tolerance()
    change: Change | None = None
    changes: tuple[str, ...] = ()
    message: str = ""
    command: str = ""
    provenance: Provenance = Provenance()

    def __post_init__(self) -> None:
        low, high = self.band or (None, None)
        if low is not None and high is not None and low > high:
            raise ValueError(f"a band from {low:g} to {high:g}")

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

    def is_absent(self, model: str) -> bool:
        """Whether the model's weights are not on this machine."""
        return all(m.verdict == "unavailable" for m in self.of(model))

    def by_key(self) -> dict[tuple[str, str], Measurement]:
        return {m.key: m for m in self.measurements}

    def coverage(self) -> str:
        """One line that says what the run did not test: models, and shares of parameters."""
        models, measured = self.models(), self.measured_models()
        absent = [model for model in models if self.is_absent(model)]
        broken = [model for model in models if model not in measured and model not in absent]
        line = f"{len(measured)} of {len(models)} models measured"
        if absent:
            line += f", {len(absent)} unavailable: {', '.join(absent)}"
        if broken:
            line += f", {len(broken)} without a value: {', '.join(broken)}"
        shares = ((model, self.measured_share(model)) for model in measured)
        counted = [(model, share) for model, share in shares if share is not None]
        shown = ", ".join(f"{percent(share)} of the parameters of {m}" for m, share in counted)
        return f"{line}; {shown}" if shown else line

    def measured_share(self, model: str) -> float | None:
        """The share of a model's parameters that were measured; None where they are not counted."""
        origins = (m.provenance for m in self.of(model) if m.provenance.parameters)
        return next((o.measured_parameters / o.parameters for o in origins), None)

    def remarks(self, model: str) -> list[str]:
        """What a reader of the model should know, each once."""
        said = (remark for m in self.of(model) for remark in m.provenance.remarks)
        return list(dict.fromkeys(said))

    def of(self, model: str) -> list[Measurement]:
        return [m for m in self.measurements if m.model == model]


def latest(measurements: Iterable[Measurement]) -> Results:
    """Results with the last measurement of every cell, grouped by model, in order of appearance."""
    cells = {m.key: m for m in measurements}
    models = dict.fromkeys(model for model, _ in cells)
    return Results(tuple(m for model in models for m in cells.values() if m.model == model))


def percent(share: float) -> str:
    """A share with one decimal, rounded down: 100 % is all of it."""
    return f"{math.floor(1000 * share) / 10:g} %"

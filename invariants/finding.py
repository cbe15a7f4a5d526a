"""What a quantity hands to `measure`: an estimate, its controls, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geometric_invariants.reports.exhibits import Figure, Table
from geometric_invariants.reports.profiles import Profile
from geometric_invariants.reports.sketches import Sketches

if TYPE_CHECKING:
    from geometric_invariants.geometry.estimate import Estimate


class NotApplicableError(Exception):
    """The quantity has no meaning for this model; the message says why."""


@dataclass(frozen=True, slots=True)
class Named:
    """An estimate with a name and a sentence on how to read it."""

    name: str
    estimate: Estimate
    meaning: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One quantity of one model.

    The first of `controls` is the null (random weights in closed form, or labels dealt at random)
    that stands for them where the model has no random twins.
    `design` names definition and sampling, so that only like is compared with like; never counts
    that a grown vocabulary changes. `parts` are values by layer, role or seed; `part_noise` is the
    95 % half-width that drawing leaves in each, 0 where they are exact; those named in `apart` are
    of a network that the claim is not about, and only shown. Where it is not
    `in_source_design` (too short a training, too small a model), the claim is measured alone.
    `profiles` sketch the matrices' rows, `sketches` all tensors, by place, for a baseline.
    `where`: what a violated claim's line says of the place at fault: tensor, layer, rows.
    """

    estimate: Estimate
    design: str
    controls: tuple[Named, ...] = ()
    related: tuple[Named, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    part_noise: float = 0.0
    apart: frozenset[str] = frozenset()
    in_source_design: bool = True
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    where: str = ""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    sketches: tuple[Sketches, ...] = ()

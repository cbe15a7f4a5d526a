"""Checks of a field modulator: pentachoron CVs against its target, and a forward pass (SPEC M6)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry import simplex
from geometric_invariants.geometry.modulation.field import SOURCES, FieldModulator, FieldSettings

SOURCES_COORDINATES, SOURCES_SIMPLICES = 8, 1_000
_VERTICES = 5


@dataclass(frozen=True, slots=True)
class CvCheck:
    """CV and mean of pentachoron volumes, the share of V² above 0, whether the CV is in band."""

    cv: float
    mean: float
    valid: float
    in_band: bool


def cv_check(rows: Tensor, sets: Tensor, settings: FieldSettings = SOURCES) -> CvCheck:
    """The check on pentachora of rows [n, d], by index sets [s, 5]; V² ≤ 0 is dropped.

    NaN where no simplex spans a volume. Source: SPEC G2, M6.
    """
    squares = simplex.squared_volumes_of_rows(rows, sets)
    volumes = squares[squares > 0].sqrt()
    if not len(volumes):
        return CvCheck(math.nan, math.nan, 0.0, in_band=False)
    cv = (volumes.std(correction=0) / volumes.mean()).item()
    valid = len(volumes) / len(squares)
    return CvCheck(cv, volumes.mean().item(), valid, settings.in_target(cv))


def sources_cv_check(
    rows: Tensor,
    generator: torch.Generator,
    settings: FieldSettings = SOURCES,
    count: int = SOURCES_SIMPLICES,
) -> CvCheck:
    """The check as the source makes it, with both its errata.

    It looks at the first eight coordinates alone, and may draw one row twice into a simplex, which
    then spans nothing. Source: SPEC 9, 16.
    """
    sets = torch.randint(len(rows), (count, _VERTICES), generator=generator)
    return cv_check(rows[:, :SOURCES_COORDINATES].contiguous(), sets, settings)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What a forward pass on states at random shows, in every layer."""

    shapes_kept: bool
    null_untouched: bool
    active_changed: bool

    @property
    def passed(self) -> bool:
        return self.shapes_kept and self.null_untouched and self.active_changed


@torch.no_grad()
def self_test(modulator: FieldModulator, generator: torch.Generator) -> SelfTest:
    """Pass states [2, 3, d] from N(0, 1) through every layer; nulls must be the same bits."""
    device = modulator.logit.device
    states = torch.randn(2, 3, modulator.d, generator=generator).to(device)
    null = torch.ones(modulator.d, dtype=torch.bool, device=device)
    null[modulator.active_at] = False
    found = [modulator(states, None, layer) for layer in range(len(modulator.logit))]
    return SelfTest(
        shapes_kept=all(f.shape == states.shape for f in found),
        null_untouched=all(torch.equal(f[..., null], states[..., null]) for f in found),
        active_changed=all(bool((f != states)[..., ~null].any()) for f in found),
    )

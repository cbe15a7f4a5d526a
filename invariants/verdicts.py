"""From a finding to a Measurement: does the claim hold, does its control tell, did it move?"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from fixtures.errors import InputError, UnavailableError
from invariants.claims import Band, Claim
from invariants.finding import Finding, Named, NotApplicableError
from invariants.quantities import quantity
from reports import baseline
from reports.results import Measurement, Provenance, Reference, Results, Tolerance, Value, Verdict

if TYPE_CHECKING:
    from fixtures.model import Model
    from geometry.estimate import Estimate, Sampling

DEFAULT_SAMPLES = 100_000
_REFINEMENTS = 16
DEFAULT_TWINS = 5
_TWIN_SAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run measures and judges; both front ends fill it from their options."""

    seed: int = 0
    samples: int = DEFAULT_SAMPLES
    universal: bool = False
    twins: int = DEFAULT_TWINS
    tolerances: Mapping[str, float] = field(default_factory=dict)
    baseline: Results | None = None

    def sampling(self, claim: Claim, model: str) -> Sampling:
        """The draws a quantity may make; the band's finite edges are to be cleared."""
        from geometry.estimate import Sampling

        edges = tuple(edge for edge in claim.band_for(model) or () if math.isfinite(edge))
        return Sampling(self.seed, self.samples, _REFINEMENTS * self.samples, edges)


def judge(
    claim: Claim, model: Model, finding: Finding, settings: Settings, seconds: float
) -> Measurement:
    """The Measurement of a quantity: verdict on the claim, on the control, and on the change."""
    value = _value(finding.estimate)
    band = claim.band_for(model.id)
    asserted = claim.asserted_for(model.id, universal=settings.universal)
    margin = None if band is None else min(value.value - band[0], band[1] - value.value)
    verdict: Verdict = "measured"
    if asserted and margin is not None:
        verdict = "holds" if margin >= 0 else "violated"
    measurement = dataclasses.replace(
        _unmeasured(claim, model.id, verdict),
        value=value,
        band=None if band is None else _finite(band),
        stated=asserted,
        margin=margin if margin is not None and math.isfinite(margin) else None,
        controls=tuple(map(_reference, finding.controls)),
        related=tuple(map(_reference, finding.related)),
        discriminates=_discriminates(finding),
        twin=_twin(claim, model, settings),
        parts=dict(finding.parts),
        figures=finding.figures,
        notes=finding.notes + _straddling(finding.estimate, band),
        design=finding.design,
        tolerance=_tolerance(claim, settings),
        provenance=_provenance(model, settings.seed, seconds),
    )
    if band is not None:
        measurement = dataclasses.replace(measurement, message=_sentence(measurement, band))
    return _gate(measurement, settings)


def _twin(claim: Claim, model: Model, settings: Settings) -> Value | None:
    """The same quantity over the model's random twins: mean, and where a further one would lie."""
    from geometry.estimate import Sampling, predicted

    samples = min(settings.samples, _TWIN_SAMPLES)
    draws = []
    for twin in model.twins(settings.twins):
        with suppress(NotApplicableError):
            found = quantity(claim.id)(twin, Sampling(settings.seed, samples, samples))
            draws.append(found.estimate.value)
    return _value(predicted(draws)) if len(draws) > 1 else None


def without_value(
    claim: Claim, model_id: str, error: BaseException, settings: Settings
) -> Measurement:
    """The Measurement of a cell whose quantity could not be had, with the reason."""
    verdict: Verdict = "error"
    message = str(error) if is_expected(error) else f"{type(error).__name__}: {error}"
    command = ""
    if isinstance(error, NotApplicableError):
        verdict, message = "not applicable", str(error)
    elif isinstance(error, UnavailableError):
        verdict, message, command = "unavailable", error.reason, error.command
    measurement = dataclasses.replace(
        _unmeasured(claim, model_id, verdict), message=message, command=command
    )
    return _gate(measurement, settings)


def evaluate(claim: Claim, model: Model, settings: Settings) -> Measurement:
    """Measure and judge one claim on one model; errors become the cell's verdict."""
    start = time.perf_counter()
    try:
        finding = quantity(claim.id)(model, settings.sampling(claim, model.id))
        return judge(claim, model, finding, settings, time.perf_counter() - start)
    except Exception as error:
        return without_value(claim, model.id, error, settings)


def is_expected(error: BaseException) -> bool:
    """Whether the message says all there is to say, so that no traceback is needed."""
    return isinstance(error, InputError)


def failure_line(measurement: Measurement) -> str:
    """What failed, complete in one line."""
    cell = f"{measurement.claim} [{measurement.model}]"
    reasons = [measurement.message] if measurement.verdict in {"violated", "error"} else []
    if measurement.change in {"regressed", "vanished"}:
        reasons += [f"{measurement.change}: {line}" for line in measurement.changes]
    return f"{cell}: " + "; ".join(reasons)


def _gate(measurement: Measurement, settings: Settings) -> Measurement:
    if settings.baseline is None:
        return measurement
    return baseline.judge(settings.baseline.by_key().get(measurement.key), measurement)


def _unmeasured(claim: Claim, model: str, verdict: Verdict) -> Measurement:
    return Measurement(
        model=model,
        claim=claim.id,
        verdict=verdict,
        version=claim.version,
        title=claim.title,
        statement=claim.statement,
        source=claim.source,
    )


def _sentence(measurement: Measurement, band: Band) -> str:
    assert measurement.value is not None
    value, margin = (
        measurement.value,
        min(measurement.value.value - band[0], band[1] - measurement.value.value),
    )
    interval = f" [{value.low:.6g}, {value.high:.6g}]" if value.low < value.high else ""
    place = f"inside by {margin:.3g}" if margin >= 0 else f"outside by {-margin:.3g}"
    return f"claimed {band[0]:g} – {band[1]:g}, measured {value.value:.6g}{interval}, {place}"


def _straddling(estimate: Estimate, band: Band | None) -> tuple[str, ...]:
    if band is None or not estimate.samples or not any(map(estimate.straddles, band)):
        return ()
    return ("the interval still straddles the band's edge at the limit of draws",)


def _discriminates(finding: Finding) -> bool | None:
    if not finding.controls:
        return None
    return not finding.estimate.overlaps(finding.controls[0].estimate)


def _tolerance(claim: Claim, settings: Settings) -> Tolerance:
    if claim.id in settings.tolerances:
        return Tolerance(settings.tolerances[claim.id], 0.0, "given by the user")
    return claim.tolerance


def _provenance(model: Model, seed: int, seconds: float) -> Provenance:
    footprint = model.footprint()
    return Provenance(
        checkpoint=model.checkpoint.sha256(),
        location=str(model.checkpoint.location),
        dtype=model.dtype,
        device=str(model.device),
        seed=seed,
        seconds=seconds,
        load=footprint.load,
        load_seconds=footprint.seconds,
        bytes=footprint.bytes,
        peak_host_bytes=footprint.peak_host_bytes,
        peak_device_bytes=footprint.peak_device_bytes,
        versions=_versions(),
    )


@cache
def _versions() -> dict[str, str]:
    packages = ("geometric-invariants", "torch", "safetensors", "transformers")
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _reference(named: Named) -> Reference:
    return Reference(named.name, _value(named.estimate), named.meaning)


def _value(estimate: Estimate) -> Value:
    return Value(
        float(estimate.value),
        float(estimate.low),
        float(estimate.high),
        int(estimate.samples),
        estimate.method,
    )


def _finite(band: Band) -> tuple[float | None, float | None]:
    low, high = (edge if math.isfinite(edge) else None for edge in band)
    return low, high

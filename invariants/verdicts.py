"""From a finding to a Measurement: does the claim hold, does random too, did the value move?"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from geometric_invariants.fixtures.errors import InputError, UnavailableError
from geometric_invariants.invariants.claims import Band, Claim
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities import quantity
from geometric_invariants.reports import baseline
from geometric_invariants.reports.finite import finite
from geometric_invariants.reports.results import (
    Encoding,
    Measurement,
    Provenance,
    Reference,
    Results,
    Tolerance,
    Value,
    Verdict,
)

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Estimate, Sampling

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

    def sampling(self, claim: Claim | None, model: str) -> Sampling:
        """The draws a quantity may make; the finite edges of the claim's band are to be cleared."""
        from geometric_invariants.geometry.estimate import Sampling

        band = None if claim is None else claim.band_for(model)
        edges = tuple(edge for edge in band or () if math.isfinite(edge))
        return Sampling(self.seed, self.samples, _REFINEMENTS * self.samples, edges)


def judge(
    claim: Claim, model: Model, finding: Finding, settings: Settings, seconds: float
) -> Measurement:
    """The Measurement of a quantity: verdict on the claim, against random, and on the change."""
    band = claim.band_for(model.id)
    value, worst = _judged(claim, finding, band)
    asserted = finding.in_source_design and claim.asserted_for(
        model.id, universal=settings.universal
    )
    margin = None if band is None else _margin(value.value, band)
    verdict: Verdict = "measured"
    if asserted and margin is not None:
        verdict = "holds" if margin >= 0 else "violated"
    mean = () if worst is None else (Named("mean over parts", finding.estimate, "of all parts"),)
    random, missing = _random(claim, model, finding, settings, value)
    measurement = dataclasses.replace(
        _unmeasured(claim, model.id, verdict),
        value=value,
        worst_part=worst,
        band=None if band is None else _finite(band),
        stated=asserted,
        margin=margin if margin != math.inf else None,
        controls=tuple(map(_reference, finding.controls)),
        related=tuple(map(_reference, (*mean, *finding.related))),
        random=random,
        parts=dict(finding.parts),
        part_noise=finding.part_noise,
        figures=finding.figures,
        tables=finding.tables,
        notes=finding.notes + missing + _straddling(value, band),
        profiles=finding.profiles,
        sketches=finding.sketches,
        design=finding.design,
        tolerance=_tolerance(claim, settings),
        provenance=_provenance(model, settings.seed, seconds),
    )
    if band is not None:
        place = f": {finding.where}" if finding.where and verdict == "violated" else ""
        measurement = dataclasses.replace(measurement, message=_sentence(value, band) + place)
    return _gate(finite(measurement), settings)


def _judged(claim: Claim, finding: Finding, band: Band | None) -> tuple[Value, str | None]:
    """The value that the claim is judged by, and the part it belongs to if it is one's alone."""
    if claim.of == "value" or band is None:
        return _value(finding.estimate), None
    parts = {name: part for name, part in finding.parts.items() if name not in finding.apart}
    if not parts:
        raise ValueError(f"{claim.id} is about every part, but none was measured")
    name, worst = min(parts.items(), key=lambda part: _rank(part[1], band))
    noise = finding.part_noise
    method = f"worst of {len(parts)} parts"
    value = Value(worst, worst - noise, worst + noise, int(finding.estimate.samples), method)
    return value, name


def _margin(value: float, band: Band) -> float:
    """How far inside the band, negative outside."""
    return min(value - band[0], band[1] - value)


def _rank(value: float, band: Band) -> float:
    """The margin; what is no number is worst of all."""
    return -math.inf if math.isnan(value) else _margin(value, band)


def _random(
    claim: Claim, model: Model, finding: Finding, settings: Settings, own: Value
) -> tuple[Reference | None, tuple[str, ...]]:
    """What random weights show, by the model's twins or else the first control; why no twins do."""
    if not claim.random:
        return None, ()
    from geometric_invariants.geometry.estimate import predicted

    draws, why = _over_twins(claim, model, settings, own)
    if len(draws) > 1:
        meaning = f"{len(draws)} random initialisations of the architecture"
        return Reference("random twins", _within(claim, predicted(draws)), meaning), ()
    missing = (f"no random twins: {why}",) if why else ()
    if not finding.controls:
        return None, missing
    null = finding.controls[0]
    return Reference(null.name, _within(claim, null.estimate), null.meaning), missing


def _within(claim: Claim, estimate: Estimate) -> Value:
    """An estimate whose interval is cut to the values that there can be."""
    value, (low, high) = _value(estimate), claim.within
    least, most = (min(max(edge, low), high) for edge in (value.low, value.high))
    return dataclasses.replace(value, low=least, high=most)


def _over_twins(
    claim: Claim, model: Model, settings: Settings, own: Value
) -> tuple[list[float], str]:
    """What is judged, for every twin it can be measured on, and why the last of the others failed.

    Worst parts are laid off from the edge of the band that the model's own worst part is nearest
    to, so that those beyond either edge do not average to its middle. A twin that cannot be
    measured costs the comparison, never the model's own value.
    """
    from geometric_invariants.geometry.estimate import Sampling

    samples = min(settings.samples, _TWIN_SAMPLES)
    sampling, band = Sampling(settings.seed, samples, samples), claim.band_for(model.id)
    draws: list[float] = []
    why = ""
    for twin in model.twins(settings.twins):
        try:
            judged, part = _judged(claim, quantity(claim.id)(twin, sampling), band)
            draw = judged.value if part is None else _beside(own.value, judged.value, band)
        except (InputError, NotApplicableError) as error:
            why = str(error)
        else:
            if math.isfinite(draw):
                draws.append(draw)
            else:
                why = "the value of a twin is not a number"
    return draws, why


def _beside(own: float, other: float, band: Band | None) -> float:
    """A value of the same margin as `other`, at the edge of the band that `own` is nearest to."""
    assert band is not None  # of a worst part
    low, high = band
    margin = _margin(other, band)
    return low + margin if own - low <= high - own else high - margin


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
        is_check=claim.is_check,
    )


def _sentence(value: Value, band: Band) -> str:
    margin = _margin(value.value, band)
    interval = f" [{value.low:.6g}, {value.high:.6g}]" if value.low < value.high else ""
    place = f"inside by {margin:.3g}" if margin >= 0 else f"outside by {-margin:.3g}"
    return f"claimed {band[0]:g} – {band[1]:g}, measured {value.value:.6g}{interval}, {place}"


def _straddling(value: Value, band: Band | None) -> tuple[str, ...]:
    is_clear = band is None or value.lies_in(band) is not None
    if is_clear or not value.samples or math.isnan(value.value):
        return ()
    return ("the interval still straddles the band's edge at the limit of draws",)


def _tolerance(claim: Claim, settings: Settings) -> Tolerance:
    if claim.id in settings.tolerances:
        return Tolerance(settings.tolerances[claim.id], reason="given by the user")
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
        parameters=model.account.parameters,
        measured_parameters=model.account.measured,
        remarks=model.remarks,
        encodings=tuple(
            Encoding(one.kind, one.weights, one.bits, one.error) for one in model.encodings
        ),
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

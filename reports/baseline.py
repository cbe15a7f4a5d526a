"""The regression gate: did a value move from its baseline by more than it may?

A baseline is a results file. It answers a question of its own: a claim can be false and steady,
or true and drifting.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import get_args

from geometric_invariants.reports import row_changes, weight_changes
from geometric_invariants.reports.results import (
    Change,
    Measurement,
    Provenance,
    Results,
    Tolerance,
    Value,
    latest,
)

_ROUNDING = 1e-9
_COMPARED: frozenset[Change | None] = frozenset({"steady", "regressed", "vanished"})
_HEADS = {"classifier", "projection", "head", "other"}  # roles that a task may replace


def judge(old: Measurement | None, new: Measurement) -> Measurement:
    """The new measurement with its change from the old one, and a line for every move.

    Values and parts may differ by the tolerance plus sampling noise: twice the root sum of squares
    of both 95 % half-widths, about four standard errors of the difference.
    """
    if old is None or old.value is None:
        return dataclasses.replace(new, change="new") if new.is_measured else new
    change, lines = _compare(old, old.value, new)
    return dataclasses.replace(new, change=change, changes=tuple(lines))


def excess(old: Measurement, new: Measurement) -> float | None:
    """The most that the value, a part or a tensor moved, over what it may; above 1 it regressed.

    None where the two are not comparable, or one has no value. Profiles of rows are left out.
    """
    if old.value is None or new.value is None:
        return None
    if (old.version, old.design) != (new.version, new.design):
        return None
    tolerance = _with_rounding(old.provenance, new)
    noise = 2 * math.hypot(_noise(old, old.value), _noise(new, new.value))
    found = [_over(old.value.value, new.value.value, tolerance, noise)]
    noise = 2 * math.hypot(old.part_noise, new.part_noise)
    both = old.parts.keys() & new.parts.keys()
    found += [_over(old.parts[part], new.parts[part], tolerance, noise) for part in both]
    return max(*found, weight_changes.excess(old.sketches, new.sketches, new.tolerance))


def unmeasured(baseline: Results, results: Results) -> list[str]:
    """A line for every baseline cell of a measured model that this run has no verdict on."""
    seen = set(results.by_key())
    models = set(results.measured_models())
    return [
        f"{m.claim} [{m.model}]: in the baseline, but nothing in this run measures it"
        for m in baseline.measurements
        if m.is_measured and m.model in models and m.key not in seen
    ]


def absent_models(baseline: Results, results: Results) -> list[str]:
    """The models that the baseline has values of and the run has none of."""
    measured = results.measured_models()
    return [model for model in baseline.measured_models() if model not in measured]


def counts(results: Results) -> dict[Change, int]:
    """How many values are steady, regressed, new, vanished and not comparable, in that order."""
    found = [m.change for m in results.measurements]
    kinds: tuple[Change, ...] = get_args(Change)
    return {kind: found.count(kind) for kind in kinds}


def summary(results: Results) -> str:
    """One line of counts that says what was not compared; "" where nothing was judged."""
    found = counts(results)
    if not any(found.values()):
        return ""
    line = "baseline: " + ", ".join(f"{count} {change}" for change, count in found.items())
    lost = found["new"] + found["not comparable"]
    return f"{line}: {lost} of {sum(found.values())} values were not compared" if lost else line


def uncompared(results: Results, *, every: bool) -> list[str]:
    """A line for every measured model of which nothing was compared, with the reason.

    With `every`, a line for each value that was not, and for each model without a value.
    """
    measured = results.measured_models()
    lines = [
        f"nothing of {model} was compared: it has no value here"
        for model in results.models()
        if every and model not in measured
    ]
    for model in measured:
        judged = [m for m in results.of(model) if m.change is not None]
        lost = [m for m in judged if m.change not in _COMPARED]
        if lost and len(lost) == len(judged):
            lines.append(f"nothing of {model} was compared: {_why(lost)}")
        elif every:
            lines += [f"{m.claim} [{model}] was not compared: {_why([m])}" for m in lost]
    return lines


def updated(old: Results, run: Results, *, new_only: bool) -> tuple[Results, list[str]]:
    """The baseline with this run's values put in, and a line for every value added or changed."""
    cells = old.by_key()
    lines = []
    for measurement in run.measurements:
        previous = cells.get(measurement.key)
        if not measurement.is_measured or (new_only and previous is not None):
            continue
        if previous is None or previous.value != measurement.value:
            before = "—" if previous is None else _text(previous.value)
            lines.append(
                f"{measurement.claim} [{measurement.model}]: {before} → {_text(measurement.value)}"
            )
        cells[measurement.key] = dataclasses.replace(measurement, change=None, changes=())
    return latest(cells.values()), lines


def compare(old: Results, new: Results) -> Results:
    """Every cell of either file, judged; what only the old one has a value of has vanished."""
    before, after = old.by_key(), new.by_key()
    judged = [judge(before.get(key), measurement) for key, measurement in after.items()]
    judged += [
        dataclasses.replace(
            m, value=None, change="vanished", changes=(f"{m.claim}: {_text(m.value)} → nothing",)
        )
        for key, m in before.items()
        if key not in after and m.is_measured
    ]
    return latest(judged)


def _why(lost: list[Measurement]) -> str:
    """Why these values were not compared: in the words of the first that says more than "new"."""
    new = sum(m.change == "new" for m in lost)
    if new == len(lost):
        return "the baseline does not hold it" if new == 1 else f"the baseline holds none of {new}"
    reason = next((line for m in lost for line in m.changes), "not comparable")
    return reason if len(lost) == 1 else f"{new} new, {len(lost) - new} not comparable; {reason}"


def _compare(old: Measurement, value: Value, new: Measurement) -> tuple[Change, list[str]]:
    if new.value is None:
        if new.verdict == "unavailable":
            return "not comparable", ["the model is not on this machine"]
        reason = new.message or new.verdict
        return "vanished", [f"{new.claim}: was {_text(value)}, now has no value ({reason})"]
    if (old.version, old.design) != (new.version, new.design):
        return "not comparable", [
            f"baseline: version {old.version}, {old.design}; "
            f"now: version {new.version}, {new.design}"
        ]
    noise = 2 * math.hypot(_noise(old, value), _noise(new, new.value))
    tolerance = _with_rounding(old.provenance, new)
    moves = list(_moved(new.claim, value.value, new.value.value, tolerance, noise))
    noise = 2 * math.hypot(old.part_noise, new.part_noise)
    replaced = []
    for part, before in old.parts.items():
        after = new.parts.get(part)
        if after is None and _is_of_a_head(part):
            replaced.append(f"{part} of the baseline is gone")
            continue
        if after is None:
            return "vanished", [f"{new.claim}, {part}: was {before:.6g}, now has no value"]
        moves += _moved(f"{new.claim}, {part}", before, after, tolerance, noise)
    rows = row_changes.compare(old.profiles, new.profiles)
    weights = weight_changes.compare(old.sketches, new.sketches, new.tolerance)
    if gone := [*rows.gone, *weights.gone]:
        return "vanished", [f"{new.claim}: {line}" for line in gone]
    moves += [f"{new.claim}: {line}" for line in (*rows.moved, *weights.moved)]
    if moves:
        return "regressed", moves
    remarks = [*replaced, *rows.uncompared, *weights.uncompared]
    return "steady", [*_environment(old, value, new), *remarks]


def _is_of_a_head(part: str) -> bool:
    """Whether a part is of what a task replaces: it stands outside all layers, and is no table."""
    role = part.partition(",")[0].rpartition(" ")[2]
    return role in _HEADS or ("." in role and "embed" not in role and " " not in part)


def _with_rounding(before: Provenance, new: Measurement) -> Tolerance:
    """The tolerance, with what another encoding of the weights adds to it."""
    old_kinds, new_kinds = (
        {(one.kind, round(one.bits, 2)) for one in origin.encodings}
        for origin in (before, new.provenance)
    )
    if old_kinds == new_kinds:
        return new.tolerance
    errors = (
        max((one.error for one in origin.encodings), default=0.0)
        for origin in (before, new.provenance)
    )
    added = new.tolerance.rounding * math.hypot(*errors)
    reason = f"{new.tolerance.reason}; {added:.2g} of it for the rounding of the weights' encoding"
    return dataclasses.replace(
        new.tolerance, absolute=new.tolerance.absolute + added, reason=reason
    )


def _moved(name: str, old: float, new: float, tolerance: Tolerance, noise: float) -> Iterable[str]:
    if _over(old, new, tolerance, noise) <= 1:
        return
    allowed = _allowed(old, tolerance, noise)
    yield (
        f"{name}: {old:.6g} → {new:.6g}, moved by {new - old:+.3g}; tolerance {allowed:.3g}"
        f" ({tolerance.reason or 'none given'})"
    )


def _allowed(old: float, tolerance: Tolerance, noise: float) -> float:
    return tolerance.absolute + tolerance.relative * abs(old) + noise


def _over(old: float, new: float, tolerance: Tolerance, noise: float) -> float:
    """How far a number moved, over what it may."""
    moved, allowed = abs(new - old), _allowed(old, tolerance, noise)
    if moved <= allowed:
        return moved / allowed if allowed else 0.0
    return max(moved / allowed, math.nextafter(1, 2)) if allowed else math.inf


def _environment(old: Measurement, value: Value, new: Measurement) -> list[str]:
    """On the same checkpoint, the same draws must give the same value but for rounding."""
    same_file = old.provenance.checkpoint == new.provenance.checkpoint != ""
    same_draws = value.samples == 0 or old.provenance.seed == new.provenance.seed
    if new.value is None or not same_file or not same_draws or value.samples != new.value.samples:
        return []
    moved = abs(new.value.value - value.value)
    if moved <= _ROUNDING * max(1.0, abs(value.value)):
        return []
    return [f"same checkpoint, yet the value moved by {moved:.3g}: the environment moved"]


def _noise(measurement: Measurement, value: Value) -> float:
    """The 95 % half-width that drawing leaves in the value; a closed form's spread is none."""
    if measurement.worst_part is not None:
        return measurement.part_noise
    return value.half_width if value.samples else 0.0


def _text(value: Value | None) -> str:
    return "nothing" if value is None else f"{value.value:.6g}"

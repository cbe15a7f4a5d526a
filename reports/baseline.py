"""The regression gate: did a value move from its baseline by more than it may?

A baseline is a results file. It answers a question of its own: a claim can be false and steady,
or true and drifting.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from reports.results import Change, Measurement, Results, Tolerance, Value, latest

_ROUNDING = 1e-9


def judge(old: Measurement | None, new: Measurement) -> Measurement:
    """The new measurement with its change from the old one, and a line for every move.

    Values may differ by the tolerance plus sampling noise: twice the root sum of squares of both
    95 % half-widths, about four standard errors of the difference. Parts are exact and get the
    tolerance alone.
    """
    if old is None or old.value is None:
        return dataclasses.replace(new, change="new") if new.is_measured else new
    change, lines = _compare(old, old.value, new)
    return dataclasses.replace(new, change=change, changes=tuple(lines))


def unmeasured(baseline: Results, results: Results) -> list[str]:
    """A line for every baseline cell of a measured model that this run has no verdict on."""
    seen = set(results.by_key())
    models = set(results.measured_models())
    return [
        f"{m.claim} [{m.model}]: in the baseline, but nothing in this run measures it"
        for m in baseline.measurements
        if m.is_measured and m.model in models and m.key not in seen
    ]


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


def compare(old: Results, new: Results) -> list[Measurement]:
    """Every cell of either file that both name a model for, judged; vanished cells included."""
    before, after = old.by_key(), new.by_key()
    judged = [judge(before.get(key), measurement) for key, measurement in after.items()]
    models = set(new.models())
    gone = [m for key, m in before.items() if key not in after and m.is_measured]
    judged += [
        dataclasses.replace(
            m, value=None, change="vanished", changes=(f"{m.claim}: {_text(m.value)} → nothing",)
        )
        for m in gone
        if m.model in models
    ]
    return judged


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
    noise = 2 * math.hypot(_half_width(value), _half_width(new.value))
    moves = list(_moved(new.claim, value.value, new.value.value, new.tolerance, noise))
    for part, before in old.parts.items():
        after = new.parts.get(part)
        if after is None:
            return "vanished", [f"{new.claim}, {part}: was {before:.6g}, now has no value"]
        moves += _moved(f"{new.claim}, {part}", before, after, new.tolerance, 0.0)
    if moves:
        return "regressed", moves
    return "steady", _environment(old, value, new)


def _moved(name: str, old: float, new: float, tolerance: Tolerance, noise: float) -> Iterable[str]:
    allowed = tolerance.absolute + tolerance.relative * abs(old) + noise
    if abs(new - old) <= allowed:
        return
    yield (
        f"{name}: {old:.6g} → {new:.6g}, moved by {new - old:+.3g}; tolerance {allowed:.3g}"
        f" ({tolerance.reason or 'none given'})"
    )


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


def _half_width(value: Value) -> float:
    return (value.high - value.low) / 2 if value.samples else 0.0


def _text(value: Value | None) -> str:
    return "nothing" if value is None else f"{value.value:.6g}"

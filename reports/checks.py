"""Is a checkpoint whole? What the claims of the quick tier say of a model, in lines (SPEC §10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from geometric_invariants.reports.results import Measurement, percent

WITHOUT_BASELINE = (
    "A baseline would add whether any of this moved: layers that were exchanged whole, scaled or"
    " written by another model keep what belongs together in them."
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong, as one line, and the claims that say so."""

    claims: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{', '.join(self.claims)}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks say of one model: a line for each failure, or `passed` in one line."""

    model: str
    failures: tuple[Failure, ...]
    passed: str
    has_baseline: bool

    @property
    def ok(self) -> bool:
        return not self.failures

    @property
    def lines(self) -> tuple[str, ...]:
        return (self.passed,) if self.ok else tuple(map(str, self.failures))


def checks(cells: Iterable[Measurement]) -> Checks | None:
    """Of one model's cells those that are checks; None where none was made or the model is away."""
    own = [m for m in cells if m.is_check and m.verdict != "unavailable"]
    if not own:
        return None
    has_baseline = any(m.change is not None for m in own)
    failures = tuple(_failures(m for m in own if m.fails))
    return Checks(own[0].model, failures, "" if failures else _passed(own), has_baseline)


def _failures(cells: Iterable[Measurement]) -> Iterable[Failure]:
    """A line each; claims that fail for the same reason share one."""
    by_reason: dict[str, list[str]] = {}
    for m in cells:
        for reason in _reasons(m):
            by_reason.setdefault(reason, []).append(m.claim)
    return (Failure(tuple(claims), reason) for reason, claims in by_reason.items())


def _reasons(m: Measurement) -> list[str]:
    """Where it is, for a violated claim that knows; else what was measured, raised or moved."""
    moved = [f"{m.change}: {line}" for line in m.changes if m.change in {"regressed", "vanished"}]
    if m.verdict == "violated":
        return ["; ".join((m.message, *m.notes)), *moved]
    return [m.message] if m.verdict == "error" else moved or [str(m.change)]


def _passed(cells: list[Measurement]) -> str:
    ordered = sorted(cells, key=lambda m: m.claim != "manifest")
    said = [_SAID.get(m.claim, _as_measured)(m) for m in ordered if m.value and not _is_count(m)]
    left = [m.title.lower() or m.claim for m in cells if m.value is None and _is_missed(m)]
    compared = [m.change for m in cells if m.change is not None and m.value is not None]
    steady = compared.count("steady")
    said += [f"not checked: {', '.join(left)}"] if left else []
    said += [f"{steady} of {len(compared)} steady against the baseline"] if steady else []
    seconds = max(m.provenance.load_seconds for m in cells)
    return f"whole: {'; '.join(said)}; in {seconds:.1f} s"


def _is_missed(m: Measurement) -> bool:
    """Whether a claim says something of every model, so that its absence is to be told."""
    return m.claim in _SAID


def _of_manifest(m: Measurement) -> str:
    counts = {reference.name: reference.value.value for reference in m.related}
    tensors, parameters = counts.get("tensors", 0), counts.get("parameters", 0)
    line = f"{tensors:.0f} tensors, {_amount(parameters)} parameters, all finite"
    assert m.value is not None
    return line if m.value.value >= 1 else f"{line}, {percent(m.value.value)} of known role"


def _of_neurons(m: Measurement) -> str:
    assert m.value is not None
    layers = len({part.rpartition(" ")[0] for part in m.parts})
    if not m.stated:
        return f"neurons of {layers} layers too alike to judge (z ≥ {m.value.value:.3g})"
    return f"{layers} layers pair (z ≥ {m.value.value:.3g})"


def _of_heads(m: Measurement) -> str:
    assert m.value is not None
    return f"heads pair (median z {m.value.value:.3g})"


def _of_tokens(m: Measurement) -> str:
    assert m.value is not None
    return f"kin tokens {m.value.value:.2g} over others"


def _is_count(m: Measurement) -> bool:
    """Whether a claim counts faults, of which a model that is whole has none."""
    return m.stated and m.band == (0, 0)


def _as_measured(m: Measurement) -> str:
    assert m.value is not None
    return f"{m.title.lower() or m.claim} {m.value.value:.3g}"


_SAID: dict[str, Callable[[Measurement], str]] = {
    "manifest": _of_manifest,
    "neuron_pairing": _of_neurons,
    "head_pairing": _of_heads,
    "kin_tokens": _of_tokens,
}


def _amount(count: float) -> str:
    for unit in ("", " k", " M"):
        if count < 1000:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g} G"

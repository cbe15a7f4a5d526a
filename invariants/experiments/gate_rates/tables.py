"""The tables of docs/gate.md, from the rates that are kept beside it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain

from geometric_invariants.fixtures.faults import KINDS
from geometric_invariants.invariants.experiments.gate_rates import kept, missed
from geometric_invariants.invariants.experiments.gate_rates.kept import Rates, Tally, total
from geometric_invariants.invariants.experiments.gate_rates.tasks import CHANGES
from geometric_invariants.invariants.experiments.recorded_tables import markdown

ByModel = Mapping[str, Rates]
_FAULT_KINDS = tuple(kind for kind in KINDS if kind != "benign")


def gate_tables() -> dict[str, Callable[[], str]]:
    """What draws each table of docs/gate.md, by its name there."""
    drawn: dict[str, Callable[[ByModel], str]] = {
        "false alarms by model": alarms_by_model,
        "false alarms by change": alarms_by_change,
        "alarms": alarms,
        "nearest to tolerances": nearest,
        "detection by kind": detection,
        "detection by size": by_size,
        "detection by claim": by_claim,
        "not caught with a baseline": partial(not_caught, compared=True),
        "not caught without a baseline": partial(not_caught, compared=False),
        "pairing by layer": pairing,
    }
    return {name: partial(_of_kept, draw) for name, draw in drawn.items()}


def _of_kept(draw: Callable[[ByModel], str]) -> str:
    return draw(kept.read(kept.KEPT))


def alarms_by_model(rates: ByModel) -> str:
    """Pairs of a sound model and a benign change of it, and how many raised an alarm.

    Beside them the claims that the model fails as it is, which can raise none.
    """
    by_model = {name: total(_flat(one.pairs)) for name, one in rates.items()}
    rows = [
        [*_alarm_row(name, tally), ", ".join(rates[name].failing) or "–"]
        for name, tally in by_model.items()
    ]
    rows.append([*_alarm_row("**all**", total(by_model.values())), ""])
    return _alarm_table("model", rows, "fails as it is")


def alarms_by_change(rates: ByModel) -> str:
    """The same by what was changed, and by the conditions of measuring."""
    changes: dict[str, Tally] = {}
    conditions: dict[str, Tally] = {}
    for one in rates.values():
        for under, by in one.pairs.items():
            for name, tally in by.items():
                changes[name] = changes.get(name, Tally()) + tally
                conditions[under] = conditions.get(under, Tally()) + tally
    rows = [_alarm_row(name, tally) for name, tally in sorted(changes.items())]
    rows += [_alarm_row(f"*{name}*", tally) for name, tally in sorted(conditions.items())]
    return _alarm_table("change, *conditions*", rows)


def alarms(rates: ByModel) -> str:
    """Every false alarm, alike ones of several seeds in one row."""
    found: dict[tuple[str, ...], int] = {}
    for model, one in rates.items():
        for alarm in one.alarms:
            claims = ", ".join(one.named(alarm.caught.compared)) or "refused"
            key = (model, alarm.change, alarm.conditions, claims)
            found[key] = found.get(key, 0) + 1
    if not found:
        return "None."
    rows = ([*key, str(count)] for key, count in found.items())
    return markdown(("model", "change", "conditions", "claims", "pairs"), rows)


def nearest(rates: ByModel) -> str:
    """By claim the most that a benign change moved it, over what it may, and in which model."""
    most: dict[str, tuple[float, str]] = {}
    for model, one in rates.items():
        for claim, share in one.nearest.items():
            most[claim] = max(most.get(claim, (0.0, "")), (share, model))
    ordered = sorted(most.items(), key=lambda item: -item[1][0])
    rows = ([claim, f"{share:.2f}", model] for claim, (share, model) in ordered if share >= 0.005)
    return markdown(("claim", "moved, of what it may", "model"), rows)


def detection(rates: ByModel) -> str:
    """Faults caught with the baseline and without it, of those that apply."""
    rows = [
        [kind, *(_caught(_of_kind(one, kind)) for one in rates.values())] for kind in _FAULT_KINDS
    ]
    all_kinds = [total(c.tally for c in one.faults.values()) for one in rates.values()]
    rows.append(["**all**", *map(_caught, all_kinds)])
    rows.append(["with the baseline", *(_share(t.compared, t.tries) for t in all_kinds)])
    rows.append(["without", *(_share(t.alone, t.tries) for t in all_kinds)])
    return markdown(("kind", *rates), rows)


def by_size(rates: ByModel) -> str:
    """Shares of all models' tries of one family and size that were caught."""
    sizes: dict[tuple[str, str], Tally] = {}
    for one in rates.values():
        for family, by in one.sized.items():
            for size, tally in by.items():
                sizes[family, size] = sizes.get((family, size), Tally()) + tally
    order = {(CHANGES[n].what): place for place, n in enumerate(CHANGES)}
    placed = sorted(sizes.items(), key=lambda item: order.get(", ".join(item[0]), len(order)))
    rows = (
        [family, size, str(t.tries), _share(t.alone, t.tries), _share(t.compared, t.tries)]
        for (family, size), t in placed
    )
    return markdown(("fault", "size", "tries", "without a baseline", "with it"), rows)


def by_claim(rates: ByModel) -> str:
    """By claim the share of faults of a kind that it catches with the baseline; all kinds alone."""
    claims = dict.fromkeys(chain.from_iterable(one.claims for one in rates.values()))
    rows = [[claim, *_cells(rates, claim)] for claim in claims]
    return markdown(
        ("claim", *_FAULT_KINDS, "all", "all, without a baseline"),
        [row for row in rows if any(cell != "–" for cell in row[1:])],
    )


def _cells(rates: ByModel, claim: str) -> list[str]:
    hits = dict.fromkeys((*_FAULT_KINDS, "all", "alone"), 0)
    tried = dict.fromkeys(hits, 0)
    for one in rates.values():
        if claim not in one.claims:
            continue
        place = one.claims.index(claim)
        for name, caught in one.faults.items():
            kind = CHANGES[name].kind
            for key, found in ((kind, caught.compared), ("all", caught.compared)):
                tried[key] += 1
                hits[key] += place in found
            tried["alone"] += 1
            hits["alone"] += place in caught.alone
    return [f"{hits[key] / tried[key]:.0%}" if hits[key] else "–" for key in hits]


def not_caught(rates: ByModel, *, compared: bool) -> str:
    """Every fault that some model's claims miss, with the reason that is written for it."""
    reasons = missed.reasons(compared=compared)
    rows = [
        [fault, CHANGES[fault].kind, ", ".join(models), reasons[fault]]
        for fault, models in missed.faults(rates, compared=compared).items()
    ]
    return markdown(("fault", "kind", "missed in", "why"), rows) if rows else "None."


def pairing(rates: ByModel) -> str:
    """z of every layer by model, stack and side; of experts the one nearest zero."""
    rows = []
    for model, one in rates.items():
        for claim, parts in one.pairing.items():
            lines: dict[str, list[float]] = {}
            for part, z in parts.items():
                stack, _, rest = part.partition(" layer ")
                side = rest.partition(" ")[2] or stack
                lines.setdefault(f"{stack} {side}" if rest else side, []).append(z)
            rows += [
                [model, claim, line, f"{statistics.median(z):.3g}", " ".join(f"{x:.3g}" for x in z)]
                for line, z in lines.items()
            ]
    return markdown(("model", "claim", "side", "median z", "z by layer"), rows)


def _flat(tallies: kept.Tallies) -> Iterable[Tally]:
    return chain.from_iterable(by.values() for by in tallies.values())


def _of_kind(one: Rates, kind: str) -> Tally:
    return total(c.tally for name, c in one.faults.items() if CHANGES[name].kind == kind)


def _caught(tally: Tally) -> str:
    if not tally.tries:
        return "–"
    return f"{tally.compared}, {tally.alone} of {tally.tries}"


def _alarm_table(head: str, rows: Iterable[Iterable[str]], *more: str) -> str:
    counts = ("pairs", "alarms without a baseline", "alarms with it", "at most")
    return markdown((head, *counts, *more), rows)


def _alarm_row(name: str, tally: Tally) -> list[str]:
    most = _interval(tally.compared, tally.tries)[1]
    counts = map(str, (tally.tries, tally.alone, tally.compared))
    return [name, *counts, f"{most:.1%}"]


def _share(part: int, whole: int) -> str:
    if not whole:
        return "–"
    low, high = _interval(part, whole)
    return f"{part / whole:.1%} [{low:.1%}, {high:.1%}]"


def _interval(part: int, whole: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share (Biometrika 26, 1934); of none, all of it."""
    if not whole:
        return 0.0, 1.0
    from scipy.stats import binomtest

    found = binomtest(part, whole).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)

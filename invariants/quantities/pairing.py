"""Whether the two sides of a layer belong together: neurons, heads (SPEC K2, K3)."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_pairs import PairRow
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.layer_lines import lines_by_layer
from geometric_invariants.invariants.quantities.mispaired import likely_fault
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.reports.exhibits import Figure

_CLEAR = 8.0  # |z| of a model's median layer from which on a layer of its own is judged
_NAMED = 8  # layers and experts
_LOST = 4.0  # |z| under which a part does not stand out of dealt partners


def neuron_pairing(model: Model) -> Finding:
    """z of mean |cos| of neurons' input and output weights, the least of any layer and expert.

    Judged where the median over layers is above 8: the z of sound layers grows with the root of
    neurons × width, so that small ones say nothing.
    """
    found = _rows(model, ("up", "gate"))
    strengths = {label: abs(row.pairing.z) for label, row in found.items()}
    median = statistics.median(strengths.values())
    weak = [label for label, z in strengths.items() if z < _LOST]
    places = _places(model, {label: found[label] for label in weak}) if median > _CLEAR else []
    return Finding(
        estimate=exact(min(strengths.values()), "exact null"),
        design="|cos| of up and gate rows with down columns, partners dealt in blocks of 32",
        controls=(Named("dealt partners", exact(0.0), "z of any weights, its std 1"),),
        related=(
            Named("median z", exact(median), "over layers and experts"),
            Named("layers and experts under 4", exact(len(weak)), "not told from dealt partners"),
            Named("mean |cos|", exact(_mean(found, lambda r: r.pairing.observed)), "of all"),
            Named("… of dealt partners", exact(_mean(found, lambda r: r.pairing.expected)), "null"),
            Named("mean cosine", exact(_mean(found, _signed)), "with its sign"),
        ),
        parts=_by_layer(found, abs),
        in_source_design=median > _CLEAR,
        figures=() if model.is_twin else _figures("neuron pairing", found),
        notes=tuple(places),
        where="; ".join(places[:2]) + _more(len(weak) - 2 if places else 0),
    )


def head_pairing(model: Model) -> Finding:
    """z of ‖values · output‖² of heads against permuted channels, median of |z| over layers.

    Queries with keys beside it, where positions do not rotate them.
    """
    found = _rows(model, ("values",))
    queries = _rows(model, ("queries",), needed=False)
    both = {**found, **queries}
    return Finding(
        estimate=exact(statistics.median(abs(r.pairing.z) for r in found.values()), "exact null"),
        design="Σ_h ‖A_h B_h‖², channels permuted inside heads",
        controls=(Named("permuted channels", exact(0.0), "z of any weights, its std 1"),),
        related=tuple(
            Named("median z of queries and keys", exact(_median(queries)), "over layers")
            for _ in range(bool(queries))
        ),
        parts=_by_layer(both, float),
        figures=() if model.is_twin else _figures("head pairing", both),
    )


def _rows(model: Model, of: tuple[str, ...], *, needed: bool = True) -> dict[str, PairRow]:
    """Pairings of the judged stack by layer, expert and side. Raises NotApplicableError."""
    rows = [row for row in model.reading.pairs if row.of in of]
    judged = by_stack(model, rows, lambda row: row.weight.stack).judged
    if needed and not judged:
        raise NotApplicableError(f"no layer has {' or '.join(of)} with what they belong to")
    found: dict[str, PairRow] = {}
    for row in judged:
        label = _label(row)
        found[label if label not in found else f"{label} of {row.weight.tensor}"] = row
    return found


def _label(row: PairRow) -> str:
    weight = row.weight
    place = weight.stack if weight.layer is None else f"{weight.stack} layer {weight.layer}"
    expert = "" if weight.expert is None else f" expert {weight.expert}"
    return f"{place}{expert} {_side(row)}"


def _by_layer(found: dict[str, PairRow], sign: Callable[[float], float]) -> dict[str, float]:
    """z of every layer; of a layer's experts the one nearest zero."""
    parts: dict[str, float] = {}
    for label, row in found.items():
        expert = row.weight.expert
        name = label if expert is None else label.replace(f" expert {expert} ", " experts ")
        z = sign(row.pairing.z)
        if name not in parts or abs(z) < abs(parts[name]):
            parts[name] = z
    return parts


def _places(model: Model, weak: dict[str, PairRow]) -> list[str]:
    """Where layers do not belong to their partners, and how that may have come, in words."""
    lines = []
    for label, row in list(weak.items())[:_NAMED]:
        likely = "" if model.is_twin else likely_fault(model, row.weight)
        lines.append(_place_of(label, row) + (likely and f": {likely}"))
    return lines


def _more(count: int) -> str:
    return f"; and {count} more" if count > 0 else ""


def _place_of(label: str, row: PairRow) -> str:
    """Which neurons of a layer do not belong to their partners."""
    size, parts = row.pairing.size, row.pairing.by_part
    typical = statistics.median(parts)
    lost = [i for i, z in enumerate(parts) if z < min(2.0, typical / 2)]
    if 2 * typical > _LOST and lost and len(lost) < len(parts):
        last = min(row.weight.shape[0], (lost[-1] + 1) * size)
        where = f"rows {lost[0] * size} – {last - 1}"
    else:
        where = "rows"
    return f"{label}: {where} of {row.weight.tensor} do not belong to their partners"


def _figures(title: str, found: dict[str, PairRow]) -> tuple[Figure, ...]:
    """A figure per stack, z by layer; of experts the median."""
    placed = ((row.weight, _side(row), row.pairing.z) for row in found.values())
    return lines_by_layer(
        title, placed, statistics.median, y_label="z", levels={"dealt partners": 0.0}
    )


def _side(row: PairRow) -> str:
    return f"{'cross ' if row.weight.role.startswith('cross') else ''}{row.of}"


def _mean(found: dict[str, PairRow], value: Callable[[PairRow], float]) -> float:
    return statistics.fmean(map(value, found.values()))


def _median(found: dict[str, PairRow]) -> float:
    return statistics.median(abs(row.pairing.z) for row in found.values())


def _signed(row: PairRow) -> float:
    return row.signed.observed if row.signed is not None else 0.0

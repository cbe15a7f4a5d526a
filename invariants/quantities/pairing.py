"""Whether the two sides of a layer belong together: neurons, heads (SPEC K2, K3)."""

from __future__ import annotations

import math
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
_LARGE = 1 << 19  # entries of an up projection, whose z was never under 40 in a trained model
_NONE_PAIRS = "no layer's neurons belong together: drawn afresh, or in an order that is not theirs"
_LOST = 4.0  # |z| under which a part does not stand out of dealt partners
_SHARE = 64.0  # of the median, that is counted as one where it is more
_FEWEST, _WIDE, _OTHERS = 4, 16.0, 8.0  # layers; |z| of their heads: the median, all but the lost


def neuron_pairing(model: Model) -> Finding:
    """z of mean |cos| of neurons' input and output weights, the least of any layer and expert.

    In units of a sixty-fourth of the model's median where that is more than one; in a layer most of
    whose runs of neurons stand out, that of a run which does not. Judged where the median over
    layers is above 8, and where layers are large and none stands out: the z of sound layers grows
    with the root of neurons × width, so that small ones say nothing.
    """
    found = _rows(model, ("up", "gate"))
    median = statistics.median(abs(row.pairing.z) for row in found.values())
    unit = max(1.0, median / _SHARE)
    strengths = {label: _strength(row, unit) for label, row in found.items()}
    weak = [label for label, z in strengths.items() if z < _LOST]
    places = _places(model, {label: found[label] for label in weak}) if median > _CLEAR else []
    if untrained := len(weak) == len(found) and all(map(_is_large, found.values())):
        places = [_NONE_PAIRS]
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
        in_source_design=median > _CLEAR or untrained,
        figures=() if model.is_twin else _figures("neuron pairing", found),
        notes=tuple(places),
        where="; ".join(places[:2]) + _more(len(weak) - 2 if len(places) > 1 else 0),
    )


def is_trained(model: Model) -> bool:
    """Whether the neurons of the median layer stand out of dealt partners."""
    rows = _rows(model, ("up", "gate"), needed=False)
    return bool(rows) and _median(rows) > _CLEAR


def _is_large(row: PairRow) -> bool:
    return math.prod(row.weight.shape) >= _LARGE


def _strength(row: PairRow, unit: float) -> float:
    return min(abs(row.pairing.z) / unit, *row.pairing.strays().values(), math.inf)


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


def unpaired_heads(model: Model) -> Finding:
    """How many layers' heads do not pair where those of all other layers do.

    Values with outputs, and queries with keys that positions do not rotate, each by stack: judged
    where there are four layers, their median |z| is 16 or more and no |z| but those under 4 is
    under 8. Raises NotApplicableError where nothing is judged.
    """
    sides: dict[tuple[str, str], dict[str, PairRow]] = {}
    for row in model.reading.pairs:
        if row.of in ("values", "queries"):
            sides.setdefault((row.weight.stack, _side(row)), {})[_label(row)] = row
    judged = {side: rows for side, rows in sides.items() if _tells(rows)}
    if not judged:
        raise NotApplicableError("the heads of no stack are all paired clearly enough to judge one")
    lost = [
        f"{label}: heads of {row.weight.tensor} do not belong to {_PARTNER[row.of]}"
        for rows in judged.values()
        for label, row in rows.items()
        if abs(row.pairing.z) < _LOST
    ]
    return Finding(
        estimate=exact(len(lost), "exact null"),
        design="layers whose |z| is under 4 where all others' is above 8",
        related=tuple(
            Named(f"median |z|, {' '.join(side)}", exact(_median(rows)), "over layers")
            for side, rows in judged.items()
        ),
        where="; ".join(lost[:2]) + _more(len(lost) - 2),
        notes=tuple(lost[:_NAMED]),
    )


_PARTNER = {"values": "the output projection", "queries": "the keys"}


def _tells(rows: dict[str, PairRow]) -> bool:
    strengths = [abs(row.pairing.z) for row in rows.values()]
    paired = [z for z in strengths if z >= _LOST]
    return (
        len(strengths) >= _FEWEST
        and statistics.median(strengths) >= _WIDE
        and min(paired, default=0.0) >= _OTHERS
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
    strays = sorted(row.pairing.strays())
    where = "rows"
    if strays:
        runs: list[tuple[int, int]] = []
        for first, last in strays:
            if runs and runs[-1][1] == first - 1:
                runs[-1] = runs[-1][0], last
            else:
                runs.append((first, last))
        where = "rows " + ", ".join(f"{first} – {last}" for first, last in runs[:_NAMED])
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

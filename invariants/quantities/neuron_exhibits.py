"""Pictures and tables of MLP neurons by layer (SPEC W4, §8)."""

from __future__ import annotations

from collections.abc import Sequence

from fixtures.architecture.roles import Role
from fixtures.survey_rows import NeuronRow
from geometry import neurons
from invariants.drawn import rounded, table
from reports.exhibits import Figure, Table

_PARTS: tuple[Role, ...] = ("mlp_up", "mlp_down", "mlp_gate")


def by_layer(rows: Sequence[NeuronRow]) -> Table:
    """Dead and weak neurons of every layer, and the norms of their rows and columns."""
    held = [part for part in _PARTS if any(part in row.norms for row in rows)]
    short = [part.removeprefix("mlp_") for part in held]
    columns = ("neurons", "dead", "weak", "std/mean of importance", "the same of random weights")
    moments = [f"{part} norm {name}" for part in short for name in ("mean", "std", "min", "max")]
    found = {_place(row): (*_counts(row), *_moments(row, held)) for row in rows}
    meaning = (
        "importance ‖up row‖·‖down column‖ (·‖gate row‖); dead under 1 %, weak under 10 % of the"
        " layer's mean"
    )
    return table("neurons by layer", (*columns, *moments), found, meaning)


def importance(rows: Sequence[NeuronRow]) -> Figure:
    """Sorted importance over its mean in the first, middle and last layer of each stack, beside
    that of neurons of Gaussian weights.
    """
    stacks: dict[str, list[NeuronRow]] = {}
    for row in rows:
        stacks.setdefault(row.stack, []).append(row)
    series, nulls = {}, {}
    for members in stacks.values():
        for index in sorted({0, len(members) // 2, len(members) - 1}):
            row = members[index]
            series[_place(row)] = rounded(row.summary.ascending)
            spread = neurons.random_spread(row.inputs, row.outputs, gated=row.gated)
            null = neurons.random_ascending(spread, row.summary.neurons)
            nulls[f"random, {row.summary.neurons} neurons"] = rounded(null)
    longest = max(len(values) for values in series.values())
    return Figure(
        "neuron importance",
        "lines",
        rounded([i / max(1, longest - 1) for i in range(longest)]),
        {name: _to(values, longest) for name, values in {**series, **nulls}.items()},
        x_label="share of neurons that are less important",
        y_label="importance / layer's mean",
    )


def _to(values: tuple[float, ...], length: int) -> tuple[float | None, ...]:
    return (*values, *[None] * (length - len(values)))


def _counts(row: NeuronRow) -> tuple[float, ...]:
    summary = row.summary
    spread = neurons.random_spread(row.inputs, row.outputs, gated=row.gated)
    return (summary.neurons, summary.dead, summary.weak, summary.spread, spread)


def _moments(row: NeuronRow, held: Sequence[Role]) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for part in held:
        one = row.norms.get(part)
        found += [None] * 4 if one is None else [one.mean, one.std, one.lowest, one.highest]
    return tuple(found)


def _place(row: NeuronRow) -> str:
    return f"{row.stack} layer {row.layer}"

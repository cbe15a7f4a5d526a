"""Pictures and tables of MLP neurons by layer (SPEC W4, §8)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from geometric_invariants.fixtures.architecture.roles import Role
from geometric_invariants.fixtures.survey_rows import NeuronRow
from geometric_invariants.geometry import neurons
from geometric_invariants.invariants.drawn import rounded, table
from geometric_invariants.invariants.quantities.groups import Group
from geometric_invariants.reports.exhibits import Figure, Table

_PARTS: tuple[Role, ...] = ("mlp_up", "mlp_down", "mlp_gate")


def by_layer(groups: Sequence[Group[NeuronRow]]) -> Table:
    """Dead and weak neurons of every layer, and the norms of their rows and columns.

    The experts of a layer together: neurons are counted, spreads are their median, norms are over
    the neurons of all.
    """
    held = [part for part in _PARTS if any(part in g.rows[0].norms for g in groups)]
    short = [part.removeprefix("mlp_") for part in held]
    columns = ("neurons", "dead", "weak", "std/mean of importance", "the same of random weights")
    moments = [f"{part} norm {name}" for part in short for name in ("mean", "std", "min", "max")]
    found = {group.label: (*_counts(group), *_moments(group, held)) for group in groups}
    meaning = (
        "importance ‖up row‖·‖down column‖ (·‖gate row‖); dead under 1 %, weak under 10 % of the"
        " layer's mean, or the expert's"
    )
    return table("neurons by layer", (*columns, *moments), found, meaning)


def importance(groups: Sequence[Group[NeuronRow]]) -> Figure:
    """Sorted importance over its mean in the first, middle and last layer of each stack, beside
    that of neurons of Gaussian weights. Of experts the median at each rank.
    """
    stacks: dict[tuple[str, bool], list[Group[NeuronRow]]] = {}
    for group in groups:
        stacks.setdefault((group.rows[0].stack, group.of_experts), []).append(group)
    series, nulls = {}, {}
    for members in stacks.values():
        for index in sorted({0, len(members) // 2, len(members) - 1}):
            group, row = members[index], members[index].rows[0]
            ranked = np.array([one.summary.ascending for one in group.rows])
            series[group.label] = rounded(np.median(ranked, axis=0).tolist())
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


def _counts(group: Group[NeuronRow]) -> tuple[float, ...]:
    row, summaries = group.rows[0], [one.summary for one in group.rows]
    return (
        sum(summary.neurons for summary in summaries),
        sum(summary.dead for summary in summaries),
        sum(summary.weak for summary in summaries),
        group.median(lambda one: one.summary.spread),
        neurons.random_spread(row.inputs, row.outputs, gated=row.gated),
    )


def _moments(group: Group[NeuronRow], held: Sequence[Role]) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for part in held:
        ones = [row.norms[part] for row in group.rows if part in row.norms]
        found += _pooled(ones) if ones else [None] * 4
    return tuple(found)


def _pooled(ones: Sequence[neurons.Moments]) -> list[float]:
    """Mean, std and extremes of what several sets of one size hold together."""
    mean = statistics.fmean(one.mean for one in ones)
    square = statistics.fmean(one.std**2 + (one.mean - mean) ** 2 for one in ones)
    return [mean, math.sqrt(square), min(o.lowest for o in ones), max(o.highest for o in ones)]

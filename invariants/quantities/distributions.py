"""How many values are distributed, beside what random ones would be: rows of tables, histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from geometric_invariants.geometry.distribution import Distribution
from geometric_invariants.geometry.null_distributions import NullDistribution
from geometric_invariants.invariants import drawn
from geometric_invariants.reports.exhibits import Figure

STATISTICS = (
    *("count", "mean", "std", "CV", "min"),
    *("1 %", "5 %", "25 %", "median", "75 %", "95 %", "99 %", "max"),
)
_FARTHEST = 1e-4  # share of a null that a histogram leaves out at each end


def statistics(values: Distribution) -> Sequence[float | None]:
    """A row under `STATISTICS`."""
    ends = values.lowest, *values.percentiles().values(), values.highest
    return len(values), values.mean, values.std, _cv(values.mean, values.std), *ends


def null_statistics(null: NullDistribution) -> Sequence[float | None]:
    """A row under `STATISTICS` of what random values would show: no number of them, no extremes."""
    ends = None, *null.percentiles().values(), None
    return None, null.mean, null.std, _cv(null.mean, null.std), *ends


def histogram(
    title: str,
    values: Mapping[str, Distribution],
    nulls: Mapping[str, NullDistribution],
    *,
    x_label: str,
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Shares of values, and of what random ones would be, in bins of one width."""
    ends = [end for one in values.values() for end in (one.lowest, one.highest)]
    far = torch.tensor([_FARTHEST, 1 - _FARTHEST], dtype=torch.float64).numpy()
    ends += [end for null in nulls.values() for end in null.quantiles(far).tolist()]
    low, high = min(ends), max(ends)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = torch.linspace(low, high, drawn.BINS + 1, dtype=torch.float64)
    every: dict[str, Distribution | NullDistribution] = {**values, **nulls}
    shares = {name: one.shares(edges) for name, one in every.items()}
    return drawn.binned(title, edges, shares, x_label=x_label, marks=marks)


def _cv(mean: float, std: float) -> float | None:
    return std / mean if mean else None

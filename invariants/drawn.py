"""Figures and tables from tensors, small enough to keep: rounded, binned, thinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from geometric_invariants.geometry.spectrum import log_ranks
from geometric_invariants.reports.exhibits import Figure, Table

MOST_POINTS = 800
BINS = 60
_THINNED = 64
_DIGITS = 4

Log = Literal["", "x", "y", "xy"]


def rounded(values: Tensor | Sequence[float]) -> tuple[float, ...]:
    """Numbers of four significant digits."""
    plain = values.tolist() if isinstance(values, Tensor) else values
    return tuple(float(f"{value:.{_DIGITS}g}") for value in plain)


def histogram(
    title: str,
    samples: Mapping[str, Tensor],
    *,
    x_label: str,
    bins: int = BINS,
    within: tuple[float, float] | None = None,
    marks: Mapping[str, float] | None = None,
    log: Log = "",
) -> Figure:
    """Shares of samples in bins of one width over their common range, or `within` a given one.

    Each of `samples` [n], any float type. What lies outside `within` counts in no bin.
    """
    flat = {name: values.detach().double().flatten().cpu() for name, values in samples.items()}
    low, high = within or (
        min(values.min().item() for values in flat.values()),
        max(values.max().item() for values in flat.values()),
    )
    if low == high:
        low, high = low - 0.5, high + 0.5
    shares = {
        name: torch.histc(values, bins, low, high) / max(1, len(values))
        for name, values in flat.items()
    }
    return binned(
        title,
        torch.linspace(low, high, bins + 1),
        shares,
        x_label=x_label,
        marks=marks,
        log=log,
    )


def binned(
    title: str,
    edges: Tensor,
    shares: Mapping[str, Tensor],
    *,
    x_label: str,
    marks: Mapping[str, float] | None = None,
    log: Log = "",
) -> Figure:
    """A histogram from its edges [n + 1] and shares [n] by name."""
    return Figure(
        title,
        "histogram",
        rounded(edges),
        {name: rounded(values) for name, values in shares.items()},
        marks=dict(marks or {}),
        x_label=x_label,
        y_label="share in a bin",
        log=log,
    )


def spectrum(
    title: str,
    spectra: Mapping[str, Tensor],
    *,
    y_label: str,
    x_label: str = "rank",
    log: Log = "xy",
    levels: Mapping[str, float] | None = None,
) -> Figure:
    """Values in their own order over ranks 1, 2, … on a grid of ranks that is even in log.

    Each of `spectra` [n]; shorter ones end earlier.
    """
    longest = max(len(values) for values in spectra.values())
    ranks = thinned(longest)
    series = {
        name: rounded([values[i].item() for i in ranks if i < len(values)])
        for name, values in spectra.items()
    }
    return Figure(
        title,
        "lines",
        tuple(float(i + 1) for i in ranks),
        {name: (*kept, *[None] * (len(ranks) - len(kept))) for name, kept in series.items()},
        levels=dict(levels or {}),
        x_label=x_label,
        y_label=y_label,
        log=log,
    )


def thinned(count: int, points: int = _THINNED) -> list[int]:
    """Indices 0 … count − 1, all of them or some `points` that are even in the log of the rank."""
    return list(log_ranks(count, points))


def points(
    title: str,
    x: Tensor,
    series: Mapping[str, Tensor],
    *,
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
    log: Log = "",
) -> Figure:
    """At most 800 points, every k-th of those given: x [n] and each of `series` [n]."""
    step = -(-len(x) // MOST_POINTS) if len(x) else 1
    return Figure(
        title,
        "points",
        rounded(x[::step]),
        {name: rounded(values[::step]) for name, values in series.items()},
        marks=dict(marks or {}),
        x_label=x_label,
        y_label=y_label,
        log=log,
    )


def boxes(title: str, groups: Mapping[str, Tensor], *, x_label: str, y_label: str) -> Figure:
    """Five numbers of each group [n]: extremes, quartiles, median."""
    names = ("lowest", "lower quartile", "median", "upper quartile", "highest")
    at = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    five = [torch.quantile(values.double(), at.to(values.device)) for values in groups.values()]
    columns = torch.stack(five).T if five else torch.empty(5, 0)
    return Figure(
        title,
        "boxes",
        tuple(groups),
        {name: rounded(column) for name, column in zip(names, columns, strict=True)},
        x_label=x_label,
        y_label=y_label,
    )


def heatmap(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str | float],
    values: Tensor,
    *,
    x_label: str,
    y_label: str,
) -> Figure:
    """A matrix [rows, columns] as cells; NaN is a gap."""
    return Figure(
        title,
        "heatmap",
        tuple(columns),
        {
            name: tuple(None if v != v else rounded([v])[0] for v in row)
            for name, row in zip(rows, values.tolist(), strict=True)
        },
        x_label=x_label,
        y_label=y_label,
    )


def table(
    title: str,
    columns: Sequence[str],
    rows: Mapping[str, Sequence[float | str | None]],
    meaning: str = "",
) -> Table:
    """A table whose numbers have six significant digits, and whole ones all of theirs."""
    return Table(
        title,
        tuple(columns),
        {
            name: tuple(float(f"{c:.6g}") if isinstance(c, float) else c for c in cells)
            for name, cells in rows.items()
        },
        meaning,
    )

"""Pictures and tables of singular values themselves (SPEC W1, §8)."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.geometry import controls
from geometric_invariants.geometry.spectrum import log_ranks
from geometric_invariants.invariants.drawn import rounded, table
from geometric_invariants.invariants.quantities.layer_lines import by_role, is_table, kind_of, shape
from geometric_invariants.reports.exhibits import Figure, Table


def values_by_role(rows: Iterable[MatrixRow]) -> Table:
    """σ₁ and σ_min over the matrices of each stack and role, and what random ones of their scale
    and shape show.
    """
    found = {}
    for name, members in by_role(rows).items():
        largest = [row.spectrum.largest for row in members]
        smallest = [row.spectrum.smallest for row in members]
        drawn = [row.magnitudes.rms * _random(row) for row in members if not is_table(row.weight)]
        found[name] = (
            max(largest),
            statistics.fmean(largest),
            statistics.fmean(values[0].item() for values in drawn) if drawn else None,
            min(smallest),
            statistics.fmean(smallest),
            statistics.fmean(values[-1].item() for values in drawn) if drawn else None,
        )
    columns = ("σ max", "mean σ max", "random σ max", "σ min", "mean σ min", "random σ min")
    meaning = (
        "over a role's matrices; random: mean of Gaussian matrices of their rms and shape, of"
        " layers' matrices alone"
    )
    return table("singular values by role", columns, found, meaning)


def spectra_by_kind(rows: Iterable[MatrixRow]) -> tuple[Figure, ...]:
    """σ over ranks for each kind of weight, the mean over a role's matrices of one shape, beside
    random ones of the same rms and shape.
    """
    kinds: dict[str, list[MatrixRow]] = {}
    for row in rows:
        if not is_table(row.weight):
            kinds.setdefault(kind_of(row.weight), []).append(row)
    return tuple(_spectra(kind, members) for kind, members in kinds.items())


def _spectra(kind: str, rows: list[MatrixRow]) -> Figure:
    means: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for name, members in by_role(rows).items():
        common, _ = Counter(map(shape, members)).most_common(1)[0]
        alike = [row for row in members if shape(row) == common]
        measured = [torch.tensor(row.spectrum.thinned, dtype=torch.float64) for row in alike]
        means[name] = torch.stack(measured).mean(0)
        rms = statistics.fmean(row.magnitudes.rms for row in alike)
        means[f"{name}, random"] = rms * _random(alike[0])
        counts |= dict.fromkeys((name, f"{name}, random"), min(common))
    return _over_ranks(f"singular values, {kind}", means, counts)


def _over_ranks(title: str, spectra: dict[str, Tensor], counts: dict[str, int]) -> Figure:
    """Thinned spectra over the ranks of the longest, between their own ranks by interpolation."""
    ranks = np.array(log_ranks(max(counts.values()))) + 1
    series = {}
    for name, kept in spectra.items():
        own = np.array(log_ranks(counts[name])) + 1
        inside = ranks[ranks <= counts[name]]
        found = np.interp(np.log(inside), np.log(own), kept.numpy())
        series[name] = (*rounded(found.tolist()), *[None] * (len(ranks) - len(inside)))
    x = tuple(map(float, ranks.tolist()))
    return Figure(title, "lines", x, series, x_label="rank", y_label="σ", log="xy")


def _random(row: MatrixRow) -> Tensor:
    """σ of random matrices of a row's shape and rms 1, at the ranks that summaries keep."""
    return _random_of(*shape(row))


@cache
def _random_of(m: int, n: int) -> Tensor:
    drawn = controls.gaussian_spectra(m, n)
    return torch.tensor([summary.thinned for summary in drawn], dtype=torch.float64).mean(0)

"""Pictures and tables of how small weights are (SPEC W2, §8)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.geometry import sparsity
from geometric_invariants.geometry.sparsity import Small
from geometric_invariants.invariants.drawn import rounded, table
from geometric_invariants.invariants.quantities.groups import line_of
from geometric_invariants.invariants.quantities.layer_lines import by_role
from geometric_invariants.reports.exhibits import Figure, Table

_SPARSE = 0.1


def all_parameters(model: Model) -> Small:
    """How many of all parameters are small: entries of matrices, vectors, norms and others."""
    matrices = (row.magnitudes for row in model.survey.matrices)
    return sum((Small(m.numel, m.below) for m in matrices), model.survey.others)


def tables(model: Model, rows: Sequence[MatrixRow]) -> tuple[Table, ...]:
    """Shares of small entries: by stack and role, by role, relative to the rms, of the model."""
    groups = by_role(rows)
    roles: dict[str, list[MatrixRow]] = {}
    for row in rows:
        roles.setdefault(line_of(row.weight), []).append(row)
    groups |= {f"all {role}": members for role, members in roles.items()}
    absolute = {name: _absolute(model, members) for name, members in groups.items()}
    relative = {name: _relative(members) for name, members in groups.items()}
    heads = [f"< {t:g}" for t in sparsity.THRESHOLDS]
    return (
        table(
            "sparsity by role",
            (*heads, "Gaussian of the same rms < 0.1", "initialisation < 0.1", "entries"),
            absolute,
            "share of entries with |w| under a threshold; what random weights show of the last",
        ),
        table(
            "sparsity by role, relative to rms",
            (*(f"{head} rms" for head in heads), "Gaussian < 0.1 rms"),
            relative,
            "share of entries with |w| under a threshold times the matrix's root mean square",
        ),
        _whole(model),
    )


def _whole(model: Model) -> Table:
    """Counts and shares of all parameters, and of the matrices alone."""
    every, others = all_parameters(model), model.survey.others
    matrices = Small(
        every.numel - others.numel,
        tuple(a - b for a, b in zip(every.below, others.below, strict=True)),
    )
    rows = {}
    for name, counts in (("all", every), ("matrices", matrices), ("vectors and others", others)):
        shares = [below / counts.numel if counts.numel else None for below in counts.below]
        rows[name] = (counts.numel, counts.below[2], *shares)
    columns = ("parameters", "count < 0.001", *(f"< {t:g}" for t in sparsity.THRESHOLDS))
    return table("sparsity of all parameters", columns, rows, "every tensor of the model once")


def magnitudes(rows: Sequence[MatrixRow]) -> tuple[Figure, ...]:
    """Shares by log₁₀|w| of each role and of all, beside Gaussians of each matrix's rms."""
    roles: dict[str, list[MatrixRow]] = {}
    for row in rows:
        roles.setdefault(line_of(row.weight), []).append(row)
    entries = torch.tensor([row.magnitudes.numel for row in rows], dtype=torch.float64)
    random = torch.stack([sparsity.gaussian_bins(row.magnitudes.rms) for row in rows])
    shares = {role: _binned(members) for role, members in roles.items()}
    shares["all"] = _binned(rows)
    shares["all, Gaussian of the same rms"] = entries @ random / entries.sum()
    low, high = _reach(shares)
    figure = Figure(
        "magnitudes",
        "histogram",
        rounded(sparsity.LOG_EDGES[low : high + 1]),
        {name: rounded(values[low:high]) for name, values in shares.items()},
        x_label="log₁₀|w|; zeros in the first bin",
        y_label="share in a bin",
    )
    return (figure,)


def _reach(shares: dict[str, Tensor]) -> tuple[int, int]:
    """The first bin from which on, and that up to which, something is seen."""
    seen = torch.stack(list(shares.values())).amax(0) > 1e-6
    places = seen.nonzero()
    return int(places[0]), int(places[-1]) + 1


def _binned(rows: Sequence[MatrixRow]) -> Tensor:
    """Shares in the bins, each matrix by its number of entries. [bins] float64."""
    total = sum(row.magnitudes.numel for row in rows)
    found = torch.zeros(len(sparsity.LOG_EDGES) - 1, dtype=torch.float64)
    for row in rows:
        counts = torch.tensor(row.magnitudes.binned, dtype=torch.float64)
        found += counts / counts.sum() * (row.magnitudes.numel / total)
    return found


def _absolute(model: Model, rows: Sequence[MatrixRow]) -> tuple[float | None, ...]:
    counts = sum((Small(r.magnitudes.numel, r.magnitudes.below) for r in rows), Small())
    stds = [model.layout.initial_std(row.weight) for row in rows]
    known = [std for std in stds if std]
    return (
        *(below / counts.numel for below in counts.below),
        _gaussian(rows, [row.magnitudes.rms for row in rows]),
        _gaussian(rows, known) if len(known) == len(rows) else None,
        counts.numel,
    )


def _relative(rows: Sequence[MatrixRow]) -> tuple[float, ...]:
    total = sum(row.magnitudes.numel for row in rows)
    below = zip(*(row.magnitudes.below_relative for row in rows), strict=True)
    return (*(sum(counts) / total for counts in below), math.erf(_SPARSE / math.sqrt(2)))


def _gaussian(rows: Sequence[MatrixRow], stds: Sequence[float]) -> float:
    """Share below 0.1 of Gaussian entries, a std for each matrix."""
    total = sum(row.magnitudes.numel for row in rows)
    return sum(
        row.magnitudes.numel / total * math.erf(_SPARSE / (math.sqrt(2) * max(std, 1e-300)))
        for row, std in zip(rows, stds, strict=True)
    )

"""What of spectra stands out of random entries' (SPEC K7, K8).

The Marchenko–Pastur law has the matrix's own variance, so that scale is no matter. The values are
medians over a model's matrices, tables apart, a layer's experts as one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.geometry.bulk import random_tail_exponent
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.groups import Group, of_matrices
from geometric_invariants.invariants.quantities.layer_lines import by_layer, is_table, shape
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.reports.exhibits import Figure


def bulk_and_spikes(model: Model) -> Finding:
    """Median share of singular values outside the bulk that random entries fill."""
    groups = _groups(model)
    return Finding(
        estimate=exact(_median(groups, lambda row: row.bulk.outside)),
        design="singular values beyond the Marchenko–Pastur edges, median over matrices",
        controls=(Named("random entries", exact(0.0), "none outside but by chance"),),
        related=(
            Named(
                "distance", exact(_median(groups, lambda row: row.bulk.distance)), "Kolmogorov's"
            ),
            Named("… at random", exact(_median(groups, _random_distance)), "about 2.5 / min(m, n)"),
            Named("spike", exact(_median(groups, lambda row: row.bulk.spike)), "σ₁ over the edge"),
            Named("largest spike", exact(max(_of(groups, lambda row: row.bulk.spike))), "of all"),
        ),
        parts={group.label: group.median(lambda row: row.bulk.outside) for group in groups},
        figures=_figures(model, "share outside the bulk", lambda row: row.bulk.outside, 0.0),
    )


def tail_exponent(model: Model) -> Finding:
    """Median α of the upper half of the eigenvalues, over that of random entries of the shape.

    α depends on the aspect ratio, so that matrices of several shapes are set each against the
    closed form of its own; cutting all to one ratio (FARMS) costs as many eigenvalue problems as
    that has submatrices. Raises NotApplicableError where no matrix has two eigenvalues in its tail.
    """
    groups = [group for group in _groups(model) if math.isfinite(group.median(_relative))]
    if not groups:
        raise NotApplicableError("no matrix has a tail of two eigenvalues")
    return Finding(
        estimate=exact(_median(groups, _relative)),
        design="α by maximum likelihood over half the eigenvalues, over its random value",
        controls=(Named("random entries", exact(1.0, "closed form"), "of the matrices' shapes"),),
        related=(
            Named("α", exact(_median(groups, lambda row: row.bulk.tail)), "undivided"),
            Named("α at random", exact(_median(groups, _random_tail)), "of these shapes"),
        ),
        parts={group.label: group.median(_relative) for group in groups},
        figures=_figures(model, "tail exponent over random", _relative, 1.0),
    )


def _groups(model: Model) -> list[Group[MatrixRow]]:
    found = by_stack(model, model.survey.matrices, lambda row: row.weight.stack)
    groups = of_matrices(row for row in found.judged if not is_table(row.weight))
    if not groups:
        raise NotApplicableError("the checkpoint has no matrix beside its tables")
    return groups


def _random_tail(row: MatrixRow) -> float:
    return random_tail_exponent(shape(row))


def _relative(row: MatrixRow) -> float:
    return row.bulk.tail / _random_tail(row)


def _random_distance(row: MatrixRow) -> float:
    """Of 64 to 1,536 singular values and ratios of 1 to 16: 1.7 to 3.0 of their number's share."""
    return 2.5 / min(shape(row))


def _of(groups: list[Group[MatrixRow]], value: Callable[[MatrixRow], float]) -> list[float]:
    return [value(row) for group in groups for row in group.rows]


def _median(groups: list[Group[MatrixRow]], value: Callable[[MatrixRow], float]) -> float:
    return statistics.median(group.median(value) for group in groups)


def _figures(
    model: Model, title: str, value: Callable[[MatrixRow], float], random: float
) -> tuple[Figure, ...]:
    if model.is_twin:
        return ()
    rows = [row for row in model.survey.matrices if math.isfinite(value(row))]
    return by_layer(title, rows, value, y_label=title, levels={"random entries": random})

"""What blocks of a matrix's rows sum to: a number for the eye, a sketch for the baseline."""

from __future__ import annotations

import statistics

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_rows import MatrixRow
from geometric_invariants.fixtures.survey_sketches import free_side
from geometric_invariants.geometry import controls
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.groups import of_matrices, told_apart
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.reports.profiles import Profile, packed


def row_profile(model: Model) -> Finding:
    """Participation ratio of the rows' squared norms over their number, median over matrices.

    The profiles of all matrices go along for a baseline.
    """
    found = by_stack(model, model.survey.matrices, lambda row: row.weight.stack)
    groups = of_matrices(row for row in found.judged if row.weight.layer is not None)
    groups = groups or of_matrices(found.judged)
    if not groups:
        raise NotApplicableError("the checkpoint has no two-dimensional weight")
    null = statistics.median(group.median(_of_gaussian) for group in groups)
    return Finding(
        estimate=exact(statistics.median(g.median(_participation) for g in groups)),
        design="blocks of rows of all matrices in layers",
        controls=(
            Named("random weights", exact(null, "closed form"), "Gaussian weights of these shapes"),
        ),
        related=(Named("matrices", exact(len(found.all)), "row by row, or by blocks of rows"),),
        profiles={} if model.is_twin else _profiles(model, found.all),
    )


def _participation(row: MatrixRow) -> float:
    return row.profile.participation


def _of_gaussian(row: MatrixRow) -> float:
    profile = row.profile
    return controls.gaussian_row_participation(len(profile.norms), profile.step * profile.columns)


def _profiles(model: Model, rows: list[MatrixRow]) -> dict[str, Profile]:
    """By the place of a matrix, which files of other formats share, not by its whole name."""
    modules = [".".join(row.weight.tensor.split(".")[-2:]) for row in rows]
    places = told_apart([row.weight.label for row in rows], modules)
    return {place: _profile(model, row) for place, row in zip(places, rows, strict=True)}


def _profile(model: Model, row: MatrixRow) -> Profile:
    weight, profile = row.weight, row.profile
    expert = "" if weight.cut.index is None else f", expert {weight.cut.index}"
    return Profile(
        tensor=weight.tensor + expert,
        rows=profile.rows,
        columns=profile.columns,
        step=profile.step,
        norms=packed(profile.norms),
        sums=packed(profile.sums),
        norm_noise=packed(profile.norm_noise),
        sum_noise=packed(profile.sum_noise),
        encoding=model.checkpoint.tensors[weight.tensor].stored_as if profile.norm_noise else "",
        group=profile.group,
        is_head=weight.layer is None and "embedding" not in weight.role,
        free_rows=free_side(weight, None).side == "rows",
    )

"""Quantities of a model beside a larger one of the same vocabulary (SPEC S13b)."""

from __future__ import annotations

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling, exact
from geometric_invariants.geometry.projection import ANCHORS, HELD_OUT, Fit
from geometric_invariants.geometry.similarity import NEIGHBOURS
from geometric_invariants.invariants.experiments import projection_exhibits as exhibits
from geometric_invariants.invariants.experiments.projection import (
    Beside,
    Comparison,
    compare,
    lay_over,
)
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError


def cross_scale_relational_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of pairwise cosines: the larger model's table laid over this one, held-out tokens."""
    if model.larger is None:
        raise NotApplicableError("no larger model is named for it (--pair, or `larger` in a file)")
    if model.is_twin:
        beside = lay_over(model.larger, model, sampling)
        return Finding(beside.laid.relational.correlation, _design(beside))
    return of_comparison(compare(model.larger, model, sampling))


def of_comparison(found: Comparison) -> Finding:
    """The claim's cell of two models that were compared."""
    projection, laid = found.projection, found.beside.laid
    fit, null = projection.fit, projection.null
    return Finding(
        estimate=fit.relational.correlation,
        design=_design(found.beside),
        controls=(
            Named(
                "anchors shuffled", null.relational.correlation, "the same map of mispaired anchors"
            ),
        ),
        related=(
            Named("before projection", projection.raw.correlation, "cosines as they are"),
            Named("variance kept", exact(projection.kept), "by the principal components"),
            *_numbers(fit, ""),
            *_numbers(null, "anchors shuffled: "),
            Named("CKA", exact(projection.cka), "linear, unbiased, of the tables as they are"),
            Named("CKA, pairs shuffled", exact(projection.cka_null), "its null"),
            Named("shared neighbours", projection.neighbours, f"of the {NEIGHBOURS} nearest"),
            Named("shared neighbours, shuffled", projection.neighbours_null, "its null"),
            *_digits(found),
            Named("tokens in common", exact(laid.pairs), "spelled alike in both"),
        ),
        notes=(
            f"{laid.anchors} anchors, measured on {len(laid.held_out)} other tokens",
            f"{fit.volumes.dropped} pentachora with V² ≤ 0 in one of the two dropped",
        ),
        figures=exhibits.figures(found),
        tables=exhibits.tables(found),
    )


def _design(beside: Beside) -> str:
    larger, smaller = beside.larger.id, beside.smaller.id
    return f"{larger} onto {smaller}, at most {ANCHORS} anchors, {HELD_OUT} others"


def _numbers(fit: Fit, prefix: str) -> tuple[Named, ...]:
    return (
        Named(f"{prefix}cosine", fit.cosine.mean, "of a token's mapped and native rows"),
        Named(f"{prefix}cosine, median", exact(fit.cosine.percentiles[0.5]), "over tokens"),
        Named(f"{prefix}distance", fit.distance.mean, "between the two"),
        Named(f"{prefix}mean |Δcos|", exact(fit.relational.difference), "over pairs of tokens"),
        Named(f"{prefix}unexplained", exact(fit.unexplained), "share of the centred square"),
        Named(f"{prefix}volumes", exact(fit.volumes.correlation), "on the same index sets"),
    )


def _digits(found: Comparison) -> tuple[Named, ...]:
    if found.digits is None:
        return ()
    mapped, null = found.digits.mapped, found.digits.null
    return (
        Named("digit structure", exact(mapped.structure), "correlation of 45 cosines"),
        Named("digit structure, shuffled", exact(null.structure), "its null"),
    )

"""Quantities of a model beside a larger one of the same vocabulary (SPEC S13b)."""

from __future__ import annotations

from fixtures.model import Model
from geometry.alignment import ANCHORS, HELD_OUT, Fit
from geometry.estimate import Sampling, exact
from geometry.similarity import NEIGHBOURS
from invariants.experiments.projection import Comparison, compare
from invariants.finding import Finding, Named, NotApplicableError
from reports.exhibits import Figure


def cross_scale_relational_correlation(model: Model, sampling: Sampling) -> Finding:
    """Pearson of pairwise cosines: the larger model's table laid over this one, held-out tokens."""
    if model.larger is None:
        raise NotApplicableError("no larger model is named for it (--pair, or `larger` in a file)")
    found = compare(model.larger, model, sampling)
    projection = found.projection
    fit, null = projection.fit, projection.null
    return Finding(
        estimate=fit.relational,
        design=f"{found.larger} onto {found.smaller}, at most {ANCHORS} anchors, {HELD_OUT} others",
        controls=(Named("anchors shuffled", null.relational, "the same map of mispaired anchors"),),
        related=(
            Named("before projection", projection.raw, "cosines of the two tables as they are"),
            Named("variance kept", exact(projection.kept), "by the principal components"),
            *_numbers(fit, ""),
            *_numbers(null, "anchors shuffled: "),
            Named("CKA", exact(projection.cka), "linear, unbiased, of the tables as they are"),
            Named("CKA, pairs shuffled", exact(projection.cka_null), "its null"),
            Named("shared neighbours", projection.neighbours, f"of the {NEIGHBOURS} nearest"),
            Named("shared neighbours, shuffled", projection.neighbours_null, "its null"),
            *_digits(found),
            Named("tokens in common", exact(projection.pairs), "spelled alike in both"),
        ),
        notes=(
            f"{projection.anchors} anchors, measured on {len(projection.held_out)} other tokens",
            f"{fit.dropped} pentachora with V² ≤ 0 in one of the two dropped",
            "best: " + _listed(found.named(fit.best)),
            "worst: " + _listed(found.named(fit.worst)),
        ),
        figures=(
            Figure(
                "share of tokens above a cosine",
                "lines",
                tuple(fit.above),
                {"paired": tuple(fit.above.values()), "shuffled": tuple(null.above.values())},
            ),
            _residuals(fit, null),
        ),
    )


def _numbers(fit: Fit, prefix: str) -> tuple[Named, ...]:
    return (
        Named(f"{prefix}cosine", fit.cosine.mean, "of a token's mapped and native rows"),
        Named(f"{prefix}cosine, median", exact(fit.cosine.percentiles[0.5]), "over tokens"),
        Named(f"{prefix}distance", fit.distance.mean, "between the two"),
        Named(f"{prefix}mean |Δcos|", exact(fit.relational_difference), "over pairs of tokens"),
        Named(f"{prefix}unexplained", exact(fit.unexplained), "share of the centred square"),
        Named(f"{prefix}scale", exact(fit.scale), "best common factor of the mapped rows"),
        Named(f"{prefix}unexplained, scaled", exact(fit.unexplained_scaled), "after that factor"),
        Named(
            f"{prefix}residual's participation ratio",
            exact(fit.residual.participation_ratio),
            "over its width",
        ),
        Named(f"{prefix}volumes", exact(fit.volumes), "correlation on the same index sets"),
        Named(f"{prefix}volume ratio", exact(fit.volume_ratio), "mapped over native"),
        Named(f"{prefix}CV mapped", exact(fit.cv_mapped), f"native {fit.cv_native:.4f}"),
    )


def _digits(found: Comparison) -> tuple[Named, ...]:
    if found.digits is None:
        return ()
    return (
        Named("digit structure", exact(found.digits.structure), "correlation of 45 cosines"),
        Named("digit structure, shuffled", exact(found.digits.null), "its null"),
    )


def _residuals(fit: Fit, null: Fit) -> Figure:
    spectra = {"paired": fit.residual, "shuffled": null.residual}
    step = max(1, len(fit.residual.eigenvalues) // 64)
    places = tuple(float(i) for i in range(0, len(fit.residual.eigenvalues), step))
    series = {name: tuple(s.eigenvalues[::step].tolist()) for name, s in spectra.items()}
    return Figure("eigenvalues of the residual", "lines", places, series)


def _listed(tokens: list[tuple[str, float]]) -> str:
    return ", ".join(f"{token} {value:.3f}" for token, value in tokens)

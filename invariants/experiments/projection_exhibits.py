"""Figures and tables of one token embedding laid over another (SPEC S13b)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from geometric_invariants.geometry import estimate
from geometric_invariants.geometry.projection import Fit, Spread
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.experiments.projection import Comparison, Digits, MappedDigits
from geometric_invariants.reports.exhibits import Figure, Table

POINTS = 400
_SIDES = ("paired", "shuffled")


def figures(found: Comparison) -> tuple[Figure, ...]:
    """Alignment, relations, volumes, ids, residual and digits, each beside shuffled anchors."""
    fit, null = found.projection.fit, found.projection.null
    sides = dict(zip(_SIDES, (fit, null), strict=True))
    cosines = {name: side.cosine.values for name, side in sides.items()}
    pairs = slice(None, None, max(1, len(fit.relational.native) // POINTS))
    volumes = fit.volumes
    order = torch.randperm(len(volumes.first), generator=torch.Generator().manual_seed(0))
    digits = found.digits
    return (
        drawn.histogram("alignment", cosines, x_label="cosine of mapped and native row"),
        Figure(
            "share of tokens above a cosine",
            "lines",
            tuple(fit.above),
            {name: drawn.rounded(tuple(side.above.values())) for name, side in sides.items()},
            x_label="cosine of mapped and native row",
            y_label="share of tokens",
        ),
        drawn.points(
            "relational structure",
            fit.relational.native[pairs],
            {name: side.relational.mapped[pairs] for name, side in sides.items()},
            x_label="native cosine of two tokens",
            y_label="mapped cosine",
        ),
        drawn.points(
            "volumes, native and mapped",
            volumes.first[:POINTS],
            {"paired": volumes.second[:POINTS], "shuffled": volumes.second[order][:POINTS]},
            x_label="native volume of a pentachoron",
            y_label="mapped volume",
        ),
        drawn.points(
            "alignment by token id",
            found.ids[:POINTS].double(),
            {name: values[:POINTS] for name, values in cosines.items()},
            x_label="row of the smaller table",
            y_label="cosine of mapped and native row",
        ),
        drawn.spectrum(
            "residual spectrum",
            {name: side.residual.eigenvalues for name, side in sides.items()},
            y_label="eigenvalue of the residual's covariance",
            levels={"largest, uncentred": fit.uncentred},
        ),
        *(() if digits is None else _digit_maps(digits)),
    )


def tables(found: Comparison) -> tuple[Table, ...]:
    """All numbers of both sides: cosines, distances, thresholds, volumes, map, digits, tokens."""
    fit, null = found.projection.fit, found.projection.null
    digits = found.digits
    return (
        drawn.table(
            "held-out cosine",
            _SIDES,
            spread_rows(fit.cosine, null.cosine),
            "of a token's mapped and native row",
        ),
        drawn.table(
            "distance", _SIDES, spread_rows(fit.distance, null.distance), "L2, between the two rows"
        ),
        drawn.table(
            "share of tokens above a cosine",
            _SIDES,
            {f"{t:g}": (fit.above[t], null.above[t]) for t in fit.above},
        ),
        drawn.table(
            "pentachora",
            ("valid", "dropped", "mean", "CV", "mean over native", "correlation with native"),
            {"native": _native(fit), "paired": _mapped(fit), "shuffled": _mapped(null)},
            "volumes of held-out tokens on the same index sets; of other tokens' in the null",
        ),
        drawn.table("map and residual", _SIDES, _residuals(fit, null), "units of the rows squared"),
        *(() if digits is None else (_digits(digits),)),
        _extremes(found),
    )


def spread_rows(*sides: Spread) -> dict[str, tuple[float, ...]]:
    """Mean, std, extremes and percentiles by name, of each side."""
    shares = sides[0].percentiles
    return {
        "mean": tuple(side.mean.value for side in sides),
        "std": tuple(side.std for side in sides),
        "lowest": tuple(side.lowest for side in sides),
        **{_share(share): tuple(side.percentiles[share] for side in sides) for share in shares},
        "highest": tuple(side.highest for side in sides),
    }


def digit_rows(digits: Digits) -> dict[str, tuple[float, ...]]:
    """Each digit's cosine, the structure of all and its mean difference, paired and shuffled."""
    sides = (digits.mapped, digits.null)
    return {
        **{f"cosine of {d}": tuple(side.alignment[d] for side in sides) for d in range(10)},
        "structure correlation": tuple(side.structure for side in sides),
        "mean |Δcos|": tuple(side.difference for side in sides),
        "|i − j| and cosine": tuple(side.summary.correlation for side in sides),
    }


def _share(share: float) -> str:
    return "median" if share == 0.5 else f"{share:.0%} percentile"


def _native(fit: Fit) -> tuple[float | None, ...]:
    volumes = fit.volumes
    cv = estimate.coefficient_of_variation(volumes.first).value
    return len(volumes.first), volumes.dropped, volumes.first.mean().item(), cv, None, None


def _mapped(fit: Fit) -> tuple[float | None, ...]:
    volumes = fit.volumes
    cv = estimate.coefficient_of_variation(volumes.second).value
    size = len(volumes.first), volumes.dropped, volumes.second.mean().item()
    return (*size, cv, volumes.ratio, volumes.correlation)


def _residuals(fit: Fit, null: Fit) -> dict[str, tuple[float, ...]]:
    rows: dict[str, Callable[[Fit], float]] = {
        "Procrustes scale Σσ": lambda f: f.procrustes.singular_sum,
        "Σσ over the anchors' square": lambda f: f.procrustes.factor,
        "best common factor, held out": lambda f: f.scale,
        "unexplained share": lambda f: f.unexplained,
        "unexplained share, scaled": lambda f: f.unexplained_scaled,
        "residual's participation ratio / d": lambda f: f.residual.participation_ratio,
        "residual's largest eigenvalue": lambda f: f.residual.eigenvalues[0].item(),
        "residual's largest eigenvalue, uncentred": lambda f: f.uncentred,
    }
    return {name: (of(fit), of(null)) for name, of in rows.items()}


def _digits(digits: Digits) -> Table:
    return drawn.table(
        "digits",
        _SIDES,
        digit_rows(digits),
        "mapped beside native digits, which may be anchors; structure and |Δcos| over their 45"
        f" cosines; |i − j| and cosine, native: {digits.native.correlation:.4f}",
    )


def _digit_maps(digits: Digits) -> tuple[Figure, ...]:
    null = _digit_differences(digits, digits.null, ", anchors shuffled")
    return _digit_differences(digits, digits.mapped), null


def _digit_differences(digits: Digits, side: MappedDigits, null: str = "") -> Figure:
    names = [str(digit) for digit in range(10)]
    return drawn.heatmap(
        f"digit differences{null}",
        names,
        names,
        side.summary.cosines - digits.native.cosines,
        x_label="digit",
        y_label="digit: mapped less native cosine",
    )


def _extremes(found: Comparison) -> Table:
    fit = found.projection.fit
    pairs = zip(found.named(fit.best), found.named(fit.worst), strict=True)
    return drawn.table(
        "best and worst tokens",
        ("best", "cosine", "worst", "cosine of the worst"),
        {str(rank): (*best, *worst) for rank, (best, worst) in enumerate(pairs, 1)},
        "of the held-out tokens",
    )

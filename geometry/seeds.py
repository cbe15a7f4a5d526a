"""A quantity over seeds: how far it spreads, where its worst falls, what drawing alone leaves."""

from __future__ import annotations

import math

import scipy.special
from torch import Tensor

from geometric_invariants.geometry import estimate
from geometric_invariants.geometry.estimate import Z95, Estimate


def relative_std(values: Tensor) -> Estimate:
    """Population std over |mean| of values [seeds], float64.

    A std over n normal draws is known to 1/√(2(n − 1)) of itself. Raises ValueError if n < 2.
    Source: SPEC S3.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"a spread over seeds needs at least 2 of them, got {n}")
    values = values.double()
    value = (values.std(correction=0) / values.mean().abs()).item()
    return estimate.normal(value, value / math.sqrt(2 * (n - 1)), n, "std of normal draws")


def least(values: Tensor) -> Estimate:
    """Where the least of as many draws falls as there are values [n], [low, high] for 95 %.

    The least of n normal numbers of the values' mean and std: P(least > x) = (1 − Φ)ⁿ, its median
    as the value. Raises ValueError if n < 2.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"the least of seeds needs at least 2 of them, got {n}")
    values = values.double()
    centre, spread = values.mean().item(), values.std().item()
    low, middle, high = (
        centre + spread * float(scipy.special.ndtri(-math.expm1(math.log1p(-p) / n)))
        for p in (0.025, 0.5, 0.975)
    )
    return Estimate(middle, low, high, n, f"least of {n} normal draws")


def relative_std_of_cv(draws: Tensor, count: int, seeds: int) -> Estimate:
    """Relative std over seeds of the CV of `count` draws, where nothing but the draws changes.

    draws: [n] from the one population, n large. By the delta method Var(CV)/CV² is the variance of
    one draw's influence over `count`: ((κ − 1)/4 − γ CV + CV²)/count, with the draws' skewness γ
    and kurtosis κ (3 if normal). For 500 normal draws of small CV that is (1/1000)^½ = 0.032; the
    volumes of pentachora, skewed to the right, give more. The interval is that of a std over
    `seeds` seeds. Source: SPEC S3.
    """
    cv = estimate.coefficient_of_variation(draws)
    error = cv.half_width / Z95 * math.sqrt(len(draws) / count)
    value = error / cv.value
    return estimate.normal(value, value / math.sqrt(2 * (seeds - 1)), method="delta method")


def mean_over(values: Tensor) -> Estimate:
    """Mean of values [seeds], with the central 95 % of them as its interval."""
    return estimate.quantile_interval(values, values.mean().item(), "over seeds")


def redrawn(values: Tensor, chosen: int, drawn: int, population: int) -> float:
    """95 % half-width of one seed's value, were the seeds and the words drawn anew.

    Each seed takes `chosen` of the `drawn` words, which are themselves drawn from `population`:
    seeds differ by the variance of a sample without replacement, v (1 − chosen/drawn), another
    drawing by v (1 − chosen/population). Equal where nothing was drawn. Raises ValueError unless
    chosen ≤ drawn ≤ population, and fewer than drawn are chosen where drawn < population.
    """
    if not chosen <= drawn <= population or (chosen == drawn < population):
        raise ValueError(f"{chosen} of {drawn} of {population} words tell nothing of a new drawing")
    spread = Z95 * values.double().std().item()
    if drawn == population:
        return spread
    return spread * math.sqrt((1 - chosen / population) / (1 - chosen / drawn))

"""A wide table laid over a narrow one, and how well it lies there (SPEC S13b).

Everything is held against the same with the pairing shuffled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from geometric_invariants.geometry import embedding, estimate, relations, simplex
from geometric_invariants.geometry.alignment import (
    PrincipalComponents,
    Procrustes,
    orthogonal_procrustes,
    principal_components,
)
from geometric_invariants.geometry.embedding import CovarianceSpectrum
from geometric_invariants.geometry.estimate import Estimate, Sampling
from geometric_invariants.geometry.relations import Pairs
from geometric_invariants.geometry.similarity import (
    NEIGHBOURS,
    PairedVolumes,
    linear_cka,
    paired_volumes,
    shared_neighbours,
)

FITTED, ANCHORS, HELD_OUT, RELATED = 50_000, 10_000, 5_000, 1_000
SIMPLICES, EXTREMES = 2_000, 20
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
PERCENTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Spread:
    """One number per token: `values` [tokens] float64, mean, population std, percentiles."""

    values: Tensor
    mean: Estimate
    std: float
    percentiles: Mapping[float, float]

    @classmethod
    def of(cls, values: Tensor) -> Spread:
        """What values [n], n ≥ 2, show."""
        values = values.double().cpu()
        found = np.quantile(values.numpy(), PERCENTILES).tolist()
        percentiles = dict(zip(PERCENTILES, found, strict=True))
        return cls(values, estimate.mean(values), values.std(correction=0).item(), percentiles)

    @property
    def lowest(self) -> float:
        return self.values.min().item()

    @property
    def highest(self) -> float:
        return self.values.max().item()


@dataclass(frozen=True, slots=True)
class Relational:
    """Cosines of the same pairs of tokens in two tables, [pairs] float64, and their Pearson."""

    mapped: Tensor
    native: Tensor
    correlation: Estimate

    @property
    def difference(self) -> float:
        """Mean |Δcos|."""
        return (self.mapped - self.native).abs().mean().item()


@dataclass(frozen=True, slots=True)
class Fit:
    """How the mapped rows lie on the target's, over held-out tokens.

    `volumes` are those of pentachora native (first) and mapped, on the same index sets (on other
    tokens' in the null, for no turn changes a volume). `best` and `worst` are places among the
    held-out tokens. `unexplained` is the residual's share of the target's centred square,
    `unexplained_scaled` what the best common `scale` leaves of it. `residual` is the spectrum of
    the residual's covariance, `uncentred` the largest eigenvalue of its second moments, which the
    source takes instead.
    """

    procrustes: Procrustes
    cosine: Spread
    distance: Spread
    relational: Relational
    above: Mapping[float, float]
    best: tuple[tuple[int, float], ...]
    worst: tuple[tuple[int, float], ...]
    residual: CovarianceSpectrum
    uncentred: float
    unexplained: float
    scale: float
    unexplained_scaled: float
    volumes: PairedVolumes


@dataclass(frozen=True)
class Laid:
    """A larger table laid over a smaller one by anchors, and the held-out rows of both.

    `pairs` tokens are shared, `anchors` of them fitted; `held_out` are the places of the others.
    `source` [held-out, D] and `target` [held-out, d] are their native rows, `reduced`
    [held-out, d] the source's in its principal components. `anchor_target` [anchors, d] pairs with
    `anchor_reduced`, as the map is fitted.
    """

    components: PrincipalComponents
    pairs: int
    held_out: Tensor
    source: Tensor
    target: Tensor
    anchor_reduced: Tensor
    anchor_target: Tensor

    @property
    def anchors(self) -> int:
        return len(self.anchor_target)

    @cached_property
    def reduced(self) -> Tensor:
        return self.components.project(self.source)

    @cached_property
    def procrustes(self) -> Procrustes:
        return orthogonal_procrustes(self.anchor_reduced, self.anchor_target)

    @property
    def relational(self) -> Relational:
        """Pairwise cosines of held-out tokens, mapped and native."""
        return _relational(self.procrustes.map(self.reduced[:RELATED]), self.target)


@dataclass(frozen=True, slots=True)
class Projection:
    """A larger table laid over a smaller one: what fits, and the null of shuffled anchors.

    `raw`: pairwise cosines of the two tables as they are.
    """

    laid: Laid
    raw: Relational
    fit: Fit
    null: Fit
    cka: float
    cka_null: float
    neighbours: Estimate
    neighbours_null: Estimate

    @property
    def kept(self) -> float:
        """The share of variance that the principal components keep."""
        return self.laid.components.share

    def map(self, rows: Tensor, *, null: bool = False) -> Tensor:
        """Rows of the larger table [n, D] in the smaller one's space, [n, d] float64."""
        fit = self.null if null else self.fit
        return fit.procrustes.map(self.laid.components.project(rows))


def lay(source: Tensor, target: Tensor, pairs: tuple[Tensor, Tensor], sampling: Sampling) -> Laid:
    """Lay a table [rows, D] over a narrower one [rows, d] by the tokens they share.

    `pairs`: rows of source and of target, each [n] int64, distinct tokens. Principal components are
    fitted on 50,000 of the source's rows, the orthogonal map on 10,000 anchors (two thirds of the
    pairs, where they are fewer); 5,000 pairs outside them are held out. Raises ValueError where
    D < d or the pairs are too few for the width. Source: SPEC S13b.
    """
    n, d = len(pairs[0]), target.shape[1]
    anchors = min(ANCHORS, 2 * n // 3)
    if source.shape[1] < d:
        raise ValueError(f"the source's {source.shape[1]} dimensions are fewer than {d}")
    if n - anchors <= NEIGHBOURS or anchors < 2:
        raise ValueError(f"{n} tokens in common are too few to fit and to test a map")
    order = torch.randperm(n, generator=sampling.generator("projected tokens"))
    held = order[anchors : anchors + HELD_OUT]
    rows = torch.randperm(len(source), generator=sampling.generator("component rows"))[:FITTED]
    components = principal_components(source[rows.to(source.device)], d)

    def taken(places: Tensor) -> tuple[Tensor, Tensor]:
        ours, theirs = (own[places].to(source.device) for own in pairs)
        return source[ours], target[theirs].double()

    anchor_source, anchor_target = taken(order[:anchors])
    reduced = components.project(anchor_source)
    return Laid(components, n, held, *taken(held), reduced, anchor_target)


def project(laid: Laid, sampling: Sampling) -> Projection:
    """Measure a table laid over another on the held-out tokens, beside shuffled anchors."""
    device = laid.source.device
    shuffled = torch.randperm(laid.anchors, generator=sampling.generator("shuffled anchors"))
    mispaired = laid.anchor_target[shuffled.to(device)]
    held = len(laid.held_out)
    order = torch.randperm(held, generator=sampling.generator("shuffled pairs"))
    dealt = laid.target[order.to(device)]
    return Projection(
        laid=laid,
        raw=_relational(laid.source, laid.target),
        fit=_fit(laid, laid.procrustes, torch.arange(held), sampling),
        null=_fit(laid, orthogonal_procrustes(laid.anchor_reduced, mispaired), order, sampling),
        cka=linear_cka(laid.source, laid.target),
        cka_null=linear_cka(laid.source, dealt),
        neighbours=shared_neighbours(laid.source, laid.target),
        neighbours_null=shared_neighbours(laid.source, dealt),
    )


def _fit(laid: Laid, procrustes: Procrustes, others: Tensor, sampling: Sampling) -> Fit:
    mapped, target = procrustes.map(laid.reduced), laid.target
    cosines = embedding.row_cosines(mapped, target).cpu()
    residual = target - mapped
    sets = simplex.draw_index_sets(
        len(target), SIMPLICES, 5, sampling.generator("projected pentachora")
    )
    order = cosines.argsort(descending=True).tolist()
    centred, moved = target - target.mean(0), mapped - mapped.mean(0)
    square, product = centred.square().sum(), (centred * moved).sum()
    scale = product / moved.square().sum()
    return Fit(
        procrustes=procrustes,
        cosine=Spread.of(cosines),
        distance=Spread.of(torch.linalg.vector_norm(residual, dim=1)),
        relational=_relational(mapped, target),
        above={t: (cosines > t).double().mean().item() for t in THRESHOLDS},
        best=tuple((i, cosines[i].item()) for i in order[:EXTREMES]),
        worst=tuple((i, cosines[i].item()) for i in order[: -EXTREMES - 1 : -1]),
        residual=embedding.covariance_spectrum(residual),
        uncentred=torch.linalg.eigvalsh(residual.mT @ residual)[-1].item() / len(residual),
        unexplained=(residual.square().sum() / square).item(),
        scale=scale.item(),
        unexplained_scaled=(1 - scale * product / square).item(),
        volumes=paired_volumes(target[others.to(target.device)], mapped, sets),
    )


def _relational(a: Tensor, b: Tensor) -> Relational:
    """The pairwise cosines of the first thousand rows of each."""
    count = min(RELATED, len(a))
    first, second = torch.triu_indices(count, count, 1)
    x, y = (embedding.cosine_matrix(rows[:count])[first, second] for rows in (a, b))
    pairs = Pairs(first, second, x)
    return Relational(x, y, relations.correlation(pairs, x, y, count))

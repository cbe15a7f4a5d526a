"""One cloud of rows laid over another: principal components and Procrustes (SPEC S13b).

Everything is held against the same with the pairing shuffled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from geometry import embedding, estimate, relations, simplex, spectrum
from geometry.embedding import CovarianceSpectrum, row_blocks
from geometry.estimate import Estimate, Sampling
from geometry.relations import Pairs
from geometry.similarity import NEIGHBOURS, linear_cka, paired_volumes, shared_neighbours

FITTED, ANCHORS, HELD_OUT, RELATED = 50_000, 10_000, 5_000, 1_000
SIMPLICES, EXTREMES = 2_000, 20
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class PrincipalComponents:
    """Mean [d], orthonormal axes [d, k] by falling variance, the share of variance they keep."""

    mean: Tensor
    axes: Tensor
    share: float

    def project(self, rows: Tensor) -> Tensor:
        """Rows [n, d] in the axes, [n, k] float64."""
        return torch.cat([(block - self.mean) @ self.axes for block in row_blocks(rows)])


def principal_components(rows: Tensor, k: int) -> PrincipalComponents:
    """The k axes of greatest variance of rows [n, d], from the covariance summed block by block.

    Float64 throughout; signs are fixed by the largest entry of each axis.
    Raises ValueError if k exceeds d, or n is below 2.
    """
    n, d = rows.shape
    if k > d or n < 2:
        raise ValueError(f"{n} rows of {d} dimensions have no {k} principal components")
    values, vectors = torch.linalg.eigh(embedding.covariance(rows))
    axes = spectrum.with_fixed_signs(vectors[:, -k:].flip(1))
    values = values.clamp_min(0)
    share = (values[-k:].sum() / values.sum()).item()
    return PrincipalComponents(embedding.column_means(rows), axes, share)


@dataclass(frozen=True, slots=True)
class Procrustes:
    """The orthogonal map of one centred cloud onto another: (x − source) rotation + target."""

    rotation: Tensor
    source: Tensor
    target: Tensor

    def map(self, rows: Tensor) -> Tensor:
        """Rows of the source's space [n, d], mapped, float64."""
        return (rows.double() - self.source) @ self.rotation + self.target


def orthogonal_procrustes(source: Tensor, target: Tensor) -> Procrustes:
    """The orthogonal R that minimises ‖(source − mean) R − (target − mean)‖_F.

    source, target: [n, d] paired rows. R = U Vᵀ of the SVD of sourceᵀ target (Schönemann 1966), in
    float64; reflections are allowed. Raises ValueError if the shapes differ.
    """
    if source.shape != target.shape:
        raise ValueError(f"rows of {list(source.shape)} and {list(target.shape)} do not pair up")
    a, b = source.double(), target.double()
    means = a.mean(0), b.mean(0)
    u, _, v = torch.linalg.svd((a - means[0]).mT @ (b - means[1]))
    return Procrustes(u @ v, *means)


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, std and percentiles (the median among them) of one number per token."""

    mean: Estimate
    std: float
    percentiles: Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Fit:
    """How the mapped rows lie on the target's, over held-out tokens.

    `relational`: Pearson of the pairwise cosines of the two; `relational_difference` their mean
    |Δcos|. `volumes`: correlation of pentachoron volumes on the same index sets (on other tokens'
    in the null, for no turn changes a volume), `volume_ratio` mapped over native mean, `dropped`
    how many were degenerate. `best` and `worst` are places among the held-out tokens. `unexplained`
    is the residual's share of the target's centred square, `unexplained_scaled` what the best
    common scale leaves of it.
    """

    procrustes: Procrustes
    cosine: Spread
    distance: Spread
    relational: Estimate
    relational_difference: float
    above: Mapping[float, float]
    best: tuple[tuple[int, float], ...]
    worst: tuple[tuple[int, float], ...]
    residual: CovarianceSpectrum
    unexplained: float
    scale: float
    unexplained_scaled: float
    volumes: float
    volume_ratio: float
    dropped: int
    cv_native: float
    cv_mapped: float


@dataclass(frozen=True, slots=True)
class Projection:
    """A larger table laid over a smaller one: what fits, and the null of shuffled anchors.

    `kept`: the share of variance that the principal components keep. `raw`: Pearson of pairwise
    cosines of the two tables as they are. `held_out` are the places of the held-out pairs.
    """

    components: PrincipalComponents
    pairs: int
    anchors: int
    held_out: Tensor
    raw: Estimate
    fit: Fit
    null: Fit
    cka: float
    cka_null: float
    neighbours: Estimate
    neighbours_null: Estimate

    @property
    def kept(self) -> float:
        return self.components.share

    def map(self, rows: Tensor, *, null: bool = False) -> Tensor:
        """Rows of the larger table [n, D] in the smaller one's space, [n, d] float64."""
        fit = self.null if null else self.fit
        return fit.procrustes.map(self.components.project(rows))


def project(
    source: Tensor, target: Tensor, pairs: tuple[Tensor, Tensor], sampling: Sampling
) -> Projection:
    """Lay a table [rows, D] over a narrower one [rows, d] by the tokens they share.

    `pairs`: rows of source and of target, each [n] int64, distinct tokens. Principal components are
    fitted on 50,000 of the source's rows, the orthogonal map on 10,000 anchors (two thirds of the
    pairs, where they are fewer), everything is measured on 5,000 pairs outside them.
    Raises ValueError where D < d or the pairs are too few for the width. Source: SPEC S13b.
    """
    n, d = len(pairs[0]), target.shape[1]
    anchors = min(ANCHORS, 2 * n // 3)
    if source.shape[1] < d:
        raise ValueError(f"the source's {source.shape[1]} dimensions are fewer than {d}")
    if n - anchors <= NEIGHBOURS or anchors < 2:
        raise ValueError(f"{n} tokens in common are too few to fit and to test a map")
    order = torch.randperm(n, generator=sampling.generator("projected tokens"))
    fitted, held = order[:anchors], order[anchors : anchors + HELD_OUT]
    rows = torch.randperm(len(source), generator=sampling.generator("component rows"))[:FITTED]
    components = principal_components(source[rows.to(source.device)], d)

    def taken(places: Tensor) -> tuple[Tensor, Tensor]:
        ours, theirs = (own[places].to(source.device) for own in pairs)
        return source[ours], target[theirs].double()

    anchor_source, anchor_target = taken(fitted)
    reduced = components.project(anchor_source)
    shuffled = torch.randperm(anchors, generator=sampling.generator("shuffled anchors"))
    mispaired = anchor_target[shuffled.to(source.device)]
    held_source, held_target = taken(held)
    held_reduced = components.project(held_source)

    order = torch.randperm(len(held), generator=sampling.generator("shuffled pairs"))
    paired = torch.arange(len(held))
    dealt = held_target[order.to(source.device)]

    def measured(procrustes: Procrustes, others: Tensor) -> Fit:
        return _fit(procrustes, procrustes.map(held_reduced), held_target, others, sampling)

    return Projection(
        components=components,
        pairs=n,
        anchors=anchors,
        held_out=held,
        raw=_relational(held_source, held_target)[0],
        fit=measured(orthogonal_procrustes(reduced, anchor_target), paired),
        null=measured(orthogonal_procrustes(reduced, mispaired), order),
        cka=linear_cka(held_source, held_target),
        cka_null=linear_cka(held_source, dealt),
        neighbours=shared_neighbours(held_source, held_target),
        neighbours_null=shared_neighbours(held_source, dealt),
    )


def _fit(
    procrustes: Procrustes, mapped: Tensor, target: Tensor, others: Tensor, sampling: Sampling
) -> Fit:
    cosines = embedding.row_cosines(mapped, target).cpu()
    residual = target - mapped
    relational, difference = _relational(mapped, target)
    sets = simplex.draw_index_sets(
        len(target), SIMPLICES, 5, sampling.generator("projected pentachora")
    )
    volumes = paired_volumes(target[others.to(target.device)], mapped, sets)
    order = cosines.argsort(descending=True).tolist()
    centred, moved = target - target.mean(0), mapped - mapped.mean(0)
    square, product = centred.square().sum(), (centred * moved).sum()
    scale = product / moved.square().sum()
    return Fit(
        procrustes=procrustes,
        cosine=_spread(cosines),
        distance=_spread(torch.linalg.vector_norm(residual, dim=1).cpu()),
        relational=relational,
        relational_difference=difference,
        above={t: (cosines > t).double().mean().item() for t in THRESHOLDS},
        best=tuple((i, cosines[i].item()) for i in order[:EXTREMES]),
        worst=tuple((i, cosines[i].item()) for i in order[: -EXTREMES - 1 : -1]),
        residual=embedding.covariance_spectrum(residual),
        unexplained=(residual.square().sum() / square).item(),
        scale=scale.item(),
        unexplained_scaled=(1 - scale * product / square).item(),
        volumes=relations.pearson(volumes.first, volumes.second),
        volume_ratio=(volumes.second.mean() / volumes.first.mean()).item(),
        dropped=volumes.dropped,
        cv_native=estimate.coefficient_of_variation(volumes.first).value,
        cv_mapped=estimate.coefficient_of_variation(volumes.second).value,
    )


def _relational(a: Tensor, b: Tensor) -> tuple[Estimate, float]:
    """Pearson of the pairwise cosines of the first thousand rows of each, and their mean |Δcos|."""
    count = min(RELATED, len(a))
    first, second = torch.triu_indices(count, count, 1)
    x, y = (embedding.cosine_matrix(rows[:count])[first, second] for rows in (a, b))
    pairs = Pairs(first, second, x)
    return relations.correlation(pairs, x, y, count), (x - y).abs().mean().item()


def _spread(values: Tensor) -> Spread:
    std = values.std(correction=0).item()
    return Spread(estimate.mean(values), std, embedding.percentiles(values))

"""How alike two clouds of paired rows are, no map laid between them (SPEC S13b, G2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.geometry import estimate, relations, simplex
from geometric_invariants.geometry.estimate import Estimate

NEIGHBOURS = 10


def linear_cka(a: Tensor, b: Tensor) -> float:
    """Linear centred kernel alignment of paired rows [n, p] and [n, q], without bias.

    HSIC is estimated as Song et al. (2012) do, from the p × q products and never the n × n kernels:
    0 for independent clouds whatever their width, where the plain form (Kornblith et al. 2019)
    shows √(pq)/n and more. Raises ValueError below four rows, or if they do not pair up.
    """
    if len(a) != len(b) or len(a) < 4:
        raise ValueError(f"CKA needs at least 4 pairs of rows, got {len(a)} and {len(b)}")
    x, y = (rows.double() - rows.double().mean(0) for rows in (a, b))
    return (_hsic(x, y) / (_hsic(x, x) * _hsic(y, y)) ** 0.5).item()


def _hsic(x: Tensor, y: Tensor) -> Tensor:
    n = len(x)
    own, other = x.square().sum(1), y.square().sum(1)
    rows, columns = x @ x.sum(0) - own, y @ y.sum(0) - other
    trace = (x.mT @ y).square().sum() - (own * other).sum()
    mixed = rows.sum() * columns.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (rows @ columns)
    found: Tensor = trace + mixed
    return found


def shared_neighbours(a: Tensor, b: Tensor, k: int = NEIGHBOURS) -> Estimate:
    """Mean share of a row's k nearest others, by cosine, that both clouds agree on.

    a: [n, p], b: [n, q], paired. Chance alone gives k/(n − 1). Raises ValueError unless k < n.
    Source: Huh et al. 2024 (mutual nearest neighbours).
    """
    if not k < len(a):
        raise ValueError(f"{len(a)} rows have no {k} neighbours")
    found = [_nearest(rows, k) for rows in (a, b)]
    both = (found[0].unsqueeze(2) == found[1].unsqueeze(1)).any(2)
    return estimate.mean(both.double().mean(1))


def _nearest(rows: Tensor, k: int) -> Tensor:
    unit = relations.unit_rows(rows)
    parts = []
    for start in range(0, len(unit), 1024):
        cosines = unit[start : start + 1024] @ unit.mT
        own = torch.arange(len(cosines), device=rows.device)
        cosines[own, own + start] = -torch.inf
        parts.append(cosines.topk(k).indices)
    return torch.cat(parts)


@dataclass(frozen=True, slots=True)
class PairedVolumes:
    """Volumes of the same simplices in two clouds, each [n] float64 on the CPU.

    `dropped` simplices had V² ≤ 0 in one of the two.
    """

    first: Tensor
    second: Tensor
    dropped: int

    @property
    def correlation(self) -> float:
        """Pearson of the two."""
        return relations.pearson(self.first, self.second)

    @property
    def ratio(self) -> float:
        """Mean of the second over that of the first."""
        return (self.second.mean() / self.first.mean()).item()


def paired_volumes(first: Tensor, second: Tensor, sets: Tensor) -> PairedVolumes:
    """Volumes of the simplices `sets` [n, k+1] of paired rows [rows, p] and [rows, q].

    A simplex that is degenerate (V² ≤ 0) in one cloud is left out of both, so that the others stay
    paired: the source drops from each list apart, and correlates lists that have shifted against
    one another. Raises ValueError where fewer than two are left. Source: SPEC G2.
    """
    a, b = (simplex.squared_volumes_of_rows(rows, sets).cpu() for rows in (first, second))
    kept = (a > 0) & (b > 0)
    left = int(kept.sum())
    if left < 2:
        raise ValueError(f"{len(sets) - left} of {len(sets)} simplices are degenerate (V² ≤ 0)")
    return PairedVolumes(a[kept].sqrt(), b[kept].sqrt(), len(sets) - left)

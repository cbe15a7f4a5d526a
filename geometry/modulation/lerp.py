"""The LERP residual modulator: a geometric embedding mixed into the states before every block.

Source: SPEC M1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

from geometric_invariants.geometry.spectrum import with_fixed_signs

DIMENSIONS = 64
START = 0.01
_PROJECTION_STD = 0.01


@dataclass(frozen=True, slots=True)
class Health:
    """Geometry of a modulator: cosines and norms of its embeddings, PR over dimensions, α's."""

    cosine_mean: float
    cosine_std: float
    norm_mean: float
    norm_std: float
    participation_ratio: float
    alpha: tuple[float, ...]


class LerpModulator(nn.Module):
    """h' = (1 − α_l) h + α_l P g(token) before block l.

    g: [vocabulary, 64], drawn from N(0, 1); P: 64 → d without bias, of standard deviation 0.01.
    α_l is the sigmoid of a logit per layer (of one for all with `shared`), initially 0.01;
    `fix_alpha` replaces it by a constant that may be 0, where the states pass as they are. Raises
    ValueError for an α outside [0, 1]. Source: SPEC M1.
    """

    def __init__(
        self,
        vocabulary: int,
        d: int,
        layers: int,
        *,
        dimensions: int = DIMENSIONS,
        shared: bool = False,
        start: float = START,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.geometric = nn.Parameter(torch.randn(vocabulary, dimensions, generator=generator))
        projection = torch.randn(d, dimensions, generator=generator)
        self.projection = nn.Parameter(_PROJECTION_STD * projection)
        self.logit = nn.Parameter(torch.full((1 if shared else layers,), _logit(start)))
        self.layers = layers
        self._fixed: float | None = None

    @property
    def alpha(self) -> Tensor:
        """How much is mixed in before each layer, [layers]."""
        if self._fixed is not None:
            return torch.full((self.layers,), self._fixed, device=self.logit.device)
        return self.logit.sigmoid().expand(self.layers)

    def fix_alpha(self, alpha: float | None) -> None:
        """Use one constant α everywhere; None gives the learned ones back."""
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"α must lie in [0, 1], not {alpha}")
        self._fixed = alpha

    def forward(self, states: Tensor, tokens: Tensor, layer: int) -> Tensor:
        """States [batch, positions, d] of tokens [batch, positions] before block `layer`."""
        if self._fixed == 0:
            return states
        alpha = self.alpha[layer].to(states.dtype)
        mixed = (self.geometric[tokens] @ self.projection.mT).to(states.dtype)
        return (1 - alpha) * states + alpha * mixed

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter by name."""
        return {name: tuple(p.shape) for name, p in self.named_parameters()}

    @torch.no_grad()
    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Cosines of the geometric embeddings of two sets of tokens [a] and [b], [a, b] float64."""
        unit = [nn.functional.normalize(self.geometric[ids].double()) for ids in (first, second)]
        return unit[0] @ unit[1].mT

    @torch.no_grad()
    def health(self, sample: int = 5_000, tokens: Tensor | None = None) -> Health:
        """Health of `sample` embeddings at random of all or of some tokens, the same every time."""
        among = torch.arange(len(self.geometric)) if tokens is None else tokens
        order = torch.randperm(len(among), generator=torch.Generator().manual_seed(0))
        rows = self.geometric[among[order[:sample]].to(self.geometric.device)].double()
        norms = torch.linalg.vector_norm(rows, dim=1)
        unit = rows / norms[:, None].clamp_min(1e-12)
        mean, std = _pairwise_cosines(unit)
        covariance = torch.cov(rows.mT, correction=0)
        ratio = covariance.trace() ** 2 / covariance.square().sum() / rows.shape[1]
        return Health(
            mean,
            std,
            norms.mean().item(),
            norms.std(correction=0).item(),
            ratio.item(),
            tuple(self.alpha.tolist()),
        )


def _pairwise_cosines(unit: Tensor) -> tuple[float, float]:
    """Mean and population std of the cosines of all pairs of unit rows, without forming them."""
    pairs = len(unit) * (len(unit) - 1)
    own = unit.square().sum(1)
    mean = ((unit.sum(0).square().sum() - own.sum()) / pairs).item()
    square = (((unit.mT @ unit).square().sum() - own.square().sum()) / pairs).item()
    return mean, math.sqrt(max(square - mean**2, 0.0))


def simplex_embedding(simplices: Tensor) -> Tensor:
    """Unit rows from a simplex per token, its vertices [tokens, vertices, dimensions] summed.

    [tokens, dimensions] in the simplices' type; a simplex about the origin sums to a zero row.
    Source: SPEC M1 (init_from_cayley_menger).
    """
    return nn.functional.normalize(simplices.sum(1))


@dataclass(frozen=True, slots=True)
class SpectralEmbedding:
    """Unit rows [n, k] float64, and the k eigenvalues they are made of, falling."""

    rows: Tensor
    eigenvalues: Tensor


def spectral_embedding(similarity: Tensor, dimensions: int = DIMENSIONS) -> SpectralEmbedding:
    """Unit rows whose products come near a similarity matrix [n, n].

    Its largest eigenvectors, each times the root of its eigenvalue where that is positive. The
    symmetric part counts; signs are fixed by the largest entry of each eigenvector.
    Raises ValueError if n < dimensions.
    """
    n = len(similarity)
    if n < dimensions:
        raise ValueError(f"{n} rows span fewer than {dimensions} dimensions")
    symmetric = (similarity.double() + similarity.double().mT) / 2
    values, vectors = _largest_eigenpairs(symmetric, dimensions)
    rows = nn.functional.normalize(with_fixed_signs(vectors) * values.clamp_min(0).sqrt())
    return SpectralEmbedding(rows, values)


def _largest_eigenpairs(symmetric: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest eigenvalues, falling, and their vectors [n, k]; by Lanczos where k ≪ n."""
    n = len(symmetric)
    if k <= n // 8:
        found = eigsh(symmetric.cpu().numpy(), k, which="LA", v0=torch.ones(n).double().numpy())
        values, vectors = map(torch.from_numpy, found)
    else:
        values, vectors = torch.linalg.eigh(symmetric.cpu())
    order = values.argsort(descending=True)[:k]
    return values[order], vectors[:, order]


def spread_to_neighbours(
    anchored: Tensor,
    anchors: Tensor,
    others: Tensor,
    *,
    neighbours: int = 10,
    sharpness: float = 10,
) -> Tensor:
    """Embeddings of further tokens from those of their nearest anchors, at unit length.

    anchored: [anchors, k] embeddings; anchors [anchors, d] and others [n, d] static rows. Each of
    the others gets the mean of its `neighbours` nearest by cosine, weighted by softmax(10 cos).
    Source: SPEC M2.
    """
    unit = nn.functional.normalize(anchors.float())
    parts = []
    for block in nn.functional.normalize(others.float()).split(4_096):
        cosines, nearest = (block @ unit.mT).topk(min(neighbours, len(unit)), dim=1)
        weights = (sharpness * cosines).softmax(1).to(anchored.dtype)
        parts.append((weights[:, :, None] * anchored[nearest]).sum(1))
    return nn.functional.normalize(torch.cat(parts))


def _logit(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise ValueError(f"a learned α starts strictly between 0 and 1, not at {alpha}")
    return math.log(alpha / (1 - alpha))

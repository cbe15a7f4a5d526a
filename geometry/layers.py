"""What layers of one role have in common, and the scales of normalisation layers (SPEC W5, W6)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

_QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_OFTEN = 0.05  # share of negative weights that no multiplied gain shows


@dataclass(frozen=True, slots=True)
class LayerCorrelation:
    """Cosines [layers, layers] between the flattened weights of one role."""

    cosines: Tensor
    numel: int

    @property
    def adjacent(self) -> Tensor:
        """Cosines of neighbouring layers, [layers − 1]."""
        return self.cosines.diagonal(1)

    @property
    def null_std(self) -> float:
        """Std of one cosine between independent zero-mean weights: 1/√numel."""
        return 1 / math.sqrt(self.numel)


def layer_correlation(blocks: Iterable[Tensor]) -> LayerCorrelation:
    """Cosines between all pairs of layers, from blocks of their flattened weights.

    blocks: tensors [layers, any] that together hold every layer's entries once. Accumulates in
    float64. Raises ValueError for fewer than two layers. Source: SPEC W5.
    """
    gram: Tensor | None = None
    numel = 0
    for block in blocks:
        wide = block.double()
        gram = wide @ wide.mT if gram is None else gram.addmm_(wide, wide.mT)
        numel += block.shape[1]
    if gram is None or len(gram) < 2:
        raise ValueError("a correlation across layers needs at least two layers")
    norms = gram.diagonal().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
    return LayerCorrelation((gram / norms / norms[:, None]).cpu(), numel)


@dataclass(frozen=True, slots=True)
class NormScale:
    """Scales of one normalisation layer: mean, std, and how many lie far from and near one.

    `quartiles`: least, lower quartile, median, upper quartile, greatest.
    """

    size: int
    mean: float
    std: float
    above: int
    below: int
    near_one: int
    quartiles: tuple[float, ...]


def norm_scale(weight: Tensor, *, zero_centred: bool = False) -> NormScale:
    """Statistics of a normalisation weight [d]; `zero_centred` scales by 1 + w. SPEC W6."""
    scale = weight.double() + (1.0 if zero_centred else 0.0)
    return NormScale(
        size=scale.numel(),
        mean=scale.mean().item(),
        std=scale.std(correction=0).item(),
        above=int((scale > 1.5).sum()),
        below=int((scale < 0.5).sum()),
        near_one=int(((scale > 0.8) & (scale < 1.2)).sum()),
        quartiles=tuple(torch.quantile(scale, scale.new_tensor(_QUARTILES)).tolist()),
    )


def told_convention(weight: Tensor) -> bool | None:
    """Whether a normalisation weight [d] scales by 1 + w, as far as its numbers tell; else None.

    As initialised it is all zeros or all ones; trained gains by which a state is multiplied are
    hardly ever negative, offsets from one often are.
    """
    if not weight.any():
        return True
    if (weight == 1).all():
        return False
    return True if (weight < 0).double().mean() > _OFTEN else None

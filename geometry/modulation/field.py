"""The field modulator: experts that read simplices off the states and scale what they read.

Source: SPEC M6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from geometry.modulation.regular_simplex import regular_simplex

EXPERTS = (1, 2, 4)
DIMENSIONS, DEFORMATION, ACTIVE = 8, 0.05, 0.75
LEAST, MOST, START = 0.001, 0.35, 0.01
TARGET_CV, CV_REACH = 0.21, 0.05
SCATTER_SEED = 42
_MEMORY = 0.99


@dataclass(frozen=True, slots=True)
class FieldHealth:
    """Running share of simplices that span a volume (V² > 0) by expert; α by layer and expert."""

    validity: tuple[float, ...]
    alpha: tuple[tuple[float, ...], ...]


class SimplexExpert(nn.Module):
    """Deforms a regular k-simplex by what it reads, and gates by the simplex's own geometry.

    active states [..., a] → gate [..., a] in (0, 1) and validity [..., 1] in (0, 1). The features
    are the squared edges and V² of the deformed simplex, normalised. `running_validity` follows,
    in training and from 0, the share of simplices whose V² is above 0.
    """

    template: Tensor
    running_validity: Tensor

    def __init__(self, k: int, active: int, dimensions: int = DIMENSIONS) -> None:
        super().__init__()
        self.k, self.dimensions = k, dimensions
        self.register_buffer("template", regular_simplex(k, dimensions).float())
        self.register_buffer("running_validity", torch.tensor(0.0))
        features = (k + 1) * k // 2 + 1
        self.deform = nn.Linear(active, (k + 1) * dimensions)
        self.normalise = nn.LayerNorm(features)
        self.valid = nn.Linear(features, 1)
        self.gate = nn.Linear(features, active)

    def vertices(self, active: Tensor) -> Tensor:
        """The deformed simplex of every state, [..., k + 1, dimensions]."""
        moved: Tensor = self.deform(active).unflatten(-1, (self.k + 1, self.dimensions))
        return self.template.to(moved.dtype) + DEFORMATION * moved

    def features(self, vertices: Tensor) -> Tensor:
        """Squared edges and squared volume, [..., k (k + 1)/2 + 1]."""
        first, second = torch.triu_indices(self.k + 1, self.k + 1, 1, device=vertices.device)
        squares = (vertices[..., first, :] - vertices[..., second, :]).square().sum(-1)
        edges = vertices[..., 1:, :] - vertices[..., :1, :]
        gram = edges @ edges.mT
        gram = gram.to(torch.promote_types(gram.dtype, torch.float32))
        volume = torch.linalg.det(gram) / math.factorial(self.k) ** 2
        return torch.cat([squares, volume[..., None].to(squares.dtype)], -1)

    def forward(self, active: Tensor) -> tuple[Tensor, Tensor]:
        """The gate over active dimensions, and a validity that is read off beside it."""
        features = self.features(self.vertices(active))
        if self.training:
            spanning = (features[..., -1] > 0).float().mean()
            self.running_validity.lerp_(spanning, 1 - _MEMORY)
        read = self.normalise(features)
        return self.gate(read).sigmoid(), self.valid(read).sigmoid()


class FieldModulator(nn.Module):
    """active × Π_k ((1 − α_{l,k}) + α_{l,k} gate_k) before block l; validity takes no part.

    The null space, a quarter of the dimensions, passes bit for bit: the last ones (`tail`) or ones
    scattered from seed 42. α lies in [0.001, 0.35] and starts at 0.01. With d = 512 and six
    layers there are 38,552 parameters.
    """

    active_at: Tensor

    def __init__(
        self,
        d: int,
        layers: int,
        *,
        experts: tuple[int, ...] = EXPERTS,
        null_space: Literal["tail", "scattered"] = "tail",
    ) -> None:
        super().__init__()
        count = int(d * ACTIVE)
        order = torch.arange(d)
        if null_space == "scattered":
            order = torch.randperm(d, generator=torch.Generator().manual_seed(SCATTER_SEED))
        self.register_buffer("active_at", order[:count].sort().values)
        self.experts = nn.ModuleList(SimplexExpert(k, count) for k in experts)
        start = math.log(START / (1 - START))
        self.logit = nn.Parameter(torch.full((layers, len(experts)), start))

    @property
    def alpha(self) -> Tensor:
        """[layers, experts] within [0.001, 0.35]."""
        return self.logit.sigmoid().clamp(LEAST, MOST)

    def forward(self, states: Tensor, tokens: Tensor | None, layer: int) -> Tensor:
        """States [batch, positions, d] before block `layer`; the tokens do not matter."""
        del tokens
        active = states.index_select(-1, self.active_at)
        parameters = self.logit.dtype
        scale = torch.ones_like(active, dtype=parameters)
        for index, expert in enumerate(self.experts):
            gate, _ = expert(active.to(parameters))
            alpha = self.alpha[layer, index]
            scale = scale * ((1 - alpha) + alpha * gate)
        changed = (active * scale.to(active.dtype)).to(states.dtype)
        return states.index_copy(-1, self.active_at, changed)

    @torch.no_grad()
    def health(self) -> FieldHealth:
        """Running validity of the experts, and every α."""
        validity = tuple(e.running_validity.item() for e in self.experts)  # type: ignore[operator]
        return FieldHealth(validity, tuple(map(tuple, self.alpha.tolist())))

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """Deformation, norm and validity at 0.1 of the rate, α at 0.5, gates at 1."""
        named = list(self.named_parameters())
        gates = [p for name, p in named if ".gate." in name]
        simplices = [p for name, p in named if ".gate." not in name and name != "logit"]
        return [
            {"params": simplices, "lr": 0.1 * rate},
            {"params": [self.logit], "lr": 0.5 * rate},
            {"params": gates, "lr": rate},
        ]


def in_target(cv: float) -> bool:
    """Whether a pentachoron CV lies within 0.21 ± 0.05."""
    return abs(cv - TARGET_CV) <= CV_REACH

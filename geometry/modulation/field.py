"""The field modulator: experts that read simplices off the states and scale what they read.

Source: SPEC M6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from geometric_invariants.geometry.modulation.regular_simplex import regular_simplex

SCATTER_SEED = 42
_MEMORY = 0.99


@dataclass(frozen=True, slots=True)
class FieldSettings:
    """The source's settings of a field modulator (SPEC M6).

    `experts` are the dimensions k of their simplices, which lie in `dimensions` and move by
    `deformation` times what is read. The last `null_fraction` of the states' dimensions, or as many
    at random from seed 42, pass untouched. α starts at `alpha_start` and is held within
    [`alpha_min`, `alpha_max`]. A pentachoron CV is in band within `cv_reach` of `cv_target`. Raises
    ValueError for settings that leave nothing to read, or no range for α.
    """

    experts: tuple[int, ...] = (1, 2, 4)
    dimensions: int = 8
    deformation: float = 0.05
    null_fraction: float = 0.25
    null_space: Literal["tail", "scattered"] = "tail"
    alpha_min: float = 0.001
    alpha_max: float = 0.35
    alpha_start: float = 0.01
    cv_target: float = 0.21
    cv_reach: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.null_fraction < 1:
            raise ValueError(f"the null fraction must lie in [0, 1), not {self.null_fraction}")
        if not 0 < self.alpha_min <= self.alpha_start <= self.alpha_max < 1:
            bounds = f"{self.alpha_min} ≤ {self.alpha_start} ≤ {self.alpha_max}"
            raise ValueError(f"α must start within its bounds in (0, 1), not {bounds}")

    def active(self, d: int) -> int:
        """How many of d dimensions are read and changed."""
        return int(d * (1 - self.null_fraction))

    def in_target(self, cv: float) -> bool:
        """Whether a pentachoron CV is in band."""
        return abs(cv - self.cv_target) <= self.cv_reach


SOURCES = FieldSettings()


@dataclass(frozen=True, slots=True)
class ExpertHealth:
    """One expert: its template's V², the norm of its deformation's weights, its parameters."""

    k: int
    template_squared_volume: float
    deformation_norm: float
    parameters: int


@dataclass(frozen=True, slots=True)
class FieldHealth:
    """A field modulator's state.

    `validity` is the running share of simplices that span a volume (V² > 0) and `alpha` each α,
    both by layer and expert. `active` and `null` count dimensions.
    """

    validity: tuple[tuple[float, ...], ...]
    alpha: tuple[tuple[float, ...], ...]
    experts: tuple[ExpertHealth, ...]
    active: int
    null: int
    parameters: int


@dataclass(frozen=True, slots=True)
class FieldReading:
    """What a layer makes of states, and what its experts read there.

    `states` [..., d]; `squared_volumes` and `validity` (of the validity projection, in (0, 1))
    [..., experts].
    """

    states: Tensor
    squared_volumes: Tensor
    validity: Tensor


class SimplexExpert(nn.Module):
    """Deforms a regular k-simplex by what it reads, and gates by the simplex's own geometry.

    active states [..., a] → gate [..., a] in (0, 1), validity [..., 1] in (0, 1) and V² [...]. The
    features are the squared edges and V² of the deformed simplex, normalised.
    """

    template: Tensor

    def __init__(self, k: int, active: int, settings: FieldSettings = SOURCES) -> None:
        super().__init__()
        self.k, self.dimensions, self.deformation = k, settings.dimensions, settings.deformation
        self.register_buffer("template", regular_simplex(k, self.dimensions).float())
        features = (k + 1) * k // 2 + 1
        self.deform = nn.Linear(active, (k + 1) * self.dimensions)
        self.normalise = nn.LayerNorm(features)
        self.valid = nn.Linear(features, 1)
        self.gate = nn.Linear(features, active)

    def vertices(self, active: Tensor) -> Tensor:
        """The deformed simplex of every state, [..., k + 1, dimensions]."""
        moved: Tensor = self.deform(active).unflatten(-1, (self.k + 1, self.dimensions))
        return self.template.to(moved.dtype) + self.deformation * moved

    def features(self, vertices: Tensor) -> Tensor:
        """Squared edges and squared volume, [..., k (k + 1)/2 + 1]."""
        first, second = torch.triu_indices(self.k + 1, self.k + 1, 1, device=vertices.device)
        squares = (vertices[..., first, :] - vertices[..., second, :]).square().sum(-1)
        edges = vertices[..., 1:, :] - vertices[..., :1, :]
        gram = edges @ edges.mT
        gram = gram.to(torch.promote_types(gram.dtype, torch.float32))
        volume = torch.linalg.det(gram) / math.factorial(self.k) ** 2
        return torch.cat([squares, volume[..., None].to(squares.dtype)], -1)

    def forward(self, active: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The gate over active dimensions, and what is read off beside it: validity and V²."""
        features = self.features(self.vertices(active))
        read = self.normalise(features)
        return self.gate(read).sigmoid(), self.valid(read).sigmoid(), features[..., -1]

    @torch.no_grad()
    def health(self) -> ExpertHealth:
        """Its template, how far its deformation's weights reach, its size."""
        return ExpertHealth(
            self.k,
            self.features(self.template.double())[-1].item(),
            torch.linalg.vector_norm(self.deform.weight.double()).item(),
            sum(p.numel() for p in self.parameters()),
        )


class FieldModulator(nn.Module):
    """active × Π_k ((1 − α_{l,k}) + α_{l,k} gate_k) before block l; validity takes no part.

    The null space, by default the last quarter of the dimensions, passes bit for bit. With d = 512
    and six layers the source's settings make 38,552 parameters. `running_validity` [layers,
    experts] follows, in training and from 0, the share of simplices whose V² is above 0.
    """

    active_at: Tensor
    running_validity: Tensor

    def __init__(self, d: int, layers: int, settings: FieldSettings = SOURCES) -> None:
        super().__init__()
        self.d, self.settings = d, settings
        count = settings.active(d)
        order = torch.arange(d)
        if settings.null_space == "scattered":
            order = torch.randperm(d, generator=torch.Generator().manual_seed(SCATTER_SEED))
        self.register_buffer("active_at", order[:count].sort().values)
        self.register_buffer("running_validity", torch.zeros(layers, len(settings.experts)))
        self.experts = nn.ModuleList(SimplexExpert(k, count, settings) for k in settings.experts)
        start = math.log(settings.alpha_start / (1 - settings.alpha_start))
        self.logit = nn.Parameter(torch.full((layers, len(settings.experts)), start))

    @property
    def alpha(self) -> Tensor:
        """[layers, experts] within the settings' bounds, by default [0.001, 0.35]."""
        return self.logit.sigmoid().clamp(self.settings.alpha_min, self.settings.alpha_max)

    def forward(self, states: Tensor, tokens: Tensor | None, layer: int) -> Tensor:
        """States [batch, positions, d] before block `layer`; the tokens do not matter."""
        del tokens
        return self.read(states, layer).states

    def read(self, states: Tensor, layer: int) -> FieldReading:
        """States [..., d] before block `layer` changed, with each expert's validity and V²."""
        active = states.index_select(-1, self.active_at)
        parameters = self.logit.dtype
        scale = torch.ones_like(active, dtype=parameters)
        alphas, validities, volumes = self.alpha[layer], [], []
        for alpha, expert in zip(alphas, self.experts, strict=True):
            gate, validity, volume = expert(active.to(parameters))
            scale = scale * ((1 - alpha) + alpha * gate)
            validities.append(validity)
            volumes.append(volume[..., None])
        squared = torch.cat(volumes, -1)
        if self.training:
            spanning = (squared.detach() > 0).float().flatten(0, -2).mean(0)
            self.running_validity[layer].lerp_(spanning, 1 - _MEMORY)
        changed = (active * scale.to(active.dtype)).to(states.dtype)
        changed = states.index_copy(-1, self.active_at, changed)
        return FieldReading(changed, squared, torch.cat(validities, -1))

    @torch.no_grad()
    def health(self) -> FieldHealth:
        """Running validity and α of every layer and expert, the experts, and counts."""
        active = len(self.active_at)
        return FieldHealth(
            validity=tuple(map(tuple, self.running_validity.tolist())),
            alpha=tuple(map(tuple, self.alpha.tolist())),
            experts=tuple(e.health() for e in self.experts if isinstance(e, SimplexExpert)),
            active=active,
            null=self.d - active,
            parameters=sum(p.numel() for p in self.parameters()),
        )

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

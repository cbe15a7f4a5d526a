"""The quantity behind every claim, by the claim's id. Modules load when first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixtures.model import Model
    from geometry.estimate import Sampling
    from invariants.finding import Finding
    from invariants.quantities import (
        attention,
        embedding,
        layers,
        modulation,
        parameters,
        position,
        projection,
        relations,
        spectra,
        terrain,
        volumes,
        weights,
    )

    Quantity = Callable[[Model, Sampling], Finding]

__all__ = [
    "attention",
    "embedding",
    "layers",
    "modulation",
    "parameters",
    "position",
    "projection",
    "relations",
    "spectra",
    "terrain",
    "volumes",
    "weights",
]


def __getattr__(name: str) -> object:
    # Collecting tests imports this package; only running one may import torch.
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(name)


def quantity(claim: str) -> Quantity:
    """The function that measures a claim. Raises KeyError if there is none."""
    for module in __all__:
        found = getattr(__getattr__(module), claim, None)
        if found is not None:
            function: Quantity = found
            return function
    raise KeyError(claim)

"""The quantity behind every claim, by the claim's id. Modules load when first asked for."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geometric_invariants.fixtures.model import Model
    from geometric_invariants.geometry.estimate import Sampling
    from geometric_invariants.invariants.finding import Finding
    from geometric_invariants.invariants.quantities import (
        attention,
        bulk,
        change,
        completeness,
        damage,
        embedding,
        head,
        kin,
        layers,
        modulation,
        norms,
        pairing,
        parameters,
        position,
        profiles,
        projection,
        relations,
        rotary,
        spectra,
        tensors,
        terrain,
        token_rows,
        training,
        volumes,
        weights,
        words,
    )

    Quantity = Callable[[Model, Sampling], Finding]

__all__ = [
    "attention",
    "bulk",
    "change",
    "completeness",
    "damage",
    "embedding",
    "head",
    "kin",
    "layers",
    "modulation",
    "norms",
    "pairing",
    "parameters",
    "position",
    "profiles",
    "projection",
    "relations",
    "rotary",
    "spectra",
    "tensors",
    "terrain",
    "token_rows",
    "training",
    "volumes",
    "weights",
    "words",
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
            return _with_sampling(found)
    raise KeyError(claim)


def _with_sampling(function: Callable[..., Finding]) -> Quantity:
    """A quantity that draws nothing takes no draws."""
    if "sampling" in inspect.signature(function).parameters:
        return function
    return lambda model, _sampling: function(model)

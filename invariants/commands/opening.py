"""The model of a command, by --model's syntax, and WordNet's geometry laid over it."""

from __future__ import annotations

import torch

from geometric_invariants.fixtures.model import Model, open_model, resolve_device
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay, overlay_of


def laid_over(option: str, device: str) -> tuple[Model, Overlay]:
    """A model by --model's syntax, and WordNet's geometry laid over it."""
    model = opened(option, device)
    return model, overlay_of(model, Sampling())


def opened(option: str, device: str) -> Model:
    (entry,) = select_models([option]).values()
    location = entry.source.locate(entry.id, download=False)
    return open_model(entry, location, resolve_device(device), torch.float32, download=False)

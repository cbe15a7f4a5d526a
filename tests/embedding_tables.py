"""Checkpoints that hold a token-embedding table alone, and what is measured of one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.invariants.quantities import quantity

SAMPLING = Sampling(samples=20_000, limit=20_000)
OF_TABLES = (
    "pentachoron_cv",
    "volume_ratio_to_gaussian",
    "embedding_participation_ratio",
    "mean_pairwise_cosine",
    "embedding_norm",
)


def model_of(folder: Path, table: Tensor, name: str = "mine") -> Model:
    save_file({"embeddings.word_embeddings.weight": table}, folder / "model.safetensors")
    return Model(name, folder)


def gaussian(rows: int, d: int) -> Tensor:
    return torch.randn(rows, d, generator=torch.Generator().manual_seed(0))


def measured(claim: str, model: Model, sampling: Sampling = SAMPLING) -> Finding:
    return quantity(claim)(model, sampling)

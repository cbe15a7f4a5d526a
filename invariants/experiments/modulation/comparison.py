"""What one set of representations shows of words, number by number, on several draws (SPEC M2)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from geometric_invariants.geometry import relations
from geometric_invariants.invariants.experiments.modulation.measured import (
    Detail,
    Probe,
    Relations,
    detail,
)
from geometric_invariants.invariants.experiments.relations import Words

NAMES = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "gradient": "gradient",
    "cv": "CV",
    "preservation": "preservation",
}


def named(found: Iterable[Relations]) -> dict[str, Tensor]:
    """Relations by the name that tables give them, [draws] float64 each."""
    draws = tuple(found)
    return {title: of_draws(draws, name) for name, title in NAMES.items()}


def of_draws(found: Iterable[Relations | Detail], name: str) -> Tensor:
    """A field of what each draw shows, [draws] float64."""
    return torch.tensor([getattr(one, name) for one in found], dtype=torch.float64)


def further(words: Words, probes: Iterable[Probe], rows: Tensor) -> dict[str, Tensor]:
    """What Relations leave out, [draws] float64 each.

    Mean volume of the simplices that span one, the standard deviation of preservation over words,
    and mean cosine in each band of path similarity, NaN in one without pairs. rows [words, d].
    Source: SPEC R4, G2, M2.
    """
    draws = [detail(words, probe, rows) for probe in probes]
    cosines = [[math.nan if c is None else c for c in one.cosines] for one in draws]
    by_band = torch.tensor(cosines, dtype=torch.float64).T
    return {
        "preservation, std": of_draws(draws, "preservation_std"),
        "mean volume": of_draws(draws, "volume"),
        **{
            f"path similarity {band}": own
            for band, own in zip(relations.BANDS, by_band, strict=True)
        },
    }

"""What one set of representations shows of words, number by number, on several draws (SPEC M2)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from geometry import relations, simplex
from geometry.embedding import row_cosines
from invariants.experiments.modulation.measured import Probe, Relations
from invariants.experiments.relations import Words

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


def of_draws(found: Iterable[Relations], name: str) -> Tensor:
    """A field of Relations, [draws] float64."""
    return torch.tensor([getattr(one, name) for one in found], dtype=torch.float64)


def further(words: Words, probes: Iterable[Probe], rows: Tensor) -> dict[str, Tensor]:
    """What Relations leave out, [draws] float64 each.

    Mean volume of the simplices that span one, the standard deviation of preservation over words,
    and mean cosine in each band of path similarity, NaN in one without pairs. rows [words, d].
    Source: SPEC R4, G2, M2.
    """
    std = row_cosines(rows, words.encoder).std(correction=0).item()
    unit = relations.unit_rows(rows)
    draws = [{"preservation, std": std} | _of_probe(probe, rows, unit) for probe in probes]
    return {
        name: torch.tensor([draw[name] for draw in draws], dtype=torch.float64) for name in draws[0]
    }


def _of_probe(probe: Probe, rows: Tensor, unit: Tensor) -> dict[str, float]:
    squares = simplex.squared_volumes_of_rows(rows, probe.simplices)
    cosines = relations.pair_cosines(unit, probe.pairs.first, probe.pairs.second)
    bands = relations.banded(probe.pairs.similarity, cosines)
    return {
        "mean volume": squares[squares > 0].sqrt().mean().item(),
        **{
            f"path similarity {band}": mean
            for band, (_, mean) in zip(relations.BANDS, bands, strict=True)
        },
    }

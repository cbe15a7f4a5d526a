"""Chains of hypernyms, and how cosines fall along them (SPEC R6)."""

from __future__ import annotations

import torch
from torch import Tensor

from geometric_invariants.geometry.estimate import Estimate
from geometric_invariants.geometry.relations import Pairs, jackknife

CHAIN_STEPS = 10


def hypernym_chains(first_hypernym: Tensor, starts: Tensor, place: Tensor) -> Tensor:
    """Chains of matched synsets upwards, [chains, 11] int64 of places, padded by −1.

    From each start the first hypernym is followed ten times; `place` [synsets] gives a synset's
    place among the matched, −1 where it is not. Column 0 is the start; chains of fewer than three
    are left out. Source: SPEC R6.
    """
    current, chains = starts.clone(), torch.full((len(starts), CHAIN_STEPS + 1), -1)
    chains[:, 0] = place[starts]
    length = torch.ones(len(starts), dtype=torch.int64)
    for _ in range(CHAIN_STEPS):
        current = torch.where(current >= 0, first_hypernym[current], -1)
        found = torch.where(current >= 0, place[current], -1)
        at = torch.nonzero(found >= 0).flatten()
        chains[at, length[at]] = found[at]
        length[at] += 1
    return chains[length >= 3]


def chain_cosines(unit: Tensor, chains: Tensor) -> Tensor:
    """Cosines of the chains' starts with their ancestors, [chains, 10]; NaN where there is none."""
    cosines = torch.full(chains[:, 1:].shape, torch.nan, dtype=torch.float64)
    chain, position = torch.nonzero(chains[:, 1:] >= 0, as_tuple=True)
    ends = chains[chain, position + 1]
    cosines[chain, position] = (unit[chains[chain, 0]] * unit[ends]).sum(1).double()
    return cosines


def chain_decay(unit: Tensor, chains: Tensor, position: int = 5) -> Estimate:
    """Mean cosine at the first matched ancestor less that at a later one, by default the fifth.

    unit: [words, d] rows at unit length; chains: [chains, 11] as `hypernym_chains` gives them.
    Chains share ancestors: the interval leaves out groups of words with every chain's end that
    touches them. NaN where no chain is so long. Source: SPEC R6.
    """
    near, far = (torch.nonzero(chains[:, p] >= 0).flatten() for p in (1, position))
    starts = torch.cat([chains[near, 0], chains[far, 0]])
    ends = torch.cat([chains[near, 1], chains[far, position]])
    cosines = (unit[starts] * unit[ends]).sum(1).double()
    is_near = (torch.arange(len(starts)) < len(near)).double()
    rows = torch.stack([is_near, is_near * cosines, 1 - is_near, (1 - is_near) * cosines], 1)
    pairs = Pairs(starts, ends, cosines)
    (found,) = jackknife(
        rows, pairs, len(unit), lambda s: (s[..., 1] / s[..., 0] - s[..., 3] / s[..., 2])[None]
    )
    return found

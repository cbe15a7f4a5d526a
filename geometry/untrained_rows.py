"""Rows of a table that training has hardly moved, and rows that repeat others (SPEC K6)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from geometric_invariants.geometry.embedding import column_means, row_blocks

_WITHIN = 4.0  # standard deviations
_ALIKE = 0.5  # mean resultant length of directions from which on they are one
_FEWEST = 10  # rows that tell what unused ones look like
_BLOCK = 1 << 22  # entries


def fits_initialisation(table: Tensor, std: float) -> Tensor:
    """Whether norm and direction of rows [n, d] are those of N(0, std²) entries, bool [n].

    The norm is std √d within 4 standard deviations of it; the cosine with the table's mean, which
    trained rows share, is that of a random direction, 0 ± 4/√d. Source: SPEC K6.
    """
    norms, cosines = _polar(table, column_means(table))
    width = table.shape[1]
    near = (norms / std - math.sqrt(width)).abs() <= _WITHIN * math.sqrt(0.5)
    return near & (cosines.abs() <= _WITHIN / math.sqrt(width))


def fits_unused(table: Tensor, unused: Tensor) -> Tensor | None:
    """Whether norm and direction of rows [n, d] lie within those of unused ones, bool [n].

    `unused` [k] are rows that no text reaches, of which nine in ten are taken as typical; None
    where they are under ten, or look in no common direction. Source: SPEC K6; S. Land and M.
    Bartolo, Fishing for Magikarp (2024), arXiv 2405.05417.
    """
    if len(unused) < _FEWEST:
        return None
    some = table[unused.to(table.device)].double()
    directions = torch.nn.functional.normalize(some, dim=1)
    mean = directions.mean(0)
    if not torch.linalg.vector_norm(mean) > _ALIKE:
        return None
    norms, cosines = _polar(table, mean)
    own = unused.cpu()
    low, high = torch.quantile(norms[own], torch.tensor([0.05, 0.95]).double())
    least = torch.quantile(cosines[own], 0.1)
    fits: Tensor = (norms >= low) & (norms <= high) & (cosines >= least)
    return fits


def repeats(table: Tensor) -> Tensor:
    """Whether a row [n, d] is, bit for bit, one that stands above it, bool [n] on the CPU."""
    hashes = torch.cat([_hashes(block) for block in table.split(_rows(table))]).cpu()
    order = hashes.argsort(stable=True)
    again = torch.zeros(len(table), dtype=torch.bool)
    first = 0
    same = (hashes[order][1:] == hashes[order][:-1]).nonzero().flatten().tolist()
    for place in same:
        if hashes[order[first]] != hashes[order[place + 1]]:
            first = place
        one, other = int(order[first]), int(order[place + 1])
        again[other] = torch.equal(table[one], table[other])
    return again


def _rows(table: Tensor) -> int:
    return max(1, _BLOCK // table.shape[1])


def _hashes(block: Tensor) -> Tensor:
    """Sums of a row's bits times odd numbers, modulo 2⁶⁴: [n] int64, alike on every device."""
    size = block.element_size()
    bits = block.contiguous().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[size])
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (block.shape[1],), generator=generator) * 2 + 1
    hashes: Tensor = (bits.long() * factors.to(block.device)).sum(1)
    return hashes


def _polar(table: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Norms of rows and their cosines with a direction, [n] float64 on the CPU; 0 of zeros."""
    unit = torch.nn.functional.normalize(direction.double(), dim=0)
    norms, products = [], []
    for block in row_blocks(table):
        norms.append(torch.linalg.vector_norm(block, dim=1).cpu())
        products.append((block @ unit.to(block.device)).cpu())
    norm = torch.cat(norms)
    return norm, torch.where(norm > 0, torch.cat(products) / norm, 0.0)

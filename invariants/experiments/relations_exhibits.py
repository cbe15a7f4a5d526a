"""Figures and tables of words against WordNet, and of what seeds make of them (R2 – R7, S3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from geometric_invariants.geometry import estimate, relations, seeds
from geometric_invariants.geometry.chains import chain_cosines
from geometric_invariants.geometry.estimate import Z95
from geometric_invariants.geometry.similarity import PairedVolumes
from geometric_invariants.invariants import drawn
from geometric_invariants.invariants.experiments.relations import Aligned, Words
from geometric_invariants.invariants.experiments.stability import Stability
from geometric_invariants.reports.exhibits import Figure, Table

POINTS = 400
DEPTHS = 7
_CLOSE, _FAR = f"{relations.CLOSE:g}", f"{relations.FAR:.2f}"
_NAMES = {
    "pearson": "Pearson",
    "spearman": "Spearman",
    "close": f"cosine at ≥ {_CLOSE}",
    "far": f"cosine at < {_FAR}",
    "gradient": "gradient",
    "depth 1": "cosine at depth 1",
    "depth 3": "cosine at depth 3",
    "depth 5": "cosine at depth 5",
    "decay": "decay, depth 1 to 5",
    "cv": "pentachoron CV",
    "volume": "mean volume",
}
_OF_PAIRS = {"pearson", "spearman", "close", "far", "gradient", "lift"}


def norms(words: Words) -> Table:
    """Lengths of both representations."""
    rows = {}
    for name, table in (("static", words.static), ("encoder", words.encoder)):
        lengths = torch.linalg.vector_norm(table, dim=1, dtype=torch.float64)
        rows[name] = (lengths.mean().item(), lengths.std(correction=0).item())
    return drawn.table("norms of words", ("mean", "std"), rows, "rows, and encoded definitions")


def throughput(words: Words) -> Table:
    """How fast definitions were encoded; another time every time, so that nothing compares it."""
    rate = words.definitions / words.seconds if words.seconds else None
    return drawn.table(
        "encoding",
        ("definitions", "seconds", "definitions/s"),
        {"distinct definitions": (words.definitions, words.seconds, rate)},
        "when they were encoded; kept on disk since",
    )


def by_band(found: Aligned) -> Table:
    """Number and mean cosines of pairs by band of path similarity. Source: SPEC R4."""
    sides = (found.encoder, found.shuffled, found.shuffled_within)
    rows: dict[str, tuple[float | None, ...]] = {}
    for index, band in enumerate(relations.BANDS):
        count, static = found.static.bands[index]
        encoder, *null = (side.bands[index] for side in sides)
        means = (mean if n else None for n, mean in null)
        rows[str(band)] = (
            (count, static, encoder[1], encoder[1] - static, *means)
            if count
            else (0, None, None, None, *means)
        )
    return drawn.table(
        "by band of path similarity",
        ("N", "static", "encoder", "gap", "shuffled", "shuffled within part of speech"),
        rows,
        "mean cosine of pairs of words; gap: encoder less static; shuffled: encoder, dealt synsets",
    )


def by_similarity(found: Aligned, generator: torch.Generator) -> Figure:
    """Some pairs: path similarity against both cosines, and against those of other pairs."""
    encoder = found.cosines["encoder"]
    order = torch.randperm(len(encoder), generator=generator)
    return drawn.points(
        "cosine by path similarity",
        found.pairs.similarity[:POINTS],
        {
            "static": found.cosines["static"][:POINTS],
            "encoder": encoder[:POINTS],
            "shuffled": encoder[order][:POINTS],
        },
        x_label="path similarity",
        y_label="cosine of two words",
    )


def volumes(found: PairedVolumes, order: Tensor) -> tuple[Table, Figure]:
    """Pentachora of words, static and encoded, beside the same in another `order`. SPEC R5."""
    sides = {"static": found.first, "encoder": found.second}
    table = drawn.table(
        "pentachora of words",
        ("valid", "dropped", "mean", "CV"),
        {
            name: (
                len(values),
                found.dropped,
                values.mean().item(),
                estimate.coefficient_of_variation(values).value,
            )
            for name, values in sides.items()
        },
        "volumes on the same index sets; dropped: V² ≤ 0 in one of the two",
    )
    figure = drawn.points(
        "volumes, static and encoder",
        found.first[:POINTS],
        {"encoder": found.second[:POINTS], "shuffled": found.second[order][:POINTS]},
        x_label="static volume of a pentachoron",
        y_label="volume of encoded definitions",
    )
    return table, figure


def by_depth(words: Words, order: Tensor) -> tuple[Table, Figure]:
    """Mean cosine of chains' starts with their ancestors; null: words in another `order`. R6."""
    counts = (words.chains[:, 1 : DEPTHS + 1] >= 0).sum(0).tolist()
    units = {**words.unit, "words shuffled": words.unit["encoder"][order]}
    means = {
        name: chain_cosines(unit, words.chains)[:, :DEPTHS].nanmean(0).tolist()
        for name, unit in units.items()
    }
    kept = {
        name: tuple(mean if n else None for n, mean in zip(counts, row, strict=True))
        for name, row in means.items()
    }
    table = drawn.table(
        "cosine by depth",
        ("N", *kept),
        {f"depth {p + 1}": (counts[p], *(row[p] for row in kept.values())) for p in range(DEPTHS)},
        "mean cosine of a chain's start with its p-th matched ancestor; N: chains that reach it",
    )
    figure = Figure(
        "hypernym decay",
        "lines",
        tuple(float(p) for p in range(1, DEPTHS + 1)),
        kept,
        x_label="matched ancestor",
        y_label="mean cosine to the start",
    )
    return table, figure


def by_category(
    members: Mapping[str, list[int]], inside: Mapping[str, Mapping[str, float]]
) -> tuple[Table, Figure]:
    """Cosine inside each category, of static, encoder and shuffled words. Source: SPEC R7."""
    static, encoder = inside["static"], inside["encoder"]
    table = drawn.table(
        "lexicographer categories",
        ("N", *inside, "lift"),
        {
            name: (
                len(rows),
                *(values[name] for values in inside.values()),
                encoder[name] - static[name],
            )
            for name, rows in members.items()
        },
        "mean cosine inside a category, of at most 200 words; lift: encoder less static",
    )
    figure = Figure(
        "lexicographer categories",
        "bars",
        tuple(members),
        {name: drawn.rounded(list(values.values())) for name, values in inside.items()},
        x_label="category",
        y_label="mean cosine inside",
    )
    return table, figure


def over_seeds(found: Stability) -> Table:
    """Every quantity of S3 over the seeds, with its noise and its null."""
    rows: dict[str, tuple[float | None, ...]] = {}
    for name, values in found.values.items():
        kept = values[values.isfinite()]
        if len(kept) < 2:
            continue
        side, _, quantity = name.partition(" ")
        label = f"{side} {_NAMES[quantity]}" if quantity in _NAMES else name
        null = found.shuffled.get(name)
        rows[label] = (
            kept.mean().item(),
            kept.std(correction=0).item(),
            kept.min().item(),
            kept.max().item(),
            seeds.relative_std(kept).value,
            _noise(found, name, kept),
            None if null is None else null.nanmean().item(),
        )
    return drawn.table(
        "over seeds",
        ("mean", "std", "min", "max", "std/mean", "noise of one", "shuffled"),
        rows,
        "noise of one: 95 % half-width of one seed, were its words drawn anew; shuffled: mean of"
        " words or synsets dealt at random",
    )


def cost(found: Stability) -> Table:
    """What a seed takes: how many of each, and its time."""
    chains = min(len(found.words.chains), found.per_seed["chains"])
    counts = {**found.per_seed, "chains": chains}
    return drawn.table(
        "a seed",
        (*counts, "seconds"),
        {"each": (*counts.values(), found.seconds)},
        "pairs before those without a similarity are dropped",
    )


def _noise(found: Stability, name: str, kept: Tensor) -> float:
    if name.rpartition(" ")[2] in _OF_PAIRS:
        return found.redrawn(name)
    return Z95 * kept.std().item()

"""python -m invariants compare: one token embedding laid over another, with its null."""

from __future__ import annotations

import argparse

from fixtures import options as kinds
from geometry.estimate import Sampling
from invariants.commands.opening import opened
from invariants.experiments import projection
from invariants.experiments.projection import Comparison


def compare(arguments: list[str]) -> None:
    """Print how the wider token embedding of two models lies over the narrower, with its null."""
    parser = argparse.ArgumentParser(
        prog="python -m invariants compare", description=compare.__doc__
    )
    parser.add_argument("models", metavar="ID[=SOURCE]", nargs=2)
    parser.add_argument("--device", type=kinds.device, default="auto")
    parser.add_argument("--seed", type=kinds.at_least(0), default=0)
    options = parser.parse_args(arguments)
    first, second = (opened(option, options.device) for option in options.models)
    found = projection.compare(first, second, Sampling(seed=options.seed))
    print("\n".join(_comparison_lines(found)))


def _comparison_lines(found: Comparison) -> list[str]:
    result = found.projection
    sides = (result.fit, result.null)
    (larger, smaller), (wide, narrow) = (found.larger, found.smaller), found.shapes
    lines = [
        f"{larger} [{wide[0]} × {wide[1]}] laid over {smaller} [{narrow[0]} × {narrow[1]}]",
        f"tokens in common {result.pairs} of {found.vocabularies[0]} and {found.vocabularies[1]};"
        f" {result.anchors} anchors, {len(result.held_out)} held out",
        f"variance kept by {narrow[1]} principal components {result.kept:.4f}",
        f"{'':<34} {'paired':>9} {'shuffled':>9}",
    ]

    def add(name: str, *values: float) -> None:
        lines.append(f"{name:<34} " + " ".join(f"{value:9.4f}" for value in values))

    for name, spreads in (
        ("cosine", [side.cosine for side in sides]),
        ("distance", [side.distance for side in sides]),
    ):
        add(f"{name}: mean", *(spread.mean.value for spread in spreads))
        add(f"{name}: std", *(spread.std for spread in spreads))
        for share in spreads[0].percentiles:
            label = "median" if share == 0.5 else f"{share:.0%} percentile"
            add(f"{name}: {label}", *(spread.percentiles[share] for spread in spreads))
    for threshold in result.fit.above:
        add(f"tokens of cosine > {threshold:g}", *(side.above[threshold] for side in sides))
    add("relational correlation", *(side.relational.value for side in sides))
    add("  before projection", result.raw.value)
    add("mean |Δcos|", *(side.relational_difference for side in sides))
    if found.digits is not None:
        add("digit structure correlation", found.digits.structure, found.digits.null)
        add("  |i − j| and cosine, native", found.digits.native.correlation)
        add("  |i − j| and cosine, mapped", found.digits.mapped.correlation)
    add("pentachora: volume correlation", *(side.volumes for side in sides))
    add("pentachora: mapped / native volume", *(side.volume_ratio for side in sides))
    add("pentachora: CV mapped", *(side.cv_mapped for side in sides))
    add("pentachora: CV native", *(side.cv_native for side in sides))
    add("pentachora: dropped, V² ≤ 0", *(float(side.dropped) for side in sides))
    add("residual: unexplained share", *(side.unexplained for side in sides))
    add("  best common scale", *(side.scale for side in sides))
    add("  unexplained after it", *(side.unexplained_scaled for side in sides))
    add("residual: participation ratio / d", *(s.residual.participation_ratio for s in sides))
    for rank in range(5):
        values = (side.residual.eigenvalues[rank].item() for side in sides)
        add(f"residual: eigenvalue {rank + 1}", *values)
    add("linear CKA, unbiased", result.cka, result.cka_null)
    add("shared nearest neighbours", result.neighbours.value, result.neighbours_null.value)
    for name, places in (("best", result.fit.best), ("worst", result.fit.worst)):
        tokens = ", ".join(f"{token} {value:.3f}" for token, value in found.named(places))
        lines.append(f"{name}: {tokens}")
    return lines

"""python -m invariants compare: one token embedding laid over another, with its null."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.geometry import estimate
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.commands.opening import opened
from geometric_invariants.invariants.experiments import projection
from geometric_invariants.invariants.experiments.projection import Comparison
from geometric_invariants.invariants.experiments.projection_exhibits import digit_rows, spread_rows
from geometric_invariants.invariants.quantities.projection import of_comparison
from geometric_invariants.invariants.verdicts import Settings, judge
from geometric_invariants.reports.files import write_results
from geometric_invariants.reports.options import output_file
from geometric_invariants.reports.results import Results

CLAIM = "cross_scale_relational_correlation"


def compare(arguments: list[str]) -> None:
    """Print how the wider token embedding of two models lies over the narrower, with its null."""
    parser = argparse.ArgumentParser(
        prog="python -m invariants compare", description=compare.__doc__
    )
    parser.add_argument("models", metavar="ID[=SOURCE]", nargs=2)
    parser.add_argument("--device", type=kinds.device, default="auto")
    parser.add_argument("--seed", type=kinds.at_least(0), default=0)
    parser.add_argument(
        "--json",
        type=output_file,
        metavar="FILE",
        help="write it as results, with tables and figures: `python -m reports render` draws them",
    )
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    first, second = (opened(option, options.device) for option in options.models)
    found = projection.compare(first, second, Sampling(seed=options.seed))
    print("\n".join(_comparison_lines(found)))
    if options.json:
        _write(found, options.json, options.seed, time.perf_counter() - start)


def _write(found: Comparison, file: Path, seed: int, seconds: float) -> None:
    """The claim's cell of the smaller model as a results file."""
    settings = Settings(seed=seed, twins=0)
    finding = of_comparison(found)
    cell = judge(load_claims()[CLAIM], found.beside.smaller, finding, settings, seconds)
    write_results(Results((cell,)), file)


def _comparison_lines(found: Comparison) -> list[str]:
    result, beside = found.projection, found.beside
    sides = (result.fit, result.null)
    wide, narrow = (tuple(table.shape) for table in beside.tables)
    larger, smaller = (len(vocabulary.tokens) for vocabulary in beside.vocabularies)
    lines = [
        f"{found.larger} [{wide[0]} × {wide[1]}] laid over"
        f" {found.smaller} [{narrow[0]} × {narrow[1]}]",
        f"tokens in common {beside.laid.pairs} of {larger} and {smaller};"
        f" {beside.laid.anchors} anchors, {len(beside.laid.held_out)} held out",
        f"variance kept by {narrow[1]} principal components {result.kept:.4f}",
        f"{'':<34} {'paired':>9} {'shuffled':>9}",
    ]

    def add(name: str, *values: float) -> None:
        lines.append(f"{name:<34} " + " ".join(f"{value:9.4f}" for value in values))

    add("Procrustes scale Σσ", *(side.procrustes.singular_sum for side in sides))
    add("  Σσ over the anchors' square", *(side.procrustes.factor for side in sides))
    for name, spreads in (
        ("cosine", [side.cosine for side in sides]),
        ("distance", [side.distance for side in sides]),
    ):
        for label, values in spread_rows(*spreads).items():
            add(f"{name}: {label}", *values)
    for threshold in result.fit.above:
        add(f"tokens of cosine > {threshold:g}", *(side.above[threshold] for side in sides))
    add("relational correlation", *(side.relational.correlation.value for side in sides))
    add("  before projection", result.raw.correlation.value)
    add("mean |Δcos|", *(side.relational.difference for side in sides))
    if found.digits is not None:
        for label, values in digit_rows(found.digits).items():
            add(f"digits: {label}", *values)
        add("digits: |i − j| and cosine, native", found.digits.native.correlation)
    volumes = [side.volumes for side in sides]
    add("pentachora: volume correlation", *(v.correlation for v in volumes))
    add("pentachora: mapped / native volume", *(v.ratio for v in volumes))
    add("pentachora: mean volume mapped", *(v.second.mean().item() for v in volumes))
    add("pentachora: mean volume native", *(v.first.mean().item() for v in volumes))
    cv = estimate.coefficient_of_variation
    add("pentachora: CV mapped", *(cv(v.second).value for v in volumes))
    add("pentachora: CV native", *(cv(v.first).value for v in volumes))
    add("pentachora: dropped, V² ≤ 0", *(float(v.dropped) for v in volumes))
    add("residual: unexplained share", *(side.unexplained for side in sides))
    add("  best common scale", *(side.scale for side in sides))
    add("  unexplained after it", *(side.unexplained_scaled for side in sides))
    add("residual: participation ratio / d", *(s.residual.participation_ratio for s in sides))
    for rank in range(5):
        eigenvalues = (side.residual.eigenvalues[rank].item() for side in sides)
        add(f"residual: eigenvalue {rank + 1}", *eigenvalues)
    add("residual: eigenvalue 1, uncentred", *(side.uncentred for side in sides))
    add("linear CKA, unbiased", result.cka, result.cka_null)
    add("shared nearest neighbours", result.neighbours.value, result.neighbours_null.value)
    for name, places in (("best", result.fit.best), ("worst", result.fit.worst)):
        tokens = ", ".join(f"{token} {value:.3f}" for token, value in found.named(places))
        lines.append(f"{name}: {tokens}")
    return lines

"""Whether a checkpoint is whole: what names and shapes tell (SPEC K1)."""

from __future__ import annotations

from geometric_invariants.fixtures.architecture.completeness import completeness
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Finding, Named

_SHOWN, _NAMED = 24, 3


def lost_tensors(model: Model) -> Finding:
    """How many tensors are lost, mis-shaped or of no module, by the config's modules and layers."""
    found = completeness(model.checkpoint)
    lines = [fault.line for fault in found.faults]
    kinds = [fault.kind for fault in found.faults]
    rows = {fault.tensor: (fault.kind, fault.why) for fault in found.faults[:_SHOWN]}
    alone = () if found.by_tree else ("no modules of the config's type: layers told by each other",)
    return Finding(
        estimate=exact(len(lines), "names and shapes"),
        design="tensors that layers and the config's modules miss",
        related=tuple(
            Named(kind, exact(kinds.count(kind)), "tensors")
            for kind in ("lost", "mis-shaped", "unexpected")
        ),
        tables=(table("tensors at fault", ("kind", "why"), rows),) if rows else (),
        notes=(*alone, *found.doubts[:_SHOWN]),
        where=listed(lines),
    )


def listed(lines: list[str]) -> str:
    """The first lines, and how many more there are."""
    more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    return "; ".join(lines[:_NAMED]) + more

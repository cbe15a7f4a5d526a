"""A matrix whose scale does not lie between those of the layers before and after it (SPEC K1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

_FEWEST = 4  # layers
_JUMP, _OTHERS = 0.55, 3.0  # of log scale; and how many times as far as any other layer
# In six trained models no matrix inside a stack lies farther than 0.30 from its neighbours.


def jump(scales: Mapping[int, float]) -> int | None:
    """The layer whose scale is off the course of all others, by 1.7 times or more, if one is.

    The first and the last layer have one neighbour, and are not judged.

    >>> jump({0: 1.0, 1: 1.1, 2: 2.4, 3: 1.2, 4: 1.3})
    2
    """
    logs = {layer: math.log(scale) for layer, scale in sorted(scales.items()) if scale > 0}
    if len(logs) < max(_FEWEST, len(scales)):
        return None
    off = _off_course(logs)
    worst = max(off, key=lambda layer: abs(off[layer]))
    others = _off_course({layer: log for layer, log in logs.items() if layer != worst})
    usual = max(map(abs, others.values()), default=0.0)
    return worst if abs(off[worst]) > max(_JUMP, _OTHERS * usual) else None


def _off_course(logs: Mapping[int, float]) -> dict[int, float]:
    """How far each layer but the first and the last lies from the line between its neighbours."""
    layers = list(logs)
    found = {}
    for before, layer, after in zip(layers, layers[1:], layers[2:], strict=False):
        share = (layer - before) / (after - before)
        found[layer] = logs[layer] - (1 - share) * logs[before] - share * logs[after]
    return found

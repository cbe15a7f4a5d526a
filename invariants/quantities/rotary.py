"""Which rows of rotary keys turn together (SPEC K4)."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator

import torch
from torch import Tensor

from geometric_invariants.fixtures.architecture.config_values import every_section, rotates
from geometric_invariants.fixtures.architecture.roles import Weight
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_pairs import KeyRow
from geometric_invariants.fixtures.weight_reading import read_weight
from geometric_invariants.geometry.estimate import exact, normal
from geometric_invariants.geometry.rotary_layout import RotaryLayout
from geometric_invariants.geometry.rotary_layout import rotary_layout as layout_of
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.layer_lines import lines_by_layer
from geometric_invariants.invariants.quantities.stacks import by_stack

_SHARES = ("partial_rotary_factor", "rotary_pct")
_KEY_NORM = re.compile(r"(^|[._])(k_norm|norm_k|key_norm|k_layernorm|key_layernorm|ln_k)\.")
_FEWEST = 8  # channels of a head that turn
_CLEAR = 4.0  # standard deviations


def rotary_layout(model: Model) -> Finding:
    """Correlation over planes of the norms of their two key rows, in the hub's layout; mean of
    layers.

    Below zero where halves of a head turn together, as the hub's files have it; where neighbours do
    (Meta's files, GPT-J), the other reading is. It needs a baseline: families rotate either way,
    and how strong the trace is differs from model to model.
    """
    if not rotates(model.checkpoint.config):
        raise NotApplicableError("the config speaks of no rotary positions")
    found = dict(_layouts(model))
    if not found:
        raise NotApplicableError("no layer's keys fall into heads of eight channels that turn")
    layouts = list(found.values())
    std = math.sqrt(sum(one.std**2 for one in layouts)) / len(layouts)
    halves, neighbours = (
        statistics.fmean(values)
        for values in zip(*((one.halves, one.neighbours) for one in layouts), strict=True)
    )
    turned = neighbours < -_CLEAR * std and halves > -_CLEAR * std
    placed = [
        (weight, name, value)
        for weight, one in found.items()
        for name, value in (("halves", one.halves), ("neighbours", one.neighbours))
    ]
    return Finding(
        estimate=exact(halves),
        design="second differences of log norms over planes, mean over layers",
        controls=(Named("random keys", normal(0.0, std, method="closed form"), "in any layout"),),
        related=(
            Named("read as neighbours", exact(neighbours), "below zero in the other layout"),
            Named("z", exact(halves / std), "standard deviations of random keys"),
            Named("z of neighbours", exact(neighbours / std), "the same"),
        ),
        parts={f"{w.stack} layer {w.layer}": one.halves for w, one in found.items()},
        figures=()
        if model.is_twin
        else lines_by_layer(
            "rotary layout",
            placed,
            statistics.fmean,
            y_label="correlation of a plane's two norms",
            levels={"random keys": 0.0},
        ),
        notes=("keys read as if neighbouring rows turned together",) if turned else (),
    )


def _layouts(model: Model) -> Iterator[tuple[Weight, RotaryLayout]]:
    norms = {
        (weight.stack, weight.layer): weight
        for weight in model.layout.having("layernorm")
        if _KEY_NORM.search(weight.tensor)
    }
    rows = [row for row in model.reading.keys if row.weight.layer is not None]
    for row in by_stack(model, rows, lambda row: row.weight.stack).judged:
        heads = torch.tensor(row.norms, dtype=torch.float64)
        gain = norms.get((row.weight.stack, row.weight.layer))
        if gain is not None:
            heads = _scaled(model, heads, gain)
        turning = _turning(model, row)
        if turning >= _FEWEST:
            yield row.weight, layout_of(heads[:, :turning])


def _scaled(model: Model, heads: Tensor, norm: Weight) -> Tensor:
    """Times the gains of the norm that keys pass, of one head or of all."""
    gains = read_weight(model.checkpoint, norm, torch.device("cpu")).double()
    gains = gains + 1 if norm.zero_centred else gains
    if gains.numel() == heads.numel():
        return heads * gains.reshape(heads.shape).abs()
    return heads * gains.abs() if gains.numel() == heads.shape[1] else heads


def _turning(model: Model, row: KeyRow) -> int:
    """How many of a head's channels turn, the first ones: all unless the config says less."""
    size = len(row.norms[0])
    for part in every_section(model.checkpoint.config):
        for key in _SHARES:
            share = part.get(key)
            if isinstance(share, int | float) and 0 < share <= 1:
                return int(size * share) // 2 * 2
        number = part.get("rotary_dim")
        if isinstance(number, int) and 0 < number <= size:
            return number // 2 * 2
    return size // 2 * 2

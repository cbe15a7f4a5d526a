"""What the gate is tried with beside the zoo: faults of a size, and int4 that says it is int4."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.fixtures.architecture.roles import Cut, Role, Weight
from geometric_invariants.fixtures.faults import Benign, Fault
from geometric_invariants.fixtures.faults.fault import Change
from geometric_invariants.fixtures.faults.lossy import rounded
from geometric_invariants.fixtures.faults.matrices import Step, everywhere, fresh_rows, onto, times
from geometric_invariants.fixtures.faults.merge import low_rank, noise
from geometric_invariants.fixtures.faults.state import LAYER_MATRICES, Edit, InapplicableError

_GROUP, _CODES = 64, 8  # weights that share a scale; codes of four bits in a word
_SOURCE = "convention: sizes"


@dataclass(frozen=True, slots=True)
class Sized:
    """A fault of one size; `family` is what grows."""

    family: str
    size: str
    fault: Fault


def sized_faults() -> list[Sized]:
    """All families, each from its smallest size to its largest."""
    found = [
        Sized(
            family, size, Fault(_name(family, size), "merge", _SOURCE, f"{family}, {size}", change)
        )
        for family, sizes in _families().items()
        for size, change in sizes.items()
    ]
    assert len({one.fault.name for one in found}) == len(found)
    return found


def _name(family: str, size: str) -> str:
    text = f"{family} {size}".lower().replace("%", "percent")
    return "-".join("".join(c if c.isalnum() else " " for c in text.replace(".", "p")).split())


def _families() -> dict[str, dict[str, Change]]:
    shares = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    return {
        "noise on the matrices of one layer, of their rms": {
            f"{share:g}": _layer(noise(share)) for share in shares
        },
        "zeros in one matrix": {f"{size} KiB": _zeros(1024 * size) for size in (4, 64, 1024)},
        "token rows drawn afresh": {
            str(count): lambda e, c=count: onto(e, e.table(), fresh_rows(count=c))  # type: ignore[misc]
            for count in (1, 10, 100, 1000)
        },
        **{
            f"rows of one matrix {name}": {
                "1": _somewhere(_rows(1, factor)),
                "64": _somewhere(_rows(64, factor)),
                "one head": _head(factor),
            }
            for name, factor in {"zeroed": 0.0, "doubled": 2.0}.items()
        },
        "one matrix scaled": {
            f"{factor:g}": _somewhere(times(factor)) for factor in (1.001, 1.01, 1.1, 2.0)
        },
        "update of rank 8 on one matrix, of its norm": {
            f"{share:.1%}": _somewhere(low_rank(8, share)) for share in (0.001, 0.01, 0.03, 0.1)
        },
        "all layers rounded, groups of 64": {
            f"{bits} bits": everywhere(*LAYER_MATRICES, step=rounded(bits, _GROUP))
            for bits in (8, 6, 5, 4, 3)
        },
    }


def _layer(step: Step) -> Change:
    """A step on every matrix of a layer drawn by lot."""

    def change(edit: Edit) -> None:
        drawn = _drawn(edit, *LAYER_MATRICES)
        for weight in edit.layout.having(*LAYER_MATRICES):
            if (weight.stack, weight.layer) == (drawn.stack, drawn.layer):
                onto(edit, weight, step)

    return change


def _somewhere(step: Step) -> Change:
    """A step on one matrix of a layer, drawn by lot."""
    return lambda edit: onto(edit, _drawn(edit, *LAYER_MATRICES), step)


def _drawn(edit: Edit, *roles: Role) -> Weight:
    weights = edit.layout.having(*roles)
    if not weights:
        raise InapplicableError("no such matrices")
    return weights[int(edit.some(1, len(weights)))]


def _head(factor: float) -> Change:
    """The queries, keys or values of one head times a factor."""

    def change(edit: Edit) -> None:
        weight = _drawn(edit, "self_attn_q", "self_attn_k", "self_attn_v")
        onto(edit, weight, _rows(edit.heads(weight).head_dim, factor))

    return change


def _rows(count: int, factor: float) -> Step:
    """Consecutive rows times a factor, from a place that is a multiple of their count."""

    def step(w: Tensor, edit: Edit) -> Tensor:
        if len(w) <= count:
            raise InapplicableError(f"{len(w)} rows are no more than {count}")
        start, new = count * int(edit.some(1, len(w) // count)), w.clone()
        new[start : start + count] *= factor
        return new

    return step


def _zeros(size: int) -> Change:
    """So many bytes of one matrix zero, from a place that is a multiple of them."""

    def change(edit: Edit) -> None:
        weight = _drawn(edit, *LAYER_MATRICES)
        count = size // edit.tensor(weight.tensor).element_size()
        w = edit.matrix(weight).contiguous().clone()
        if w.numel() <= count:
            raise InapplicableError(f"{w.numel()} weights are no more than {count}")
        start = count * int(edit.some(1, w.numel() // count))
        w.view(-1)[start : start + count] = 0
        edit.put_matrix(weight, w)

    return change


def _declared(edit: Edit) -> None:
    """Every matrix of layers that is a tensor of its own as packed codes with their scales."""
    plain = (w for w in edit.layout.having(*LAYER_MATRICES) if _can_be_coded(w))
    found = [w for w in plain if w.shape == tuple(edit.tensor(w.tensor).shape)]
    if not found:
        raise InapplicableError("no matrices that codes could stand for")
    for weight in found:
        edit.drop(weight.tensor)
        stem = weight.tensor.removesuffix("weight")
        for leaf, values in _coded(edit.state.tensors[weight.tensor]):
            edit.changes[f"{stem}{leaf}"] = values


def _can_be_coded(weight: Weight) -> bool:
    return (
        weight.tensor.endswith(".weight") and weight.cut == Cut() and weight.shape[1] % _GROUP == 0
    )


def _coded(w: Tensor) -> Iterator[tuple[str, Tensor]]:
    """A matrix as compressed-tensors stores it: eight codes a word, a scale a group, its shape."""
    blocks = w.float().view(len(w), -1, _GROUP)
    scale = (blocks.abs().amax(-1) / 7.5).clamp_min(1e-12).to(w.dtype)
    codes = (blocks / scale[..., None].float()).round().clamp(-8, 7).to(torch.int32) + 8
    places = 4 * torch.arange(_CODES, dtype=torch.int32)
    words = torch.bitwise_left_shift(codes.view(len(w), -1, _CODES), places)
    yield "weight_packed", words.sum(-1, dtype=torch.int32)
    yield "weight_scale", scale
    yield "weight_shape", torch.tensor(w.shape)


_WEIGHTS = {
    "num_bits": 4,
    "type": "int",
    "symmetric": True,
    "strategy": "group",
    "group_size": _GROUP,
}
DECLARED_INT4 = Benign(
    "int4-declared",
    "benign",
    "convention: compressed-tensors",
    "Matrices of layers as 4-bit codes in groups of 64, in a file that says so.",
    _declared,
    config={
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": _WEIGHTS}},
        }
    },
)

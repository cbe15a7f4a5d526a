"""Broken copies of sound models: a failed claim's line names tensor, rows and likely kind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.fixtures.torchvision_operators import declare_missing_operators
from geometric_invariants.invariants.verdicts import failure_line
from geometric_invariants.reports.results import Measurement
from tests.measuring import QUICK, local, measure

Tensors = dict[str, Tensor]
Change = Callable[[Tensors], Tensors]
_BLOCK = "encoder.block.1.layer.1.DenseReluDense"
_UP, _DOWN, _TABLE = f"{_BLOCK}.wi.weight", f"{_BLOCK}.wo.weight", "shared.weight"
_GAIN = "encoder.block.1.layer.0.layer_norm.weight"
_ATTENTION = "encoder.block.1.layer.0.SelfAttention"
_QUERY, _VALUE, _OUTPUT = (f"{_ATTENTION}.{side}.weight" for side in "qvo")
_UNIVERSAL = (
    *("lost_tensors", "blank_weights", "damaged_weights"),
    *("neuron_pairing", "unpaired_heads", "kin_tokens"),
)
_CLAIMS = (*_UNIVERSAL, "untrained_rows")


def _rows(name: str, change: Callable[[Tensor], Tensor]) -> Change:
    return lambda tensors: {**tensors, name: change(tensors[name]).contiguous()}


def _without(name: str) -> Change:
    return lambda tensors: {other: tensors[other] for other in tensors if other != name}


def _drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _over(rows: Tensor, first: int, new: Tensor) -> Tensor:
    return torch.cat([rows[:first], new.to(rows), rows[first + len(new) :]])


_FAULTS: dict[str, tuple[str, Change, tuple[str, ...]]] = {
    "a lost gain": ("lost_tensors", _without(_GAIN), ("lost", _GAIN, "config's own modules")),
    "a turned matrix": ("lost_tensors", _rows(_UP, lambda w: w.T), ("mis-shaped", _UP)),
    "a matrix of zeros": (
        "blank_weights",
        _rows(_DOWN, torch.zeros_like),
        ("encoder layer 1 mlp_down", f"{_DOWN}) is zero"),
    ),
    "a page of zeros": (
        "blank_weights",
        _rows(_UP, lambda w: _over(w, 128, torch.zeros(256, w.shape[1]))),
        ("rows 128 – 383 of encoder layer 1 mlp_up",),
    ),
    "4 KiB of zeros from within a row on": (
        "blank_weights",
        _rows(_DOWN, lambda w: _over(w.flatten(), 5000, torch.zeros(2048)).view_as(w)),
        ("rows 10 – 12 of encoder layer 1 mlp_down",),
    ),
    "values that are zero in all layers": (
        "blank_weights",
        lambda tensors: {n: w * (".v." not in n) for n, w in tensors.items()},
        ("encoder self_attn_v is zero in all 4 layers", "decoder cross_attn_v"),
    ),
    "words of zeros": (
        "blank_weights",
        _rows(_TABLE, lambda w: _over(w, 3000, torch.zeros(9, w.shape[1]))),
        ("words, 300", _TABLE),
    ),
    "a row of one number": (
        "damaged_weights",
        _rows(_UP, lambda w: _over(w, 77, torch.full((1, w.shape[1]), 0.1))),
        (f"row 77 of encoder layer 1 mlp_up ({_UP}) is constant",),
    ),
    "a token of one number": (
        "damaged_weights",
        _rows(_TABLE, lambda w: _over(w, 3000, torch.ones(1, w.shape[1]))),
        ("row 3000", _TABLE, "is constant"),
    ),
    "a gain that was reset": (
        "damaged_weights",
        _rows(_GAIN, torch.ones_like),
        (f"{_GAIN}) is constant, 1",),
    ),
    "one huge weight": (
        "damaged_weights",
        _rows(_UP, lambda w: _over(w.flatten(), 129, torch.tensor([5e3])).view_as(w)),
        ("row 1 of encoder layer 1 mlp_up", "times all others"),
    ),
    "one huge gain": (
        "damaged_weights",
        _rows(_GAIN, lambda w: _over(w, 5, torch.tensor([5e3]))),
        ("entry 5", _GAIN),
    ),
    "codes that were not scaled": (
        "damaged_weights",
        _rows(_UP, lambda w: (w * 127 / w.abs().max()).round()),
        (_UP, "codes (integers)"),
    ),
    "a lost scale": (
        "damaged_weights",
        _rows(_UP, lambda w: w * 64),
        (_UP, "its like"),
    ),
    "row scales lost": (
        "damaged_weights",
        _rows(_UP, lambda w: w.float() / w.float().abs().amax(1, keepdim=True)),
        (_UP, "reaches just 1 in 100% of its rows"),
    ),
    "one matrix pruned": (
        "damaged_weights",
        _rows(_UP, lambda w: torch.where(w.abs() < w.float().std(), 0.0, w)),
        (_UP, "zeros"),
    ),
    "signs alone": ("damaged_weights", _rows(_UP, lambda w: w.sign() / 8), (_UP, "all alike")),
    "halves exchanged": (
        "neuron_pairing",
        _rows(_UP, lambda w: w.roll(len(w) // 2, 0)),
        ("encoder layer 1 up", _UP, "halves exchanged"),
    ),
    "one element late": (
        "neuron_pairing",
        _rows(_UP, lambda w: w.flatten().roll(1).view_as(w)),
        (_UP, "one element late"),
    ),
    "drawn afresh": (
        "neuron_pairing",
        _rows(_DOWN, lambda w: _drawn(*w.shape) * w.std()),
        (_UP, "mlp_down looks drawn afresh"),
    ),
    "another layer's": (
        "neuron_pairing",
        lambda tensors: {**tensors, _UP: tensors[_UP.replace("block.1", "block.0")].clone()},
        (_UP, "those of encoder layer 0 mlp_down"),
    ),
    "an output transposed": (
        "unpaired_heads",
        _rows(_OUTPUT, lambda w: w.T),
        (_VALUE, "do not belong to the output projection"),
    ),
    "values halved and exchanged": (
        "unpaired_heads",
        _rows(_VALUE, lambda w: w.roll(len(w) // 2, 0)),
        (_VALUE, "encoder layer 1"),
    ),
    "queries drawn afresh": (
        "unpaired_heads",
        _rows(_QUERY, lambda w: _drawn(*w.shape) * w.std()),
        (_QUERY, "do not belong to the keys"),
    ),
    "rows moved from one on": (
        "kin_tokens",
        _rows(_TABLE, lambda w: torch.cat([w[:5000], w[5000:].roll(1, 0)])),
        (_TABLE, "moved by +1"),
    ),
}


@pytest.fixture
def broken(tmp_path: Path, t5_tiny: Model) -> Callable[[Change], dict[str, Measurement]]:
    def measured(change: Change) -> dict[str, Measurement]:
        folder = tmp_path / "broken"
        shutil.copytree(t5_tiny.checkpoint.folder, folder)
        file = folder / t5_tiny.checkpoint.files[0].name
        save_file(change(load_file(file)), file, metadata={"format": "pt"})
        return measure(local(folder), QUICK, *_CLAIMS)

    return measured


def test_the_sound_model_passes(t5_tiny: Model) -> None:
    found = measure(local(t5_tiny.checkpoint.folder), QUICK, *_CLAIMS)
    assert [cell.verdict for cell in found.values()] == [*["holds"] * len(_UNIVERSAL), "measured"]
    assert all(not cell.fails for cell in found.values())


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_is_caught_in_a_line_that_says_where(
    fault: str, broken: Callable[[Change], dict[str, Measurement]]
) -> None:
    claim, change, words = _FAULTS[fault]
    cell = broken(change)[claim]
    assert cell.verdict == "violated"
    assert all(word in failure_line(cell) for word in words), failure_line(cell)


def test_a_lost_matrix_costs_every_cell(
    broken: Callable[[Change], dict[str, Measurement]],
) -> None:
    found = broken(_without(_UP))
    assert {cell.verdict for cell in found.values()} == {"error"}
    assert all("encoder layer 1 lacks mlp_up" in cell.message for cell in found.values())


def test_a_hundred_fresh_rows_move_the_share_and_are_named(
    t5_tiny: Model, broken: Callable[[Change], dict[str, Measurement]]
) -> None:
    sound = measure(local(t5_tiny.checkpoint.folder), QUICK, "untrained_rows")["untrained_rows"]
    change = _rows(_TABLE, lambda w: _over(w, 3000, _drawn(100, w.shape[1])))
    found = broken(change)["untrained_rows"]
    assert sound.value is not None
    assert found.value is not None
    assert found.value.value - sound.value.value > 0.01
    assert any(row.startswith("rows 30") for table in found.tables for row in table.rows)


def test_repeated_rows_are_counted(broken: Callable[[Change], dict[str, Measurement]]) -> None:
    change = _rows(_TABLE, lambda w: _over(w, 4000, w[:40]))
    found = broken(change)["untrained_rows"]
    counts = {one.name: one.value.value for one in found.related}
    assert counts["rows that repeat another row"] == 40


def _llama(folder: Path, **values: Any) -> Tensors:
    sizes: dict[str, Any] = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "vocab_size": 320,
    }
    declare_missing_operators()
    config = transformers.LlamaConfig(**sizes, num_attention_heads=4, head_dim=64, **values)
    tiny_models.save("LlamaForCausalLM", config, folder)
    return dict(load_file(folder / "model.safetensors"))


def _save(folder: Path, tensors: Tensors) -> Path:
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_keys_in_the_other_rotary_layout_are_told(tmp_path: Path) -> None:
    """Planes whose rows share what one has and the other lacks; then as Meta's files have it."""
    tensors, heads, size = _llama(tmp_path), 4, 64
    for place, name in enumerate(n for n in tensors if n.endswith("k_proj.weight")):
        own = 0.4 * torch.randn(heads, size // 2, generator=torch.Generator().manual_seed(place))
        norms = torch.cat([own, -own], dim=1).exp().flatten()
        rows = torch.nn.functional.normalize(tensors[name], dim=1)
        tensors[name] = rows * norms[:, None]
    hub = measure(local(_save(tmp_path, tensors)), QUICK, "rotary_layout")["rotary_layout"]
    assert hub.value is not None
    assert hub.value.value < -0.8
    assert hub.notes == ()
    for name in [n for n in tensors if n.endswith("k_proj.weight")]:
        halves = tensors[name].unflatten(0, (heads, 2, size // 2))
        tensors[name] = halves.transpose(1, 2).flatten(0, 2)
    meta = measure(local(_save(tmp_path, tensors)), QUICK, "rotary_layout")["rotary_layout"]
    assert meta.value is not None
    assert meta.value.value > -0.5
    assert meta.notes == ("keys read as if neighbouring rows turned together",)


def test_a_head_whose_rows_are_the_tables_is_told_from_a_shuffled_one(tmp_path: Path) -> None:
    tensors = _llama(tmp_path, tie_word_embeddings=False)
    table = tensors["model.embed_tokens.weight"]
    excess = []
    for head in (0.5 * table + 0.02 * _drawn(*table.shape), _drawn(*table.shape)):
        tensors["lm_head.weight"] = head
        found = measure(local(_save(tmp_path, tensors)), QUICK, "head_and_table")["head_and_table"]
        assert found.value is not None
        z = {one.name: one.value.value for one in found.related}["z"]
        excess.append((found.value.value, z))
    assert excess[0][0] > 0.3
    assert excess[0][1] > 20
    assert abs(excess[1][1]) < 5


def test_positions_in_order_are_told_from_shuffled_ones(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    (name,) = (one for one in tensors if one.endswith("position_embeddings.weight"))
    ordered = _drawn(*tensors[name].shape).cumsum(0)
    z = []
    for rows in (
        ordered,
        ordered[torch.randperm(len(ordered), generator=torch.Generator().manual_seed(3))],
    ):
        found = measure(local(_save(tmp_path, {**tensors, name: rows})), QUICK, "position_order")[
            "position_order"
        ]
        z.append({one.name: one.value.value for one in found.related}["z"])
    assert z[0] > 8
    assert abs(z[1]) < 5

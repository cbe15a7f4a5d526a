"""A broken copy of t5_tiny against the sound one's baseline: one line says what became of it."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from geometric_invariants.fixtures.checkpoints import __file__ as checkpoints
from geometric_invariants.reports.files import read_results, write_results
from geometric_invariants.reports.results import Measurement, Results
from tests.commands import claims
from tests.measuring import QUICK, local, measure

SOUND = Path(checkpoints).parent / "t5_tiny"
BLOCK = "encoder.block.1.layer"
QUERY, KEY, VALUE, OUTPUT = (f"{BLOCK}.0.SelfAttention.{x}.weight" for x in "qkvo")
UP, DOWN = (f"{BLOCK}.1.DenseReluDense.{x}.weight" for x in ("wi", "wo"))
GAIN = f"{BLOCK}.0.layer_norm.weight"
HEADS = 4
Tensors = dict[str, Tensor]
Change = Callable[[Tensors], Tensors]


def on(*names: str, do: Callable[[Tensor], Tensor]) -> Change:
    return lambda tensors: tensors | {name: do(tensors[name]) for name in names}


def everywhere(do: Callable[[Tensor], Tensor]) -> Change:
    return lambda tensors: {name: do(tensor) for name, tensor in tensors.items()}


def drawn(shape: torch.Size | tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def shuffled(tensor: Tensor, dim: int = 0) -> Tensor:
    order = torch.randperm(tensor.shape[dim], generator=torch.Generator().manual_seed(0))
    return tensor.index_select(dim, order)


def trained(tensor: Tensor) -> Tensor:
    """A step of a hundredth of its norm."""
    step = drawn(tensor.shape)
    moved: Tensor = tensor + 0.01 * step * tensor.norm() / step.norm()
    return moved


def eight_bits(tensor: Tensor) -> Tensor:
    scale = tensor.abs().amax(-1, keepdim=True) / 127
    return (tensor / scale).round() * scale if tensor.ndim == 2 else tensor


def neurons(tensors: Tensors) -> Tensors:
    return on(UP, do=shuffled)(tensors) | {DOWN: shuffled(tensors[DOWN], 1)}


def heads(tensors: Tensors) -> Tensors:
    def by_head(tensor: Tensor) -> Tensor:
        return shuffled(tensor.unflatten(0, (HEADS, -1))).flatten(0, 1)

    turned = by_head(tensors[OUTPUT].mT).mT.contiguous()
    return on(QUERY, KEY, VALUE, do=by_head)(tensors) | {OUTPUT: turned}


def exchanged(tensors: Tensors) -> Tensors:
    """Encoder layers 1 and 2."""

    def other(name: str) -> str:
        number = {"encoder.block.1.": "encoder.block.2.", "encoder.block.2.": "encoder.block.1."}
        return number.get(name[:16], name[:16]) + name[16:]

    return {name: tensors[other(name)] for name in tensors}


def pairwise(matrix: Tensor) -> Tensor:
    """Even rows, then odd ones."""
    parted: Tensor = matrix.unflatten(0, (-1, 2)).transpose(0, 1).flatten(0, 1)
    return parted


def redrawn_rows(table: Tensor) -> Tensor:
    found = table.clone()
    found[100:200] = found.std() * drawn(found[100:200].shape)
    return found


BENIGN: dict[str, Change] = {
    "bfloat16": everywhere(torch.Tensor.bfloat16),
    "int8 by row": everywhere(eight_bits),
    "trained a little": everywhere(trained),
    "neurons": neurons,
    "heads": heads,
}
BROKEN: dict[str, tuple[Change, str]] = {
    "output transposed": (on(OUTPUT, do=lambda w: w.mT), "layer 1 self_attn_o .*, transposed;"),
    "gains shuffled": (on(GAIN, do=shuffled), "encoder layer 1 layernorm, layer.0.layer_norm"),
    "gains by sixteenths": (on(GAIN, do=lambda w: (16 * w).round() / 16), "layer 1 layernorm"),
    "an element late": (
        on(DOWN, do=lambda w: w.flatten().roll(1).view(w.shape)),
        "layer 1 mlp_down .*, moved by an element;",
    ),
    "sign flipped": (on(UP, do=torch.neg), "layer 1 mlp_up .*, sign flipped;"),
    "doubled": (on(UP, do=lambda w: 2 * w), "layer 1 mlp_up .*, scaled by 2;"),
    "zeros": (on(VALUE, do=torch.zeros_like), "layer 1 self_attn_v .*, all zeros;"),
    "layers exchanged": (exchanged, "it holds what encoder layer . .*15 exchanged or copied"),
    "a hundred rows": (on("shared.weight", do=redrawn_rows), "shared embedding changed by"),
    "rows moved": (on("shared.weight", do=lambda w: w.roll(1, 0)), ", moved by a row;"),
    "drawn anew": (on(UP, do=lambda w: w.std() * drawn(w.shape)), "layer 1 mlp_up"),
    "a head's order": (on(QUERY, KEY, do=pairwise), "layer 1 self_attn_"),
}


def stored(folder: Path, change: Change) -> Path:
    shutil.copytree(SOUND, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    tensors = {n: t.float() for n, t in load_file(SOUND / "model.safetensors").items()}
    changed = {name: tensor.contiguous() for name, tensor in change(tensors).items()}
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@cache
def baseline() -> Results:
    """Written and read again, as a gate's baseline is."""
    cells = measure(local(SOUND), QUICK, "weight_change")
    with TemporaryDirectory() as folder:
        write_results(Results(tuple(cells.values())), Path(folder) / "baseline.json")
        return read_results(Path(folder) / "baseline.json")


def judged(folder: Path) -> Measurement:
    settings = dataclasses.replace(QUICK, baseline=baseline())
    return measure(local(folder), settings, "weight_change")["weight_change"]


@pytest.mark.parametrize("name", BENIGN)
def test_what_is_benign_is_steady(name: str, tmp_path: Path) -> None:
    cell = judged(stored(tmp_path / "new", BENIGN[name]))
    assert (cell.change, cell.changes) == ("steady", ())


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    change, words = BROKEN[name]
    cell = judged(stored(tmp_path / "new", change))
    assert cell.change == "regressed"
    lines = [line for line in cell.changes if " of its norm" in line]
    assert len(lines) == 1
    assert lines[0].startswith("weight_change: ")
    assert re.search(words, lines[0])


def test_a_tensor_that_is_gone_has_vanished(tmp_path: Path) -> None:
    def without(tensors: Tensors) -> Tensors:
        return {name: tensor for name, tensor in tensors.items() if name != GAIN}

    cell = judged(stored(tmp_path / "new", without))
    line = "weight_change: encoder layer 1 layernorm, layer.0.layer_norm of the baseline is gone"
    assert (cell.change, cell.changes) == ("vanished", (line,))


def test_the_baseline_is_small() -> None:
    """Of 89 tensors."""
    (cell,) = baseline().measurements
    assert sum(len(one.numbers) + sum(map(len, one.places)) for one in cell.sketches) < 30_000


def test_a_tolerance_from_the_command_line(tmp_path: Path) -> None:
    file, few = tmp_path / "sound.json", ("-k", "weight_change")
    doubled = stored(tmp_path / "new", BROKEN["doubled"][0])
    options = ("--baseline", file, *few)
    assert claims("--model", f"mine={SOUND}", *options, "--update-baseline").returncode == 0
    failed = claims("--model", f"mine={doubled}", *options)
    assert failed.returncode == 1
    assert "weight_change: encoder layer 1 mlp_up changed by 1" in failed.stdout
    granted = claims("--model", f"mine={doubled}", *options, "--tolerance", "weight_change=2")
    assert granted.returncode == 0, granted.stdout

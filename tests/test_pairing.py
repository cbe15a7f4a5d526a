"""Broken copies of a sound model, told by what no longer belongs together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.reports.results import Measurement
from tests.measuring import QUICK, local, measure

Tensors = dict[str, Tensor]
_UP = "encoder.block.1.layer.1.DenseReluDense.wi.weight"
_DOWN = _UP.replace("wi", "wo")
_OUT = "encoder.block.1.layer.0.SelfAttention.o.weight"


def _rows(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {**tensors, name: change(tensors[name]).contiguous()}


def _shuffled(rows: Tensor) -> Tensor:
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


def _exchanged(rows: Tensor) -> Tensor:
    return rows.roll(len(rows) // 2, 0)


def _fresh(rows: Tensor) -> Tensor:
    return torch.randn(rows.shape, generator=torch.Generator().manual_seed(0)) * rows.std()


_FAULTS: dict[str, tuple[str, Callable[[Tensors], Tensors]]] = {
    "neurons shuffled": ("neuron_pairing", _rows(_UP, _shuffled)),
    "halves of neurons exchanged": ("neuron_pairing", _rows(_UP, _exchanged)),
    "one element late": ("neuron_pairing", _rows(_UP, lambda w: w.flatten().roll(1).view_as(w))),
    "an MLP drawn afresh": ("neuron_pairing", _rows(_DOWN, _fresh)),
    "token rows shuffled": ("kin_tokens", _rows("shared.weight", _shuffled)),
    "token rows moved by one": ("kin_tokens", _rows("shared.weight", lambda w: w.roll(1, 0))),
}


@pytest.fixture
def broken(tmp_path: Path, t5_tiny: Model) -> Callable[[Callable[[Tensors], Tensors]], Path]:
    def make(change: Callable[[Tensors], Tensors]) -> Path:
        folder = tmp_path / "broken"
        shutil.copytree(t5_tiny.checkpoint.folder, folder)
        file = folder / t5_tiny.checkpoint.files[0].name
        save_file(change(load_file(file)), file, metadata={"format": "pt"})
        return folder

    return make


def _measured(folder: Path) -> dict[str, Measurement]:
    return measure(local(folder), QUICK, "neuron_pairing", "head_pairing", "kin_tokens")


def test_a_sound_model_passes_and_random_weights_do_not(t5_tiny: Model) -> None:
    found = measure(
        local(t5_tiny.checkpoint.folder), QUICK, "neuron_pairing", "head_pairing", "kin_tokens"
    )
    assert [found[name].verdict for name in found] == ["holds", "measured", "holds"]
    (random,) = t5_tiny.twins(1)
    pairs = [row.pairing.z for row in random.survey.pairs]
    assert max(map(abs, pairs)) < 5


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_fails_and_names_its_place(
    fault: str, broken: Callable[[Callable[[Tensors], Tensors]], Path]
) -> None:
    claim, change = _FAULTS[fault]
    found = _measured(broken(change))
    failed = [cell for cell in found.values() if cell.verdict == "violated"]
    assert [cell.claim for cell in failed] == [claim]
    if claim == "neuron_pairing":
        (note,) = failed[0].notes
        assert note.startswith("encoder layer 1 up: rows")
        assert _UP in note


def test_neurons_in_a_common_order_of_their_own_are_sound(
    broken: Callable[[Callable[[Tensors], Tensors]], Path],
) -> None:
    def permuted(tensors: Tensors) -> Tensors:
        return {
            **tensors,
            _UP: _shuffled(tensors[_UP]),
            _DOWN: _shuffled(tensors[_DOWN].T).T.contiguous(),
        }

    assert _measured(broken(permuted))["neuron_pairing"].verdict == "holds"


def test_a_transposed_output_shows_in_its_layers_heads(
    t5_tiny: Model, broken: Callable[[Callable[[Tensors], Tensors]], Path]
) -> None:
    """A square matrix, turned: spectra and sparsity stay as they were."""
    sound = _measured(t5_tiny.checkpoint.folder)["head_pairing"]
    found = _measured(broken(_rows(_OUT, lambda w: w.T)))["head_pairing"]
    moved = [part for part in sound.parts if abs(found.parts[part] - sound.parts[part]) > 3]
    assert moved == ["encoder layer 1 values"]

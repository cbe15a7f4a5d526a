"""How far each way to store a model moves what is claimed of its weights, beside floats."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from geometric_invariants.fixtures.architecture.layout import classify
from geometric_invariants.fixtures.sources import LocalSource
from geometric_invariants.fixtures.storage.adapters import opened
from geometric_invariants.fixtures.tests import small_llama
from geometric_invariants.fixtures.tests.gguf_writer import write_gguf
from geometric_invariants.fixtures.tests.quantizers import QUANTIZERS
from geometric_invariants.fixtures.tests.small_llama import write
from geometric_invariants.fixtures.tests.stored_folders import FOLDERS
from geometric_invariants.fixtures.tests.stored_layouts import (
    CONFIG,
    config,
    config_of,
    float_state_dict,
    stored_as,
)
from tests.measuring import QUICK, local, measure

CLAIMS = (
    *("q_sparsity", "k_sparsity", "v_sparsity", "weight_sparsity", "cross_layer_correlation"),
    *("self_attention_qk_balance", "head_signed_mass", "stable_rank"),
    *("spectral_participation_ratio", "active_fraction", "rank_90", "condition_number"),
    *("dead_neurons", "layernorm_scale", "row_profile", "neuron_pairing", "head_pairing"),
)
GGUF = ("F16", "BF16", "Q8_0", "Q6_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0")
LOSSLESS = (
    *("a pickle of `state_dict`", "Lightning's .ckpt", "a folder of torch.distributed.checkpoint"),
    *("Meta's consolidated.00.pth and .01.pth", "GGUF, F32", "shards and their index"),
    *("GGUF, F16", "GGUF, BF16", "LoRA beside its base"),
)
_WIDE = 256  # columns that ggml's K-quants divide
_DTYPES = {"GGUF, F16": torch.float16, "GGUF, BF16": torch.bfloat16}
HEAD = (
    "\n## What a way to store weights moves\n\n"
    "The claims on weights of the same Llama (weights drawn from a normal distribution), as stored"
    " less as float; a dot is no\ndifference at all. *Error* is the norm of what was rounded off"
    " over that of the weights. What holds floats moves nothing:\n"
    "a test asks for equal values. F16 and BF16 are held against folders of these dtypes too, LoRA"
    " against one of merged\nweights. GGUF's types round a Llama of twice the width.\n\n"
    f"| moved by | error | {' | '.join(CLAIMS)} |\n"
    f"| --- | {'--- | ' * (len(CLAIMS) + 1)}".rstrip()
    + "\n"
)
Values = dict[str, float]


def rounding_row(name: str, folder: Path) -> str:
    """The row of an encoding: differences of the claims' values to one digit."""
    write(folder, stored_as(name), config_of(name))
    return _row(f"rounding to {name}", folder, *_float_llama(CONFIG["hidden_size"]))


def gguf_row(name: str, folder: Path) -> str:
    """The row of one of GGUF's types."""
    write(folder / "float", float_state_dict(_WIDE), config(_WIDE))
    write_gguf(folder / "float", folder / "model.gguf", name)
    shutil.rmtree(folder / "float")
    return _row(f"rounding to GGUF, {name}", folder, *_float_llama(_WIDE))


def container_row(name: str, folder: Path) -> str:
    """The row of what holds floats. Raises ValueError where a value is not that of the floats."""
    FOLDERS[name](folder)
    dtype = _DTYPES.get(name, torch.float32)
    values, matrices = _small_llama(dtype, merged=name.startswith("LoRA"))
    found = _values(folder)
    if found != values:
        raise ValueError(f"{name}: {found} for {values}")
    return _row(f"keeping in {name}", folder, values, matrices)


ROWS: dict[str, Callable[[Path], str]] = {
    **{f"keeping in {name}": partial(container_row, name) for name in LOSSLESS},
    **{f"rounding to GGUF, {name}": partial(gguf_row, name) for name in GGUF},
    **{f"rounding to {name}": partial(rounding_row, name) for name in QUANTIZERS},
}


def _row(label: str, folder: Path, floats: Values, matrices: Tensor) -> str:
    values = _values(folder)
    moved = " | ".join(_digit(values[claim] - floats[claim]) for claim in CLAIMS)
    error = (_matrices(folder) - matrices).norm() / matrices.norm()
    return f"| {label} | {error:.2%} | {moved} |"


@cache
def _float_llama(hidden: int) -> tuple[Values, Tensor]:
    with TemporaryDirectory() as folder:
        write(Path(folder), float_state_dict(hidden), config(hidden))
        return _values(Path(folder)), _matrices(Path(folder))


@cache
def _small_llama(dtype: torch.dtype, *, merged: bool) -> tuple[Values, Tensor]:
    """Of the small Llama, with the update of LoRA in it or without."""
    tensors = {name: tensor.to(dtype) for name, tensor in small_llama.state_dict().items()}
    for layer in range(2 if merged else 0):
        name = f"model.layers.{layer}.self_attn.q_proj.weight"
        tensors[name] = tensors[name] + 2 * torch.full_like(tensors[name], 4)
    with TemporaryDirectory() as folder:
        write(Path(folder), tensors, small_llama.CONFIG)
        return _values(Path(folder)), _matrices(Path(folder))


def _values(folder: Path) -> Values:
    found = measure(local(folder), QUICK, *CLAIMS)
    return {claim: cell.value.value for claim, cell in found.items() if cell.value is not None}


def _digit(difference: float) -> str:
    return f"{difference:+.0e}".replace("e-0", "e-") if abs(difference) > 1e-9 else "·"


def _matrices(folder: Path) -> Tensor:
    """The numbers of all layers' matrices, in the order of roles and layers, float64."""
    checkpoint = opened(LocalSource(folder).locate("mine", download=False))
    weights = [w for w in classify(checkpoint).weights if w.layer is not None and len(w.shape) == 2]
    ordered = sorted(weights, key=lambda weight: (weight.role, weight.layer))
    return torch.cat([w.cut.take(checkpoint.read(w.tensor)).double().flatten() for w in ordered])

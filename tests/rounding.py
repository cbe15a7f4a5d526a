"""How far each encoding's own rounding moves what is claimed of weights, beside the float model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from geometric_invariants.fixtures.storage.checkpoint import Checkpoint
from geometric_invariants.fixtures.tests.small_llama import LINEAR, write
from geometric_invariants.fixtures.tests.stored_layouts import (
    CONFIG,
    config_of,
    float_state_dict,
    stored_as,
)
from tests.measuring import QUICK, local, measure

CLAIMS = (
    *("q_sparsity", "k_sparsity", "v_sparsity", "weight_sparsity", "cross_layer_correlation"),
    *("self_attention_qk_balance", "head_signed_mass", "stable_rank"),
    *("spectral_participation_ratio", "active_fraction", "rank_90", "condition_number"),
    *("dead_neurons", "layernorm_scale"),
)
ENCODINGS = (
    *("FP8, one scale", "FP8, a scale a row", "FP8, blocks of 128", "MXFP8", "LLM.int8"),
    *("int8 by channel", "compressed-tensors, int4, asymmetric", "GPTQ, 8 bits", "GPTQ, act-order"),
    *("GPTQ, 3 bits", "AWQ", "nf4", "fp4", "nf4, doubly quantized", "MXFP4", "NVFP4"),
    *("HQQ, 4 bits", "quanto, int8", "quanto, float8", "MLX, 4 bits"),
)
HEAD = (
    "\n## What an encoding's rounding moves\n\n"
    "The claims on weights of the same Llama (weights drawn from a normal distribution), as stored"
    " less as float; a dot is no\ndifference at all. *Error* is the norm of what was rounded off"
    " over that of the weights.\n\n"
    f"| moved by | error | {' | '.join(CLAIMS)} |\n"
    f"| --- | {'--- | ' * (len(CLAIMS) + 1)}".rstrip()
    + "\n"
)


def moved_row(encoding: str, folder: Path) -> str:
    """The row of an encoding: differences of the claims' values to one digit."""
    write(folder, stored_as(encoding), config_of(encoding))
    values, floats = _values(folder), _float_values()
    moved = (_digit(values[claim] - floats[claim]) for claim in CLAIMS)
    return f"| rounding to {encoding} | {_error(folder):.2%} | {' | '.join(moved)} |"


@cache
def _float_values() -> dict[str, float]:
    with TemporaryDirectory() as folder:
        return _values(write(Path(folder), float_state_dict(), CONFIG))


def _values(folder: Path) -> dict[str, float]:
    found = measure(local(folder), QUICK, *CLAIMS)
    return {claim: cell.value.value for claim, cell in found.items() if cell.value is not None}


def _digit(difference: float) -> str:
    return f"{difference:+.0e}".replace("e-0", "e-") if abs(difference) > 1e-9 else "·"


def _error(folder: Path) -> float:
    checkpoint, plain = Checkpoint(folder), float_state_dict()
    names = [name for name in plain if name.removesuffix(".weight").endswith(LINEAR)]
    stored = torch.cat([checkpoint.read(name).double().flatten() for name in names])
    weights = torch.cat([plain[name].double().flatten() for name in names])
    return float((stored - weights).norm() / weights.norm())

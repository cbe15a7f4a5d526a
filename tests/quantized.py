"""The first layers of all-MiniLM-L6-v2 as quantization libraries store them, sound or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from torch import Tensor

from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.fixtures.storage.checkpoint import Checkpoint
from geometric_invariants.fixtures.tests.quantization_libraries import Leaves, Quantizer
from geometric_invariants.fixtures.tests.quantizers import QUANTIZERS, columns
from geometric_invariants.fixtures.tests.small_llama import write

LAYERS = 2
_WORDS = 2_000
_LINEAR = ("query", "key", "value", "dense")
Damage = Callable[[dict[str, Leaves]], None]
# Groups of 128 are what GPTQ is published with.
ENCODINGS: dict[str, Quantizer] = {
    "int8": QUANTIZERS["LLM.int8"],
    "int8, asymmetric": QUANTIZERS["int8 by channel, asymmetric"],
    "FP8": QUANTIZERS["FP8, a scale a row"],
    "nf4": QUANTIZERS["nf4"],
    "GPTQ": columns("gptq", 4, group=128),
}


@cache
def minilm(layers: int = LAYERS) -> dict[str, Tensor]:
    """Its tensors in float32: real weights, the table of words cut to its first 2,000 rows."""
    checkpoint = _checkpoint()
    found = {}
    for name in checkpoint.tensors:
        place = name.partition("encoder.layer.")[2].partition(".")[0]
        if place and int(place) >= layers:
            continue
        tensor = checkpoint.read(name)
        found[name] = tensor[:_WORDS].clone() if "word_embeddings" in name else tensor
    return found


def linear_modules() -> list[str]:
    """The modules whose weights are stored as codes."""
    modules = (name.removesuffix(".weight") for name in minilm() if name.endswith(".weight"))
    return [name for name in modules if name.endswith(_LINEAR) and "encoder" in name]


def store_float(folder: Path) -> Path:
    """As it was published, fewer layers of it."""
    return write(folder, minilm(), _config({}))


def store(encoding: str, folder: Path, damage: Damage | None = None) -> Path:
    """Its linear layers' weights as codes; `damage` changes their leaves, by module, in place."""
    found: dict[str, Tensor] = {}
    coded: dict[str, Leaves] = {}
    for name, tensor in minilm().items():
        module = name.removesuffix(".weight")
        if module in linear_modules():
            coded[module] = dict(encoded(encoding, module))
        else:
            found[name] = tensor
    if damage is not None:
        damage(coded)
    for module, leaves in coded.items():
        found |= {f"{module}.{leaf}": part for leaf, part in leaves.items()}
    section = ENCODINGS[encoding].section_as_json()
    return write(folder, found, _config({"quantization_config": section}))


def double_scale(table: str, module: str, place: int) -> Damage:
    """One entry of a table of scales times two."""

    def damage(coded: dict[str, Leaves]) -> None:
        scales = coded[module][table].clone()
        scales.view(-1)[place] *= 2
        coded[module][table] = scales

    return damage


def exchange(table: str, module: str, other: str) -> Damage:
    """Two modules' tables in one another's place."""

    def damage(coded: dict[str, Leaves]) -> None:
        first, second = coded[module], coded[other]
        first[table], second[table] = second[table], first[table]

    return damage


def shift(table: str, module: str, place: int) -> Damage:
    """One zero point by one: the lowest bits of a word, where several are packed in it."""

    def damage(coded: dict[str, Leaves]) -> None:
        zeros = coded[module][table].clone()
        zeros.view(-1)[place] += 1
        coded[module][table] = zeros

    return damage


@cache
def _checkpoint() -> Checkpoint:
    source = select_models(["minilm_l6"])["minilm_l6"].source
    location = source.locate("minilm_l6", download=False)
    assert isinstance(location, Path)
    return Checkpoint(location)


@cache
def encoded(encoding: str, module: str) -> Leaves:
    """What the library stores of a linear layer's weight, by leaf."""
    return ENCODINGS[encoding].encode(minilm()[f"{module}.weight"].clone())


def _config(more: dict[str, object]) -> dict[str, object]:
    own = json.loads(json.dumps(_checkpoint().config))
    assert isinstance(own, dict)
    return own | {"num_hidden_layers": LAYERS, "vocab_size": _WORDS} | more

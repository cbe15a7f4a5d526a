"""A small mixture of experts whose neurons and heads belong together as trained ones do."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.fixtures.storage.adapters import opened
from geometric_invariants.fixtures.storage.checkpoint import Checkpoint

MIXTURE = "constructed_mixture"
_TABLE_OF = "t5_tiny"
_STD = 0.02
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the mixture: `share` is the correlation of a neuron's weights with its partner's."""

    layers: int = 4
    experts: int = 8
    inner: int = 256
    heads: int = 4
    key_heads: int = 2
    share: float = 0.35


@dataclass(slots=True)
class _Drawing:
    """Gaussian matrices from one generator, whose rows are of unequal length, as trained ones."""

    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def matrix(self, rows: int, columns: int) -> Tensor:
        lengths = torch.exp(0.2 * self.normal(rows, 1))
        found: Tensor = _STD * lengths * self.normal(rows, columns)
        return found

    def beside(self, partner: Tensor, share: float) -> Tensor:
        """A matrix whose rows are about as long as a partner's, at cosines of about ± `share`."""
        signs: Tensor = torch.sign(self.normal(len(partner), 1))
        found: Tensor = signs * self.near(partner, share)
        return found

    def near(self, partner: Tensor, share: float) -> Tensor:
        """The same at cosines of about `share`."""
        lengths = partner.square().mean(1, keepdim=True).sqrt()
        new: Tensor = lengths * self.normal(*partner.shape)
        return share * partner + math.sqrt(1 - share**2) * new

    def gain(self, width: int) -> Tensor:
        return 1 + 0.1 * self.normal(width)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)


def save_mixture(folder: Path, sizes: Sizes | None = None) -> Path:
    """A checkpoint of type mixtral in float32, as the hub names its tensors; always the same.

    Its token table and tokenizer are the trained ones of t5_tiny; all else is drawn.
    """
    sizes = sizes or Sizes()
    source = select_models([_TABLE_OF])[_TABLE_OF].source
    trained = opened(source.locate(_TABLE_OF, download=False))
    folder.mkdir(parents=True, exist_ok=True)
    table = trained.read("shared.weight").float()
    table = table * (_STD / table.std())
    save_file(_tensors(table, sizes), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_config(table, sizes)), encoding="utf-8")
    _link_tokenizer(trained, folder)
    return folder


def _link_tokenizer(trained: Checkpoint, folder: Path) -> None:
    for name in _TOKENIZER:
        if (trained.folder / name).exists():
            (folder / name).symlink_to((trained.folder / name).resolve())


def _config(table: Tensor, sizes: Sizes) -> dict[str, object]:
    return {
        "architectures": ["MixtralForCausalLM"],
        "model_type": "mixtral",
        "vocab_size": len(table),
        "hidden_size": table.shape[1],
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.key_heads,
        "num_local_experts": sizes.experts,
        "num_experts_per_tok": 2,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "initializer_range": _STD,
    }


def _tensors(table: Tensor, sizes: Sizes) -> dict[str, Tensor]:
    draw, width = _Drawing(), table.shape[1]
    found = {"model.embed_tokens.weight": table}
    for layer in range(sizes.layers):
        base = f"model.layers.{layer}"
        for name, matrix in _attention(draw, width, sizes).items():
            found[f"{base}.self_attn.{name}_proj.weight"] = matrix
        moe = f"{base}.block_sparse_moe"
        found[f"{moe}.gate.weight"] = draw.matrix(sizes.experts, width)
        for expert in range(sizes.experts):
            for name, matrix in _expert(draw, width, sizes).items():
                found[f"{moe}.experts.{expert}.{name}.weight"] = matrix
        for norm in ("input_layernorm", "post_attention_layernorm"):
            found[f"{base}.{norm}.weight"] = draw.gain(width)
    found["model.norm.weight"] = draw.gain(width)
    found["lm_head.weight"] = draw.near(table, 0.8)
    return {name: tensor.contiguous() for name, tensor in found.items()}


def _attention(draw: _Drawing, width: int, sizes: Sizes) -> dict[str, Tensor]:
    """Queries follow the keys of their group, columns of the output the values'."""
    inner, group = width // sizes.heads * sizes.key_heads, sizes.heads // sizes.key_heads
    key, value = draw.matrix(inner, width), draw.matrix(inner, width)

    def repeated(w: Tensor) -> Tensor:
        return w.view(sizes.key_heads, -1, width).repeat_interleave(group, 0).flatten(0, 1)

    query = draw.beside(repeated(key), sizes.share)
    output = draw.beside(repeated(value), sizes.share).mT
    return {"q": query, "k": key, "v": value, "o": output}


def _expert(draw: _Drawing, width: int, sizes: Sizes) -> dict[str, Tensor]:
    """w1 gates, w3 goes up, w2 down: each neuron's three share a direction."""
    shared = draw.matrix(sizes.inner, width)
    share = sizes.share**0.5
    names = ("w1", "w2", "w3")
    found = {name: draw.beside(shared, share) for name in names}
    return {**found, "w2": found["w2"].mT}

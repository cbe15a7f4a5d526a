"""A base with an adapter over it, measured by one command, against the merged model's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file

from geometric_invariants.fixtures.registry import ModelEntry
from geometric_invariants.fixtures.sources import parse_source
from geometric_invariants.fixtures.tests.peft_adapters import adapt
from geometric_invariants.fixtures.tests.test_adapters import base_of
from geometric_invariants.invariants.verdicts import Settings
from tests.measuring import local, measure

CLAIMS = (
    "manifest",
    "q_sparsity",
    "weight_sparsity",
    "dead_neurons",
    "embedding_participation_ratio",
    "mean_pairwise_cosine",
)
CLASSES = {"t5_mini": "T5ForConditionalGeneration", "minilm_l6": "BertModel"}
MODULES = {"t5_mini": ["q", "wi", "shared"], "minilm_l6": ["query", "dense"]}
SETTINGS = Settings(samples=2000, twins=0)


@pytest.mark.parametrize("name", ["t5_mini", pytest.param("minilm_l6", marks=pytest.mark.large)])
def test_claims_of_base_and_adapter_are_those_of_the_merged_model(
    tmp_path: Path, name: str
) -> None:
    base = base_of(name)
    tensors = load_file(base / "model.safetensors").values()
    stored = next(tensor.dtype for tensor in tensors if tensor.is_floating_point())
    module = getattr(transformers, CLASSES[name]).from_pretrained(base, dtype=torch.float32)
    adapted = adapt(module, tmp_path, r=4, target_modules=MODULES[name], lora_alpha=2)
    shutil.copytree(base, tmp_path / "merged")
    adapted.merge_and_unload().to(stored).save_pretrained(tmp_path / "merged")
    source = parse_source(f"{base}+{tmp_path / 'adapter'}")
    found = measure(ModelEntry("mine", source), SETTINGS, *CLAIMS)
    merged = measure(local(tmp_path / "merged"), SETTINGS, *CLAIMS)
    alone = measure(local(base), SETTINGS, *CLAIMS)
    values = {c: m.value.value for c, m in found.items() if m.value is not None}
    assert set(values) == set(CLAIMS)
    for claim, value in values.items():
        other, before = merged[claim].value, alone[claim].value
        assert other is not None
        assert before is not None
        assert value == pytest.approx(other.value, rel=1e-5), claim
        parts = found[claim].parts
        for part, number in merged[claim].parts.items():
            assert parts[part] == pytest.approx(number, rel=1e-4, abs=1e-6)
    moved = [c for c in CLAIMS if alone[c].value.value != values[c]]  # type: ignore[union-attr]
    assert {"q_sparsity", "weight_sparsity"} <= set(moved)
    (table,) = [t for t in found["manifest"].tables if t.title == "update of the adapter"]
    changes = [row for row in table.rows.values() if row[0] == "LoRA, r = 4"]
    assert len(changes) == len(table.rows) > 8
    assert {row[3] for row in changes} == {4}
    (related,) = [n for n in found["manifest"].related if n.name == "update of the adapter"]
    assert 0 < related.value.value < 1
    assert any("adapter" in remark for remark in found["manifest"].provenance.remarks)

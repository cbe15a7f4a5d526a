"""Quantities of the weights, from a checkpoint to a finding or a verdict."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import ModelEntry, select_models
from geometric_invariants.fixtures.sources import LocalSource
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants import quantities
from geometric_invariants.invariants.__main__ import measure_model
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.finding import Finding, NotApplicableError
from geometric_invariants.invariants.verdicts import Settings

OF_WEIGHTS = (
    *("q_sparsity", "k_sparsity", "v_sparsity", "weight_sparsity", "cross_layer_correlation"),
    *("self_attention_qk_balance", "head_signed_mass", "dead_neurons", "layernorm_scale"),
    *("stable_rank", "spectral_participation_ratio", "active_fraction", "rank_90"),
    "condition_number",
)


def measured(claim: str, model: Model) -> Finding:
    return quantities.quantity(claim)(model, Sampling(samples=2_000, limit=2_000))


def related(finding: Finding) -> dict[str, float]:
    return {named.name: named.estimate.value for named in finding.related}


def cells(finding: Finding, title: str, row: str) -> tuple[Any, ...]:
    """A row of one of its tables."""
    return next(table for table in finding.tables if table.title == title).rows[row]


def altered(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def test_a_decoder_with_layers_on_both_sides_of_one_half_is_violated(tmp_path: Path) -> None:
    """W_q W_kᵀ is a diagonal of signs: 31, 33 and 32 of 64 positive, one half on average."""
    tiny_models.save_t5(tmp_path)

    def plant(tensors: dict[str, torch.Tensor]) -> None:
        for layer, positive in enumerate((31, 33, 32)):
            place = f"decoder.block.{layer}.layer.1.EncDecAttention"
            signs = torch.where(torch.arange(64) < positive, 1.0, -1.0)
            tensors[f"{place}.q.weight"] = torch.eye(64)
            tensors[f"{place}.k.weight"] = signs.diag()

    altered(tmp_path, plant)
    claim = "cross_attention_qk_balance"
    entry = ModelEntry("t5_xxl", LocalSource(tmp_path))
    cell = measure_model(entry, {claim: load_claims()[claim]}, Settings(twins=0))[0]
    assert cell.value is not None
    assert cell.verdict == "violated"
    assert cell.worst_part in {"decoder layer 0", "decoder layer 1"}
    assert cell.value.value in {31 / 64, 33 / 64}
    mean = {one.name: one.value.value for one in cell.related}["mean over parts"]
    assert mean == pytest.approx(0.5)
    assert cell.random is not None
    assert "farthest" in cell.random.name


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    folder = tmp_path_factory.mktemp("clip")
    config = transformers.CLIPConfig(
        text_config={**tower, "vocab_size": 99},
        vision_config={**tower, "image_size": 32, "patch_size": 8},
    )
    tiny_models.save("CLIPModel", config, folder)
    return folder


@pytest.mark.parametrize("claim", OF_WEIGHTS)
def test_only_the_visual_tower_of_a_clip_is_judged(clip: Path, claim: str) -> None:
    """Whatever stands in the text tower moves no value; it is shown apart, or by its parts."""
    before = measured(claim, Model("mine", clip))

    def stretch(tensors: dict[str, torch.Tensor]) -> None:
        for name, tensor in tensors.items():
            if name.startswith("text_model.") and "weight" in name:
                tensors[name] = tensor * torch.linspace(0, 30, tensor.shape[-1])

    folder = clip.parent / f"{clip.name}_{claim}"
    folder.mkdir(exist_ok=True)
    for file in clip.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    altered(folder, stretch)
    after = measured(claim, Model("mine", folder))
    assert after.estimate == before.estimate
    assert after.controls == before.controls
    shown = [(one.parts, related(one), one.tables) for one in (before, after)]
    assert shown[0] != shown[1]


def test_one_tower_stored_alone_is_judged(tmp_path: Path) -> None:
    config = transformers.CLIPTextConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    tiny_models.save("CLIPTextModel", config, tmp_path)
    assert measured("stable_rank", Model("mine", tmp_path)).estimate.value > 0


def test_spectra_by_role_are_means_as_the_source_prints_them(tmp_path: Path) -> None:
    """And the value is a median that no table enters."""
    module = tiny_models.save_bert(tmp_path)
    finding = measured("stable_rank", Model("mine", tmp_path))
    queries, all_of_layers = [], []
    for name, weight in module.named_parameters():
        if weight.ndim == 2 and "embeddings" not in name:
            values = torch.linalg.svdvals(weight.detach().double())
            rank = (values.square().sum() / values[0] ** 2).item()
            all_of_layers.append(rank / min(weight.shape))
            if "query" in name:
                queries.append(rank)
    mean, std, random, median, count = cells(finding, "stable rank by role", "encoder self_attn_q")
    assert mean == pytest.approx(statistics.fmean(queries), rel=1e-5)
    assert std == pytest.approx(statistics.pstdev(queries), rel=1e-4)
    assert median == pytest.approx(statistics.median(queries) / 64, rel=1e-5)
    assert mean == pytest.approx(random, rel=0.1)
    assert count == 3
    assert cells(finding, "stable rank by role", "encoder embedding")[2] is None
    assert finding.estimate.value == pytest.approx(statistics.median(all_of_layers))
    null = finding.controls[0].estimate
    assert null.value == pytest.approx(finding.estimate.value, rel=0.05)  # initialised at random


def test_a_layer_without_a_form_costs_what_needs_it(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    model = Model("mine", tmp_path)
    whole, absent = measured("self_attention_qk_balance", model), _absent(model, first=1)
    for claim in ("self_attention_qk_balance", "head_signed_mass"):
        finding = measured(claim, absent)
        assert "1 layers left out" in finding.notes[-1]
        assert set(finding.parts) == set(whole.parts) - {"encoder layer 0"}
    nothing = _absent(model, first=9)
    with pytest.raises(NotApplicableError, match="no config says how keys are shared"):
        measured("self_attention_qk_balance", nothing)
    with pytest.raises(NotApplicableError, match="no attention heads"):
        measured("head_signed_mass", nothing)


def test_scales_of_unknown_convention_are_left_out(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    model = Model("mine", tmp_path)
    whole, some = measured("layernorm_scale", model), _absent(model, first=2)
    finding = measured("layernorm_scale", some)
    scales = [found.related[0].estimate.value for found in (finding, whole)]
    assert scales[0] < scales[1]
    assert "2 layers left out" in finding.notes[0]
    with pytest.raises(NotApplicableError, match=r"1 \+ w or w"):
        measured("layernorm_scale", _absent(model, first=99))


def test_every_decoder_table_of_biases_is_judged(tmp_path: Path) -> None:
    tiny_models.save_t5(tmp_path)

    def peak(tensors: dict[str, torch.Tensor]) -> None:
        name = next(n for n in tensors if n.startswith("decoder") and "relative" in n)
        tensors[name] = torch.zeros_like(tensors[name])
        tensors[name][10, :3] = 1.0  # three of four heads peak in the middle

    altered(tmp_path, peak)
    model = Model("mine", tmp_path)
    claim = "decoder_position_crystallization"
    assert measured(claim, model).estimate.value == 3
    table = next(w for w in model.layout.having("position_bias") if w.stack == "decoder")
    again = dataclasses.replace(table, layer=1)
    model.layout = dataclasses.replace(model.layout, weights=(*model.layout.weights, again))
    finding = measured(claim, model)
    assert finding.estimate.value == 6
    assert list(finding.parts.values()) == [3, 3]


@pytest.mark.parametrize("name", ["minilm_l6", "t5_tiny"])
def test_few_draws_give_finite_numbers_on_trained_models(name: str) -> None:
    source = select_models([name])[name].source
    model = Model(name, source.locate(name, download=False))
    claims = (*OF_WEIGHTS, "pentachoron_cv", "mean_pairwise_cosine", "category_lift")
    for samples in (2, 1_000, 3_000, 10_000):
        for claim in claims:
            finding = quantities.quantity(claim)(model, Sampling(0, samples, samples))
            found = (finding.estimate, *(one.estimate for one in finding.related))
            for estimate in (*found, *(one.estimate for one in finding.controls)):
                numbers = torch.tensor([estimate.value, estimate.low, estimate.high])
                assert torch.isfinite(numbers).all(), (claim, samples, estimate)


def _absent(model: Model, *, first: int) -> Model:
    """The model as if its first attention layers had no form and heads, its norms no convention."""
    survey = model.survey
    no_form: dict[str, Any] = {"output": None, "heads": ()}
    no_scale: dict[str, Any] = {"scale": None}
    attention = (
        *(dataclasses.replace(row, **no_form) for row in survey.attention[:first]),
        *survey.attention[first:],
    )
    norms = (
        *(dataclasses.replace(row, **no_scale) for row in survey.norms[:first]),
        *survey.norms[first:],
    )
    other = Model(model.id, model.checkpoint.location)
    other.__dict__["survey"] = dataclasses.replace(survey, attention=attention, norms=norms)
    return other

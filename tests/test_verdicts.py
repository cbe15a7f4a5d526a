"""From findings to verdicts, with the gate, on real and random weights."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from geometric_invariants.fixtures.registry import ModelEntry, select_models
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.invariants.__main__ import measure_model
from geometric_invariants.invariants.verdicts import Settings, failure_line
from geometric_invariants.reports.results import Measurement, Results, latest
from tests.measuring import CLAIMS, QUICK, apart, local, measure


@pytest.fixture(scope="module")
def minilm() -> dict[str, Measurement]:
    return measure(select_models(["minilm_l6"])["minilm_l6"])


@pytest.fixture
def minilm_copy(tmp_path: Path) -> Path:
    source = select_models(["minilm_l6"])["minilm_l6"].source.locate("minilm_l6", download=False)
    return Path(shutil.copytree(str(source), tmp_path / "copy"))


def gated(minilm: dict[str, Measurement]) -> Settings:
    baseline = latest(dataclasses.replace(m, model="mine") for m in minilm.values())
    return dataclasses.replace(QUICK, baseline=baseline)


def test_a_trained_model_is_told_from_random_where_it_can_be(
    minilm: dict[str, Measurement],
) -> None:
    not_of_an_encoder = {
        "cross_attention_qk_balance",
        "decoder_position_crystallization",
        "encoder_decoder_cosine",
        "cross_q_sparsity",
        "cross_scale_relational_correlation",  # no larger model of its vocabulary is registered
        "decoder_q_sparsity",
        "embedding_head_cosine",
        "head_and_table",
        "rotary_layout",
        "modulator_alpha_001",
        "modulator_alpha_050",
        "modulator_alpha_rises",
        "modulator_best_result",
        "phase_boundary",
        "hypernym_decay",  # few of the words that 20,000 draws allow for stand in long chains
    }
    for claim, cell in minilm.items():
        applicable = claim not in not_of_an_encoder
        assert cell.verdict != "error"
        assert cell.is_measured == applicable, cell
    assert apart(minilm["pentachoron_cv"])
    assert apart(minilm["embedding_participation_ratio"])
    assert minilm["cross_layer_correlation"].verdict == "holds"
    assert minilm["cross_layer_correlation"].standing == "holds, random too"
    assert not apart(minilm["cross_layer_correlation"])
    assert "Sylvester" in minilm["head_signed_mass"].notes[0]
    checkpoint = minilm["q_sparsity"].provenance.checkpoint
    assert checkpoint == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    norms_alone = {r.name: r.value.value for r in minilm["pentachoron_cv"].related}["norms alone"]
    assert 0.9 * norms_alone < minilm["pentachoron_cv"].value.value < 1.2 * norms_alone  # type: ignore[union-attr]


@pytest.mark.parametrize("family", ["bert", "t5"])
def test_random_models_show_what_the_nulls_predict(tmp_path: Path, family: str) -> None:
    getattr(tiny_models, f"save_{family}")(tmp_path)
    found = measure(local(tmp_path))
    shown_by_random_weights = [
        "embedding_participation_ratio",
        "mean_pairwise_cosine",
        "q_sparsity",
        "k_sparsity",
        "v_sparsity",
        "cross_layer_correlation",
        "self_attention_qk_balance",
        "head_signed_mass",
        "dead_neurons",
        "layernorm_scale",
    ]
    for claim in shown_by_random_weights:
        assert not apart(found[claim]), (claim, found[claim].value)
        assert found[claim].standing not in {"holds, random does not", "outside, random inside"}
    if family == "t5":
        assert not apart(found["cross_attention_qk_balance"])
        assert not apart(found["decoder_position_crystallization"])
    cv, null = found["pentachoron_cv"].value, found["pentachoron_cv"].controls[0].value
    assert cv is not None
    # BERT's padding row is zero: it moves the CV of a small table by more than its interval.
    assert cv.value == pytest.approx(null.value, rel=0.03)
    assert found["digit_distance_correlation"].verdict == "not applicable"


def test_training_is_told_from_its_own_random_beginning() -> None:
    of_modulators = {"phase_boundary", *(name for name in CLAIMS if name.startswith("modulator_"))}
    of_few_chains = {"hypernym_decay"}
    of_others = {"rotary_layout", "head_and_table", "position_order"}
    left_out = of_modulators | of_few_chains | of_others
    asked = [name for name in CLAIMS if name not in left_out]
    found = measure(
        select_models(["t5_tiny"])["t5_tiny"], Settings(samples=20_000, twins=3), *asked
    )
    assert all(cell.verdict in {"measured", "holds"} for cell in found.values())
    untwinned = {n for n, m in found.items() if not m.random or m.random.name != "random twins"}
    assert untwinned == {name for name in found if not CLAIMS[name].random}
    assert apart(found["pentachoron_cv"])
    assert apart(found["embedding_participation_ratio"])
    assert not apart(found["cross_layer_correlation"])
    assert found["cross_layer_correlation"].standing == "holds, random too"


def test_claims_fail_only_for_models_they_are_stated_for(tmp_path: Path) -> None:
    tiny_models.save_t5(tmp_path)
    stated = measure(local(tmp_path, "t5_small"))
    assert stated["pentachoron_cv"].verdict == "violated"  # Gaussian at d = 64: 0.180
    assert stated["embedding_participation_ratio"].verdict == "violated"
    line = failure_line(stated["embedding_participation_ratio"])
    low, high = CLAIMS["embedding_participation_ratio"].band_for("t5_small") or (0.0, 0.0)
    said = f"embedding_participation_ratio [t5_small]: claimed {low:g} – {high:g}, measured 0.9"
    assert said in line
    assert "outside by" in line
    assert measure(local(tmp_path))["embedding_participation_ratio"].verdict == "measured"
    universal = dataclasses.replace(QUICK, universal=True)
    assert measure(local(tmp_path), universal)["embedding_participation_ratio"].fails


def test_samples_are_added_until_the_interval_clears_the_edge(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    # At d = 47 a Gaussian table's CV lies within a percent of 0.21; shift the edge onto it.
    table = torch.randn(4000, 47, generator=generator)
    save_file({"embeddings.word_embeddings.weight": table}, tmp_path / "model.safetensors")
    claim = CLAIMS["pentachoron_cv"]
    first = measure(local(tmp_path))["pentachoron_cv"]
    assert first.value is not None
    edge = first.value.value + 0.3 * (first.value.high - first.value.value)
    moved = {"pentachoron_cv": dataclasses.replace(claim, band=(edge, 1.0))}
    again = measure_model(local(tmp_path), moved, QUICK)[0]
    assert again.value is not None
    assert again.value.samples > first.value.samples
    cleared = not again.value.low < edge < again.value.high
    assert cleared or any("straddles" in note for note in again.notes)


def test_gate_is_steady_for_another_seed(minilm: dict[str, Measurement]) -> None:
    other = dataclasses.replace(gated(minilm), seed=7)
    entry = select_models(["minilm_l6"])["minilm_l6"]
    found = measure(ModelEntry("mine", entry.source), other)
    assert {m.change for m in found.values() if m.is_measured} == {"steady"}
    assert not any(m.changes for m in found.values())


def test_gate_passes_a_copy_rounded_to_bfloat16(
    minilm: dict[str, Measurement], minilm_copy: Path
) -> None:
    file = minilm_copy / "model.safetensors"
    save_file(
        {n: t.bfloat16() if t.is_floating_point() else t for n, t in load_file(file).items()}, file
    )
    found = measure(local(minilm_copy), gated(minilm))
    moved = {m.claim: m.changes for m in found.values() if m.is_measured and m.change != "steady"}
    assert moved == {}


def test_gate_names_what_a_scaled_query_moved(
    minilm: dict[str, Measurement], minilm_copy: Path
) -> None:
    file = minilm_copy / "model.safetensors"
    tensors = load_file(file)
    tensors["encoder.layer.3.attention.self.query.weight"] *= 1.5
    save_file(tensors, file)
    found = measure(local(minilm_copy), gated(minilm), "q_sparsity", "stable_rank")
    assert found["q_sparsity"].change == "regressed"
    line = failure_line(found["q_sparsity"])
    assert "q_sparsity, encoder layer 3 self_attn_q: 0.78" in line
    assert "→ 0.59" in line
    assert "tolerance 0.002" in line
    assert found["stable_rank"].change == "steady"
    tolerant = dataclasses.replace(gated(minilm), tolerances={"q_sparsity": 0.5})
    assert measure(local(minilm_copy), tolerant, "q_sparsity")["q_sparsity"].change == "steady"


def test_a_value_that_vanished_fails(minilm: dict[str, Measurement], minilm_copy: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (minilm_copy / name).unlink()
    claim = "digit_distance_correlation"
    found = measure(local(minilm_copy), gated(minilm), claim)[claim]
    assert (found.verdict, found.change, found.fails) == ("not applicable", "vanished", True)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_table_too_small_for_a_simplex_names_file_and_tensor(tmp_path: Path, rows: int) -> None:
    tensors = {"embeddings.word_embeddings.weight": torch.randn(rows, 8)}
    save_file(tensors, tmp_path / "model.safetensors")
    found = measure(local(tmp_path))
    assert found["pentachoron_cv"].verdict == "error"
    assert f"word_embeddings.weight [{rows}, 8]" in found["pentachoron_cv"].message
    assert "at least 5 rows" in found["pentachoron_cv"].message
    assert "model.safetensors" in found["pentachoron_cv"].message


def test_not_a_number_is_an_error_of_every_weight_claim(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["encoder.layer.0.attention.self.query.weight"][0, 0] = math.nan
    save_file(tensors, tmp_path / "model.safetensors")
    found = measure(local(tmp_path))
    assert found["q_sparsity"].verdict == "error"
    assert "query.weight holds 1 NaN or infinite" in found["q_sparsity"].message
    assert found["pentachoron_cv"].is_measured


def test_empty_baseline_makes_everything_new(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    found = measure(local(tmp_path), dataclasses.replace(QUICK, baseline=Results(())))
    assert {m.change for m in found.values() if m.is_measured} == {"new"}

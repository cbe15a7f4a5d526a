"""From findings to verdicts, with the gate, on real and random weights."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fixtures.errors import CheckpointError
from fixtures.model import Model
from fixtures.registry import ModelEntry, select_models
from fixtures.sources import LocalSource
from fixtures.tests import tiny_models
from geometry.estimate import exact
from invariants.__main__ import measure_model
from invariants.claims import Claim, load_claims
from invariants.finding import Finding, Named
from invariants.verdicts import Settings, evaluate, failure_line, judge
from reports.files import read_results, write_results
from reports.results import Measurement, Results, Tolerance, Value, latest

CLAIMS = load_claims()
QUICK = Settings(samples=20_000, twins=0)


def measure(entry: ModelEntry, settings: Settings = QUICK, *claims: str) -> dict[str, Measurement]:
    """All claims, or those named."""
    chosen = {name: CLAIMS[name] for name in claims or CLAIMS}
    return {m.claim: m for m in measure_model(entry, chosen, settings)}


def apart(cell: Measurement) -> bool:
    """Whether the value's interval shares no point with that of random weights."""
    assert cell.value is not None
    assert cell.random is not None
    own, random = cell.value, cell.random.value
    return own.high < random.low or random.high < own.low


def local(folder: Path, name: str = "mine") -> ModelEntry:
    return ModelEntry(name, LocalSource(folder))


@pytest.fixture(scope="module")
def minilm() -> dict[str, Measurement]:
    return measure(select_models(["minilm_l6"])["minilm_l6"])


@pytest.fixture
def minilm_copy(tmp_path: Path) -> Path:
    source = select_models(["minilm_l6"])["minilm_l6"].source.locate("minilm_l6", download=False)
    return Path(shutil.copytree(source, tmp_path / "copy"))


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
        "modulator_alpha_001",
        "modulator_alpha_050",
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
    found = measure(select_models(["t5_tiny"])["t5_tiny"], Settings(samples=20_000, twins=3))
    del found["hypernym_decay"]  # few words stand in long chains
    assert all(cell.verdict in {"measured", "holds"} for cell in found.values())
    of_trained_models = {
        *("modulator_alpha_001", "modulator_alpha_050", "modulator_best_result"),
        "phase_boundary",
    }
    untwinned = {n for n, m in found.items() if not m.random or m.random.name != "random twins"}
    assert untwinned == of_trained_models
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


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    folder = tmp_path_factory.mktemp("bert")
    tiny_models.save_bert(folder)
    model = Model("mine", folder)
    yield model
    model.release()


EVERY_PART = Claim(
    "dead_neurons", 1, "A", "Is.", "S1", Tolerance(reason="why"), (0.4, 0.6), "why", "every part"
)


def judged(finding: Finding, model: Model, claim: Claim = EVERY_PART, **fields: Any) -> Measurement:
    return judge(claim, model, finding, Settings(**{"twins": 0, "universal": True, **fields}), 0.0)


def test_a_claim_about_every_part_is_judged_by_the_worst(bert: Model) -> None:
    """Layers at 0.5 and 0.7 have a mean inside the band, and one of them is not."""
    finding = Finding(exact(0.6), "", parts={"layer 0": 0.5, "layer 1": 0.7}, part_noise=0.01)
    cell = judged(finding, bert)
    assert (cell.verdict, cell.worst_part) == ("violated", "layer 1")
    assert cell.value == Value(0.7, 0.69, 0.71, 0, "worst of 2 parts")
    assert cell.related[0].value.value == 0.6
    assert judged(dataclasses.replace(finding, parts={"layer 0": 0.5}), bert).verdict == "holds"
    assert judged(finding, bert, dataclasses.replace(EVERY_PART, of="value")).verdict == "holds"


@pytest.mark.parametrize(
    ("finding", "message"),
    [
        (Finding(exact(0.5), "", parts={"a": 0.5, "b": math.nan}), "the value is not a number (b)"),
        (Finding(exact(0.5), "", parts={"a": 0.5, "b": math.inf}), "the value is not a number (b)"),
    ],
)
def test_a_part_that_is_no_number_is_the_worst(bert: Model, finding: Finding, message: str) -> None:
    cell = judged(finding, bert)
    assert (cell.verdict, cell.value, cell.message) == ("error", None, message)
    assert failure_line(cell) == f"dead_neurons [mine]: {message}"


def test_what_stands_beside_a_value_may_be_no_number(bert: Model) -> None:
    """A NaN among the related values lost results, page and baseline of every model."""
    beside = Named("cosine over two draws", exact(math.nan), "")
    finding = Finding(exact(0.5), "", (beside,), (beside,), {"a": 0.5})
    cell = judged(finding, bert)
    assert (cell.verdict, cell.controls, cell.related[1:], cell.random) == ("holds", (), (), None)
    assert "control cosine over two draws is not a number" in cell.notes
    lost = judged(
        Finding(exact(math.nan), "", parts={}), bert, dataclasses.replace(EVERY_PART, of="value")
    )
    assert (lost.verdict, lost.message, lost.notes) == ("error", "the value is not a number", ())


class Unmeasurable(Model):
    """A model whose twins can be made, and not measured."""

    def twins(self, count: int) -> list[Model]:
        return [_Headless(self.id, self.checkpoint.location, twin_of=self)] * count


class _Headless(Model):
    @property
    def survey(self) -> Any:
        raise CheckpointError("config.json: no count of heads")


def test_twins_that_cannot_be_measured_cost_the_comparison_alone(bert: Model) -> None:
    model = Unmeasurable("mine", bert.checkpoint.location)
    for claim in ("q_sparsity", "cross_layer_correlation"):
        cell = evaluate(CLAIMS[claim], model, Settings(twins=2))
        assert cell.verdict in {"measured", "holds"}
        assert cell.random == cell.controls[0]
        assert cell.notes.count("no random twins: config.json: no count of heads") == 1
    model.release()


def test_twins_of_an_unknown_class_cost_the_comparison_alone(tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["MineForNothing"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = measure(local(tmp_path), Settings(twins=2), "q_sparsity", "cross_layer_correlation")
    for cell in found.values():
        assert cell.verdict in {"measured", "holds"}
        assert cell.random == cell.controls[0]
        remarks = cell.provenance.remarks
        assert any("no random twins" in said and "MineForNothing" in said for said in remarks)


def test_every_measurement_says_the_share_of_parameters_measured(bert: Model) -> None:
    cell = evaluate(CLAIMS["q_sparsity"], bert, Settings(twins=0))
    assert cell.provenance.parameters == bert.account.parameters > 0
    assert Results((cell,)).measured_share("mine") == bert.account.share


@pytest.mark.parametrize("samples", [2, 1000])
def test_any_number_of_samples_gives_results_that_can_be_written(
    tmp_path: Path, minilm_copy: Path, samples: int
) -> None:
    cells = measure(local(minilm_copy), Settings(samples=samples, twins=0))
    results = latest(cells.values())
    write_results(results, tmp_path / "r.json")
    assert read_results(tmp_path / "r.json") == results

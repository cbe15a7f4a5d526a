"""Claims on mixtures of experts and on latent attention: what counts as one, and what parts say."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from geometric_invariants.fixtures.architecture.layout import Layout
from geometric_invariants.fixtures.architecture.roles import Latent, Role, Weight
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.tests import mixtures, small_llama
from geometric_invariants.fixtures.tests.mixtures import LatentSizes, Sizes
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants import quantities
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.invariants.quantities.groups import told_apart
from geometric_invariants.invariants.verdicts import judge
from geometric_invariants.reports.exhibits import Figure, Table
from tests.measuring import CLAIMS, QUICK

SIZES = Sizes(width=24, inner=10, experts=4, shared=16, layers=2)
ATTENTION: tuple[Role, ...] = ("self_attn_q", "self_attn_k", "self_attn_v", "self_attn_o")


def model_of(folder: Path, tensors: dict[str, Tensor], layout: Layout) -> Model:
    save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "model.safetensors")
    model = Model("mine", folder)
    model.layout = layout
    return model


def mixture(folder: Path, change: Callable[[dict[str, Tensor]], None] = lambda _: None) -> Model:
    """Two layers of four attention matrices, four experts and an MLP for all tokens."""
    shapes = mixtures.stacked_shapes(SIZES)
    weights = list(mixtures.stacked_weights(SIZES))
    for layer in range(SIZES.layers):
        for role in ATTENTION:
            name = f"model.layers.{layer}.self_attn.{role[-1]}_proj.weight"
            shapes[name] = (SIZES.width, SIZES.width)
            weights.append(mixtures.weight(name, role, layer, shapes[name]))
    tensors = mixtures.drawn(shapes)
    change(tensors)
    return model_of(folder, tensors, mixtures.layout(weights))


def measured(claim: str, model: Model) -> Finding:
    return quantities.quantity(claim)(model, Sampling(samples=2_000, limit=2_000))


def related(finding: Finding) -> dict[str, float]:
    return {named.name: named.estimate.value for named in finding.related}


def titled(finding: Finding, title: str) -> Any:
    exhibits: tuple[Figure | Table, ...] = (*finding.figures, *finding.tables)
    return next(one for one in exhibits if one.title == title)


def column(finding: Finding, title: str, row: str) -> dict[str, Any]:
    table = titled(finding, title)
    return dict(zip(table.columns, table.rows[row], strict=True))


def flat_spectra(tensors: dict[str, Tensor]) -> None:
    """Experts' down projections all of one singular value: a stable rank of one over its most."""
    for layer in range(SIZES.layers):
        stack = tensors[f"model.layers.{layer}.mlp.experts.down_proj"]
        stack.zero_()
        stack[:, : SIZES.inner] = torch.eye(SIZES.inner)
    tensors["model.layers.1.mlp.experts.down_proj"][2] = 0.0
    tensors["model.layers.1.mlp.experts.down_proj"][2, 0, 0] = 1.0


def test_a_layers_experts_count_as_one_matrix(tmp_path: Path) -> None:
    model = mixture(tmp_path, flat_spectra)
    finding = measured("stable_rank", model)
    rows = model.survey.matrices
    ranks = {r.weight.label: r.spectrum.stable_rank / min(r.weight.shape) for r in rows}
    ones = [value for label, value in ranks.items() if "expert" not in label]
    for layer in range(2):
        for role in ("mlp_gate", "mlp_up", "mlp_down"):
            own = [ranks[f"decoder layer {layer} expert {e} {role}"] for e in range(4)]
            ones.append(statistics.median(own))
            part = finding.parts[f"decoder layer {layer} experts {role}"]
            assert part == pytest.approx(ones[-1])
    assert finding.estimate.value == pytest.approx(statistics.median(ones))
    assert related(finding)["experts one by one"] == pytest.approx(
        statistics.median(ranks.values())
    )
    assert related(finding)["without experts"] == pytest.approx(statistics.median(ones[:14]))
    assert related(finding)["matrices"] == len(rows) == 2 * (4 + 3 + 3 * 4)
    assert finding.design.endswith("a layer's experts as one")
    assert len(finding.parts) == 2 * (4 + 3 + 3)
    shown = column(finding, "stable rank of experts", "decoder layer 1 experts mlp_down")
    assert (shown["experts"], shown["median"], shown["greatest"]) == (4, 1.0, 1.0)
    assert (shown["least"], shown["expert of the least"]) == (0.1, 2)
    by_role = titled(finding, "stable rank by role").rows
    assert by_role["decoder mlp_down, experts"][-1] == 8
    assert by_role["decoder mlp_down"][-1] == 2
    lines = titled(finding, "stable rank by layer, decoder").series
    assert lines["mlp_down, experts"] == (10.0, 10.0)
    null = finding.controls[0].estimate
    assert null.low < null.value < null.high


def test_a_model_without_experts_is_counted_as_ever(tmp_path: Path) -> None:
    small_llama.write(tmp_path, small_llama.state_dict(), small_llama.CONFIG)
    finding = measured("stable_rank", Model("mine", tmp_path))
    assert finding.design == "stable rank, median over all matrices but tables"
    assert set(related(finding)) == {"matrices"}
    assert not [table for table in finding.tables if "experts" in table.title]


def test_shares_count_every_entry_and_say_what_experts_hold(tmp_path: Path) -> None:
    model = mixture(tmp_path, lambda tensors: _scale(tensors, "experts.down_proj", 30.0))
    finding = measured("weight_sparsity", model)
    rows = model.survey.matrices
    below = sum(row.magnitudes.below[4] for row in rows)
    assert finding.estimate.value == below / sum(row.magnitudes.numel for row in rows)
    without = next(named for named in finding.related if named.name == "without experts")
    assert without.estimate.value > finding.estimate.value
    entries = 2 * (4 * 24 * 24 + 3 * 16 * 24)
    share = 1 - entries / (entries + 2 * 4 * 3 * 10 * 24)
    assert f"experts hold {share:.1%} of the entries" in without.meaning
    assert finding.parts["mlp_down, experts"] < 0.1 < finding.parts["mlp_down"]
    shown = column(finding, "sparsity of experts", "decoder layer 0 experts mlp_down")
    assert shown["experts"] == 4
    assert finding.parts["mlp_down, experts"] == pytest.approx(shown["median"], abs=0.05)


def test_a_dead_neuron_of_one_expert_is_seen_and_its_expert_named(tmp_path: Path) -> None:
    def kill(tensors: dict[str, Tensor]) -> None:
        tensors["model.layers.1.mlp.experts.down_proj"][3, :, 5] = 0

    finding = measured("dead_neurons", mixture(tmp_path, kill))
    total = 2 * (16 + 4 * 10)
    assert finding.estimate.value == 1 / total
    assert related(finding)["without experts"] == 0
    assert finding.parts == {
        "decoder layer 0": 0,
        "decoder layer 0 experts": 0,
        "decoder layer 1": 0,
        "decoder layer 1 experts": 1 / 40,
    }
    shown = column(finding, "dead neurons of experts", "decoder layer 1 experts")
    assert (shown["greatest"], shown["expert of the greatest"], shown["median"]) == (0.1, 3, 0)
    by_layer = column(finding, "neurons by layer", "decoder layer 1 experts")
    assert (by_layer["neurons"], by_layer["dead"]) == (40, 1)
    assert len(titled(finding, "neurons by layer").rows) == 4
    assert "decoder layer 0 experts" in titled(finding, "neuron importance").series


def test_norms_of_a_layers_experts_are_those_of_all_their_neurons(tmp_path: Path) -> None:
    model = mixture(tmp_path)
    stored = model.checkpoint.read("model.layers.0.mlp.experts.gate_up_proj")[:, 10:].double()
    norms = torch.linalg.vector_norm(stored, dim=-1)
    shown = column(measured("dead_neurons", model), "neurons by layer", "decoder layer 0 experts")
    found = [shown[f"up norm {name}"] for name in ("mean", "std", "min", "max")]
    expected = [norms.mean(), norms.std(correction=0), norms.min(), norms.max()]
    assert found == pytest.approx([x.item() for x in expected], rel=1e-5)


def test_experts_are_told_apart_wherever_parameters_are_counted(tmp_path: Path) -> None:
    model = mixture(tmp_path)
    parts = measured("embedding_parameter_share", model).parts
    assert parts["decoder mlp, experts"] * model.parameters == pytest.approx(2 * 4 * 3 * 240)
    finding = measured("manifest", model)
    rows = titled(finding, "catalogue by role").rows
    assert (rows["mlp_up, experts"][0], rows["mlp_up"][0]) == (8, 2)
    sizes = titled(finding, "configuration").rows
    assert sizes["d_ff"] == (16,)
    assert sizes["experts of a layer"] == (4,)
    assert sizes["d_ff of an expert"] == ("10",)


def test_a_role_of_two_shapes_has_two_parts(tmp_path: Path) -> None:
    """Attention whose heads are wider every other layer: Gemma 3n, Gemma 4, Qwen 3.5."""
    rows = (16, 16, 24, 24, 24)
    shapes = {f"layers.{i}.q.weight": (n, 24) for i, n in enumerate(rows)}
    weights = [
        mixtures.weight(name, "self_attn_q", i, shape)
        for i, (name, shape) in enumerate(shapes.items())
    ]
    model = model_of(tmp_path, mixtures.drawn(shapes), mixtures.layout(weights))
    finding = measured("cross_layer_correlation", model)
    names = ["decoder self_attn_q, 16 × 24", "decoder self_attn_q, 24 × 24"]
    assert list(finding.parts) == names
    by_shape = {row.shape: row.correlation.adjacent for row in model.survey.correlations}
    assert list(finding.parts.values()) == [
        pytest.approx(by_shape[n, 24].mean().item()) for n in (16, 24)
    ]
    assert list(titled(finding, "cosines of adjacent layers").rows) == names
    drawn = titled(finding, f"cosines between layers, {names[1]}")
    assert drawn.x == ("2", "3", "4")


def test_matrices_of_one_role_in_one_layer_have_parts_of_their_own(tmp_path: Path) -> None:
    shapes = {f"layers.0.linear_attn.in_proj_{x}.weight": (8, 12) for x in "abz"}
    weights = [mixtures.weight(n, "projection", 0, s) for n, s in shapes.items()]
    model = model_of(tmp_path, mixtures.drawn(shapes), mixtures.layout(weights))
    parts = measured("stable_rank", model).parts
    assert list(parts) == [f"decoder layer 0 projection, {name}" for name in shapes]
    assert len(set(parts.values())) == 3


def test_two_projections_of_one_shape_are_compared_each_with_its_own(tmp_path: Path) -> None:
    """Qwen 3.5's in_proj_a and in_proj_b: of every layer the same numbers, unlike each other's."""
    shapes = {f"layers.{i}.in_proj_{x}.weight": (8, 12) for i in range(3) for x in "ab"}
    tensors = mixtures.drawn(shapes)
    alike = {name: tensors[f"layers.0.{name.split('.', 2)[2]}"].clone() for name in shapes}
    roles: tuple[Role, ...] = ("self_attn_v", "projection")
    for role in roles:
        weights = [mixtures.weight(n, role, int(n.split(".")[1]), s) for n, s in shapes.items()]
        model = model_of(tmp_path, alike, mixtures.layout(weights))
        for row in model.survey.correlations:
            assert row.layers == (0, 1, 2)
            assert row.correlation.adjacent.tolist() == pytest.approx([1, 1])
    named = [f"layers.{{}}.in_proj_{x}.weight" for x in "ab"]
    assert [row.pattern for row in model.survey.correlations] == named


def test_labels_are_told_apart() -> None:
    assert told_apart(["a", "a", "a"], ["x", "x", "y"]) == ["a, x, 1", "a, x, 2", "a, y"]


def test_the_balance_of_latent_attention_is_said_to_be_its_shapes(tmp_path: Path) -> None:
    """Whatever the weights: here shifted, so that plain ones would balance elsewhere."""
    sizes = LatentSizes(64, heads=4, nope=8, rope=4, value=8, query_rank=16, key_rank=8)
    weights: list[Weight] = []
    latents: list[Latent] = []
    tensors: dict[str, Tensor] = {}
    for layer in range(2):
        placed, latent = mixtures.latent_weights(sizes, layer)
        weights += placed
        latents.append(latent)
        tensors |= mixtures.drawn(mixtures.latent_shapes(sizes, layer), seed=layer)
    model = model_of(
        tmp_path,
        {name: tensor + 1 for name, tensor in tensors.items()},
        mixtures.layout(weights, latents=tuple(latents)),
    )
    finding = measured("self_attention_qk_balance", model)
    assert finding.parts == {"decoder layer 0": 0.5, "decoder layer 1": 0.5}
    assert (
        "in 2 of 2 layers the rank of W_q W_kᵀ is at most half its size (12 in 48"
        in (finding.notes[0])
    )
    null = finding.controls[0]
    assert (null.estimate.low, null.estimate.high) == (0.5, 0.5)
    assert not [name for name in titled(finding, "QK eigenvalues").series if "random" in name]
    heads = measured("head_signed_mass", model)
    assert related(heads)["heads"] == 8
    assert heads.controls[0].meaning == "heads whose factors are Gaussian"
    assert heads.estimate.value != 0


def test_shared_keys_balance_by_their_shape_too(tmp_path: Path) -> None:
    small_llama.write(tmp_path, small_llama.state_dict(), small_llama.CONFIG)
    finding = measured("self_attention_qk_balance", Model("mine", tmp_path))
    assert set(finding.parts.values()) == {0.5}
    assert "3 of 3 layers" in finding.notes[0]
    assert "(16 in 32: keys are shared or thin)" in finding.notes[0]


def test_no_part_of_another_network_is_judged(tmp_path: Path) -> None:
    small_llama.write(tmp_path, small_llama.state_dict(), small_llama.CONFIG)
    model = Model("t5_xxl", tmp_path)
    claim = CLAIMS["cross_attention_qk_balance"]
    half = measured("self_attention_qk_balance", model)
    both = dataclasses.replace(half, parts={**half.parts, "text layer 0": 0.7})
    cells = [
        judge(claim, model, finding, QUICK, 0.0)
        for finding in (both, dataclasses.replace(both, apart=frozenset({"text layer 0"})))
    ]
    assert [cell.verdict for cell in cells] == ["violated", "holds"]
    assert cells[0].worst_part == "text layer 0"
    assert cells[1].parts["text layer 0"] == 0.7


def _scale(tensors: dict[str, Tensor], ending: str, factor: float) -> None:
    names: Sequence[str] = [name for name in tensors if name.endswith(ending)]
    for name in names:
        tensors[name] = tensors[name] * factor

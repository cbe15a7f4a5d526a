"""Tables and figures of the weights say what the weights hold, and small models fill them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants import quantities
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.reports.exhibits import Figure, Table


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Any]:
    """A gated T5 with an untied head, as T5 v1.1 is published, and its module."""
    folder: Path = tmp_path_factory.mktemp("t5")
    module = tiny_models.save_t5(folder, gated=True)
    return Model("mine", folder), module


def measured(claim: str, model: Model) -> Finding:
    return quantities.quantity(claim)(model, Sampling(samples=2_000, limit=2_000))


def titled(finding: Finding, title: str) -> Any:
    exhibits: tuple[Figure | Table, ...] = (*finding.figures, *finding.tables)
    return next(one for one in exhibits if one.title == title)


def column(table: Table, row: str) -> dict[str, Any]:
    return dict(zip(table.columns, table.rows[row], strict=True))


def test_the_catalogue_counts_every_role_in_every_stack(t5: tuple[Model, Any]) -> None:
    finding = measured("manifest", t5[0])
    queries = column(titled(finding, "catalogue by role"), "self_attn_q")
    assert (queries["weights"], queries["encoder"], queries["decoder"]) == (6, 3, 3)
    assert queries["parameters"] == 6 * 64 * 64
    assert queries["shapes"] == "6 of 64 × 64"
    sizes = {name: cells[0] for name, cells in titled(finding, "configuration").rows.items()}
    assert (sizes["d_model"], sizes["d_kv"], sizes["d_ff"], sizes["heads"]) == (64, 16, 128, 4)
    assert (sizes["encoder layers"], sizes["decoder layers"]) == (3, 3)
    assert sizes["activation"] == "gated-gelu"


def test_parameters_by_component_add_up_to_all(t5: tuple[Model, Any], tmp_path: Path) -> None:
    tiny_models.save_bert(tmp_path)
    for model in (t5[0], Model("bert", tmp_path)):
        rows = dict(titled(measured("embedding_parameter_share", model), _COMPONENTS).rows)
        total = rows.pop("all")
        assert total[0] == model.parameters
        assert sum(count for count, _ in rows.values()) == model.parameters
        assert sum(share for _, share in rows.values()) == pytest.approx(1, abs=1e-5)
    assert "biases and other vectors" in rows
    assert "encoder layernorm" in rows


_COMPONENTS = "parameters by component"


def test_what_shares_the_embedding_is_said(t5: tuple[Model, Any]) -> None:
    table = titled(measured("embedding_parameter_share", t5[0]), "embedding sharing")
    assert table.rows["shared → encoder"] == ("one tensor",)
    assert table.rows["shared → decoder"] == ("one tensor",)
    assert table.rows["shared → head"][0].startswith("tied")


def test_sparsity_by_role_counts_entries(t5: tuple[Model, Any]) -> None:
    model, module = t5
    finding = measured("weight_sparsity", model)
    queries = torch.cat([block.layer[0].SelfAttention.q.weight for block in module.encoder.block])
    shown = column(titled(finding, "sparsity by role"), "encoder self_attn_q")
    assert shown["< 0.01"] == pytest.approx((queries.abs() < 0.01).double().mean().item(), rel=1e-5)
    assert shown["< 0.1"] == pytest.approx(shown["initialisation < 0.1"], abs=0.01)
    every = torch.cat([parameter.flatten() for parameter in module.parameters()])
    whole = column(titled(finding, "sparsity of all parameters"), "all")
    assert whole["parameters"] == every.numel()
    assert whole["count < 0.001"] == int((every.abs() < 1e-3).sum())
    figure = titled(finding, "magnitudes")
    for name in ("self_attn_q", "all", "all, Gaussian of the same rms"):
        assert sum(figure.series[name]) == pytest.approx(1, abs=2e-3)
    together = zip(
        figure.series["all"], figure.series["all, Gaussian of the same rms"], strict=True
    )
    assert max(abs(a - b) for a, b in together) < 0.02  # of matrices drawn at random


def test_random_weights_lie_on_the_nulls_of_every_figure(t5: tuple[Model, Any]) -> None:
    """A model as initialised: spectra, eigenvalues and neurons are what random ones show."""
    model = t5[0]
    spectra = titled(measured("stable_rank", model), "singular values, self_attn")
    for role in ("encoder self_attn_q", "decoder self_attn_v"):
        assert spectra.series[role][:40] == pytest.approx(
            spectra.series[f"{role}, random"][:40], rel=0.12
        )
    balance = titled(measured("self_attention_qk_balance", model), "QK eigenvalues")
    null = balance.series["random 64 × 64"]
    assert balance.series["encoder layer 0"] == pytest.approx(null, abs=0.45)
    neurons = titled(measured("dead_neurons", model), "neuron importance")
    null = neurons.series["random, 128 neurons"]
    assert neurons.series["decoder layer 2"][2:-2] == pytest.approx(null[2:-2], abs=0.12)


def test_qk_rows_hold_counts_and_the_largest_eigenvalues(t5: tuple[Model, Any]) -> None:
    model, module = t5
    finding = measured("cross_attention_qk_balance", model)
    shown = column(titled(finding, "QK by layer"), "decoder layer 1")
    layer = module.decoder.block[1].layer[1].EncDecAttention
    product = (layer.q.weight @ layer.k.weight.T).double().detach()
    values = torch.linalg.eigvalsh((product + product.T) / 2).flip(0)
    assert (shown["positive"], shown["negative"]) == ((values > 0).sum(), (values < 0).sum())
    top = [shown[f"eigenvalue {i}"] for i in range(1, 6)]
    assert top == pytest.approx(values[:5].tolist(), rel=1e-4)
    changes = column(titled(finding, "QK trend"), "decoder")
    assert changes["change"] == pytest.approx(changes["last"] - changes["first"], abs=1e-5)


def test_norms_of_neurons_and_scales_stand_by_layer(t5: tuple[Model, Any]) -> None:
    model, module = t5
    up = module.encoder.block[2].layer[1].DenseReluDense.wi_1.weight.norm(dim=1)
    shown = column(titled(measured("dead_neurons", model), "neurons by layer"), "encoder layer 2")
    assert shown["up norm mean"] == pytest.approx(up.mean().item(), rel=1e-4)
    assert shown["up norm max"] == pytest.approx(up.max().item(), rel=1e-4)
    assert {"gate norm std", "down norm min", "dead", "weak"} <= shown.keys()
    norms = measured("layernorm_scale", model)
    listed = titled(norms, "norms").rows
    assert {
        f"{name.split('.')[0]} layer {name.split('.')[2]}" for name in listed if "block" in name
    } == (set(norms.parts))
    assert titled(norms, "norm scales").series["median"] == (1.0,) * len(listed)


def test_both_stacks_biases_are_shown_by_head(t5: tuple[Model, Any]) -> None:
    model, module = t5
    finding = measured("decoder_position_crystallization", model)
    heads = titled(finding, "position bias by head")
    assert len(heads.rows) == 8
    bias = module.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight.detach()
    name = next(row for row in heads.rows if row.startswith("encoder") and row.endswith("head 1"))
    assert column(heads, name)["peak bucket"] == int(bias[:, 1].argmax())
    assert column(heads, name)["mean"] == pytest.approx(bias[:, 1].mean().item(), rel=1e-4)
    assert len([figure for figure in finding.figures if figure.kind == "heatmap"]) == 2
    assert len(titled(finding, "position bias").rows) == 2


def test_all_pairs_of_layers_are_drawn(t5: tuple[Model, Any]) -> None:
    finding = measured("cross_layer_correlation", t5[0])
    figure = titled(finding, "cosines between layers, encoder self_attn_q")
    cosines = [list(row) for row in figure.series.values()]
    assert [cosines[i][i] for i in range(3)] == [None, None, None]  # one, and would drown the rest
    shown = column(titled(finding, "cosines of adjacent layers"), "encoder self_attn_q")
    mean = (cosines[0][1] + cosines[1][2]) / 2
    assert shown["mean"] == pytest.approx(mean, abs=1e-5)

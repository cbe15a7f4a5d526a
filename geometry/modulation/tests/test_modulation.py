from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometry.modulation import field, lerp
from geometry.modulation.field import FieldModulator, SimplexExpert
from geometry.modulation.lerp import LerpModulator
from geometry.modulation.regular_simplex import regular_simplex
from geometry.simplex import cayley_menger_squared_volume, regular_simplex_volume


@given(st.integers(1, 12), st.integers(0, 8))
def test_a_regular_simplex_is_regular(k: int, spare: int) -> None:
    vertices = regular_simplex(k, k + spare)
    edges = torch.pdist(vertices)
    assert (edges - 1).abs().max() < 1e-12
    torch.testing.assert_close(vertices.sum(0), torch.zeros(k + spare).double(), atol=1e-12, rtol=0)
    volume = cayley_menger_squared_volume(vertices[None]).sqrt().item()
    assert volume == pytest.approx(regular_simplex_volume(k), rel=1e-6)


def test_too_few_dimensions_hold_no_simplex() -> None:
    with pytest.raises(ValueError, match="at least 4 dimensions"):
        regular_simplex(4, 3)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 99), st.floats(0.001, 0.999))
def test_the_mix_is_between_states_and_embedding(
    batch: int, layer: int, seed: int, alpha: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    modulator = LerpModulator(11, 6, 4, dimensions=5, start=alpha, generator=generator)
    states = torch.randn(batch, 3, 6, generator=generator)
    tokens = torch.randint(11, (batch, 3), generator=generator)
    mixed = modulator.geometric[tokens] @ modulator.projection.mT
    expected = torch.lerp(states, mixed, modulator.alpha[layer])
    torch.testing.assert_close(modulator(states, tokens, layer), expected)
    assert modulator.alpha.tolist() == pytest.approx([alpha] * 4, abs=1e-6)


def test_fixed_alpha() -> None:
    modulator = LerpModulator(5, 4, 2, dimensions=3, shared=True)
    states, tokens = torch.randn(1, 2, 4), torch.tensor([[1, 2]])
    assert modulator.logit.shape == (1,)
    modulator.fix_alpha(0.0)
    assert modulator(states, tokens, 0) is states
    modulator.fix_alpha(1.0)
    expected = modulator.geometric[tokens] @ modulator.projection.mT
    torch.testing.assert_close(modulator(states, tokens, 1), expected)
    modulator.fix_alpha(None)
    assert modulator.alpha[0].item() == pytest.approx(0.01)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            modulator.fix_alpha(wrong)
    with pytest.raises(ValueError, match="strictly between"):
        LerpModulator(5, 4, 2, start=1.0)


def test_a_modulator_begins_as_an_embedding_and_a_small_projection_do() -> None:
    modulator = LerpModulator(2_000, 512, 6, generator=torch.Generator().manual_seed(0))
    assert modulator.geometric.mean().item() == pytest.approx(0, abs=0.01)
    assert modulator.geometric.std().item() == pytest.approx(1, abs=0.01)
    assert modulator.projection.std().item() == pytest.approx(0.01, abs=0.0003)
    again = LerpModulator(2_000, 512, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.geometric, modulator.geometric)


@given(st.integers(0, 99))
def test_lanczos_finds_what_a_whole_decomposition_finds(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(160, 40, generator=generator).double()
    similarity = rows @ rows.mT
    found = lerp.spectral_embedding(similarity, 20)
    values, vectors = torch.linalg.eigh(similarity)
    expected = vectors[:, -20:] * values[-20:].sqrt()
    expected = torch.nn.functional.normalize(expected)
    torch.testing.assert_close(found @ found.mT, expected @ expected.mT, atol=1e-8, rtol=0)


def test_spectral_embedding_of_what_has_few_dimensions_is_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(30, 4, generator=generator).double())
    found = lerp.spectral_embedding(rows @ rows.mT, 4)
    torch.testing.assert_close(found @ found.mT, rows @ rows.mT, atol=1e-10, rtol=0)
    with pytest.raises(ValueError, match="fewer than 64"):
        lerp.spectral_embedding(torch.eye(5))


def test_tokens_take_after_their_nearest_anchors() -> None:
    anchors = torch.eye(6)
    anchored = torch.nn.functional.normalize(torch.randn(6, 3))
    others = anchors[2:3] + 0.01
    found = lerp.spread_to_neighbours(anchored, anchors, others, neighbours=1)
    torch.testing.assert_close(found, anchored[2:3])
    cosines = torch.nn.functional.cosine_similarity(others, anchors)
    weights = (10 * cosines).softmax(0)
    both = torch.nn.functional.normalize((weights @ anchored)[None])
    torch.testing.assert_close(lerp.spread_to_neighbours(anchored, anchors, others), both)


def test_simplex_embedding_has_unit_rows_and_health_describes_it() -> None:
    modulator = LerpModulator(400, 8, 3)
    rows = lerp.simplex_embedding(400, 64, torch.Generator().manual_seed(0))
    modulator.geometric.data.copy_(rows)
    health = modulator.health()
    assert health.norm_mean == pytest.approx(1, abs=1e-6)
    assert health.norm_std < 1e-6
    assert abs(health.cosine_mean) < 0.02
    assert 0.8 < health.participation_ratio <= 1
    assert len(health.alpha) == 3


def test_health_is_of_embeddings_from_all_over_the_table() -> None:
    modulator = LerpModulator(20_000, 8, 3)
    modulator.geometric.data[:10_000] *= 3
    assert modulator.health().norm_mean == pytest.approx(2 * 64**0.5, rel=0.02)


def test_the_default_field_modulator_has_the_claimed_size() -> None:
    modulator = FieldModulator(512, 6)
    assert sum(p.numel() for p in modulator.parameters() if p.requires_grad) == 38_552
    groups = modulator.parameter_groups(1e-3)
    assert [group["lr"] for group in groups] == [1e-4, 5e-4, 1e-3]
    names = {id(p): name for name, p in modulator.named_parameters()}
    slow, alpha, whole = ([names[id(p)] for p in group["params"]] for group in groups)  # type: ignore[attr-defined]
    assert alpha == ["logit"]
    assert {name.split(".")[2] for name in slow} == {"deform", "normalise", "valid"}
    assert {name.split(".")[2] for name in whole} == {"gate"}
    assert sum(p.numel() for group in groups for p in group["params"]) == 38_552  # type: ignore[attr-defined]


@given(
    st.integers(8, 40),
    st.integers(1, 3),
    st.sampled_from([(1,), (2, 3), (1, 2, 4)]),
    st.sampled_from(["tail", "scattered"]),
    st.integers(0, 99),
)
def test_the_null_space_passes_bit_for_bit(
    d: int, layers: int, experts: tuple[int, ...], null_space: str, seed: int
) -> None:
    torch.manual_seed(seed)
    modulator = FieldModulator(d, layers, experts=experts, null_space=null_space)  # type: ignore[arg-type]
    for dtype in (torch.float32, torch.bfloat16):
        states = torch.randn(2, 3, d).to(dtype)
        found = modulator(states, None, layers - 1)
        active = torch.zeros(d, dtype=torch.bool)
        active[modulator.active_at] = True
        assert active.sum() == int(d * 0.75)
        assert torch.equal(found[..., ~active], states[..., ~active])
        assert found.dtype == dtype
        assert (found[..., active].abs() <= states[..., active].abs() * 1.01).all()
    if null_space == "scattered":
        order = torch.randperm(d, generator=torch.Generator().manual_seed(42))
        assert torch.equal(modulator.active_at, order[: int(d * 0.75)].sort().values)
    assert null_space == "scattered" or active[: int(d * 0.75)].all()


@given(st.floats(-1e4, 1e4))
def test_alpha_never_leaves_its_range(logit: float) -> None:
    modulator = FieldModulator(8, 2, experts=(1,))
    modulator.logit.data.fill_(logit)
    assert (modulator.alpha >= field.LEAST).all()
    assert (modulator.alpha <= field.MOST).all()


def test_features_are_edges_and_volume_and_have_gradients() -> None:
    torch.manual_seed(0)
    expert = SimplexExpert(4, 6).double()
    active = torch.randn(3, 6, dtype=torch.float64)
    vertices = expert.vertices(active)
    features = expert.features(vertices)
    torch.testing.assert_close(features[0, :10], torch.pdist(vertices[0]).square())
    expected = cayley_menger_squared_volume(vertices)
    torch.testing.assert_close(features[:, 10], expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_gradients_through_volumes_and_gates(k: int) -> None:
    torch.manual_seed(k)
    expert = SimplexExpert(k, 5).double().eval()
    active = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)

    def gated(x: torch.Tensor) -> torch.Tensor:
        gate, validity = expert(x)
        product: torch.Tensor = gate * validity
        return product

    assert torch.autograd.gradcheck(gated, (active,))
    volumes = regular_simplex(k, 8).expand(2, -1, -1).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: expert.features(v), (volumes,))


def test_the_gate_has_no_factor_of_validity() -> None:
    torch.manual_seed(0)
    modulator = FieldModulator(16, 2).eval()
    states = torch.randn(2, 3, 16)
    active = states[..., :12]
    expected = active.clone()
    for index, expert in enumerate(modulator.experts):
        alpha = modulator.alpha[1, index]
        expected = expected * ((1 - alpha) + alpha * expert(active)[0])
    torch.testing.assert_close(modulator(states, None, 1)[..., :12], expected)


def test_health_follows_the_share_of_simplices_that_span_a_volume() -> None:
    torch.manual_seed(0)
    modulator = FieldModulator(16, 2)
    assert modulator.health().validity == (0.0,) * 3
    modulator(torch.randn(1, 3, 16), None, 0)
    after = modulator.health()
    assert after.validity == pytest.approx((0.01,) * 3)  # all of them do, in a memory of 0.99
    flat = SimplexExpert(1, 4)
    flat.template.zero_()
    flat.deform.weight.data.zero_()
    flat.deform.bias.data.zero_()
    flat(torch.randn(5, 4))
    assert flat.running_validity.item() == 0.0
    assert after.alpha[0] == pytest.approx((0.01,) * 3)
    modulator.eval()
    modulator(torch.randn(1, 3, 16), None, 0)
    assert modulator.health().validity == after.validity
    assert field.in_target(0.25)
    assert not field.in_target(0.27)
    assert math.isfinite(sum(after.validity))

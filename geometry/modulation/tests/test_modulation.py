from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.geometry.modulation import lerp
from geometric_invariants.geometry.modulation.field import (
    FieldModulator,
    FieldSettings,
    SimplexExpert,
)
from geometric_invariants.geometry.modulation.lerp import LerpModulator
from geometric_invariants.geometry.modulation.regular_simplex import regular_simplex
from geometric_invariants.geometry.simplex import (
    cayley_menger_squared_volume,
    regular_simplex_volume,
)


@settings(deadline=None)
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
    spectral = lerp.spectral_embedding(similarity, 20)
    found = spectral.rows
    values, vectors = torch.linalg.eigh(similarity)
    expected = vectors[:, -20:] * values[-20:].sqrt()
    expected = torch.nn.functional.normalize(expected)
    torch.testing.assert_close(found @ found.mT, expected @ expected.mT, atol=1e-8, rtol=0)
    torch.testing.assert_close(spectral.eigenvalues, values[-20:].flip(0), atol=1e-8, rtol=1e-10)


def test_spectral_embedding_of_what_has_few_dimensions_is_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(30, 4, generator=generator).double())
    found = lerp.spectral_embedding(rows @ rows.mT, 4).rows
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
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(65, (400, 5), generator=generator)
    rows = lerp.simplex_embedding(regular_simplex(64, 64)[chosen]).float()
    modulator.geometric.data.copy_(rows)
    health = modulator.health()
    assert health.norm_mean == pytest.approx(1, abs=1e-6)
    assert health.norm_std < 1e-6
    assert abs(health.cosine_mean) < 0.02
    assert 0.8 < health.participation_ratio <= 1
    assert len(health.alpha) == 3


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 99))
def test_given_simplices_are_summed_over_their_vertices(tokens: int, size: int, seed: int) -> None:
    simplices = torch.randn(tokens, size, 7, generator=torch.Generator().manual_seed(seed)).double()
    found = lerp.simplex_embedding(simplices)
    cosines = torch.nn.functional.cosine_similarity(found, simplices.mean(1))
    torch.testing.assert_close(cosines, torch.ones(tokens).double())
    torch.testing.assert_close(torch.linalg.vector_norm(found, dim=1), torch.ones(tokens).double())


def test_similarity_of_token_sets_is_the_cosine_of_their_embeddings() -> None:
    modulator = LerpModulator(9, 4, 2, generator=torch.Generator().manual_seed(0))
    first, second = torch.tensor([0, 3, 5]), torch.tensor([3, 8])
    found = modulator.similarity(first, second)
    rows = modulator.geometric.detach().double()
    expected = torch.nn.functional.cosine_similarity(
        rows[first][:, None], rows[second][None], dim=2
    )
    torch.testing.assert_close(found, expected)
    assert found[1, 0].item() == pytest.approx(1)
    assert modulator.shapes == {"geometric": (9, 64), "projection": (4, 64), "logit": (2,)}


def test_health_is_of_embeddings_from_all_over_the_table() -> None:
    modulator = LerpModulator(20_000, 8, 3)
    modulator.geometric.data[:10_000] *= 3
    assert modulator.health().norm_mean == pytest.approx(2 * 64**0.5, rel=0.02)
    own = modulator.health(500, torch.arange(10_000))
    assert own.norm_mean == pytest.approx(3 * 64**0.5, rel=0.02)
    chosen = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:500]
    rows = torch.nn.functional.normalize(modulator.geometric[chosen].detach().double())
    cosines = (rows @ rows.mT)[torch.ones(500, 500).triu(1).bool()]
    assert own.cosine_mean == pytest.approx(cosines.mean().item(), abs=1e-9)
    assert own.cosine_std == pytest.approx(cosines.std(correction=0).item(), rel=1e-6)


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
    d: int,
    layers: int,
    experts: tuple[int, ...],
    null_space: Literal["tail", "scattered"],
    seed: int,
) -> None:
    torch.manual_seed(seed)
    modulator = FieldModulator(d, layers, FieldSettings(experts=experts, null_space=null_space))
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
    modulator = FieldModulator(8, 2, FieldSettings(experts=(1,)))
    modulator.logit.data.fill_(logit)
    assert ((modulator.alpha >= 0.001) & (modulator.alpha <= 0.35)).all()
    own = FieldModulator(8, 2, FieldSettings(alpha_min=0.005, alpha_max=0.05))
    own.logit.data.fill_(logit)
    assert ((own.alpha >= 0.005) & (own.alpha <= 0.05)).all()


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
        gate, validity, _ = expert(x)
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
    assert modulator.health().validity == ((0.0,) * 3,) * 2
    modulator(torch.randn(1, 3, 16), None, 0)
    after = modulator.health()
    assert after.validity[0] == pytest.approx((0.01,) * 3)  # all of them do, in a memory of 0.99
    assert after.validity[1] == (0.0,) * 3
    flat = modulator.experts[1]
    assert isinstance(flat, SimplexExpert)
    flat.template.zero_()
    flat.deform.weight.data.zero_()
    flat.deform.bias.data.zero_()
    modulator(torch.randn(1, 3, 16), None, 1)
    assert modulator.health().validity[1] == pytest.approx((0.01, 0.0, 0.01))
    assert after.alpha[0] == pytest.approx((0.01,) * 3)
    modulator.eval()
    modulator(torch.randn(1, 3, 16), None, 0)
    assert modulator.health().validity[0] == after.validity[0]


def test_health_tells_experts_dimensions_and_parameters() -> None:
    health = FieldModulator(512, 6).health()
    assert (health.active, health.null, health.parameters) == (384, 128, 38_552)
    assert sum(one.parameters for one in health.experts) == 38_552 - 6 * 3
    for one in health.experts:
        expected = regular_simplex_volume(one.k) ** 2
        assert one.template_squared_volume == pytest.approx(expected, rel=1e-5)
        assert one.deformation_norm > 0


def test_a_reading_holds_what_the_experts_see() -> None:
    torch.manual_seed(0)
    modulator = FieldModulator(16, 2).eval()
    states = torch.randn(2, 3, 16)
    reading = modulator.read(states, 1)
    assert torch.equal(reading.states, modulator(states, None, 1))
    assert reading.squared_volumes.shape == reading.validity.shape == (2, 3, 3)
    assert ((reading.validity > 0) & (reading.validity < 1)).all()
    expert = modulator.experts[2]
    assert isinstance(expert, SimplexExpert)
    expected = cayley_menger_squared_volume(expert.vertices(states[..., :12]).double()).float()
    torch.testing.assert_close(reading.squared_volumes[..., 2], expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    "wrong",
    [{"null_fraction": 1.0}, {"alpha_start": 0.4}, {"alpha_min": 0.0}, {"alpha_max": 1.0}],
)
def test_settings_that_leave_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"null fraction|α must start"):
        FieldSettings(**wrong)  # type: ignore[arg-type]


def test_settings_change_what_is_built() -> None:
    own = FieldSettings(experts=(2,), dimensions=5, deformation=0.0, null_fraction=0.5)
    modulator = FieldModulator(16, 2, own)
    assert (modulator.health().active, modulator.health().null) == (8, 8)
    reading = modulator.read(torch.randn(4, 16), 0)
    expected = torch.full((4, 1), regular_simplex_volume(2) ** 2)
    torch.testing.assert_close(reading.squared_volumes, expected)  # nothing deforms the template
    assert own.in_target(0.25)
    assert not own.in_target(0.27)
    assert FieldSettings(cv_target=0.3, cv_reach=0.01).in_target(0.305)

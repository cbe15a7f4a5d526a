"""The modulator pipeline on a trained model."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling, exact
from geometric_invariants.geometry.modulation.field import FieldModulator, FieldSettings
from geometric_invariants.geometry.modulation.training import TrainingSettings
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.experiments import recorded
from geometric_invariants.invariants.experiments.modulation import (
    exhibits,
    field_exhibits,
    fields,
    generation,
    overlay,
)
from geometric_invariants.invariants.experiments.modulation.generation import Text, incoherence
from geometric_invariants.invariants.experiments.modulation.measured import (
    detail,
    measure,
    volume_cv,
)
from geometric_invariants.invariants.experiments.modulation.overlay import (
    Overlay,
    in_form,
    overlay_of,
)
from geometric_invariants.invariants.experiments.modulation.resuming import PointFile
from geometric_invariants.invariants.experiments.modulation.sweep import (
    CONSTANT,
    HIGH,
    LOW,
    Point,
    Setting,
    explore,
)
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.invariants.quantities import modulation as quantities
from geometric_invariants.invariants.verdicts import Settings, judge
from geometric_invariants.reports import baseline
from tests.measuring import FEW


def norms(laid: Overlay) -> torch.Tensor:
    found: torch.Tensor = torch.linalg.vector_norm(laid.modulator.geometric.detach(), dim=1)
    return found


def unmatched(laid: Overlay) -> torch.Tensor:
    apart = torch.ones(len(laid.modulator.geometric), dtype=torch.bool)
    apart[laid.tokens] = False
    return apart


def test_the_overlay_carries_wordnets_geometry(t5_tiny: Model, laid: Overlay) -> None:
    assert overlay_of(t5_tiny, FEW) is laid
    assert laid.reconstruction > 0.8
    assert laid.aligned.cosine_mean > laid.aligned_null.cosine_mean + 0.1
    assert laid.aligned.scale > laid.aligned_null.scale > 0
    assert list(laid.eigenvalues) == sorted(laid.eigenvalues, reverse=True)
    assert (norms(laid)[laid.tokens] - 1).abs().max() < 1e-5
    mixed = laid.modulator.geometric @ laid.modulator.projection.mT
    own = torch.linalg.vector_norm(mixed[laid.tokens], dim=1)
    encoder = torch.linalg.vector_norm(laid.words.encoder[laid.anchors], dim=1).mean()
    torch.testing.assert_close(own, torch.full_like(own, 0.1 * encoder), rtol=1e-4, atol=0)


def test_tokens_of_no_word_bring_normal_rows_or_none(t5_tiny: Model, laid: Overlay) -> None:
    rows = laid.modulator.geometric[unmatched(laid)]
    assert rows.mean().item() == pytest.approx(0, abs=0.02)
    assert rows.std().item() == pytest.approx(1, abs=0.02)
    assert norms(laid)[unmatched(laid)].mean().item() == pytest.approx(8, rel=0.02)
    again = overlay.overlay(t5_tiny, FEW)
    assert torch.equal(again.modulator.geometric, laid.modulator.geometric)
    zero = in_form(laid, "zero", FEW)
    assert (norms(zero)[unmatched(laid)] == 0).all()
    own, kept = (one.modulator.geometric[laid.tokens] for one in (laid, zero))
    assert torch.equal(own, kept)


def test_words_dealt_are_the_same_embeddings_on_other_words(laid: Overlay) -> None:
    own, other = laid.modulator.geometric, in_form(laid, "dealt", FEW).modulator.geometric
    assert not torch.equal(other, own)
    torch.testing.assert_close(other.sum(0), own.sum(0), rtol=1e-4, atol=1e-3)
    assert torch.equal(other[unmatched(laid)], own[unmatched(laid)])


def test_alpha_zero_is_the_plain_encoder_and_more_changes_more(
    t5_tiny: Model, laid: Overlay
) -> None:
    plain = overlay.encode_at(t5_tiny, laid, 0.0)
    torch.testing.assert_close(plain, laid.words.encoder, rtol=1e-4, atol=1e-4)
    settings = [Setting("normal", alpha, 0) for alpha in (0.0, LOW, HIGH)]
    found = explore(t5_tiny, FEW, settings)
    kept = [found.relation("preservation", alpha).item() for alpha in (0.0, LOW, HIGH)]
    assert kept[0] == pytest.approx(1.0)
    assert kept[0] > kept[1] > 0.99 > kept[2]
    unchanged = [found.text("unchanged", alpha).item() for alpha in (0.0, LOW, HIGH)]
    assert unchanged[0] == 1.0 > unchanged[1] > 0.8 > 0.2 > unchanged[2]


def test_preservation_and_cv_are_of_all_words_not_of_the_anchors(laid: Overlay) -> None:
    few = dataclasses.replace(laid, anchors=laid.anchors[:300])
    others = torch.ones(len(laid.words), dtype=torch.bool)
    others[few.anchors] = False
    rows = laid.words.encoder.clone()
    rows[others] = -rows[others]
    found = measure(laid.words, laid.probe, rows)
    assert found.preservation == pytest.approx(1 - 2 * 700 / 1000)
    assert laid.probe.simplices.max() == len(laid.words) - 1


def test_simplices_without_volume_are_dropped_and_counted() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 16, generator=generator)
    rows[1] = rows[0]
    sets = torch.stack([torch.randperm(40, generator=generator)[:5] for _ in range(400)])
    flat = torch.tensor([[0, 1, 2, 3, 4]] * 10)
    volumes = [volume_cv(rows, one) for one in (sets, torch.cat([sets, flat]))]
    degenerate = int(((sets == 0).any(1) & (sets == 1).any(1)).sum())
    assert [dropped for _, dropped in volumes] == [degenerate, degenerate + 10]
    assert volumes[0][0] == volumes[1][0]


def test_texts_are_held_against_the_plain_ones(t5_tiny: Model, laid: Overlay) -> None:
    prompts = generation.prompts_of(laid)
    assert generation.text_at(t5_tiny, laid, 0.0).unchanged == 1.0
    assert generation.text_at(t5_tiny, laid, 0.9).unchanged < 0.5
    (alone,) = generation.generations(t5_tiny, prompts[3:4])
    assert generation.plain_generations(t5_tiny, prompts)[3] == alone
    found = generation.compared([[5, 6, 5, 6, 5], [], [7]], [[5, 6, 5, 6, 5], [8], [9]])
    expected = Text(1 / 3, (0.4 + 0 + 1) / 3, 0.5 / 3)
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(expected))


@given(st.floats(0.5, 1), st.floats(0, 0.3), st.floats(0, 1), st.floats(0, 0.5))
def test_text_is_coherent_until_a_tenth_is_lost_or_repeated(
    distinct: float, repetition: float, lost: float, more: float
) -> None:
    plain = Text(1.0, distinct, repetition)
    assert incoherence(plain, plain) == 0
    found = incoherence(Text(0.0, distinct * (1 - lost), repetition + more), plain)
    assert found == pytest.approx(10 * max(lost, more), abs=1e-6)


def test_babble_is_not_coherent() -> None:
    plain = generation.compared([[1, 2, 3, 4]], [[1, 2, 3, 4]])
    for babble in ([5, 6] * 8, [5] * 16, [5, 6, 7, 8] * 4, []):
        assert incoherence(generation.compared([babble], [[1, 2, 3, 4]]), plain) > 1


def test_a_field_modulator_learns_too(t5_tiny: Model, laid: Overlay) -> None:
    brief = TrainingSettings(epochs=1, batch=64, check_every=2)
    modulator = fields.fresh_field(t5_tiny, laid)
    history = fields.learn_field(t5_tiny, laid, modulator, brief, 300)
    assert len(history.cv) == 2
    assert all(0 < share <= 1 for row in modulator.health().validity for share in row)
    found = fields.examine_field(t5_tiny, laid, modulator, FEW)
    assert found.after[0].preservation < 1 == pytest.approx(found.before[0].preservation)
    assert found.map.spanning.shape == (4, 3)
    assert ((found.map.spanning > 0.5) & (found.map.spanning <= 1)).all()
    assert found.test.passed
    assert found.impact.cosine_mean < 1
    titles = {one.title for one in field_exhibits.field_figures(modulator, found, history)}
    assert titles >= {"validity map", "α by layer and expert", "field losses", "field cv"}
    tables = {one.title: one for one in field_exhibits.field_tables(modulator, found)}
    assert set(tables["field self-test"].rows.values()) == {("yes",)}
    assert len(tables["field by layer and expert"].rows) == 12


def test_a_saved_field_comes_back_with_its_settings(
    t5_tiny: Model, laid: Overlay, tmp_path: Path
) -> None:
    settings = FieldSettings(experts=(1, 3), null_fraction=0.5, null_space="scattered")
    modulator = fields.fresh_field(t5_tiny, laid, settings)
    fields.save_field(modulator, tmp_path / "field")
    again = fields.load_field(tmp_path / "field", t5_tiny, laid)
    assert again.settings == settings
    other = again.state_dict()
    assert all(torch.equal(own, other[name]) for name, own in modulator.state_dict().items())
    (tmp_path / "other").write_text("no field")
    with pytest.raises(InputError, match="not a saved field modulator"):
        fields.load_field(tmp_path / "other", t5_tiny, laid)
    fields.save_field(FieldModulator(16, 2), tmp_path / "small")
    with pytest.raises(InputError, match="d = 16 and 2 layers"):
        fields.load_field(tmp_path / "small", t5_tiny, laid)


def test_a_sweep_goes_on_with_the_points_it_has(
    t5_tiny: Model, laid: Overlay, tmp_path: Path
) -> None:
    settings = [Setting("normal", alpha, 0) for alpha in (0.0, LOW)]
    kept = PointFile(tmp_path / "points", t5_tiny, FEW)
    whole = explore(t5_tiny, FEW, settings, known=kept.points, keep=kept.keep)
    with (tmp_path / "points").open("a") as file:
        file.write('{"setting": half a li')
    again = PointFile(tmp_path / "points", t5_tiny, FEW)
    assert again.points == whole.points
    measured: list[Point] = []
    further = Setting("normal", 0.02, 0)
    found = explore(t5_tiny, FEW, [*settings, further], known=again.points, keep=measured.append)
    assert [point.setting for point in measured] == [further]
    assert found.points[:2] == whole.points
    with pytest.raises(InputError, match="not of"):
        PointFile(tmp_path / "points", t5_tiny, Sampling(1, FEW.samples))


def test_tables_by_alpha_hold_every_form_beside_static_and_original(
    t5_tiny: Model, laid: Overlay
) -> None:
    recording = recorded.recording_of(t5_tiny)
    assert recording is not None
    static = exhibits.Static(laid.words, FEW, 1)
    relations = exhibits.relations_by_alpha(recording.sweep, static)
    rows = relations.rows
    assert {"static", "original", "α = 0.29154", "α = 0.29154, zero rows"} <= rows.keys()
    assert "α = 0.5, geometry dealt" in rows
    pearson, gain = (relations.columns.index(name) for name in ("Pearson", "ΔP"))
    own, plain = (torch.tensor([rows[n][pearson]]) for n in ("α = 0.5", "original"))
    assert rows["α = 0.5"][gain] == pytest.approx((own - plain).item(), abs=1e-5)
    bands = exhibits.bands_by_alpha(recording.sweep, static)
    assert bands is not None
    assert len(bands.rows) == 6
    assert {"pairs", "static", "original", "α = 0.29154", "Δ at 0.29154"} <= set(bands.columns)
    last = dict(zip(bands.columns, bands.rows["(0, 0.05]"], strict=True))
    numbers = torch.tensor([last[name] for name in ("α = 0.5", "original", "Δ at 0.5")])
    assert (numbers[0] - numbers[1]).item() == pytest.approx(numbers[2].item(), abs=1e-5)


def test_bands_hold_all_pairs_and_their_mean_cosines(laid: Overlay) -> None:
    found = detail(laid.words, laid.probe, laid.words.encoder)
    assert sum(found.counts) == len(laid.probe.pairs)
    cosines = [0.0 if c is None else c for c in found.cosines]
    weighted = sum(n * c for n, c in zip(found.counts, cosines, strict=True))
    unit = torch.nn.functional.normalize(laid.words.encoder.double())
    pairs = laid.probe.pairs
    mean = (unit[pairs.first] * unit[pairs.second]).sum(1).mean().item()
    assert weighted / len(pairs) == pytest.approx(mean, abs=1e-6)
    assert found.preservation_std == pytest.approx(0, abs=1e-6)
    assert found.volume > 0


def test_five_prompts_are_said_with_and_without(t5_tiny: Model, laid: Overlay) -> None:
    same = exhibits.texts_at(t5_tiny, laid, 0.0)
    assert len(same.rows) == 5
    assert {row[-1] for row in same.rows.values()} == {"IDENTICAL"}
    other = exhibits.texts_at(t5_tiny, laid, 0.9)
    for prompt, (plain, changed, differing, _, verdict) in other.rows.items():
        assert plain == same.rows[prompt][0]
        assert (verdict == "IDENTICAL") == (plain == changed) == (differing == 0)


def test_states_under_no_alpha_are_the_plain_ones(t5_tiny: Model, laid: Overlay) -> None:
    found = exhibits.impact_table(t5_tiny, laid, (0.0, HIGH), FEW)
    assert found.rows["α = 0"][0] == found.rows["α = 0, geometry dealt"][0] == pytest.approx(1)
    assert found.rows["α = 0"][2] == pytest.approx(1)
    assert found.rows["α = 0.5"][0] < 0.9  # type: ignore[operator]


def test_a_claim_is_asserted_only_in_its_sources_design(t5_tiny: Model) -> None:
    claim = load_claims()["modulator_best_result"]
    stated = Model("t5_small", t5_tiny.checkpoint.folder)
    finding = Finding(exact(9.0), "design", parts={"Pearson": 9.0})
    whole = judge(claim, stated, finding, Settings(twins=0), 0.0)
    assert (whole.verdict, whole.worst_part) == ("violated", "Pearson")
    brief = dataclasses.replace(finding, in_source_design=False)
    assert judge(claim, stated, brief, Settings(twins=0), 0.0).verdict == "measured"


def test_the_phase_boundary_is_between_in_every_part(t5_tiny: Model, laid: Overlay) -> None:
    claim = load_claims()["phase_boundary"]
    found = quantities.phase_boundary(t5_tiny, FEW)
    assert set(found.parts) == {"Pearson", "gradient", "preservation", "texts unchanged", "text"}
    assert 0 < found.parts["preservation"] < 1
    assert found.notes[0].startswith("curves recorded on")
    babbling = {**found.parts, "text": 1.5}
    judged = judge(
        claim, t5_tiny, dataclasses.replace(found, parts=babbling), Settings(twins=0), 0.0
    )
    assert judged.worst_part == "text"
    assert judged.margin is not None
    assert judged.margin < 0


def test_first_controls_are_of_geometry_dealt_to_other_words(t5_tiny: Model) -> None:
    for claim in ("modulator_alpha_001", "modulator_alpha_050", "phase_boundary"):
        found = getattr(quantities, claim)(t5_tiny, FEW)
        assert found.controls[0].name == "geometry dealt"
        assert found.controls[0].estimate.half_width > 0


@pytest.mark.parametrize("claim", ["modulator_alpha_001", "modulator_alpha_050", "phase_boundary"])
def test_another_seed_moves_no_part_beyond_its_noise(
    t5_tiny: Model, laid: Overlay, claim: str
) -> None:
    first, again = (
        getattr(quantities, claim)(t5_tiny, Sampling(seed, FEW.samples)) for seed in (0, 1)
    )
    assert first.part_noise > 0
    allowed = load_claims()[claim].tolerance.absolute
    allowed += 2 * math.hypot(first.part_noise, again.part_noise)
    for part, value in first.parts.items():
        assert abs(again.parts[part] - value) <= allowed, part
    assert first.design == again.design
    judged, other = (
        judge(load_claims()[claim], t5_tiny, one, Settings(twins=0), 0.0) for one in (first, again)
    )
    found = baseline.judge(
        dataclasses.replace(judged, parts={}), dataclasses.replace(other, parts={})
    )
    assert found.change == "steady", found.changes


def test_a_constant_of_one_alpha_everywhere(t5_tiny: Model, laid: Overlay) -> None:
    overlay.encode_at(t5_tiny, laid, CONSTANT)
    assert laid.modulator.alpha.tolist() == pytest.approx([CONSTANT] * 4)

"""Recorded experiments: of these weights, as measured today, and whole or refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.training import TrainingSettings
from geometric_invariants.invariants.experiments import recorded
from geometric_invariants.invariants.experiments.modulation import prints
from geometric_invariants.invariants.experiments.modulation.overlay import Form
from geometric_invariants.invariants.experiments.modulation.sweep import (
    CONSTANT,
    HIGH,
    LOW,
    Setting,
    explore,
)
from geometric_invariants.invariants.experiments.recorded import SOURCES, Recording, recording_of
from geometric_invariants.invariants.experiments.recorded_figures import (
    recorded_notes,
    sweep_figures,
)
from geometric_invariants.invariants.quantities import training as quantities

CLAIMED = (LOW, CONSTANT, HIGH)


@pytest.fixture(scope="module", params=["t5_tiny", "t5_mini"])
def t5(request: pytest.FixtureRequest) -> Model:
    source = select_models([request.param])[request.param].source
    return Model(request.param, source.locate(request.param, download=False))


@pytest.fixture(scope="module")
def recording(t5: Model) -> Recording:
    found = recording_of(t5)
    assert found is not None
    return found


def test_the_shipped_recording_is_of_these_weights_in_every_form(
    t5: Model, recording: Recording
) -> None:
    assert recording.checkpoint == t5.checkpoint.sha256()
    forms: tuple[Form, ...] = ("normal", "zero", "dealt")
    for form in forms:
        assert set(recording.sweep.alphas(form)) >= {0.0, *CLAIMED}
    assert (recording.sweep.relation("dropped", 0.0) < 20).all()


@pytest.mark.parametrize("setting", [Setting("normal", HIGH, 1), Setting("dealt", LOW, 0)])
def test_the_shipped_recording_is_what_these_weights_show(
    t5: Model, recording: Recording, setting: Setting, needs_wordnet: None
) -> None:
    here = explore(t5, Sampling(), [setting])
    (point,) = here.points
    (then,) = (p for p in recording.sweep.points if p.setting == point.setting)
    for name, value in dataclasses.asdict(point.relations).items():
        assert getattr(then.relations, name) == pytest.approx(value, abs=2e-3), name
    assert then.text.unchanged == pytest.approx(point.text.unchanged, abs=0.02)


def test_prints_are_blurred_at_least_as_much_as_draws_are_in_the_recordings(
    recording: Recording,
) -> None:
    for alpha, printed in prints.PRINTED.items():
        for name, one in printed.items():
            between = recording.sweep.relation(name, alpha).std().item()
            assert between <= 1.5 * one.spread, (alpha, name)


def test_a_recording_comes_back_as_written(tmp_path: Path, recording: Recording) -> None:
    recorded.write(recording, tmp_path / "again.json")
    assert recorded.read(tmp_path / "again.json") == recording


def test_a_damaged_recording_is_named(
    tmp_path: Path, t5: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{t5.checkpoint.sha256()}.json").write_text('{"sweep": 1}')
    monkeypatch.setattr(recorded, "SHIPPED", tmp_path)
    with pytest.raises(recorded.RecordingError, match=r"\.json: not a readable recording"):
        recording_of(t5)


def test_what_is_recorded_is_read_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_wordnet: None
) -> None:
    monkeypatch.setattr(recorded, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(recorded, "SHIPPED", tmp_path)
    monkeypatch.setattr(recorded, "Sampling", lambda: Sampling(samples=10_000))
    source = select_models(["t5_tiny"])["t5_tiny"].source
    model = Model("t5_tiny", source.locate("t5_tiny", download=False))
    brief = TrainingSettings(epochs=1, batch=500)
    settings = [Setting("normal", 0.0, 0), Setting("normal", HIGH, 0)]
    file = recorded.record(model, settings, recorded.RECIPES, brief)
    found = recorded.read(file)
    assert found.sweep.text("unchanged", 0.0).tolist() == [1.0]
    assert found.sweep.relation("preservation", HIGH).item() < 0.9
    assert recorded.trainings_of(model, Sampling(1, 10_000))[SOURCES] in found.trainings
    best = quantities.modulator_best_result(model, Sampling(1, 10_000))
    assert set(best.parts) == {"Pearson", "Spearman", "CV", "text"}
    assert best.controls[0].name == "geometry dealt"
    assert not best.in_source_design
    rises = quantities.modulator_alpha_rises(model, Sampling(1, 10_000))
    assert -1 <= rises.estimate.value <= 1
    assert rises.controls[0].name == "lemmas shuffled"


def test_the_page_draws_the_recording_with_the_constant_marked(recording: Recording) -> None:
    drawn = {figure.title: figure for figure in sweep_figures(recording.sweep)}
    pearson = drawn["pearson, by α"]
    assert pearson.marks == {"claimed constant": CONSTANT, "0.5": 0.5}
    assert len(pearson.spread["WordNet's geometry"]) == len(pearson.x) >= 4
    assert set(pearson.series) == {"WordNet's geometry", "zero rows", "geometry dealt"}
    assert pearson.series["geometry dealt"].count(None) == len(pearson.x) - 4
    assert "share of generations unchanged, by α" in drawn
    assert recorded_notes(recording)[0].startswith("curves recorded on")

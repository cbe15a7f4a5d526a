"""Recorded experiments: of these weights, as measured today, and whole or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.model import Model
from fixtures.registry import select_models
from fixtures.wordnet import WordNetMissingError
from geometry.estimate import Sampling
from invariants.experiments import modulation, recorded
from invariants.experiments.modulation import CONSTANT
from invariants.quantities.modulation import phase_boundary


@pytest.fixture(scope="module", params=["t5_tiny", "t5_mini"])
def t5(request: pytest.FixtureRequest) -> Model:
    source = select_models([request.param])[request.param].source
    return Model(request.param, source.locate(request.param, download=False))


def test_the_shipped_recording_is_what_these_weights_show(t5: Model) -> None:
    recording = recorded.recording_of(t5)
    assert recording is not None
    assert recording.checkpoint == t5.checkpoint.sha256()
    assert len(recording.sweep) >= 21
    assert {len(draws) for draws in recording.sweep.values()} == {recorded.DRAWS}
    assert recording.sweep.keys() == recording.unchanged.keys()
    try:
        laid = modulation.overlay(t5, Sampling(seed=0))
    except WordNetMissingError as error:
        pytest.skip(str(error))
    original = laid.words.encoder[laid.anchors]
    here = modulation.measure(laid, modulation.encode_at(t5, laid, CONSTANT), original, 0)
    then = recording.sweep[CONSTANT][0]
    for name in ("pearson", "spearman", "gradient", "cv", "preservation"):
        assert getattr(here, name) == pytest.approx(getattr(then, name), abs=2e-3)


def test_a_recording_comes_back_as_written(tmp_path: Path, t5: Model) -> None:
    recording = recorded.recording_of(t5)
    assert recording is not None
    recorded.write(recording, tmp_path / "again.json")
    assert recorded.read(tmp_path / "again.json") == recording


def test_a_damaged_recording_is_named(
    tmp_path: Path, t5: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{t5.checkpoint.sha256()}.json").write_text('{"sweep": 1}')
    monkeypatch.setattr(recorded, "SHIPPED", tmp_path)
    with pytest.raises(recorded.RecordingError, match=r"\.json: not a readable recording"):
        recorded.recording_of(t5)


def test_recording_keeps_every_alpha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(recorded, "STARTS", ())
    monkeypatch.setattr(recorded, "_PROMPTS", 20)
    source = select_models(["t5_tiny"])["t5_tiny"].source
    model = Model("t5_tiny", source.locate("t5_tiny", download=False))
    try:
        file = recorded.record(model, (0.0, 0.5), 1)
    except WordNetMissingError as error:
        pytest.skip(str(error))
    found = recorded.read(file)
    assert found.unchanged[0.0] == (1.0,) > found.unchanged[0.5]
    assert found.sweep[0.0][0].preservation == pytest.approx(1.0)
    assert found.trainings == ()


def test_the_page_draws_the_recording_with_the_constant_marked(t5: Model) -> None:
    try:
        finding = phase_boundary(t5, Sampling(samples=10_000))
    except WordNetMissingError as error:
        pytest.skip(str(error))
    drawn = {figure.title: figure for figure in finding.figures}
    pearson = drawn["pearson, by α"]
    assert len(pearson.x) >= 21
    assert pearson.marks == {"claimed constant": CONSTANT}
    assert len(pearson.spread["pearson"]) == len(pearson.x)
    assert "share of generations unchanged, by α" in drawn
    assert finding.notes[0].startswith("curves recorded on")

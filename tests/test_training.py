"""Training on a small trained model: what it learns from, what it shows, what is kept of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.geometry.modulation.resuming import StateError
from geometric_invariants.geometry.modulation.training import TrainingSettings
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.experiments import trained_exhibits as exhibits
from geometric_invariants.invariants.experiments.modulation import comparison, fields, overlay
from geometric_invariants.invariants.experiments.modulation.kept import keep, kept
from geometric_invariants.invariants.experiments.modulation.learning import (
    Learned,
    Recipe,
    learn,
    lemmas,
    taught,
)
from geometric_invariants.invariants.experiments.modulation.measured import draw_probes, volume_cv
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay
from geometric_invariants.invariants.experiments.recorded import recording_of
from geometric_invariants.invariants.quantities import training as quantities
from geometric_invariants.reports import page
from geometric_invariants.reports.exhibits import Table
from geometric_invariants.reports.files import read_results
from tests.measuring import FEW, take_few_words

BRIEF = TrainingSettings(epochs=1, batch=128)


@pytest.fixture(scope="module")
def learned(t5_tiny: Model, laid: Overlay) -> Learned:
    return learn(t5_tiny, laid, FEW, Recipe(0.1), settings=BRIEF, count=300)


@pytest.fixture(scope="module")
def trainings(t5_tiny: Model) -> tuple[Learned, ...]:
    recording = recording_of(t5_tiny)
    assert recording is not None
    return recording.trainings


def numbers(table: Table, row: str) -> list[float]:
    return [float(cell) for cell in table.rows[row] if cell is not None]


def test_lessons_teach_the_lemma_that_the_definition_was_matched_by(
    t5_tiny: Model, laid: Overlay
) -> None:
    vocabulary = t5_tiny.vocabulary
    assert vocabulary is not None
    words = laid.words
    first_lemmas = 0
    for target, synset in zip(lemmas(t5_tiny, laid), words.synsets.tolist(), strict=True):
        own = [lemma.replace("_", " ") for lemma in words.wordnet.lemmas[synset]]
        assert target in vocabulary.encode_all(own)
        assert len(target) <= 16
        first_lemmas += target == vocabulary.encode(own[0])
    assert first_lemmas < 0.9 * len(words)


def test_learning_moves_alpha_and_reports_before_and_after(learned: Learned) -> None:
    assert [one.preservation for one in learned.original] == pytest.approx([1.0] * 5)
    assert all(one.preservation < 1 for one in learned.trained)
    assert learned.history.alpha[0] == pytest.approx([0.1] * 4, abs=0.01)
    assert learned.history.alpha[-1] != learned.history.alpha[0]


def test_only_the_sources_training_is_in_its_design(learned: Learned) -> None:
    assert not learned.in_source_design
    whole = dataclasses.replace(learned, recipe=Recipe(), epochs=10, batch=32, lessons=1_000)
    assert whole.in_source_design
    for other in (
        dataclasses.replace(whole, rate=1e-2),
        dataclasses.replace(whole, recipe=Recipe(lemmas_shuffled=True)),
        dataclasses.replace(whole, recipe=Recipe(0.1)),
        dataclasses.replace(whole, lessons=999),
    ):
        assert not other.in_source_design


def test_steps_are_those_that_alpha_was_taken_at(trainings: tuple[Learned, ...]) -> None:
    """5,095 of 5,661 words in batches of 32, ten times."""
    steps = trainings[0].steps
    assert len(steps) == len(trainings[0].history.alpha)
    assert (steps[:3], steps[-1]) == ((1, 11, 21), 1600)
    history = dataclasses.replace(trainings[0].history, stopped=500)
    assert dataclasses.replace(trainings[0], history=history).steps[-1] == 500


def test_alpha_is_drawn_by_step_and_layer_with_its_nulls(trainings: tuple[Learned, ...]) -> None:
    own, shuffled, dealt, *_ = trainings
    figure = exhibits.alpha_by_step(own, (shuffled, dealt))
    assert figure.levels == {"0.29154": 0.29154, "0.5": 0.5}
    assert [*figure.series] == [
        *(f"layer {i}" for i in range(4)),
        "mean, lemmas shuffled",
        "mean, geometry dealt",
    ]
    assert figure.x[-1] == 1600
    assert figure.series["layer 3"][-1] == pytest.approx(own.alpha[3].item(), rel=1e-3)
    bars = exhibits.final_alpha(trainings)
    assert bars.x == ("layer 0", "layer 1", "layer 2", "layer 3")
    assert bars.series[own.recipe.name] == pytest.approx(own.alpha.tolist(), rel=1e-3)
    losses = exhibits.loss_by_epoch(own, (shuffled, dealt))
    assert losses.series["held out"] == pytest.approx(own.history.held_out, rel=1e-3)
    null = losses.series["held out, lemmas shuffled"]
    assert null == pytest.approx(shuffled.history.held_out, rel=1e-3)


def test_distances_are_of_the_mean_over_layers(learned: Learned) -> None:
    table = exhibits.final_alpha_table((learned,))
    *layers, mean, std, first, second, third = numbers(table, learned.recipe.name)
    assert layers == pytest.approx(learned.alpha.tolist(), rel=1e-5)
    assert mean == pytest.approx(sum(layers) / 4, rel=1e-4)
    assert std == pytest.approx(learned.alpha.std(correction=0).item(), rel=1e-4)
    assert [first, second, third] == pytest.approx(
        [abs(mean - c) for c in (0.29154, 0.5, 0.70846)], rel=1e-4
    )


def test_the_table_of_before_and_after_holds_means_over_draws(
    trainings: tuple[Learned, ...],
) -> None:
    own, shuffled, *_ = trainings
    table = exhibits.original_and_trained(own, (shuffled,))
    before, after, moved, _, null = numbers(table, "Spearman")
    spearman = [[one.spearman for one in draws] for draws in (own.original, own.trained)]
    assert [before, after] == pytest.approx([sum(x) / 5 for x in spearman], rel=1e-4)
    assert moved == pytest.approx(after - before, abs=1e-5)
    assert null > 0 > moved


def test_what_is_further_compared(laid: Overlay) -> None:
    """Twice the states: 16 times the volume of four dimensions, and every cosine as it was."""
    probes, rows = draw_probes(laid.words, FEW, 5), laid.words.encoder
    found, doubled = (comparison.further(laid.words, probes, x) for x in (rows, 2 * rows))
    torch.testing.assert_close(doubled["mean volume"], 16 * found["mean volume"])
    assert found["preservation, std"].tolist() == pytest.approx([0.0] * 5, abs=1e-12)
    bands = [name for name in found if name.startswith("path similarity")]
    assert len(bands) == 6
    for name in bands:
        torch.testing.assert_close(found[name], doubled[name], equal_nan=True)
    cosines = torch.tensor([(found[bands[2]] - found[bands[5]]).nanmean()])
    assert cosines.item() > 0


def test_trainable_parameters_are_those_that_are_trained(t5_tiny: Model, laid: Overlay) -> None:
    table = quantities.parameters_of(t5_tiny, laid.modulator.layers)
    assert table.rows["trainable"][0] == sum(p.numel() for p in laid.modulator.parameters())
    frozen = sum(p.numel() for p in t5_tiny.loaded.module.parameters())
    assert table.rows["frozen"] == (frozen, 1.0)


def test_a_kept_modulator_comes_back_and_is_of_its_weights(
    tmp_path: Path, t5_tiny: Model, laid: Overlay
) -> None:
    modulator = overlay.copied(laid.modulator, 0.2)
    keep(t5_tiny, modulator, "α from 0.2", tmp_path / "kept.pt")
    again, name = kept(t5_tiny, tmp_path / "kept.pt")
    assert name == "α from 0.2"
    for parameter, own in zip(again.parameters(), modulator.parameters(), strict=True):
        assert torch.equal(parameter, own)
    source = select_models(["t5_mini"])["t5_mini"].source
    other = Model("t5_mini", source.locate("t5_mini", download=False))
    with pytest.raises(StateError, match=r"kept\.pt: of another training: checkpoint"):
        kept(other, tmp_path / "kept.pt")
    with pytest.raises(StateError, match="gone: no such file"):
        kept(t5_tiny, tmp_path / "gone")


def test_a_state_of_other_weights_or_another_start_is_refused(
    tmp_path: Path, t5_tiny: Model, laid: Overlay
) -> None:
    file = tmp_path / "state.pt"

    def again(recipe: Recipe) -> None:
        taught(t5_tiny, laid, FEW, recipe, settings=BRIEF, count=200, checkpoint=file)

    again(Recipe())
    again(Recipe())
    with pytest.raises(StateError, match=r"start α from 0\.01, here α from 0\.3; name another"):
        again(Recipe(0.3))
    with pytest.raises(StateError, match="geometry dealt; name another"):
        again(Recipe(geometry_dealt=True))
    with pytest.raises(StateError, match="texts"):
        again(Recipe(lemmas_shuffled=True))
    content = torch.load(file)
    content["origin"]["checkpoint"] = "0" * 64
    torch.save(content, file)
    with pytest.raises(StateError, match=r"state\.pt: of another training: checkpoint 0{64}, here"):
        again(Recipe())


def test_the_cv_check_looks_at_whole_states(
    t5_tiny: Model, laid: Overlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And at simplices of distinct ones: the source's reads eight coordinates, with repetition."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def watched(rows: torch.Tensor, simplices: torch.Tensor) -> tuple[float, int]:
        seen.append((rows, simplices))
        return volume_cv(rows, simplices)

    monkeypatch.setattr(fields, "volume_cv", watched)
    brief = TrainingSettings(epochs=1, batch=64, check_every=2)
    fields.learn_field(t5_tiny, laid, fields.fresh_field(t5_tiny, laid), brief, 150)
    ((rows, simplices),) = seen
    assert rows.shape[1] == laid.words.encoder.shape[1]
    assert all(len(set(one)) == 5 for one in simplices.tolist())


def test_options_reach_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start of α, epochs, words, batch, rate and null; with results that the page draws."""
    take_few_words(monkeypatch.setattr, "train")
    options = "--alpha 0.3 --epochs 2 --words 100 --batch 50 --lr 0.01 --geometry-dealt --seed 7"
    data, file = tmp_path / "results.json", tmp_path / "kept.pt"
    files = ["--json", str(data), "--save", str(file)]
    assert main(["train", "t5_tiny", *options.split(), *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert any(line.startswith("α by layer after batch      4: 0.") for line in lines)
    best, rises = read_results(data).measurements
    assert (best.verdict, rises.verdict) == ("measured", "measured")
    assert best.design == "2 epochs of 100 words in batches of 50, rate 0.01"
    assert {"original and trained", "texts before and after"} <= {t.title for t in best.tables}
    assert [*rises.figures[2].series] == ["α from 0.3, geometry dealt"]
    assert rises.title in page.render(read_results(data))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("t5_tiny --alpha 1", "α starts strictly between 0 and 1, not at 1"),
        ("t5_tiny --alpha nan", "α starts strictly between 0 and 1"),
        ("t5_tiny --lr 0", "a rate is positive, not 0"),
        ("t5_tiny --epochs 0", "--epochs: must be a whole number of at least 1: 0"),
        ("t5_tiny --words 1", "--words: must be a whole number of at least 2: 1"),
        ("t5_tiny --resume nowhere/state.pt", "nowhere/state.pt: its folder does not exist"),
        ("t5_tiny --prompts nowhere.txt", "nowhere.txt: not a readable file of prompts"),
        ("minilm_l6", "encoder–decoders"),
        ("t5_tyny", "did you mean t5_tiny"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    try:
        code: object = main(["train", *arguments.split()])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]

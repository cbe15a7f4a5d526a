"""The modulator pipeline on a trained model."""

from __future__ import annotations

import pytest
import torch

from fixtures.model import Model
from fixtures.registry import select_models
from fixtures.wordnet import WordNetMissingError
from geometry.estimate import Sampling
from geometry.modulation.training import TrainingSettings
from invariants.__main__ import main
from invariants.experiments import modulation
from invariants.experiments.modulation import Overlay

FEW = Sampling(samples=10_000)


@pytest.fixture(scope="module")
def t5_tiny() -> Model:
    source = select_models(["t5_tiny"])["t5_tiny"].source
    return Model("t5_tiny", source.locate("t5_tiny", download=False))


@pytest.fixture(scope="module")
def laid(t5_tiny: Model) -> Overlay:
    try:
        return modulation.overlay_of(t5_tiny, FEW)
    except WordNetMissingError as error:
        pytest.skip(str(error))


def test_the_overlay_carries_wordnets_geometry(t5_tiny: Model, laid: Overlay) -> None:
    assert modulation.overlay_of(t5_tiny, FEW) is laid
    assert laid.reconstruction > 0.8
    assert laid.alignment > laid.alignment_null + 0.1
    norms = torch.linalg.vector_norm(laid.modulator.geometric, dim=1)
    assert int((norms > 0.999).sum()) == len(laid.words)
    assert int((norms == 0).sum()) == len(norms) - len(laid.words)
    mixed = laid.modulator.geometric @ laid.modulator.projection.mT
    own = torch.linalg.vector_norm(mixed[norms > 0], dim=1)
    encoder = torch.linalg.vector_norm(laid.words.encoder[laid.anchors], dim=1).mean()
    torch.testing.assert_close(own, torch.full_like(own, 0.1 * encoder), rtol=1e-4, atol=0)


def test_alpha_zero_is_the_plain_encoder_and_more_changes_more(
    t5_tiny: Model, laid: Overlay
) -> None:
    original = laid.words.encoder[laid.anchors]
    plain = modulation.encode_at(t5_tiny, laid, 0.0)
    torch.testing.assert_close(plain, original, rtol=1e-4, atol=1e-4)
    found = modulation.sweep(t5_tiny, laid, (0.0, 0.01, 0.5), seeds=1)
    kept = [found[alpha][0].preservation for alpha in (0.0, 0.01, 0.5)]
    assert kept[0] == pytest.approx(1.0)
    assert kept[0] > kept[1] > 0.99 > kept[2]


def test_a_shuffled_overlay_is_the_same_embeddings_on_other_tokens(laid: Overlay) -> None:
    other = modulation.shuffled(laid, FEW).modulator
    own = laid.modulator.geometric
    assert not torch.equal(other.geometric, own)
    torch.testing.assert_close(other.geometric.sum(0), own.sum(0), rtol=1e-4, atol=1e-3)
    assert torch.equal(other.projection, laid.modulator.projection)


def test_talking_with_alpha_zero_changes_nothing(t5_tiny: Model, laid: Overlay) -> None:
    prompt = "summarize: a small domestic animal that barks"
    same = modulation.talk(t5_tiny, laid, prompt, 0.0)
    assert same.differing == 0
    assert same.plain == same.modulated != ""


def test_coherence_is_the_share_of_texts_that_stay(t5_tiny: Model, laid: Overlay) -> None:
    texts = laid.texts[:40]
    assert modulation.coherence(t5_tiny, laid, 0.0, texts) == 1.0
    assert modulation.coherence(t5_tiny, laid, 0.9, texts) < 0.5
    (alone,) = modulation.generations(t5_tiny, texts[3:4])
    assert modulation.generations(t5_tiny, texts)[3] == alone


def test_learning_moves_alpha_and_reports_before_and_after(t5_tiny: Model, laid: Overlay) -> None:
    settings = TrainingSettings(epochs=1, batch=128)
    found = modulation.learn(t5_tiny, laid, 0.1, settings=settings)
    assert found.original.preservation == pytest.approx(1.0)
    assert found.trained.preservation < 1
    assert found.history.alpha[0] == pytest.approx([0.1] * 4, abs=0.01)
    assert found.history.alpha[-1] != found.history.alpha[0]


def test_only_an_encoder_decoder_talks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", "minilm_l6", "summarize: a dog"]) == 2
    assert "encoder–decoders" in capsys.readouterr().err

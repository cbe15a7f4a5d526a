"""Small random checkpoints in folders, and a trained T5 with WordNet laid over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.fixtures.texts.wordnet import WordNetMissingError
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay, overlay_of
from geometric_invariants.invariants.experiments.relations import wordnet
from tests.measuring import FEW


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tiny_models.save_bert(folder)
    return folder


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("t5")
    tiny_models.save_t5(folder)
    return folder


@pytest.fixture(scope="module")
def t5_tiny() -> Model:
    source = select_models(["t5_tiny"])["t5_tiny"].source
    return Model("t5_tiny", source.locate("t5_tiny", download=False))


@pytest.fixture(scope="session")
def needs_wordnet() -> None:
    try:
        wordnet()
    except WordNetMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def laid(t5_tiny: Model, needs_wordnet: None) -> Overlay:
    return overlay_of(t5_tiny, FEW)

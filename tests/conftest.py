"""Small random checkpoints in folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.tests import tiny_models


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

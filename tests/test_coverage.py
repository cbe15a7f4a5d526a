"""docs/coverage.md says what is measured, and of no architecture is a weight dropped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.storage.safetensors_files import headers
from geometric_invariants.fixtures.tests import small_architectures
from tests import coverage

LINES = coverage.DOCUMENT.read_text(encoding="utf-8").splitlines()


def line_of(name: str) -> str:
    (line,) = (line for line in LINES if line.startswith(f"| {name} |"))
    return line


@pytest.mark.parametrize("name", coverage.ROWS)
def test_a_row_is_what_is_measured(name: str, tmp_path: Path) -> None:
    assert coverage.ROWS[name](tmp_path) == line_of(name)


def test_the_page_holds_these_rows_and_no_other() -> None:
    rows = [line_of(name) for name in coverage.ROWS]
    assert coverage.page(rows).splitlines() == LINES


@pytest.mark.parametrize(
    "model_type", ["gpt_oss", "deepseek_v3", "qwen2_vl", "wav2vec2", "switch_transformers"]
)
def test_the_numbers_of_a_file_are_all_accounted_for(model_type: str, tmp_path: Path) -> None:
    """Against the header alone, which knows no roles."""
    small_architectures.build(model_type, tmp_path)
    model = Model("mine", tmp_path)
    stored = {info.key: info.numel for file in model.checkpoint.files for info in headers(file)}
    account = model.account
    assert sum(entry.numel for entry in account.entries) == sum(stored.values())
    matrices = {weight.tensor for weight in model.layout.weights}
    roles = matrices - set(model.layout.unplaced)
    assert account.numel("measured") == sum(stored[name] for name in roles)
    measured = {row.weight.tensor for row in model.survey.matrices}
    assert measured | {row.weight.tensor for row in model.survey.norms} == matrices

"""docs/coverage.md says what is measured, and of no architecture is a weight dropped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.tests.small_architectures import POPULAR
from fixtures.tests.stored_layouts import LAYOUTS
from tests import coverage


@pytest.fixture(scope="module")
def rows() -> set[str]:
    return set(coverage.DOCUMENT.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_met_as_the_page_says(rows: set[str], layout: str, tmp_path: Path) -> None:
    assert coverage.layout_row(layout, tmp_path) in rows


@pytest.mark.parametrize("model_type", POPULAR)
def test_an_architecture_is_measured_as_the_page_says(
    rows: set[str], model_type: str, tmp_path: Path
) -> None:
    assert coverage.architecture_row(model_type, tmp_path) in rows

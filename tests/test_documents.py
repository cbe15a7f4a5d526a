"""Documents say what was recorded, and what they cannot draw is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.invariants import documents
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.documents import DOCS, DocumentError, drawn, stale, tables

TEXT = "# Title\n\n<!-- table: a -->\nold\n<!-- end -->\n\nafter\n"


def test_the_documents_of_this_version_are_what_was_recorded() -> None:
    assert stale() == {}
    assert "<!-- table: " in (DOCS / "modulators.md").read_text(encoding="utf-8")


@given(st.text("ab|–\n ", max_size=30), st.text("ab|–\n ", max_size=30))
def test_a_table_is_replaced_and_nothing_else(before: str, now: str) -> None:
    text = f"{before}\n<!-- table: a -->\n{before}\n<!-- end -->\n{now}"
    found = drawn(text, {"a": lambda: now})
    assert found == f"{before}\n<!-- table: a -->\n{now}\n<!-- end -->\n{now}"
    assert drawn(found, {"a": lambda: now}) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("table: a", "table: b"), "no table 'b'; known: a"),
        (TEXT.replace("<!-- end -->", ""), "needs one <!-- end -->"),
        (TEXT + "<!-- end -->", "needs one <!-- end -->"),
    ],
)
def test_what_cannot_be_drawn_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        drawn(text, {"a": lambda: "new"}, "file.md")


def test_the_command_draws_what_the_check_finds_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "page.md"
    file.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(documents, "DOCS", tmp_path)
    monkeypatch.setattr(documents, "tables", lambda: {"a": lambda: "new"})
    with pytest.raises(SystemExit) as ended:
        main(["docs", "--check"])
    assert ended.value.code == 1
    assert file.read_text(encoding="utf-8") == TEXT
    assert main(["docs"]) == 0
    assert file.read_text(encoding="utf-8") == TEXT.replace("old", "new")
    assert main(["docs", "--check"]) == 0
    assert f"drawn anew: {file}" in capsys.readouterr().out


def test_every_table_has_a_name_that_a_document_may_ask_for() -> None:
    assert set(tables()) >= {"t5_tiny by α, normal", "t5_mini trained"}

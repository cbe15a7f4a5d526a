"""Each command that docs/notebook.md names prints every line that it is named for."""

from __future__ import annotations

import pytest

from geometric_invariants.invariants import notebook
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.commands import COMMANDS
from tests.measuring import take_few_words

ARGUMENTS = {
    "train": ("t5_tiny", "--epochs", "1", "--words", "300"),
    "talk": ("t5_tiny", "--alpha", "0.01", "0.5", "--tokens", "8"),
    "modulate": ("t5_tiny", "--alpha", "0.29154"),
    "compare": ("t5_tiny", "t5_mini"),
    "field": ("t5_tiny", "--train", "--epochs", "1", "--words", "300"),
}


def named() -> dict[str, list[str]]:
    """Texts by the command that is to print them."""
    found: dict[str, list[str]] = {}
    for place in notebook.places("$ "):
        command, _, text = place.removeprefix("$ ").partition(": ")
        found.setdefault(command, []).append(text)
    return found


NAMED = named()


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch, needs_wordnet: None) -> None:
    take_few_words(monkeypatch.setattr, *COMMANDS)


def test_commands_that_are_named_are_there() -> None:
    assert NAMED.keys() <= COMMANDS.keys() & ARGUMENTS.keys()


@pytest.mark.parametrize("command", NAMED)
def test_a_command_prints_what_it_is_named_for(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *ARGUMENTS[command]]) == 0
    lines = capsys.readouterr().out.splitlines()
    missing = [text for text in NAMED[command] if not any(text in line for line in lines)]
    assert not missing

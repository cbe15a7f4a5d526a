"""Prompts of a command: typed, from a file, or the project's own; and how their texts are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.invariants.experiments.modulation.prompts import PROMPTS
from geometric_invariants.invariants.experiments.modulation.talk import Said

SHOWN = 60  # characters of a prompt in a table


def prompts_from(typed: Iterable[str], file: Path | None) -> tuple[str, ...]:
    """Those that were typed, then those of the file, one a line; the project's own without any.

    Raises InputError for a file that cannot be read or holds none.
    """
    found = tuple(typed)
    if file is not None:
        found += _lines(file)
    return found or PROMPTS


def verdict(said: Said) -> str:
    """IDENTICAL, or in how many tokens of how many two texts differ."""
    if said.is_identical:
        return "IDENTICAL"
    return f"{said.differing} of {said.tokens} tokens differ"


def shown(said: Said, names: tuple[str, str]) -> Iterator[str]:
    """A prompt's two texts, and how far they differ."""
    width = max(map(len, names))
    yield f"prompt: {said.prompt}"
    yield f"  {names[0]:<{width}} {said.plain}"
    yield f"  {names[1]:<{width}} {said.modulated}"
    yield f"  {verdict(said)}"


def _lines(file: Path) -> tuple[str, ...]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a readable file of prompts ({error})") from error
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found:
        raise InputError(f"{file}: holds no prompt; write one a line")
    return found

"""Who may import whom: the rooms of the house and the doors between them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOORS = {
    "geometry": set(),
    "fixtures": {"geometry"},
    "reports": set(),
    "invariants": {"geometry", "fixtures", "reports"},
}


def sources(room: str) -> list[Path]:
    return [
        p
        for p in (ROOT / room).rglob("*.py")
        if "tests" not in p.parts and "benchmarks" not in p.parts
    ]


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("room", DOORS)
def test_rooms_import_only_through_their_doors(room: str) -> None:
    files = sources(room)
    assert files
    allowed = DOORS[room] | {room}
    for file in files:
        strangers = (set(imported(file)) & DOORS.keys()) - allowed
        assert not strangers, f"{file.relative_to(ROOT)} imports {sorted(strangers)}"


def test_reports_never_import_torch_and_geometry_never_pytest() -> None:
    for file in sources("reports"):
        assert not {"torch", "transformers", "numpy"} & set(imported(file)), file
    for file in sources("geometry"):
        assert not {"pytest", "transformers", "safetensors", "nltk"} & set(imported(file)), file

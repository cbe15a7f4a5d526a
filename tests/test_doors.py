"""Who may import whom: the rooms of the house and the doors between them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMPORTED = "geometric_invariants."
DOORS = {
    "geometry": set(),
    "fixtures": {"geometry"},
    "reports": set(),
    "invariants": {"geometry", "fixtures", "reports"},
}
INNER_DOORS = {
    "storage": {"errors"},
    "architecture": {"errors", "storage", "torchvision_operators"},
    "texts": {"errors", "torchvision_operators"},
    "faults": {"architecture", "errors", "storage", "texts"},
}


def sources(room: str) -> list[Path]:
    return [
        p
        for p in (ROOT / room).rglob("*.py")
        if "tests" not in p.parts and "benchmarks" not in p.parts
    ]


def modules(file: Path) -> Iterator[str]:
    """What a file imports; a room's modules without the root that all share."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(IMPORTED) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.removeprefix(IMPORTED)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported(file: Path) -> Iterator[str]:
    yield from (module.partition(".")[0] for module in modules(file))


@pytest.mark.parametrize("room", DOORS)
def test_rooms_import_only_through_their_doors(room: str) -> None:
    files = sources(room)
    assert files
    assert any(name in DOORS for file in files for name in imported(file))
    allowed = DOORS[room] | {room}
    for file in files:
        strangers = (set(imported(file)) & DOORS.keys()) - allowed
        assert not strangers, f"{file.relative_to(ROOT)} imports {sorted(strangers)}"


def test_reports_never_import_torch_and_geometry_never_pytest() -> None:
    for file in sources("reports"):
        assert not {"torch", "transformers", "numpy"} & set(imported(file)), file
    for file in sources("geometry"):
        assert not {"pytest", "transformers", "safetensors", "nltk"} & set(imported(file)), file


@pytest.mark.parametrize("room", INNER_DOORS)
def test_rooms_in_fixtures_know_only_what_they_must(room: str) -> None:
    """Storage knows no roles, architecture reads no files of its own, texts know no weights."""
    files = sources(f"fixtures/{room}")
    assert files
    for file in files:
        own = {m.removeprefix("fixtures.").partition(".")[0] for m in modules(file) if inner(m)}
        strangers = own - INNER_DOORS[room] - {room}
        assert not strangers, f"{file.relative_to(ROOT)} imports fixtures.{sorted(strangers)}"


def inner(module: str) -> bool:
    return module.startswith("fixtures.")

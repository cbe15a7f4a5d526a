"""The ids of cells and figures, which links within the page lead to."""

from __future__ import annotations

from urllib.parse import quote


def anchor(*names: object) -> str:
    """One id for names of any characters, fit for an attribute and for an address alike."""
    return "/".join(quote(str(name), safe="", errors="replace") for name in names)

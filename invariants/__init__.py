"""The claims, each as an assertion: a quantity, a band, a null control and a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geometric_invariants.invariants.checking import Checked, check

__all__ = ["Checked", "check"]


def __getattr__(name: str) -> object:
    # Collecting tests imports this package; only a check may import torch.
    if name in __all__:
        from geometric_invariants.invariants import checking

        return getattr(checking, name)
    raise AttributeError(name)

"""A matrix too large to be held whole: its rows in blocks, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

RowBlocks = Callable[[], Iterator[Tensor]]

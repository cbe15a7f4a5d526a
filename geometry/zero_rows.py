"""Rows that are exactly zero: what a download, a merge or a page never written leaves (SPEC K1)."""

from __future__ import annotations

from torch import Tensor

_FIRST = 16  # entries that are looked at before all of a row are


def zero_runs(matrix: Tensor) -> list[tuple[int, int]]:
    """First and last of each run of consecutive rows [rows, columns] that hold nothing but zeros.

    Any float type; a vector counts as a column. Reads the first entries of every row, and all of
    those rows alone in which these are zero.

    >>> import torch
    >>> zero_runs(torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]))
    [(1, 2)]
    """
    rows = matrix.unsqueeze(1) if matrix.ndim == 1 else matrix
    suspects = (rows[:, :_FIRST] == 0).all(1).nonzero().flatten()
    if not suspects.numel():
        return []
    zero = suspects[(rows[suspects] == 0).all(1)].tolist()
    runs: list[tuple[int, int]] = []
    for row in zero:
        if runs and runs[-1][1] == row - 1:
            runs[-1] = runs[-1][0], row
        else:
            runs.append((row, row))
    return runs


def is_zero(tensor: Tensor) -> bool:
    """Whether a tensor of any shape holds entries, and all are exactly zero."""
    entries = tensor.reshape(-1)
    return entries.numel() > 0 and not bool(entries[:_FIRST].any()) and not bool(entries.any())

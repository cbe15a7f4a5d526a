"""Path and Wu–Palmer similarity over a hypernym taxonomy, exactly as NLTK computes them.

Pairs without a similarity (NLTK's None) are NaN. Everything else is NLTK's double, bit for bit,
with its conventions: a simulated root above all synsets if either has no root of its own; the
subsumer of greatest shortest depth, ties going to the first synset itself and then to the smallest
name. Hence Wu–Palmer similarity is not symmetric, and not always 1 of a synset with itself.
Source: SPEC R3, M2.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ROOT_NAME = "*ROOT*"
NO_PATH = 255  # the distance of what is not connected; WordNet's greatest is below 40
_TABLE_BYTES = 1 << 27
_PAIRS = 1 << 13

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Taxonomy:
    """Synsets 0 … n − 1 by name, each with its hypernyms.

    Those of synset i are `parents[starts[i] : starts[i + 1]]`. `rooted[i]` says that i lies under a
    root that all of its kind share (WordNet's nouns), so that none need be simulated.
    Raises ValueError for a synset above itself, a name given twice, or arrays that do not fit.
    """

    names: Sequence[str]
    starts: Ints
    parents: Ints
    rooted: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.names)
        if (
            len(self.starts) != n + 1
            or len(self.rooted) != n
            or self.starts[-1] != len(self.parents)
        ):
            raise ValueError("names, starts, parents and rooted describe different synsets")
        if len(self.parents) and not 0 <= self.parents.min() <= self.parents.max() < n:
            raise ValueError(f"a hypernym is none of the {n} synsets")
        if len(set(self.names)) < n:
            raise ValueError("a name is given twice")

    def __len__(self) -> int:
        return len(self.names)

    def hypernyms(self, synset: int) -> Ints:
        """The synsets directly above one."""
        return self.parents[self.starts[synset] : self.starts[synset + 1]]

    def path_distances(
        self, rows: Tensor, columns: Tensor, *, simulate_root: bool = True
    ) -> Tensor:
        """Shortest paths between rows and columns, [rows, columns] uint8; 255 where there is none.

        With D(v, j) the way from j up to v, the path M(v, j) over common ancestors obeys
        M(v, ·) = min(D(v, ·), 1 + min over hypernyms p of v of M(p, ·)): one sweep downwards.
        """
        at = _checked(rows, len(self))
        out = np.empty((len(rows), len(columns)), np.uint8)
        step = max(1, _TABLE_BYTES // max(1, len(self._closure(at))))
        for start in range(0, len(columns), step):
            part = _checked(columns[start : start + step], len(self))
            block = out[:, start : start + step]
            closure, table = self._paths(at, part)
            slot = np.empty(len(self), np.int64)
            slot[closure] = np.arange(len(closure))
            np.take(table, slot[at], axis=0, out=block)
            if simulate_root:
                self._over_the_root(block, at, part)
        return torch.from_numpy(out)

    def path_similarity_matrix(
        self, rows: Tensor, columns: Tensor, *, simulate_root: bool = True
    ) -> Tensor:
        """Path similarity of every row with every column, [rows, columns] float64."""
        return similarity_of(self.path_distances(rows, columns, simulate_root=simulate_root))

    def path_similarity(
        self, first: Tensor, second: Tensor, *, simulate_root: bool = True
    ) -> Tensor:
        """1/(1 + shortest path) of the pairs (first[i], second[i]), [n] float64."""

        def block(rows: Tensor, columns: Tensor) -> Tensor:
            return self.path_distances(rows, columns, simulate_root=simulate_root)

        def pairs(a: Ints, b: Ints) -> Bytes:
            return self._pair_distances(a, b, simulate_root=simulate_root)

        return similarity_of(self._pairwise(first, second, block, pairs))

    def wup_similarity_matrix(
        self, rows: Tensor, columns: Tensor, *, simulate_root: bool = True
    ) -> Tensor:
        """Wu–Palmer similarity of every row with every column, [rows, columns] float64."""
        a, b = _checked(rows, len(self)), _checked(columns, len(self))
        below = _Below.of(self._up, b, self._reach(b))
        reach = self._reach(a)
        lonely = np.flatnonzero(~self.rooted[b])
        everywhere = np.arange(len(b))
        out = np.empty((len(a), len(b)))
        for index, node in enumerate(a.tolist()):
            depth = np.zeros(len(b), np.int64)
            length = np.zeros(len(b), np.int64)
            for slot in self._from_worst(node):
                above = self._up.ids[node, slot]
                if above < len(self):
                    at, reached = below.at(above)
                elif simulate_root:
                    at = lonely if self.rooted[node] else everywhere
                    reached = self._up.height[b[at]] + 1
                else:
                    continue
                depth[at] = self._subsumer_depth[above]
                length[at] = reached + reach[index, slot]
            out[index] = _wup(depth, length)
        return torch.from_numpy(out)

    def wup_similarity(
        self, first: Tensor, second: Tensor, *, simulate_root: bool = True
    ) -> Tensor:
        """Wu–Palmer similarity of the pairs (first[i], second[i]), in this order, [n] float64."""

        def block(rows: Tensor, columns: Tensor) -> Tensor:
            return self.wup_similarity_matrix(rows, columns, simulate_root=simulate_root)

        def pairs(a: Ints, b: Ints) -> npt.NDArray[np.float64]:
            return self._pair_wup(a, b, simulate_root=simulate_root)

        return self._pairwise(first, second, block, pairs)

    @cached_property
    def min_depth(self) -> Ints:
        """Length of the shortest way up to a synset without hypernyms."""
        return self._depths(np.minimum)

    @cached_property
    def max_depth(self) -> Ints:
        """Length of the longest way up to a synset without hypernyms."""
        return self._depths(np.maximum)

    @cached_property
    def _up(self) -> _Ancestors:
        return _Ancestors.of(self)

    @cached_property
    def _subsumer_depth(self) -> Ints:
        """What Wu–Palmer counts as depth: nodes on the longest way up; the simulated root last."""
        return np.append(self.max_depth, 0) + 1

    @cached_property
    def _priority(self) -> tuple[Ints, Ints]:
        """Shortest depth and place of the name in the alphabet; the simulated root last."""
        names = np.array([*self.names, ROOT_NAME], dtype=object)
        rank = np.empty(len(names), np.int64)
        rank[np.argsort(names, kind="stable")] = np.arange(len(names))
        return np.append(self.min_depth, 0), rank

    def _from_worst(self, node: int) -> Ints:
        """Where the node's ancestors stand in its table, the last preferred as subsumer."""
        depth, rank = self._priority
        ids = self._up.ids[node]
        slots = np.flatnonzero(ids >= 0)
        above = ids[slots]
        return slots[np.lexsort((-rank[above], above == node, depth[above]))]

    def _depths(self, choose: np.ufunc) -> Ints:
        children = np.repeat(np.arange(len(self)), np.diff(self.starts))
        unset = len(self) + 1 if choose is np.minimum else 0
        depth = np.zeros(len(self), np.int64)
        for _ in range(len(self) + 1):
            deeper = np.full(len(self), unset)
            choose.at(deeper, children, depth[self.parents] + 1)
            deeper[np.diff(self.starts) == 0] = 0
            if np.array_equal(deeper, depth):
                return depth
            depth = deeper
        raise ValueError("a synset lies above itself")

    def _closure(self, nodes: Ints) -> Ints:
        """The nodes and all above them, every hypernym before what lies below it."""
        ids = self._up.ids[nodes]
        found = np.unique(ids[(ids >= 0) & (ids < len(self))])
        return found[np.argsort(self.max_depth[found], kind="stable")].astype(np.int64)

    def _paths(self, nodes: Ints, columns: Ints) -> tuple[Ints, Bytes]:
        """The closure of the nodes, and its paths to the columns, without a simulated root."""
        closure = self._closure(nodes)
        slot = np.full(len(self), -1)
        slot[closure] = np.arange(len(closure))
        above, column, distance = self._up.entries(columns)
        kept = slot[above] >= 0
        row, column, distance = slot[above[kept]], column[kept], distance[kept]
        order = np.argsort(row, kind="stable")
        row, column, distance = row[order], column[order], distance[order]
        table = np.full((len(closure), len(columns)), NO_PATH, np.uint8)
        counts = np.diff(self.starts)[closure]
        edges = np.flatnonzero(np.diff(self.max_depth[closure], prepend=-1, append=-1))
        for start, stop in itertools.pairwise(edges):
            block = table[start:stop]
            for nth in range(counts[start:stop].max()):
                at = np.flatnonzero(counts[start:stop] > nth)
                parents = table[slot[self.parents[self.starts[closure[start + at]] + nth]]]
                block[at] = np.minimum(block[at], parents) if nth else parents
            np.minimum(block, NO_PATH - 1, out=block)
            block += 1
            part = slice(*np.searchsorted(row, (start, stop)))
            entry = row[part] - start, column[part]
            block[entry] = np.minimum(block[entry], distance[part])
        return closure, table

    def _over_the_root(self, block: Bytes, rows: Ints, columns: Ints) -> None:
        """Lower paths by the way over the simulated root, where there is one."""
        up = (self._up.height + 1).astype(np.uint8)
        lonely = np.flatnonzero(~self.rooted[columns])
        for row, node in zip(block, rows.tolist(), strict=True):
            if self.rooted[node]:
                row[lonely] = np.minimum(row[lonely], up[columns[lonely]] + up[node])
            else:
                np.minimum(row, up[columns] + up[node], out=row)

    def _reach(self, nodes: Ints) -> Ints:
        """Path of each node to each of its ancestors, by the slots of its table, [nodes, width].

        Not always the way up: a common hypernym of both can be nearer by.
        """
        ids = self._up.ids[nodes]
        distances = self._up.distances[nodes].astype(np.int64)
        step = max(1, _TABLE_BYTES // max(1, len(self._closure(nodes))))
        slot = np.empty(len(self) + 1, np.int64)
        for start in range(0, len(nodes), step):
            part = slice(start, start + step)
            closure, table = self._paths(nodes[part], nodes[part])
            slot[closure] = np.arange(len(closure))
            row, column = np.nonzero((ids[part] >= 0) & (ids[part] < len(self)))
            paths = table[slot[ids[part][row, column]], row]
            distances[part][row, column] = paths
        return distances

    def _pairwise(
        self,
        first: Tensor,
        second: Tensor,
        block: Callable[[Tensor, Tensor], Tensor],
        pairs: Callable[[Ints, Ints], npt.NDArray[Any]],
    ) -> Tensor:
        """A dense block where the pairs are many for their synsets, else pair by pair."""
        a, b = _checked(first, len(self)), _checked(second, len(self))
        if len(a) != len(b):
            raise ValueError(f"{len(a)} and {len(b)} synsets do not pair up")
        rows, columns = _Distinct.of(a, len(self)), _Distinct.of(b, len(self))
        if len(rows.kept) * len(columns.kept) < 32 * len(a):
            matrix = block(torch.from_numpy(rows.kept), torch.from_numpy(columns.kept))
            return _picked(matrix, rows.place_of(first), columns.place_of(second))
        parts = [pairs(a[i : i + _PAIRS], b[i : i + _PAIRS]) for i in range(0, len(a), _PAIRS)]
        return torch.from_numpy(np.concatenate(parts))

    def _common(self, a: Ints, b: Ints, *, simulate_root: bool) -> Any:
        """Which slots of a's table and of b's hold the same ancestor, [pairs, width, width]."""
        ids = self._up.ids[a]
        over_root = simulate_root & ~(self.rooted[a] & self.rooted[b])
        usable = (ids >= 0) & ((ids < len(self)) | over_root[:, None])
        same: npt.NDArray[Any] = ids[:, :, None] == self._up.ids[b][:, None, :]
        return same & usable[:, :, None]

    def _pair_distances(self, a: Ints, b: Ints, *, simulate_root: bool) -> Bytes:
        common = self._common(a, b, simulate_root=simulate_root)
        lengths = self._up.distances[a][:, :, None] + self._up.distances[b][:, None, :]
        found: Bytes = np.where(common, lengths, NO_PATH).min((1, 2)).astype(np.uint8)
        return found

    def _pair_wup(self, a: Ints, b: Ints, *, simulate_root: bool) -> npt.NDArray[np.float64]:
        shared = self._common(a, b, simulate_root=simulate_root).any(axis=2)
        depth, rank = self._priority
        ids = self._up.ids[a]
        # One number in the order of preference: depth, then the first synset itself, then the name.
        score = (depth[ids] * 2 + (ids == a[:, None])) * len(rank) + (len(rank) - 1 - rank[ids])
        best = np.where(shared, score, -1).argmax(1)
        subsumer = ids[np.arange(len(a)), best]
        exists = shared.any(1)
        root = subsumer == len(self)
        through = np.where(root | ~exists, 0, subsumer)
        lengths = np.zeros(len(a), np.int64)
        for side in (a, b):
            path = self._pair_distances(side, through, simulate_root=False).astype(np.int64)
            lengths += np.where(root, self._up.height[side] + 1, path)
        return _wup(np.where(exists, self._subsumer_depth[subsumer], 0), lengths)


def similarity_of(distances: Tensor) -> Tensor:
    """Path similarity of path distances (uint8, 255 for none): 1/(1 + distance) or NaN, float64."""
    similarity = distances.double().add_(1).reciprocal_()
    return similarity.masked_fill_(distances == NO_PATH, torch.nan)


@dataclass(frozen=True, slots=True)
class _Ancestors:
    """For every synset itself, all above it and the simulated root (id n), with BFS distances.

    `ids` [n, width] is padded by −1. The root lies one step above the farthest ancestor, whose
    distance is `height` [n].
    """

    ids: npt.NDArray[np.int32]
    distances: npt.NDArray[np.int16]
    height: Ints

    def entries(self, nodes: Ints, numbers: Ints | None = None) -> tuple[Ints, Ints, Ints]:
        """All (ancestor, which of the nodes, distance) but the simulated root's.

        With `numbers` [nodes, width], those in place of the distances.
        """
        ids = self.ids[nodes]
        which, slot = np.nonzero((ids >= 0) & (ids < len(self.ids)))
        listed = self.distances[nodes].astype(np.int64) if numbers is None else numbers
        return ids[which, slot].astype(np.int64), which, listed[which, slot]

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> _Ancestors:
        n = len(taxonomy)
        _ = taxonomy.max_depth  # a cycle is found here
        reached = [(np.arange(n), np.arange(n), 0)]
        seen = np.arange(n) * (n + 1)
        while len(reached[-1][0]):
            nodes, above, distance = reached[-1]
            counts = np.diff(taxonomy.starts)[above]
            offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            parents = taxonomy.parents[np.repeat(taxonomy.starts[above], counts) + offsets]
            keys = np.unique(np.repeat(nodes, counts) * n + parents)
            keys = keys[~np.isin(keys, seen, assume_unique=True)]
            seen = np.concatenate([seen, keys])
            reached.append((keys // max(n, 1), keys % max(n, 1), distance + 1))
        height = np.zeros(n, np.int64)
        for nodes, _, distance in reached:
            height[nodes] = distance
        reached.append((np.arange(n), np.full(n, n), -1))
        node = np.concatenate([nodes for nodes, _, _ in reached])
        order = np.argsort(node, kind="stable")
        counts = np.bincount(node, minlength=n)
        column = np.arange(len(node)) - np.repeat(np.cumsum(counts) - counts, counts)
        ids = np.full((n, counts.max(initial=1)), -1, np.int32)
        distances = np.zeros(ids.shape, np.int16)
        at = node[order], column
        ids[at] = np.concatenate([above for _, above, _ in reached])[order]
        distances[at] = np.concatenate([np.full(len(x), d) for x, _, d in reached])[order]
        root = ids == n
        distances[root] = height + 1
        return cls(ids, distances, height)


@dataclass(frozen=True, slots=True)
class _Below:
    """By ancestor: which of the chosen columns lie below it, and a number for each."""

    starts: Ints
    columns: Ints
    numbers: Ints

    @classmethod
    def of(cls, up: _Ancestors, columns: Ints, numbers: Ints) -> _Below:
        above, column, number = up.entries(columns, numbers)
        order = np.argsort(above, kind="stable")
        starts = np.searchsorted(above[order], np.arange(len(up.ids) + 1))
        return cls(starts, column[order], number[order])

    def at(self, ancestor: int) -> tuple[Ints, Ints]:
        part = slice(self.starts[ancestor], self.starts[ancestor + 1])
        return self.columns[part], self.numbers[part]


@dataclass(frozen=True, slots=True)
class _Distinct:
    """The distinct synsets of a list, ascending, and where each stands among them."""

    kept: Ints
    places: Tensor

    @classmethod
    def of(cls, nodes: Ints, n: int) -> _Distinct:
        present = np.zeros(n, bool)
        present[nodes] = True
        return cls(np.flatnonzero(present), torch.from_numpy(np.cumsum(present) - 1))

    def place_of(self, nodes: Tensor) -> Tensor:
        return self.places.index_select(0, nodes)


def _picked(matrix: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """matrix[rows[i], columns[i]] for all i; with all cores, unlike indexing by two lists."""
    return matrix.reshape(-1).index_select(0, rows.mul_(matrix.shape[1]).add_(columns))


def _wup(depth: Ints, length: Ints) -> npt.NDArray[np.float64]:
    """2 depth / (both ways down to the synsets); NaN where there is no subsumer."""
    found = np.full(depth.shape, np.nan)
    np.divide(2.0 * depth, length + 2 * depth, out=found, where=depth > 0)
    return found


def _checked(nodes: Tensor, n: int) -> Ints:
    array: Ints = nodes.to(torch.int64).numpy()
    if array.ndim != 1 or (len(array) and not 0 <= array.min() <= array.max() < n):
        raise ValueError(f"synsets are one list of numbers from 0 to {n - 1}")
    return array

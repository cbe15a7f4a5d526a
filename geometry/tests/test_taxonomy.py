"""Taxonomies drawn by Hypothesis, against NLTK's own methods on the same graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nltk.corpus.reader.wordnet import Synset

from geometric_invariants.geometry.taxonomy import Taxonomy, similarity_of

# Names on both sides of "*ROOT*" in the alphabet: ties are broken by name.
ALPHABET = "!'()*+AZaz"


class GraphSynset(Synset):  # type: ignore[misc]
    """One of NLTK's synsets, above which lie those of a graph."""

    def __init__(self, name: str, above: list[Any], own_root: bool) -> None:
        super().__init__(None)
        self._name = name
        self.above = above
        self.own_root = own_root

    def _related(self, relation_symbol: str) -> list[Any]:
        return self.above if relation_symbol == "@" else []

    def _needs_root(self) -> bool:
        return not self.own_root


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Taxonomy, list[GraphSynset]]:
    names = draw(
        st.lists(st.text(ALPHABET, min_size=1, max_size=3), min_size=1, max_size=9, unique=True)
    )
    synsets: list[GraphSynset] = []
    parents: list[list[int]] = []
    for index, name in enumerate(names):
        above = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        parents.append(above)
        synsets.append(GraphSynset(name, [synsets[p] for p in above], draw(st.booleans())))
    order = draw(st.permutations(range(len(names))))  # hypernyms need not come first
    place = {old: new for new, old in enumerate(order)}
    return taxonomy_of(
        [names[old] for old in order],
        [[place[p] for p in parents[old]] for old in order],
        [synsets[old].own_root for old in order],
    ), [synsets[old] for old in order]


def taxonomy_of(names: list[str], parents: list[list[int]], rooted: list[bool]) -> Taxonomy:
    return Taxonomy(
        names,
        np.cumsum([0, *map(len, parents)]),
        np.array([p for above in parents for p in above], dtype=np.int64),
        np.array(rooted),
    )


def assert_same(found: torch.Tensor, expected: list[float | None]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found.tolist(), expected, strict=True):
        assert (math.isnan(ours) and theirs is None) or ours == theirs


@given(graphs(), st.booleans())
def test_all_pairs_are_nltks(graph: tuple[Taxonomy, list[GraphSynset]], root: bool) -> None:
    taxonomy, synsets = graph
    everything = torch.arange(len(synsets))
    pairs = torch.cartesian_prod(everything, everything)
    path = [a.path_similarity(b, simulate_root=root) for a in synsets for b in synsets]
    wup = [a.wup_similarity(b, simulate_root=root) for a in synsets for b in synsets]
    matrices = (
        taxonomy.path_similarity_matrix(everything, everything, simulate_root=root),
        taxonomy.wup_similarity_matrix(everything, everything, simulate_root=root),
    )
    for matrix, expected in zip(matrices, (path, wup), strict=True):
        assert_same(matrix.flatten(), expected)
    for first, second in (pairs.T, pairs[:1].T):  # through a block, and pair by pair
        count = len(first)
        assert_same(taxonomy.path_similarity(first, second, simulate_root=root), path[:count])
        assert_same(taxonomy.wup_similarity(first, second, simulate_root=root), wup[:count])
    depths = [(s.min_depth(), s.max_depth()) for s in synsets]
    assert depths == list(
        zip(taxonomy.min_depth.tolist(), taxonomy.max_depth.tolist(), strict=True)
    )


@given(graphs(), st.data())
def test_pair_by_pair_is_the_block(
    graph: tuple[Taxonomy, list[GraphSynset]], data: st.DataObject
) -> None:
    taxonomy, synsets = graph
    node = st.integers(0, len(synsets) - 1)
    rows, columns = (np.array(data.draw(st.lists(node, min_size=1))) for _ in range(2))
    n = min(len(rows), len(columns))
    a, b = rows[:n], columns[:n]
    for root in (True, False):
        path = taxonomy.path_distances(torch.from_numpy(a), torch.from_numpy(b), simulate_root=root)
        assert np.array_equal(
            taxonomy._pair_distances(a, b, simulate_root=root), path.numpy().diagonal()
        )
        wup = taxonomy.wup_similarity_matrix(
            torch.from_numpy(a), torch.from_numpy(b), simulate_root=root
        )
        pairs = taxonomy._pair_wup(a, b, simulate_root=root)
        assert np.array_equal(pairs, wup.numpy().diagonal(), equal_nan=True)


def test_blocks_of_columns_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    taxonomy = taxonomy_of(list("abcdef"), [[], [0], [0], [1, 2], [2], []], [False] * 5 + [True])
    everything = torch.arange(6)
    path = taxonomy.path_distances(everything, everything)
    wup = taxonomy.wup_similarity_matrix(everything, everything)
    monkeypatch.setattr("geometric_invariants.geometry.taxonomy._TABLE_BYTES", 12)
    assert torch.equal(taxonomy.path_distances(everything, everything), path)
    assert torch.equal(taxonomy.wup_similarity_matrix(everything, everything), wup)


def test_similarity_of_no_path_is_not_a_number() -> None:
    found = similarity_of(torch.tensor([0, 1, 254, 255], dtype=torch.uint8))
    assert found[:3].tolist() == [1.0, 0.5, 1 / 255]
    assert found[3].isnan()


@pytest.mark.parametrize(
    ("names", "parents", "message"),
    [
        (["a", "b"], [[1], [0]], "above itself"),
        (["a", "a"], [[], []], "given twice"),
        (["a", "b"], [[], [7]], "none of the 2"),
    ],
)
def test_what_is_no_taxonomy(names: list[str], parents: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taxonomy_of(names, parents, [True] * 2).max_depth  # noqa: B018


def test_synsets_that_are_not_there() -> None:
    taxonomy = taxonomy_of(["a"], [[]], [True])
    with pytest.raises(ValueError, match="numbers from 0 to 0"):
        taxonomy.path_similarity(torch.tensor([0]), torch.tensor([1]))
    with pytest.raises(ValueError, match="do not pair up"):
        taxonomy.path_similarity(torch.tensor([0]), torch.tensor([0, 0]))

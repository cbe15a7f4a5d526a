from __future__ import annotations

import pytest
import scipy.stats
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from geometric_invariants.geometry import relations
from geometric_invariants.geometry.relations import Pairs

tied = st.lists(st.integers(-3, 3), min_size=3, max_size=40)


@given(tied, st.integers(0, 100))
def test_correlations_are_scipys_with_ties(values: list[int], seed: int) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    y = torch.randint(4, x.shape, generator=torch.Generator().manual_seed(seed)).double()
    assume(len(set(values)) > 1 and len(y.unique()) > 1)
    assert relations.pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y)[0], abs=1e-12)
    assert relations.spearman(x, y) == pytest.approx(scipy.stats.spearmanr(x, y)[0], abs=1e-12)
    assert torch.equal(relations.ranks(x), torch.from_numpy(scipy.stats.rankdata(x)))


def some_pairs(words: int, count: int, seed: int = 0) -> tuple[Pairs, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = relations.draw_pairs(words, count, generator)
    similarity = 1 / torch.randint(1, 25, first.shape, generator=generator).double()
    noise = torch.randn(first.shape, generator=generator, dtype=torch.float64)
    return Pairs(first, second, similarity), 0.3 * similarity + 0.1 * noise


def test_alignment_is_what_its_definition_says() -> None:
    pairs, cosines = some_pairs(200, 20_000)
    found = relations.alignment(pairs, cosines, 200)
    x = pairs.similarity
    assert found.pearson.value == pytest.approx(scipy.stats.pearsonr(x, cosines)[0], abs=1e-10)
    assert found.spearman.value == pytest.approx(scipy.stats.spearmanr(x, cosines)[0], abs=1e-10)
    gradient = (cosines[x >= 0.25].mean() - cosines[x < 0.1].mean()).item()
    assert found.gradient.value == pytest.approx(gradient, abs=1e-10)
    assert sum(count for count, _ in found.bands) == len(pairs)
    assert found.bands[0][1] == pytest.approx(cosines[x >= 0.9].mean().item())
    other = relations.lift(pairs, cosines, -cosines, 200)
    assert other.pearson.value == pytest.approx(2 * found.pearson.value, abs=1e-10)
    assert other.spearman.value == pytest.approx(2 * found.spearman.value, abs=1e-10)
    assert other.spearman.low < other.spearman.value < other.spearman.high


def test_every_similarity_lies_in_one_band() -> None:
    """Path similarities are 1/n: 1 is in the first band, 1/20 in the last, none in two or none."""
    similarity = 1 / torch.arange(1, 41).double()
    membership = torch.stack([band.contains(similarity) for band in relations.BANDS])
    assert (membership.sum(0) == 1).all()
    by_band = [(1 / similarity[inside]).round().int().tolist() for inside in membership]
    assert by_band[:4] == [[1], [2], [3, 4], [5, 6, 7, 8, 9, 10]]
    assert by_band[4:] == [list(range(11, 20)), list(range(20, 41))]
    assert [str(band) for band in relations.BANDS] == [
        *("[0.9, 1]", "[0.5, 0.9)", "[0.25, 0.5)", "[0.1, 0.25)", "(0.05, 0.1)", "(0, 0.05]"),
    ]
    counts = [count for count, _ in relations.banded(similarity, similarity)]
    assert counts == [1, 1, 2, 6, 9, 21]


def test_the_interval_covers_what_words_share() -> None:
    """Every word brings its own offset: pairs that share it are alike, and n pairs are not n."""
    truth, covered, naive = 0.0, 0, 0
    for seed in range(120):
        generator = torch.Generator().manual_seed(seed)
        first, second = relations.draw_pairs(60, 3000, generator)
        a, b = torch.randn(2, 60, generator=generator, dtype=torch.float64)
        pairs = Pairs(first, second, a[first] + a[second])
        found = relations.alignment(pairs, b[first] + b[second], 60).pearson
        covered += found.low <= truth <= found.high
        naive += abs(found.value) < 1.96 / len(pairs) ** 0.5
    assert covered / 120 > 0.88
    assert naive / 120 < 0.5


@given(st.integers(2, 30), st.integers(1, 400), st.integers(0, 50))
def test_cosines_of_pairs_are_the_same_by_block_and_by_pair(
    words: int, count: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    unit = relations.unit_rows(torch.randn(words, 7, generator=generator))
    first, second = relations.draw_pairs(words, count, generator)
    assert (first != second).all()
    expected = torch.nn.functional.cosine_similarity(unit[first], unit[second]).double()
    torch.testing.assert_close(
        relations.pair_cosines(unit, first, second), expected, atol=1e-6, rtol=0
    )


def test_pairs_without_similarity_are_dropped() -> None:
    similarity = torch.tensor([0.5, torch.nan, 0.0, 1.0])
    kept = relations.related_pairs(torch.arange(4), torch.arange(4), similarity)
    assert kept.first.tolist() == [0, 3]
    with pytest.raises(ValueError, match="at least 2 words"):
        relations.draw_pairs(1, 5, torch.Generator())


def test_intra_cosines_are_over_pairs() -> None:
    unit = relations.unit_rows(torch.randn(6, 5, generator=torch.Generator().manual_seed(1)))
    found = relations.intra_cosines(unit, {"a": [0, 2, 5]})
    pairs = torch.stack([unit[0] @ unit[2], unit[0] @ unit[5], unit[2] @ unit[5]])
    assert found["a"] == pytest.approx(pairs.mean().item(), abs=1e-6)

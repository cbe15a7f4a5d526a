"""Similarities over WordNet: ours, and NLTK's on a sample, extrapolated to the same number."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from fixtures.corpora import WordNet, load_wordnet
from fixtures.wordnet import WordNetMissingError, open_wordnet
from geometry.benchmarks.ceilings import record
from geometry.benchmarks.work import Work
from geometry.taxonomy import Taxonomy

SYNSETS, PAIRS, ANCHORS, SAMPLE = 8_402, 10_000_000, 3_000, 10_000


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    try:
        return load_wordnet()
    except WordNetMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def taxonomy(wordnet: WordNet) -> Taxonomy:
    found = Taxonomy(wordnet.names, wordnet.starts, wordnet.parents, wordnet.rooted)
    found.path_similarity(torch.tensor([0]), torch.tensor([1]))
    return found


@pytest.fixture(scope="module")
def pairs(wordnet: WordNet) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    kept = torch.randperm(len(wordnet), generator=generator)[:SYNSETS]
    return kept[torch.randint(SYNSETS, (2, PAIRS), generator=generator)]


@pytest.fixture(scope="module")
def synsets(wordnet: WordNet) -> list[Any]:
    del wordnet
    return list(open_wordnet().all_synsets())


def sampled_seconds(pairs: Tensor, synsets: list[Any], name: str) -> float:
    """NLTK's seconds for a pair, over a sample."""
    chosen = [(synsets[i], synsets[j]) for i, j in pairs[:, :SAMPLE].T.tolist()]
    start = time.perf_counter()
    for a, b in chosen:
        getattr(a, name)(b)
    return (time.perf_counter() - start) / SAMPLE


@pytest.mark.benchmark(group="taxonomy: 10 million path similarities")
def test_path_similarity(
    benchmark: BenchmarkFixture, taxonomy: Taxonomy, pairs: Tensor, synsets: list[Any]
) -> None:
    benchmark.pedantic(taxonomy.path_similarity, (pairs[0], pairs[1]), rounds=3, warmup_rounds=1)
    record(benchmark, Work(PAIRS * 3 * 8))
    _compare(benchmark, PAIRS * sampled_seconds(pairs, synsets, "path_similarity"))


@pytest.mark.benchmark(group="taxonomy: 3,000² Wu–Palmer")
def test_wup_similarity(
    benchmark: BenchmarkFixture, taxonomy: Taxonomy, pairs: Tensor, synsets: list[Any]
) -> None:
    anchors = pairs[0].unique()[:ANCHORS]
    benchmark.pedantic(
        taxonomy.wup_similarity_matrix, (anchors, anchors), rounds=3, warmup_rounds=1
    )
    record(benchmark, Work(ANCHORS**2 * 8))
    _compare(benchmark, ANCHORS**2 * sampled_seconds(pairs, synsets, "wup_similarity"))


def _compare(benchmark: BenchmarkFixture, nltk_seconds: float) -> None:
    benchmark.extra_info["nltk_seconds_extrapolated"] = nltk_seconds
    benchmark.extra_info["nltk_sample_pairs"] = SAMPLE
    assert benchmark.stats is not None
    benchmark.extra_info["times_faster_than_nltk"] = nltk_seconds / benchmark.stats.stats.median

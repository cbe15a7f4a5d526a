"""What the quantities of the embedding table show besides their values."""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.fixtures.tests.test_vocabulary import byte_level, words
from geometric_invariants.fixtures.texts.corpora import CATEGORIES
from geometric_invariants.geometry import pairs
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.reports.exhibits import Cell, Figure, Table
from tests.embedding_tables import OF_TABLES, gaussian, measured, model_of


def figure(finding: Finding, title: str) -> Figure:
    return {one.title: one for one in finding.figures}[title]


def column(finding: Finding, title: str, name: str) -> dict[str, Cell]:
    table: Table = {one.title: one for one in finding.tables}[title]
    place = table.columns.index(name)
    return {row: cells[place] for row, cells in table.rows.items()}


def shares(one: Figure, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(one.series[name], np.float64)


@pytest.mark.parametrize(
    ("claim", "title", "own", "null"),
    [
        ("embedding_norm", "row norms", "rows", "i.i.d. Gaussian"),
        ("mean_pairwise_cosine", "pairwise cosines", "sampled rows", "random directions"),
        ("pentachoron_cv", "pentachoron volumes", "rows of the table", "i.i.d. Gaussian"),
        ("pentachoron_cv", "pentachoron volumes", "rows of the table", "norm-matched"),
    ],
)
def test_a_random_tables_histogram_lies_on_its_null(
    tmp_path: Path, claim: str, title: str, own: str, null: str
) -> None:
    one = figure(measured(claim, model_of(tmp_path, gaussian(4000, 64) * 0.3)), title)
    assert shares(one, own).sum() == pytest.approx(1, abs=0.01)
    assert shares(one, null).sum() == pytest.approx(1, abs=0.01)
    assert np.abs(shares(one, own) - shares(one, null)).sum() < 0.15


@pytest.mark.parametrize("title", ["eigenspectrum", "cumulative variance"])
def test_a_random_tables_spectrum_lies_on_its_null(tmp_path: Path, title: str) -> None:
    finding = measured("embedding_participation_ratio", model_of(tmp_path, gaussian(4000, 64) * 2))
    one = figure(finding, title)
    assert shares(one, "table") == pytest.approx(shares(one, "i.i.d. Gaussian"), rel=0.05)
    assert set(one.levels) in ({"80%", "90%", "95%", "99%"}, set())


def test_norms_and_distances_are_those_of_the_rows(tmp_path: Path) -> None:
    table = gaussian(90, 16) * torch.linspace(0.5, 2, 90)[:, None]
    table[7] *= 100
    tokens = [f"w{i}" for i in range(85)]
    finding = measured("embedding_norm", model_of(words(tmp_path, *tokens), table))
    norms = torch.linalg.vector_norm(table.double(), dim=1).numpy()
    distances = torch.pdist(table.double()).numpy()
    for row, values in (
        ("norm", norms),
        ("distance", distances),
        ("distance over √d", distances / 4),
    ):
        for name, expected in (
            ("mean", values.mean()),
            ("std", values.std()),
            ("5 %", np.quantile(values, 0.05)),
            ("median", np.median(values)),
            ("max", values.max()),
        ):
            assert column(finding, "norms and distances", name)[row] == pytest.approx(
                expected, rel=1e-5
            )
    assert column(finding, "rows of the extreme norms", "token")["largest"] == "w2"
    assert column(finding, "rows of the extreme norms", "row")["smallest"] == norms.argmin()
    means = column(finding, "moments of the dimensions", "mean")
    assert means["mean of a dimension"] == pytest.approx(table.mean(0).mean().item(), rel=1e-4)
    stds = column(finding, "moments of the dimensions", "std")
    spread = table.double().std(0, correction=0).std(correction=0).item()
    assert stds["std of a dimension"] == pytest.approx(spread, rel=1e-4)


def test_cosines_near_the_marks(tmp_path: Path) -> None:
    """Against numpy over all pairs; the null's share is a random table's."""
    finding = measured("mean_pairwise_cosine", model_of(tmp_path, gaussian(800, 24)))
    unit = torch.nn.functional.normalize(gaussian(800, 24), dim=1)
    i, j = torch.triu_indices(800, 800, 1)
    cosines = (unit @ unit.mT)[i, j].numpy()
    share, null, nearest = (
        column(finding, "cosines near the marks", name)
        for name in ("share", "share at random", "nearest")
    )
    assert set(share) == {f"{mark:g}" for mark in pairs.COSINE_MARKS}
    for mark in (0.0, 0.29154, 0.5):
        near = (np.abs(cosines - mark) < 0.01).mean()
        assert share[f"{mark:g}"] == pytest.approx(near, abs=2e-4)
        assert null[f"{mark:g}"] == pytest.approx(near, rel=0.15)
        assert nearest[f"{mark:g}"] == pytest.approx(mark, abs=1e-3)
    over = column(finding, "distribution of pairwise cosines", "99 %")
    assert over["sampled rows"] == pytest.approx(np.quantile(cosines, 0.99), abs=1e-4)
    assert over["random directions"] == pytest.approx(np.quantile(cosines, 0.99), abs=0.01)


def test_eigenvalues_and_dimensions(tmp_path: Path) -> None:
    table = gaussian(3000, 32) * torch.logspace(0, -1, 32)
    finding = measured("embedding_participation_ratio", model_of(tmp_path, table))
    expected = np.linalg.eigvalsh(np.cov(table.double().numpy().T))[::-1]
    values = column(finding, "largest eigenvalues", "eigenvalue")
    assert list(values) == [str(rank) for rank in range(1, 21)]
    assert list(values.values()) == pytest.approx(expected[:20].tolist(), rel=1e-5)
    cumulative = column(finding, "largest eigenvalues", "cumulative share")
    assert cumulative["5"] == pytest.approx(expected[:5].sum() / expected.sum(), rel=1e-5)
    needed = column(finding, "dimensions for a share of the variance", "dimensions")
    first = int((np.cumsum(expected) / expected.sum() < 0.9).sum()) + 1
    assert needed["90%"] == first


def test_pentachora_of_a_table_with_copies(tmp_path: Path) -> None:
    table = gaussian(60, 16)
    table[1] = table[0]
    finding = measured("pentachoron_cv", model_of(tmp_path, table))
    valid, dropped = (column(finding, "random pentachora", name) for name in ("valid", "dropped"))
    assert valid["rows of the table"] + dropped["rows of the table"] == 20_000  # type: ignore[operator]
    assert dropped["rows of the table"] == pytest.approx(20_000 * 20 / (60 * 59), rel=0.5)
    low, middle, high = (
        column(finding, "random pentachora", name)["rows of the table"]
        for name in ("min", "median", "max")
    )
    assert 0 < low < middle < high  # type: ignore[operator]


def test_groups_of_a_byte_level_vocabulary(tmp_path: Path) -> None:
    """Digits that lie together are told from characters at random; last rows are the table's."""
    folder = byte_level(tmp_path, *(word for group in CATEGORIES.values() for word in group))
    size = len(json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"])
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    table = gaussian(size + 50, 32)
    table[[vocabulary[digit] for digit in string.digits]] += 3
    finding = measured("category_lift", model_of(folder, table))
    groups = column(finding, "token groups", "rows")
    assert groups == {
        "digits": 10,
        "upper case": 26,
        "lower case": 26,
        "last 100": 100,
        "all pairs of rows": size + 50,
    }
    means = column(finding, "token groups", "mean cosine")
    unit = torch.nn.functional.normalize(table[-100:], dim=1)
    last = ((unit @ unit.mT).sum() - 100) / 9900
    assert means["last 100"] == pytest.approx(last.item(), abs=1e-5)
    lifts = column(finding, "token groups", "lift")
    assert lifts["digits"] > 0.5  # type: ignore[operator]
    assert abs(lifts["upper case"]) < 0.1  # type: ignore[arg-type]


def test_categories_show_their_centroids_and_random_rows(tmp_path: Path) -> None:
    listed = [word for group in CATEGORIES.values() for word in group]
    folder = words(tmp_path, *dict.fromkeys(listed))
    table = gaussian(5 + len(set(listed)), 32)
    finding = measured("category_lift", model_of(folder, table))
    centroids = figure(finding, "cosines between category centroids")
    assert centroids.x == tuple(CATEGORIES) == tuple(centroids.series)
    assert [centroids.series[name][i] for i, name in enumerate(CATEGORIES)] == [1.0] * 8
    bars = figure(finding, "cosine inside categories")
    assert set(bars.series) == {"words", "random rows"}
    assert bars.levels["mean over all pairs"] == pytest.approx(0, abs=0.05)
    counts = column(finding, "word categories", "words")
    assert counts["animals"] == len(CATEGORIES["animals"])


@pytest.mark.parametrize("rank", [1.0, 0.0])
def test_a_head_of_its_own_is_set_beside_the_table(tmp_path: Path, rank: float) -> None:
    """A head near the table, and one that knows nothing of it; other tokens' rows beside both."""
    table = gaussian(700, 48)
    noise = torch.randn(700, 48, generator=torch.Generator().manual_seed(1))
    head = rank * table + (0.5 if rank else 1.0) * noise
    names = {"transformer.wte.weight": table, "lm_head.weight": head}
    save_file(names, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    finding = measured("embedding_head_cosine", Model("mine", tmp_path))
    cosines = torch.nn.functional.cosine_similarity(table.double(), head.double(), dim=1)
    beside = {named.name: named.estimate.value for named in finding.related}
    assert finding.estimate.value == pytest.approx(cosines.mean().item())
    assert beside["std over tokens"] == pytest.approx(cosines.std(correction=0).item())
    assert beside["smallest"] == pytest.approx(cosines.min().item())
    assert beside["largest"] == pytest.approx(cosines.max().item())
    sizes = column(finding, "Frobenius norms", "norm")
    assert sizes["difference"] == pytest.approx((table - head).norm().item(), rel=1e-5)
    assert sizes["head"] == pytest.approx(head.norm().item(), rel=1e-5)
    one = figure(finding, "embedding–head cosine")
    assert set(one.series) == {"own head row", "another token's head row", "random directions"}
    overlap = np.minimum(shares(one, "own head row"), shares(one, "random directions")).sum()
    assert overlap < 0.01 if rank else overlap > 0.7
    others = column(finding, "distribution of embedding–head cosines", "mean")
    assert others["another token's head row"] == pytest.approx(0, abs=0.03)


def test_a_twin_has_values_alone(tmp_path: Path) -> None:
    tiny_models.save_t5(tmp_path)
    words(tmp_path, *(f"w{i}" for i in range(1400)))
    (twin,) = Model("mine", tmp_path).twins(1)
    for claim in (*OF_TABLES, "layer_evolution", "encoder_decoder_cosine"):
        finding = measured(claim, twin)
        assert finding.controls, claim
        assert (finding.figures, finding.tables, finding.related) == ((), (), ()), claim

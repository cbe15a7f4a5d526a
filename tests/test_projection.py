"""Two models' embeddings laid over each other, by command and by pair."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from geometric_invariants.fixtures.errors import RegistryError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import read_registry, select_models
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.experiments.projection import PairError, common_tokens, compare
from geometric_invariants.reports.__main__ import main as reports_main
from geometric_invariants.reports.files import read_results

WORDS = [*"0123456789", *(f"word{i}" for i in range(390))]


def save(folder: Path, table: torch.Tensor, tokens: list[str]) -> Path:
    """A checkpoint of one embedding table whose row i is tokens[i]."""
    folder.mkdir()
    save_file({"model.embed_tokens.weight": table}, folder / "model.safetensors")
    config = {"model_type": "llama", "vocab_size": len(table), "hidden_size": table.shape[1]}
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=tokens[0]))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wide table that holds a narrow one, turned; its rows in another order."""
    root = tmp_path_factory.mktemp("pair")
    generator = torch.Generator().manual_seed(0)
    small = torch.randn(400, 8, generator=generator)
    turn = torch.linalg.qr(torch.randn(20, 20, generator=generator))[0]
    large = small @ turn[:8] + 0.05 * torch.randn(400, 20, generator=generator)
    order = torch.randperm(400, generator=generator)
    return (
        save(root / "large", large[order].contiguous(), [WORDS[i] for i in order]),
        save(root / "small", small, WORDS),
    )


def test_tokens_are_matched_by_their_strings(pair: tuple[Path, Path]) -> None:
    large, small = Model("large", pair[0]), Model("small", pair[1])
    found = compare(large, small, Sampling())
    assert set(found.beside.tokens) == set(WORDS)
    assert found.projection.fit.cosine.mean.value > 0.98
    assert found.projection.null.cosine.mean.value < 0.7
    assert found.digits is not None
    assert found.digits.mapped.structure > 0.9
    assert min(found.digits.mapped.alignment) > 0.9
    assert found.digits.mapped.difference < found.digits.null.difference
    (best, cosine), *_ = found.named(found.projection.fit.best)
    assert best in WORDS
    assert cosine == found.projection.fit.best[0][1]


def test_the_wider_is_laid_over_the_narrower_in_any_order(pair: tuple[Path, Path]) -> None:
    models = Model("large", pair[0]), Model("small", pair[1])
    one, other = compare(*models, Sampling()), compare(*models[::-1], Sampling())
    assert (one.larger, one.smaller) == (other.larger, other.smaller) == ("large", "small")
    assert one.projection.fit.relational.correlation == other.projection.fit.relational.correlation


def test_only_common_tokens_with_a_row_take_part(tmp_path: Path) -> None:
    first = save(tmp_path / "a", torch.randn(5, 3), ["a", "b", "c", "d", "e"])
    second = save(tmp_path / "b", torch.randn(3, 2), ["x", "d", "b", "a"][:4])
    vocabularies = [Model(f.name, f).vocabulary for f in (first, second) if f]
    assert vocabularies[0] is not None
    assert vocabularies[1] is not None
    tokens, (ours, theirs) = common_tokens((vocabularies[0], vocabularies[1]), (5, 3))
    assert tokens == ("d", "b")
    assert ours.tolist() == [3, 1]
    assert theirs.tolist() == [1, 2]


def test_nothing_in_common_is_one_clear_error(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    strange = save(tmp_path / "strange", torch.randn(30, 4), [f"other{i}" for i in range(30)])
    with pytest.raises(PairError, match=r"large and strange: .* no token in common"):
        compare(Model("large", pair[0]), Model("strange", strange), Sampling())
    few = save(tmp_path / "few", torch.randn(9, 4), WORDS[:9])
    with pytest.raises(PairError, match="9 tokens in common are too few"):
        compare(Model("large", pair[0]), Model("few", few), Sampling())


def test_the_command_prints_every_number_with_its_null(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", f"one={pair[0]}", f"two={pair[1]}"]) == 0
    said = capsys.readouterr().out
    for name in (
        "tokens in common 400",
        "variance kept",
        "cosine: median",
        "distance: mean",
        "relational correlation",
        "mean |Δcos|",
        "Procrustes scale",
        "cosine: lowest",
        "cosine: 10% percentile",
        "tokens of cosine > 0 ",
        "digits: cosine of 7",
        "digits: structure correlation",
        "digits: mean |Δcos|",
        "volume correlation",
        "mean volume native",
        "eigenvalue 1, uncentred",
        "dropped, V² ≤ 0",
        "residual: eigenvalue 5",
        "CKA",
        "shared nearest neighbours",
        "best: ",
        "worst: ",
    ):
        assert name in said
    assert main(["compare", f"one={pair[0]}", "nobody"]) == 2
    assert "nobody: unknown model" in capsys.readouterr().err


def test_pairs_come_from_files_and_options(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    file = tmp_path / "models.toml"
    file.write_text(f'[small]\npath = "{pair[1]}"\nlarger = "large"\n[large]\npath = "{pair[0]}"\n')
    entries = read_registry(file)
    assert entries["small"].larger == entries["large"]
    given = select_models([f"s={pair[1]}", f"l={pair[0]}"], pairs=["s=l"])
    assert given["s"].larger == given["l"]
    assert given["l"].larger is None
    for options, message in (
        (["nobody=t5_mini"], "nobody is not part"),
        (["t5_tiny=nobody"], "use SMALLER=LARGER"),
        (["t5_tiny"], "use SMALLER=LARGER"),
    ):
        with pytest.raises(RegistryError, match=message):
            select_models(["t5_tiny"], pairs=options)
    file.write_text(f'[small]\npath = "{pair[1]}"\nlarger = "gone"\n')
    with pytest.raises(RegistryError, match=r"\[small\]: larger = 'gone'"):
        read_registry(file)


def test_the_command_writes_the_claims_cell_as_results(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "r.json", tmp_path / "r.html"
    command = ["compare", f"one={pair[0]}", f"two={pair[1]}", "--json", str(file)]
    assert main(command) == 0
    assert "relational correlation" in capsys.readouterr().out
    (cell,) = read_results(file).measurements
    assert (cell.model, cell.claim) == ("two", "cross_scale_relational_correlation")
    assert cell.value is not None
    assert cell.provenance.seconds > 0
    titles = {figure.title for figure in cell.figures} | {table.title for table in cell.tables}
    assert titles >= {
        *("alignment", "relational structure", "digit differences", "volumes, native and mapped"),
        *("alignment by token id", "residual spectrum", "held-out cosine", "digits", "pentachora"),
        *("map and residual", "best and worst tokens", "share of tokens above a cosine"),
    }
    for figure in cell.figures:
        assert figure.kind == "heatmap" or {"paired", "shuffled"} <= set(figure.series)
    assert reports_main(["render", str(file), "-o", str(page)]) == 0
    assert "alignment by token id" in page.read_text(encoding="utf-8")

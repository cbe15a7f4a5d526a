"""Quantities of the token-embedding table, from a checkpoint to a finding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.finding import Finding
from tests.embedding_tables import OF_TABLES, gaussian, measured, model_of


def save_tokenizer(folder: Path, size: int) -> None:
    words = {f"w{i}": i for i in range(size - 1)} | {"[UNK]": size - 1}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def related(finding: Finding) -> dict[str, float]:
    return {named.name: named.estimate.value for named in finding.related}


def test_dimensions_of_different_std_move_only_the_ratio_to_the_overall_one(
    tmp_path: Path,
) -> None:
    stds = torch.logspace(-1, 0.5, 48)
    finding = measured("volume_ratio_to_gaussian", model_of(tmp_path, gaussian(6000, 48) * stds))
    assert finding.estimate.value == pytest.approx(1, abs=0.03)
    assert finding.controls[0].estimate.value == 1
    assert related(finding)["to i.i.d. Gaussian"] < 0.9


@pytest.mark.parametrize(
    ("name", "rows", "beside"),
    [("qwen35_08b", 10_000, "all rows"), ("t5_small", 12_000, "10,000 random rows")],
)
def test_each_model_is_judged_over_the_rows_of_its_source(
    tmp_path: Path, name: str, rows: int, beside: str
) -> None:
    """Isotropic rows: 1/PR_n = 1/PR + 1/n − 1/N, so that ten of twelve thousand show less."""
    d = 500
    finding = measured(
        "embedding_participation_ratio", model_of(tmp_path, gaussian(12_000, d), name)
    )
    assert finding.estimate.value == pytest.approx(1 / (1 + d / rows), rel=1e-3)
    assert finding.controls[0].estimate.value == pytest.approx(finding.estimate.value, rel=2e-3)
    assert finding.estimate.low < finding.estimate.high or name == "t5_small"
    other = 22_000 - rows
    assert related(finding)[beside] == pytest.approx(1 / (1 + d / other), rel=1e-3)


@pytest.mark.parametrize("claim", OF_TABLES)
def test_rows_that_no_token_has_are_counted_and_left_out_beside(tmp_path: Path, claim: str) -> None:
    """A vocabulary padded with rows of zeros shows its 450 real rows' value beside its own."""
    table = gaussian(450, 32) * torch.linspace(0.7, 1.3, 450)[:, None]
    (tmp_path / "bare").mkdir()
    bare = measured(claim, model_of(tmp_path / "bare", table))
    (tmp_path / "padded").mkdir()
    save_tokenizer(tmp_path / "padded", 450)
    padded = model_of(tmp_path / "padded", torch.cat([table, torch.zeros(62, 32)]))
    finding = measured(claim, padded)
    assert "62 of 512 rows belong to no token of the tokenizer" in finding.notes
    ours = related(finding)["over 450 tokens' rows"]
    assert ours == pytest.approx(bare.estimate.value, rel=1e-6)
    assert finding.design == bare.design
    assert related(finding)["rows"] == 512


@pytest.mark.parametrize("claim", OF_TABLES)
def test_a_tokenizer_that_cannot_be_read_costs_no_value(tmp_path: Path, claim: str) -> None:
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    finding = measured(claim, model_of(tmp_path, gaussian(300, 16)))
    assert finding.estimate.value > -1
    assert "tokenizer.json: not valid JSON" in finding.notes[0]


@pytest.mark.parametrize("samples", [2, 1_000, 3_000])
@pytest.mark.parametrize("claim", OF_TABLES)
def test_few_draws_still_give_numbers(tmp_path: Path, claim: str, samples: int) -> None:
    finding = measured(claim, model_of(tmp_path, gaussian(300, 16)), Sampling(0, samples, samples))
    named = (*finding.controls, *finding.related)
    for estimate in (finding.estimate, *(one.estimate for one in named)):
        assert torch.isfinite(torch.tensor([estimate.value, estimate.low, estimate.high])).all()


@pytest.mark.parametrize("claim", OF_TABLES)
def test_a_table_of_one_row_is_an_error_that_names_it(tmp_path: Path, claim: str) -> None:
    with pytest.raises(CheckpointError, match=r"word_embeddings.weight \[1, 8\]: "):
        measured(claim, model_of(tmp_path, gaussian(1, 8)))

"""Bands of claims on weights and embeddings: a faithful copy of a model passes 99 times of 100.

A source measures a model with some true value on a sample of its own, and prints it rounded. The
band that claims.toml makes of the print has to hold the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry import controls, embedding, simplex
from geometric_invariants.invariants.claims import load_claims

Z99 = 2.576
CLAIMS = load_claims()


@dataclass(frozen=True)
class Print:
    """A printed number: the unit of its last digit, and the standard error of what it prints."""

    value: float
    digit: float
    error: float = 0.0

    @property
    def band(self) -> tuple[float, float]:
        reach = self.digit / 2 + Z99 * self.error
        return self.value - reach, self.value + reach


def ratio_error(ratio: float) -> float:
    """Of a ratio of two means of 1,000 volumes: those of a table, and of Gaussian points."""
    return ratio * math.hypot(0.208, 0.047) / math.sqrt(1_000)


CV_ERROR = 0.0262  # of a CV of 1,000 simplices, over the CV
COSINE_ERROR = 0.0021  # of the mean over 5,000 rows
ROWS_ERROR = 0.0066  # of the participation ratio of 10,000 rows
DRAWS = 8  # samples of as many rows, whose mean is measured

RANGE = Print(0.20, 0.01, CV_ERROR * 0.20), Print(0.23, 0.01, CV_ERROR * 0.23)
PRINTS: dict[tuple[str, str], tuple[Print, ...]] = {
    ("pentachoron_cv", "t5_small"): RANGE,
    ("pentachoron_cv", "t5_base"): RANGE,
    ("pentachoron_cv", "t5_xxl"): RANGE,
    ("pentachoron_cv", "qwen35_4b"): RANGE,
    ("pentachoron_cv", "qwen35_08b"): (Print(0.208, 0.001, CV_ERROR * 0.208),),
    ("volume_ratio_to_gaussian", "qwen35_08b"): (Print(0.984, 0.001, ratio_error(0.984)),),
    ("embedding_participation_ratio", "t5_small"): (Print(0.53, 0.01), Print(0.56, 0.01)),
    ("embedding_participation_ratio", "qwen35_08b"): (
        Print(0.535, 0.001, ROWS_ERROR * math.sqrt(1 + 1 / DRAWS)),
    ),
    ("mean_pairwise_cosine", "qwen35_08b"): (Print(0.19471, 0.00001, COSINE_ERROR),),
    # Half a digit, and as much for the rounding of the published file.
    ("digit_distance_correlation", "qwen35_08b"): (Print(-0.862, 0.002),),
    ("q_sparsity", "t5_small"): (Print(0.937, 0.001),),
    ("q_sparsity", "t5_base"): (Print(0.994, 0.001),),
    ("q_sparsity", "bert_large"): (Print(0.991, 0.001),),
    ("k_sparsity", "t5_small"): (Print(0.192, 0.001),),
    ("k_sparsity", "t5_base"): (Print(0.300, 0.001),),
    ("v_sparsity", "t5_small"): (Print(0.121, 0.001),),
    ("v_sparsity", "t5_base"): (Print(0.162, 0.001),),
    ("cross_attention_qk_balance", "t5_xxl"): (Print(0.500, 0.001),),
}
OF_ALL = {  # a print of 100 %: no share lies above
    ("q_sparsity", "t5_xxl"): Print(1.0, 0.001),
    ("q_sparsity", "dinov2_large"): Print(1.0, 0.01),
    ("encoder_q_sparsity", "t5_xxl"): Print(1.0, 0.001),
    ("decoder_q_sparsity", "t5_xxl"): Print(1.0, 0.001),
    ("cross_q_sparsity", "t5_xxl"): Print(1.0, 0.001),
}


@pytest.mark.parametrize(("claim", "name"), PRINTS)
def test_bands_are_made_of_prints(claim: str, name: str) -> None:
    """Rounded outwards to four decimals; a range reaches from its first print to its last."""
    prints = PRINTS[claim, name]
    low, high = CLAIMS[claim].stated[name]
    assert -1e-12 <= prints[0].band[0] - low <= 1.01e-4
    assert -1e-12 <= high - prints[-1].band[1] <= 1.01e-4


def test_every_print_is_here() -> None:
    """Of the claims in this file, all that a model is named for."""
    found = {*PRINTS, *OF_ALL}
    stated = {(claim, name) for claim, _ in found for name in CLAIMS[claim].stated}
    assert stated == found


@pytest.mark.parametrize(("claim", "name"), OF_ALL)
def test_a_print_of_everything_has_no_upper_side(claim: str, name: str) -> None:
    low, high = CLAIMS[claim].stated[name]
    assert low == pytest.approx(OF_ALL[claim, name].band[0])
    assert high == 1.0


@given(st.floats(-1, 1), st.sampled_from([0.01, 0.001, 0.00001]))
def test_a_print_without_a_sample_holds_the_truth(truth: float, digit: float) -> None:
    low, high = Print(round(truth / digit) * digit, digit).band
    assert low - 1e-12 <= truth <= high + 1e-12


@given(st.floats(-0.0005, 0.0005))
def test_what_prints_as_no_correlation_lies_in_the_band(truth: float) -> None:
    band = CLAIMS["cross_layer_correlation"].band
    assert band is not None
    assert f"{abs(truth):.3f}" in {"0.000", "0.001"}
    assert band[0] < truth < band[1]


def test_a_count_is_the_count() -> None:
    claim = CLAIMS["decoder_position_crystallization"]
    assert set(claim.stated.values()) == {(0.0, 0.0)} == {claim.band}


def share_inside(truth: float | Tensor, found: Tensor, digit: float, error: float) -> float:
    """How often the band of a print holds the truth; found: what was printed, before rounding."""
    printed = (found / digit).round() * digit
    return ((printed - truth).abs() <= digit / 2 + Z99 * error).double().mean().item()


@pytest.fixture(scope="module")
def volumes() -> Tensor:
    """1,000 samples of 1,000 pentachora of 1,024-dimensional rows whose norms vary by 11 %."""
    generator = torch.Generator().manual_seed(0)
    norms = 1 + 0.113 * torch.randn(100_000, generator=generator)
    return controls.norm_matched_volumes(norms, 1_024, 1_000_000, generator).view(1_000, 1_000)


@pytest.mark.parametrize("digit", [0.01, 0.001])
def test_a_cv_of_1000_simplices(volumes: Tensor, digit: float) -> None:
    truth = (volumes.std(correction=0) / volumes.mean()).item()
    assert truth == pytest.approx(0.208, abs=0.005)
    found = volumes.std(1, correction=0) / volumes.mean(1)
    assert share_inside(truth, found, digit, CV_ERROR * truth) >= 0.99


def test_a_ratio_of_mean_volumes(volumes: Tensor) -> None:
    generator = torch.Generator().manual_seed(1)
    rows = controls.gaussian_rows(1_000_000, 5, 1_024, generator)
    gaussian = simplex.squared_volume(rows).sqrt().view(1_000, 1_000)
    scale = gaussian.mean() / volumes.mean()  # the ratio is a fourth power: any size will do
    found = volumes.mean(1) * scale / gaussian.mean(1)
    assert share_inside(1.0, found, 0.001, ratio_error(1.0)) >= 0.99


def test_a_mean_cosine_of_5000_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    towards = 0.44 + 0.16 * torch.randn(100_000, 1, generator=generator).clamp(-3, 3)
    others = torch.nn.functional.normalize(torch.randn(100_000, 31, generator=generator), dim=1)
    unit = torch.cat([towards, (1 - towards.square()).sqrt() * others], 1)
    truth = (unit.sum(0).square().sum().item() - 100_000) / (100_000 * 99_999)

    def mean_cosine(_: int) -> float:
        total = unit[torch.randint(100_000, (5_000,), generator=generator)].double().sum(0)
        return (total.square().sum().item() - 5_000) / (5_000 * 4_999)

    found = torch.tensor([mean_cosine(i) for i in range(1_000)], dtype=torch.float64)
    assert 0.0015 < found.std().item() < COSINE_ERROR  # as wide as the band allows for
    assert share_inside(truth, found, 0.00001, COSINE_ERROR) >= 0.99


def test_a_participation_ratio_of_10000_rows() -> None:
    """The source takes one sample, the harness the mean of eight."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(100_000, 16, generator=generator)
    table[:, 0] *= 2.5
    count = 200 * (DRAWS + 1)

    def ratio(_: int) -> float:
        rows = table[torch.randint(100_000, (10_000,), generator=generator)]
        return embedding.covariance_spectrum(rows).participation_ratio

    ratios = torch.tensor(list(map(ratio, range(count))), dtype=torch.float64)
    source, own = ratios.view(-1, DRAWS + 1).split([1, DRAWS], dim=1)
    assert 0.005 < ratios.std().item() < ROWS_ERROR  # as wide as the band allows for
    error = ROWS_ERROR * math.sqrt(1 + 1 / DRAWS)
    assert share_inside(own.mean(1), source.flatten(), 0.001, error) >= 0.99

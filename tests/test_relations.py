"""Claims on words and their relations: seeds, texts, few draws, and bands a faithful copy meets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model, open_model
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.fixtures.texts.corpora import TRANSLATIONS
from geometric_invariants.geometry import relations, seeds, simplex
from geometric_invariants.geometry.embedding import digit_summary
from geometric_invariants.geometry.estimate import Estimate, Sampling
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.experiments import stability as over_seeds
from geometric_invariants.invariants.experiments.relations import words_of
from geometric_invariants.invariants.finding import Finding, NotApplicableError
from geometric_invariants.invariants.quantities import quantity
from geometric_invariants.invariants.verdicts import Settings, judge

CLAIMS = load_claims()
SMALL = ("minilm_l6", "t5_tiny", "t5_mini")
QUANTITIES = (
    *("layer_evolution", "encoder_decoder_cosine", "special_token_norm", "wordnet_matched"),
    *("static_encoder_cosine", "relational_alignment", "encoder_relational_lift"),
    *("hypernym_decay", "stability_over_seeds", "paired_volume_correlation"),
    *("lexicographer_cosine", "cross_scale_relational_correlation"),
)
EVERY_WORD = Sampling()
pytestmark = pytest.mark.usefixtures("needs_wordnet")


@cache
def opened(name: str) -> Model:
    """A model that comes with the installation, and t5_mini beside t5_tiny."""
    entries = select_models(["t5_tiny", "t5_mini", "minilm_l6"], pairs=["t5_tiny=t5_mini"])
    entry = entries[name]
    location = entry.source.locate(name, download=False)
    return open_model(entry, location, torch.device("cpu"), torch.float32, download=False)


def of_few_draws(samples: int) -> Sampling:
    return Sampling(0, samples, samples)


def numbers(finding: Finding) -> Iterator[float]:
    """Every number that a finding would write."""
    named = (*finding.controls, *finding.related)
    for estimate in (finding.estimate, *(one.estimate for one in named)):
        yield from (estimate.value, estimate.low, estimate.high)
    yield from (finding.part_noise, *finding.parts.values())
    for figure in finding.figures:
        for rows in (figure.series, figure.spread):
            yield from (number for row in rows.values() for number in row if number is not None)


@pytest.mark.parametrize("samples", [2, 1000, 3000])
@pytest.mark.parametrize("name", [*SMALL, "twin of t5_tiny"])
def test_few_draws_give_numbers_or_say_why_not(name: str, samples: int) -> None:
    is_twin = name.startswith("twin")
    model = opened("t5_tiny").twins(1)[0] if is_twin else opened(name)
    none = {
        "minilm_l6": {"encoder_decoder_cosine", "cross_scale_relational_correlation"},
        "t5_mini": {"cross_scale_relational_correlation"},  # the larger of the pair
    }
    missing = {"hypernym_decay"} | none.get(name, set())  # a thousand words make few long chains
    for claim in QUANTITIES:
        if claim in missing:
            with pytest.raises(NotApplicableError):
                quantity(claim)(model, of_few_draws(samples))
            continue
        found = quantity(claim)(model, of_few_draws(samples))
        assert all(map(math.isfinite, numbers(found))), claim
        if CLAIMS[claim].band is not None and CLAIMS[claim].random and not is_twin:
            assert found.controls, claim


def test_a_design_says_how_it_was_measured_and_counts_nothing() -> None:
    """Two models of unlike vocabularies and shapes share their designs, but for the prompt."""
    for claim in QUANTITIES:
        if claim in {"cross_scale_relational_correlation", "special_token_norm", "hypernym_decay"}:
            continue
        designs = []
        for name in ("minilm_l6", "t5_tiny"):
            try:
                designs.append(quantity(claim)(opened(name), of_few_draws(2)).design)
            except NotApplicableError:
                continue
        assert len({d.replace("prompt 'summarize:'", "no prompt") for d in designs}) == 1, claim


@pytest.mark.parametrize("claim", ["encoder_relational_lift", "hypernym_decay"])
def test_one_seed_against_it_breaks_a_claim_about_every_seed(claim: str) -> None:
    model, name = opened("t5_tiny"), "lift" if claim.endswith("lift") else "encoder decay"
    found = over_seeds.stability(model, EVERY_WORD)
    settings = Settings(universal=True, twins=0)
    holds = judge(CLAIMS[claim], model, quantity(claim)(model, EVERY_WORD), settings, 0.0)
    assert holds.verdict == "holds"
    assert holds.standing == "holds, random does not"
    assert len(holds.parts) == over_seeds.SEEDS
    values = found.values[name].clone()
    values[7] = -0.001
    key = f"stability {len(found.words)}"
    model.memory[key] = dataclasses.replace(found, values={**found.values, name: values})
    try:
        broken = judge(CLAIMS[claim], model, quantity(claim)(model, EVERY_WORD), settings, 0.0)
    finally:
        model.memory[key] = found
    assert values.mean() > 0
    assert broken.verdict == "violated"
    assert broken.worst_part == "seed 7"
    assert broken.value is not None
    assert broken.value.value == pytest.approx(-0.001)


def moved_beyond(old: Tensor, new: Tensor, noises: tuple[float, float]) -> int:
    """How many parts move by more than twice the root sum of squares of their half-widths."""
    return int(((old - new).abs() > 2 * math.hypot(*noises)).sum())


def test_other_seeds_and_other_words_of_the_same_weights_are_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = opened("t5_tiny")
    first = over_seeds.stability(model, EVERY_WORD)
    second = over_seeds.over(first.words, first.chosen, range(50, 100))
    for name, noise in (("lift", "lift_noise"), ("encoder decay", "decay_noise")):
        noises = (getattr(first, noise), getattr(second, noise))
        assert moved_beyond(first.values[name], second.values[name], noises) == 0
        assert max(noises) < 0.1
    few = over_seeds.stability(model, of_few_draws(1000))
    monkeypatch.setattr(model, "memory", {})
    other = over_seeds.stability(model, Sampling(1, 1000, 1000))
    assert not torch.equal(few.words.entries, other.words.entries)
    noises = (few.lift_noise, other.lift_noise)
    assert moved_beyond(few.values["lift"], other.values["lift"], noises) == 0


def test_the_spread_over_seeds_is_what_five_hundred_simplices_leave() -> None:
    model = opened("t5_tiny")
    found = quantity("stability_over_seeds")(model, EVERY_WORD)
    null = found.controls[0].estimate
    assert null.value == pytest.approx(0.037, abs=0.002)
    assert found.estimate.overlaps(null)
    values = over_seeds.stability(model, EVERY_WORD).values["encoder cv"].numpy()
    assert found.estimate.value == pytest.approx(values.std() / values.mean())


def test_simplices_of_a_seed_are_of_all_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(opened("t5_tiny"), EVERY_WORD)
    rows = []
    draw = simplex.draw_index_sets

    def noted(count: int, n: int, size: int, generator: torch.Generator) -> Tensor:
        rows.append(count)
        return draw(count, n, size, generator)

    monkeypatch.setattr(simplex, "draw_index_sets", noted)
    over_seeds.over(words, 2000, [0])
    assert rows == [len(words)]
    assert len(words) > 2000


def test_encoder_and_decoder_read_two_texts() -> None:
    """Of one text the embedding outputs are the same rows: a cosine of 1 by construction."""
    found = quantity("encoder_decoder_cosine")(opened("t5_tiny"), EVERY_WORD)
    assert set(found.parts) == {"embedding output", "half way", "last layer"}
    assert abs(found.parts["embedding output"]) < 0.6
    assert found.parts["last layer"] == found.estimate.value
    (figure,) = found.figures
    assert set(figure.series) == {*found.parts, "random directions"}
    assert len(set(map(len, figure.series.values()))) == 1
    assert all(english != other for english, other in TRANSLATIONS)


def passes(claim: str, model: str, value: float, printed: float, claimed: float) -> bool:
    """Whether a copy's value would pass the band, had the source printed `printed` of it."""
    band = CLAIMS[claim].band_for(model)
    assert band is not None
    return band[0] <= value - printed + claimed <= band[1]


def test_a_copy_of_correlated_tables_passes_at_the_sources_500_tokens() -> None:
    """Tables of a falling spectrum whose cosines correlate at 0.92: 500 tokens of the source's
    print against a thousand others of ours."""
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(20_000, 128, generator=generator) * torch.arange(1, 129).rsqrt()
    shared += 0.15 * torch.randn(1, 128, generator=generator)
    noise = 0.42 * shared.std()
    tables = [
        relations.unit_rows(shared + noise * torch.randn(shared.shape, generator=generator))
        for _ in range(2)
    ]

    def correlation(count: int) -> float:
        rows = torch.randperm(len(shared), generator=generator)[:count]
        i, j = torch.triu_indices(count, count, 1)
        return relations.pearson(*((table[rows] @ table[rows].mT)[i, j] for table in tables))

    draws = [(round(correlation(500), 3), correlation(1_000)) for _ in range(100)]
    assert sum(p for p, _ in draws) / 100 == pytest.approx(0.92, abs=0.03)
    claim = "cross_scale_relational_correlation"
    assert sum(passes(claim, "qwen35_08b", value, p, 0.92) for p, value in draws) >= 99


def test_a_copy_of_ten_digits_passes_after_rounding_to_bfloat16() -> None:
    steps = torch.arange(10.0) / 9
    waves = torch.stack([(math.pi * k * steps).cos() / k for k in (1, 2, 3)], 1)
    draws = []
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        smooth = waves @ torch.randn(3, 1024, generator=generator)
        rough = torch.randn(10, 1024, generator=generator)
        rows = 0.02 * (torch.randn(1, 1024, generator=generator) + 0.4 * smooth + rough)
        published, copy = (digit_summary(table).correlation for table in (rows.bfloat16(), rows))
        draws.append((round(published, 3), copy))
    assert sum(p for p, _ in draws) / 100 == pytest.approx(-0.862, abs=0.01)
    claim = "digit_distance_correlation"
    assert sum(passes(claim, "qwen35_08b", value, p, -0.862) for p, value in draws) >= 99


def test_a_steady_cloud_of_words_passes_the_bound_on_seeds() -> None:
    """An unchanging cloud with the tails that volumes of words have, 50 seeds of 500 simplices."""
    low, high = CLAIMS["stability_over_seeds"].band_for("t5_small") or (0.0, 0.0)
    generator = torch.Generator().manual_seed(0)
    volumes = (0.31 * torch.randn(200, 50, 500, generator=generator, dtype=torch.float64)).exp()
    null = seeds.relative_std_of_cv(volumes[0].flatten(), 500, 50)
    assert null.value == pytest.approx(0.037, abs=0.0015)
    cvs = volumes.std(2, correction=0) / volumes.mean(2)
    found = cvs.std(1, correction=0) / cvs.mean(1)
    assert ((found >= low) & (found <= high)).double().mean() >= 0.99


@pytest.mark.parametrize("claim", ["encoder_relational_lift", "hypernym_decay"])
def test_a_copy_whose_every_seed_is_above_zero_passes(claim: str) -> None:
    """Other seeds of a quantity five spreads above zero, as the trained T5s show it and more."""
    low, high = CLAIMS[claim].band_for("t5_small") or (0.0, 0.0)
    drawn = 0.05 + 0.01 * torch.randn(100, 50, generator=torch.Generator().manual_seed(0))
    assert int(((drawn >= low) & (drawn <= high)).all(1).sum()) >= 99


def test_a_count_of_words_has_no_random() -> None:
    model = opened("t5_tiny")
    finding = quantity("wordnet_matched")(model, EVERY_WORD)
    cell = judge(CLAIMS["wordnet_matched"], model, finding, Settings(twins=0), 0.0)
    assert cell.random is None
    assert cell.standing is None
    assert finding.estimate == Estimate(5661.0, 5661.0, 5661.0)


def test_a_twin_is_measured_on_what_is_judged_as_any_model() -> None:
    """The few quantities of a twin's seeds are those of a full measurement."""
    few = of_few_draws(1000)
    words = words_of(opened("t5_tiny").twins(1)[0], few)
    alone, whole = (
        over_seeds.over(words, 500, range(2), judged_alone=judged_alone)
        for judged_alone in (True, False)
    )
    assert set(alone.values) == {"lift", "encoder decay", "encoder cv"}
    for name, values in alone.values.items():
        torch.testing.assert_close(values, whole.values[name], rtol=0, atol=1e-9, equal_nan=True)


def test_tables_say_what_the_quantities_are_made_of() -> None:
    model = opened("t5_tiny")
    seen = over_seeds.stability(model, EVERY_WORD)
    table, _ = quantity("stability_over_seeds")(model, EVERY_WORD).tables
    lifts = seen.values["lift"].numpy()
    expected = (lifts.mean(), lifts.std(), lifts.min(), lifts.max(), lifts.std() / lifts.mean())
    assert table.rows["lift"][:5] == pytest.approx(expected, rel=1e-4)
    assert table.rows["lift"][5] == pytest.approx(seen.lift_noise, rel=1e-4)
    assert len(table.rows) == len(seen.values)
    found = quantity("relational_alignment")(model, EVERY_WORD)
    (bands,) = found.tables
    pairs = next(one.estimate.value for one in found.related if one.name == "pairs")
    assert sum(row[0] for row in bands.rows.values() if isinstance(row[0], int | float)) == pairs
    for _, static, encoder, gap, *_ in bands.rows.values():
        assert gap == pytest.approx(float(encoder or 0) - float(static or 0), abs=1e-5)

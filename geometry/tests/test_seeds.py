"""What seeds show of a quantity, against simulation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry import seeds, simplex


def normal(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(2, 60), st.floats(0.5, 9), st.floats(0.01, 3), st.integers(0, 99))
def test_relative_std_is_of_the_population(n: int, mean: float, std: float, seed: int) -> None:
    values = mean + std * normal(n, seed)
    expected = np.std(values.numpy()) / abs(np.mean(values.numpy()))
    assert seeds.relative_std(values).value == pytest.approx(expected)


@pytest.mark.parametrize("n", [20, 50])
def test_the_least_of_seeds_falls_where_it_is_said_to(n: int) -> None:
    drawn = normal(4_000 * n, 0).view(-1, n).amin(1)
    said = [seeds.least(normal(n, seed)) for seed in range(300)]
    value, low, high = (
        float(np.mean([getattr(s, name) for s in said])) for name in ("value", "low", "high")
    )
    quantiles = np.quantile(drawn.numpy(), [0.5, 0.025, 0.975])
    assert (value, low, high) == pytest.approx(tuple(quantiles), abs=0.12)


def cloud(kind: str) -> torch.Tensor:
    """Points whose pentachora are nearly normal, or skewed as those of words are."""
    rows = normal(600 * 64, 1).view(600, 64)
    return rows if kind == "Gaussian" else rows * (0.35 * normal(600, 2)).exp()[:, None]


@pytest.mark.parametrize(("kind", "expected"), [("Gaussian", 0.0325), ("skewed", None)])
def test_an_unchanging_cloud_varies_over_seeds_as_predicted(
    kind: str, expected: float | None
) -> None:
    generator = torch.Generator().manual_seed(3)
    sets = simplex.draw_index_sets(600, 400 * 500, 5, generator)
    volumes = simplex.squared_volumes_of_rows(cloud(kind), sets).sqrt()
    by_seed = volumes.view(400, 500)
    cvs = by_seed.std(1, correction=0) / by_seed.mean(1)
    measured = (cvs.std(correction=0) / cvs.mean()).item()
    said = seeds.relative_std_of_cv(volumes[:50_000], 500, 50)
    assert said.value == pytest.approx(measured, rel=0.1)
    if expected is not None:
        assert said.value == pytest.approx(expected, abs=0.001)
    fifty = seeds.relative_std(cvs[:50])
    assert said.low < fifty.value < said.high


def test_words_drawn_anew_move_a_seed_by_what_is_said() -> None:
    """Means over 500 of 1,000 drawn words of 9,000: seeds alone differ by too little."""
    population = normal(9_000, 5)
    anew, said, naive = [], [], []
    for trial in range(300):
        generator = torch.Generator().manual_seed(trial)
        drawn = population[torch.randperm(9_000, generator=generator)[:1_000]]
        orders = [torch.randperm(1_000, generator=generator)[:500] for _ in range(20)]
        values = torch.stack([drawn[order].mean() for order in orders])
        anew.append(values[0].item())
        said.append(seeds.redrawn(values, 500, 1_000, 9_000))
        naive.append(seeds.redrawn(values, 500, 1_000, 1_000))
    truth = 1.96 * float(np.std(anew))
    assert np.mean(said) == pytest.approx(truth, rel=0.12)
    assert np.mean(naive) < 0.85 * truth


def test_what_tells_nothing_is_refused() -> None:
    one = torch.ones(1)
    for function in (seeds.relative_std, seeds.least):
        with pytest.raises(ValueError, match="at least 2"):
            function(one)
    with pytest.raises(ValueError, match="tell nothing"):
        seeds.redrawn(torch.ones(3), 500, 500, 900)

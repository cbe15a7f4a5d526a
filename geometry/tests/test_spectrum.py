from __future__ import annotations

import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from geometric_invariants.geometry import spectrum

seeds = st.integers(0, 2**31 - 1)
sides = st.integers(1, 24)


@given(seeds, sides, sides, st.sampled_from(["float32", "bfloat16", "float64"]))
def test_singular_values_equal_lapack(seed: int, m: int, n: int, dtype: str) -> None:
    matrix = torch.randn(m, n, generator=torch.Generator().manual_seed(seed)).to(
        getattr(torch, dtype)
    )
    reference = torch.from_numpy(scipy.linalg.svdvals(matrix.double().numpy()))
    values = spectrum.singular_values(matrix)
    torch.testing.assert_close(values, reference, rtol=1e-9, atol=1e-12)


@given(seeds, st.integers(2, 20), st.integers(-14, 0))
def test_small_singular_values_survive(seed: int, n: int, exponent: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=generator)).Q
    right = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=generator)).Q
    planted = torch.logspace(0, exponent, n, dtype=torch.float64)
    values = spectrum.singular_values(left @ planted.diag() @ right)
    # ε (σ₁/σ)² where the Gram matrix serves, LAPACK's absolute error where the SVD does.
    allowed = 4e-15 / planted if exponent >= -6 else torch.full_like(planted, 4e-15)
    assert ((values - planted).abs() <= allowed).all()


@given(seeds, st.integers(2, 60), st.integers(0, 40), st.floats(-5.9, -0.1), st.booleans())
def test_the_smallest_singular_value_is_sharp(
    seed: int, n: int, more: int, exponent: float, even: bool
) -> None:
    """To ε σ₁/σ_min and not to its square, which the Gram matrix gives."""
    generator = torch.Generator().manual_seed(seed)
    left = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=generator)).Q
    right = torch.linalg.qr(torch.randn(n + more, n, dtype=torch.float64, generator=generator)).Q
    ramp = torch.linspace(0, exponent, n, dtype=torch.float64)
    planted = 10**ramp if even else torch.linspace(1, 10**exponent, n, dtype=torch.float64)
    smallest = spectrum.singular_values((left * planted) @ right.mT)[-1].item()
    assert smallest == pytest.approx(10**exponent, rel=1e-10, abs=2e-15)


@given(seeds, sides, sides, st.integers(1, 48), st.integers(-12, 0), st.booleans())
def test_blocks_of_rows_have_the_singular_values_of_the_whole(
    seed: int, n: int, more: int, step: int, exponent: int, defective: bool
) -> None:
    """Also where a column is the sum of others, and where blocks have fewer rows than columns."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(n + more, n, dtype=torch.float64, generator=generator)
    matrix *= torch.logspace(0, exponent, n, dtype=torch.float64)
    if defective:
        matrix[:, -1] = matrix[:, :-1].sum(1)
    reference = torch.from_numpy(scipy.linalg.svdvals(matrix.numpy()))
    blocks = matrix.split(step)
    values = spectrum.singular_values_of(lambda: iter(blocks))
    torch.testing.assert_close(values, reference, rtol=1e-9, atol=1e-14 * float(reference[0]))


@given(seeds, st.integers(1, 16), st.integers(1, 16), st.floats(1e-3, 1e3))
def test_statistics_are_scale_free_and_bounded(seed: int, m: int, n: int, scale: float) -> None:
    matrix = torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    summary = spectrum.summarize(spectrum.singular_values(matrix))
    scaled = spectrum.summarize(spectrum.singular_values(matrix * scale))
    rank = min(m, n)
    assert 1 - 1e-9 <= summary.stable_rank <= rank + 1e-9
    assert 1 - 1e-9 <= summary.participation_ratio <= rank + 1e-9
    assert summary.stable_rank == pytest.approx(scaled.stable_rank, rel=1e-9)
    assert summary.participation_ratio == pytest.approx(scaled.participation_ratio, rel=1e-9)
    assert summary.active_fraction == scaled.active_fraction
    assert 1 <= summary.rank_90 <= rank
    assert (summary.smallest, summary.count) == (summary.thinned[-1], rank)
    assert summary.largest == summary.thinned[0]


@given(st.integers(1, 300_000), st.integers(2, 70))
def test_ranks_are_few_ascend_and_keep_both_ends(count: int, points: int) -> None:
    for ranks in (spectrum.log_ranks(count, points), spectrum.even_ranks(count, points)):
        assert (ranks[0], ranks[-1]) == (0, count - 1)
        assert list(ranks) == sorted(set(ranks))
        assert len(ranks) <= max(points, min(count, points))


def test_a_long_spectrum_is_thinned_at_its_own_ranks() -> None:
    values = torch.arange(5000, 0, -1).double()
    kept = spectrum.summarize(values).thinned
    assert kept == tuple(5000.0 - rank for rank in spectrum.log_ranks(5000))


def test_known_spectra() -> None:
    identity = spectrum.summarize(spectrum.singular_values(torch.eye(10)))
    assert identity.stable_rank == pytest.approx(10)
    assert identity.participation_ratio == pytest.approx(10)
    assert identity.rank_90 == 9
    assert identity.condition == pytest.approx(1)
    line = spectrum.summarize(torch.tensor([2.0, 0.0, 0.0], dtype=torch.float64))
    assert (line.stable_rank, line.rank_90) == (1.0, 1)
    assert line.active_fraction == pytest.approx(1 / 3)
    nothing = spectrum.summarize(spectrum.singular_values(torch.zeros(3, 3)))
    assert nothing.stable_rank == 0.0


@given(seeds, st.integers(1, 30))
def test_inertia_is_a_congruence_invariant(seed: int, n: int) -> None:
    """Sylvester's law: XᵀDX has the signs of D for any invertible X."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(-1, 2, (n,), generator=generator).double()
    basis = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=generator)).Q
    congruence = basis * (0.5 + torch.rand(n, dtype=torch.float64, generator=generator))
    form = congruence @ signs.diag() @ congruence.mT
    result = spectrum.inertia(torch.linalg.eigvalsh(form))
    assert result.positive == int((signs > 0).sum())
    assert result.negative == int((signs < 0).sum())
    assert result.zero == int((signs == 0).sum())


def test_stable_rank_agrees_with_weightwatcher() -> None:
    weightwatcher = pytest.importorskip("weightwatcher", exc_type=ImportError)
    generator = torch.Generator().manual_seed(0)
    layer = torch.nn.Linear(96, 160, bias=False)
    with torch.no_grad():
        layer.weight.copy_(
            torch.randn(160, 96, generator=generator) @ torch.rand(96, generator=generator).diag()
        )
    details = weightwatcher.WeightWatcher(model=torch.nn.Sequential(layer)).analyze(min_evals=1)
    ours = spectrum.stable_rank(spectrum.singular_values(layer.weight.detach()))
    assert ours == pytest.approx(float(details["stable_rank"].iloc[0]), rel=1e-6)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="non-empty matrix"):
        spectrum.singular_values(torch.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        spectrum.singular_values(torch.tensor([[float("nan"), 1.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="finite"):
        spectrum.singular_values_of(lambda: iter(torch.tensor([[1.0], [float("inf")]]).split(1)))

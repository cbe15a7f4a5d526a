from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from geometric_invariants.geometry import controls, simplex
from geometric_invariants.geometry.estimate import Sampling

seeds = st.integers(0, 2**31 - 1)
orders = st.integers(1, 6)
extra_dimensions = st.integers(0, 12)


def random_simplex(seed: int, k: int, extra: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(k + 1, k + extra, dtype=torch.float64, generator=generator)


def exact_squared_volume(vertices: list[list[int]]) -> Fraction:
    """det(E Eᵀ)/(k!)² by fraction-exact elimination."""
    origin, *others = vertices
    edges = [[Fraction(a - b) for a, b in zip(row, origin, strict=True)] for row in others]
    gram = [
        [sum((a * b for a, b in zip(r, s, strict=True)), Fraction(0)) for s in edges] for r in edges
    ]
    determinant = Fraction(1)
    for p in range(len(gram)):
        swap = next((i for i in range(p, len(gram)) if gram[i][p]), None)
        if swap is None:
            return Fraction(0)
        if swap != p:
            gram[p], gram[swap] = gram[swap], gram[p]
            determinant = -determinant
        determinant *= gram[p][p]
        for i in range(p + 1, len(gram)):
            factor = gram[i][p] / gram[p][p]
            gram[i] = [a - factor * b for a, b in zip(gram[i], gram[p], strict=True)]
    return determinant / math.factorial(len(edges)) ** 2


def bordered_squared_volume(vertices: Tensor, digits: int) -> mpmath.mpf:
    """The Cayley–Menger definition with `digits` decimal digits."""
    with mpmath.workdps(digits):
        points = [[mpmath.mpf(x) for x in row] for row in vertices.tolist()]
        size = len(points) + 1
        matrix = mpmath.ones(size)
        matrix[size - 1, size - 1] = 0
        for i, p in enumerate(points):
            for j, q in enumerate(points):
                matrix[i, j] = mpmath.fsum((a - b) ** 2 for a, b in zip(p, q, strict=True))
        k = len(points) - 1
        return (-1) ** (k + 1) * mpmath.det(matrix) / (2**k * mpmath.factorial(k) ** 2)


@given(seeds, orders, extra_dimensions)
def test_definition_equals_gram_form(seed: int, k: int, extra: int) -> None:
    vertices = random_simplex(seed, k, extra)
    reference = float(bordered_squared_volume(vertices, 40))
    # det of a random Gram matrix may be near zero; the error scales with the product of edges.
    edges = vertices[1:] - vertices[0]
    hadamard = edges.square().sum(1).prod().item() / math.factorial(k) ** 2
    assert simplex.squared_volume(vertices).item() == pytest.approx(reference, abs=1e-13 * hadamard)
    definition = simplex.cayley_menger_squared_volume(vertices).item()
    scale = (2 * edges.square().sum(1).max().item()) ** k
    assert definition == pytest.approx(reference, abs=1e-11 * scale)


@given(st.data(), st.integers(1, 4), st.integers(0, 3))
def test_exact_on_integer_vertices(data: st.DataObject, k: int, extra: int) -> None:
    row = st.lists(st.integers(-9, 9), min_size=k + extra, max_size=k + extra)
    vertices = data.draw(st.lists(row, min_size=k + 1, max_size=k + 1))
    exact = exact_squared_volume(vertices)
    got = simplex.squared_volume(torch.tensor(vertices, dtype=torch.float32)).item()
    assert got == pytest.approx(float(exact), rel=1e-9, abs=1e-8)
    definition = simplex.cayley_menger_squared_volume(torch.tensor(vertices, dtype=torch.float32))
    assert definition.item() == pytest.approx(float(exact), rel=1e-7, abs=1e-6)


@given(seeds, orders, extra_dimensions, st.floats(1e-3, 1e3))
def test_invariances_and_scaling(seed: int, k: int, extra: int, scale: float) -> None:
    vertices = random_simplex(seed, k, extra)
    generator = torch.Generator().manual_seed(seed + 1)
    d = vertices.shape[1]
    rotation = torch.linalg.qr(torch.randn(d, d, dtype=torch.float64, generator=generator)).Q
    shift = torch.randn(d, dtype=torch.float64, generator=generator)
    order = torch.randperm(k + 1, generator=generator)
    edges = vertices[1:] - vertices[0]
    slack = 1e-12 * edges.square().sum(1).max().item() ** k
    volume = simplex.squared_volume(vertices).item()
    moved = simplex.squared_volume((vertices @ rotation + shift)[order]).item()
    assert moved == pytest.approx(volume, rel=1e-9, abs=slack)
    scaled = simplex.squared_volume(vertices * scale).item()
    assert scaled == pytest.approx(
        volume * scale ** (2 * k), rel=1e-9, abs=slack * scale ** (2 * k)
    )


@given(seeds, st.integers(2, 6), extra_dimensions)
def test_degenerate_simplices_have_no_volume(seed: int, k: int, extra: int) -> None:
    vertices = random_simplex(seed, k, extra)
    vertices[-1] = vertices[:-1].mean(0)
    size = vertices.abs().max().item() + 1
    assert abs(simplex.squared_volume(vertices).item()) <= 1e-12 * size ** (2 * k)


@given(orders, st.floats(0.01, 100))
def test_regular_simplex(k: int, edge: float) -> None:
    vertices = torch.eye(k + 1, dtype=torch.float64) * edge / math.sqrt(2)
    volume = simplex.squared_volume(vertices).sqrt().item()
    assert volume == pytest.approx(simplex.regular_simplex_volume(k, edge), rel=1e-12)


@given(seeds, st.floats(1e-4, 1e-2))
def test_thin_simplices_keep_their_digits(seed: int, height: float) -> None:
    vertices = random_simplex(seed, 4, 6)
    base = vertices[:4]
    normal = torch.linalg.svd(base[1:] - base[0]).Vh[-1]
    vertices[4] = base.mean(0) + height * normal
    reference = float(bordered_squared_volume(vertices, 60))
    assert simplex.squared_volume(vertices).item() == pytest.approx(reference, rel=1e-8)


@given(seeds, st.integers(1, 8))
def test_far_from_the_origin_float32_loses_nothing(seed: int, exponent: int) -> None:
    offset = float(2**exponent)
    table = (random_simplex(seed, 4, 12) + offset).float()
    reference = float(bordered_squared_volume(table.double(), 50))
    got = simplex.squared_volumes_of_rows(table, torch.arange(5)[None]).item()
    assert got == pytest.approx(reference, rel=1e-9, abs=1e-12)


@given(
    seeds,
    st.integers(1, 4),
    st.integers(1, 300),
    st.sampled_from(["float32", "bfloat16", "float64"]),
)
def test_rows_of_a_table_equal_stacked_vertices(seed: int, k: int, n: int, dtype: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(50, 33, generator=generator).to(getattr(torch, dtype))
    indices = simplex.draw_index_sets(50, n, k + 1, generator)
    scales = torch.rand(50, generator=generator, dtype=torch.float64) + 0.5
    rows = simplex.squared_volumes_of_rows(table, indices)
    torch.testing.assert_close(rows, simplex.squared_volume(table[indices]), rtol=1e-10, atol=0)
    scaled = simplex.squared_volumes_of_rows(table, indices, scales)
    stacked = simplex.squared_volume((table.double() * scales[:, None])[indices])
    torch.testing.assert_close(scaled, stacked, rtol=1e-10, atol=0)


def test_volume_is_differentiable() -> None:
    vertices = random_simplex(3, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(simplex.squared_volume, (vertices,))


@given(seeds, st.integers(5, 12), st.integers(1, 5))
def test_index_sets_are_distinct_and_in_range(seed: int, rows: int, size: int) -> None:
    sets = simplex.draw_index_sets(rows, 200, size, torch.Generator().manual_seed(seed))
    assert sets.min() >= 0
    assert sets.max() < rows
    assert all(len(set(row)) == size for row in sets.tolist())


def test_index_sets_are_uniform() -> None:
    n = 60_000
    sets = simplex.draw_index_sets(6, n, 3, torch.Generator().manual_seed(0)).sort(1).values
    _, counts = torch.unique(sets, dim=0, return_counts=True)
    assert len(counts) == 20
    chi_square = ((counts - n / 20).square() / (n / 20)).sum().item()
    assert chi_square < 50  # 19 degrees of freedom: p ≈ 1e-4


@pytest.mark.parametrize("d", [8, 384])
def test_gaussian_table_shows_the_closed_form(d: int) -> None:
    table = torch.randn(20_000, d, generator=torch.Generator().manual_seed(1)) * 0.3
    statistics = simplex.volume_statistics(table, Sampling(samples=50_000))
    null = controls.gaussian_pentachoron_cv(d).value
    assert statistics.cv.value == pytest.approx(null, abs=4 * statistics.cv.half_width)
    mean = controls.gaussian_pentachoron_mean(d, 0.3)
    assert statistics.mean.value == pytest.approx(mean, rel=0.01)
    assert statistics.dropped == 0


def test_unit_rows_ignore_norms() -> None:
    generator = torch.Generator().manual_seed(2)
    table = torch.randn(500, 16, generator=generator)
    stretched = table * (torch.rand(500, 1, generator=generator) + 0.1)
    sampling = Sampling(samples=5_000)
    plain = simplex.volume_statistics(table, sampling, unit=True)
    other = simplex.volume_statistics(stretched, sampling, unit=True)
    assert plain.cv.value == pytest.approx(other.cv.value, rel=1e-5)


def test_no_more_index_sets_are_held_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []

    def squared_volumes(table: Tensor, indices: Tensor, scales: Tensor | None) -> Tensor:
        held.append(len(indices))
        return torch.arange(1.0, len(indices) + 1, dtype=torch.float64)

    monkeypatch.setattr(simplex, "_SETS_AT_ONCE", 1_000)
    monkeypatch.setattr(simplex, "squared_volumes_of_rows", squared_volumes)
    found = simplex.volume_statistics(torch.randn(40, 16), Sampling(samples=2_500))
    assert held == [1_000, 1_000, 500]
    assert found.mean.samples == 2_500


def test_sampling_is_reproducible_and_refines_at_an_edge() -> None:
    table = torch.randn(1000, 32, generator=torch.Generator().manual_seed(3))
    first = simplex.volume_statistics(table, Sampling(samples=2_000))
    again = simplex.volume_statistics(table, Sampling(samples=2_000))
    assert first == again
    refined = simplex.volume_statistics(
        table, Sampling(samples=2_000, limit=16_000, edges=(first.cv.value,))
    )
    assert refined.cv.samples > first.cv.samples


def test_the_mean_can_be_what_clears_an_edge() -> None:
    table = torch.randn(1000, 32, generator=torch.Generator().manual_seed(3))
    first = simplex.volume_statistics(table, Sampling(samples=2_000))
    sampling = Sampling(samples=2_000, limit=16_000, edges=(first.mean.value,))
    assert simplex.volume_statistics(table, sampling).mean.samples == 2_000
    refined = simplex.volume_statistics(table, sampling, edges_of="mean")
    assert refined.mean.samples > 2_000


@given(seeds, st.booleans())
def test_statistics_that_share_draws_are_those_that_do_not(seed: int, is_cv_first: bool) -> None:
    """Whichever refines further first, and whoever reads first."""
    table = torch.randn(300, 8, generator=torch.Generator().manual_seed(seed))
    plain = Sampling(seed, samples=200)
    first = simplex.volume_statistics(table, plain)
    to_cv = Sampling(seed, samples=200, limit=1600, edges=(first.cv.value,))
    to_mean = Sampling(seed, samples=200, limit=800, edges=(first.mean.value,))
    draws = simplex.PentachoronDraws(table, plain)
    for of_cv in (is_cv_first, not is_cv_first):
        sampling, edges_of = (to_cv, "cv") if of_cv else (to_mean, "mean")
        shared = simplex.statistics_of(draws, sampling, edges_of=edges_of)  # type: ignore[arg-type]
        alone = simplex.volume_statistics(table, sampling, edges_of=edges_of)  # type: ignore[arg-type]
        assert shared == alone
        assert torch.equal(shared.volumes, alone.volumes)
        assert len(shared.volumes) + shared.dropped > 200


def test_degenerate_and_duplicate_rows_are_dropped_and_counted() -> None:
    table = torch.randn(6, 8, generator=torch.Generator().manual_seed(4))
    table[1] = table[0]
    statistics = simplex.volume_statistics(table, Sampling(samples=1_000))
    # Four of the six sets of five rows hold both copies.
    assert statistics.dropped == pytest.approx(1_000 * 4 / 6, abs=80)
    with pytest.raises(ValueError, match="degenerate"):
        simplex.volume_statistics(torch.ones(9, 8), Sampling(samples=100))


def test_refusals_say_what_is_missing() -> None:
    with pytest.raises(ValueError, match="at least 5 rows, got 4"):
        simplex.volume_statistics(torch.randn(4, 8), Sampling(samples=10))
    with pytest.raises(ValueError, match="at least 4 dimensions, got 3"):
        simplex.volume_statistics(torch.randn(9, 3), Sampling(samples=10))
    with pytest.raises(ValueError, match="two vertices"):
        simplex.squared_volume(torch.randn(1, 3))

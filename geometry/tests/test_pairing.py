from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from geometric_invariants.geometry.pairing import head_pairing, vector_pairing, vector_pairings

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def paired_neurons(seed: int, neurons: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows whose partners' cosine is about ± 0.3, half of each sign."""
    rows, noise = drawn(seed, 2, neurons, width)
    signs = torch.tensor([1.0, -1.0]).repeat(neurons)[:neurons, None]
    return rows, 0.3 * signs * rows + noise


@given(SEEDS, st.integers(64, 200), st.integers(16, 64), st.floats(1e-3, 1e3))
def test_neurons_that_learned_together_are_told_from_exchanged_ones(
    seed: int, neurons: int, width: int, scale: float
) -> None:
    rows, columns = paired_neurons(seed, neurons, width)
    found = vector_pairing(rows, columns * scale).magnitude
    assert found.pairs == neurons
    cosines = torch.nn.functional.cosine_similarity(rows, columns).abs().mean()
    assert found.observed == pytest.approx(cosines.item(), rel=1e-4)
    exchanged = vector_pairing(rows, columns.roll(neurons // 2, 0)).magnitude
    assert found.z > exchanged.z
    assert abs(exchanged.z) < 5


@given(SEEDS, st.integers(4, 150))
def test_a_common_order_of_neurons_changes_little(seed: int, neurons: int) -> None:
    """The statistic not at all; the null by which neurons share a block."""
    rows, columns = paired_neurons(seed, neurons, 32)
    order = torch.randperm(neurons, generator=torch.Generator().manual_seed(seed))
    one = vector_pairing(rows, columns).magnitude
    other = vector_pairing(rows[order], columns[order]).magnitude
    assert one.observed == pytest.approx(other.observed, rel=1e-5)
    assert one.z == pytest.approx(other.z, rel=0.5, abs=1.5)


def test_the_part_that_does_not_belong_is_found() -> None:
    rows, columns = paired_neurons(3, 1024, 64)
    columns[256:512] = columns[256:512].flip(0)
    found = vector_pairing(rows, columns, parts=8).magnitude
    assert found.size == 128
    assert [z > 4 for z in found.by_part] == [True] * 2 + [False] * 2 + [True] * 4


@given(SEEDS, st.integers(2, 100), st.integers(1, 20))
def test_parts_make_up_the_whole(seed: int, pairs: int, parts: int) -> None:
    """One part is all pairs; every pair has its part."""
    rows, columns = paired_neurons(seed, pairs, 16)
    one = vector_pairing(rows, columns, parts=1).signed
    assert one.by_part == pytest.approx((one.z,))
    found = vector_pairing(rows, columns, parts=parts).signed
    assert len(found.by_part) == -(-pairs // found.size) <= parts
    assert found.z == pytest.approx(one.z)


def test_dead_neurons_pair_with_nothing() -> None:
    rows, columns = paired_neurons(1, 64, 16)
    rows[:8], columns[20:30] = 0, 0
    assert vector_pairing(rows, columns).magnitude.z > 3
    nothing = vector_pairing(torch.zeros(64, 16), columns).magnitude
    assert (nothing.observed, nothing.z) == (0, 0)


DRAWS = range(1000)


def is_standard_normal(z: list[float]) -> bool:
    return bool(stats.kstest(z, "norm").pvalue > 0.001)


def test_z_of_random_neurons_is_standard_normal() -> None:
    """Rows and columns of very unlike lengths and directions, as trained ones are."""
    signed, magnitude = [], []
    for seed in DRAWS:
        rows, columns = drawn(seed, 2, 96, 24)
        shared = drawn(seed + 7, 24)
        rows = rows * torch.linspace(0.1, 10, 96)[:, None] + shared
        found = vector_pairing(rows, columns + 0.5 * shared)
        signed.append(found.signed.z)
        magnitude.append(found.magnitude.z)
    assert is_standard_normal(signed)
    assert is_standard_normal(magnitude)


def test_z_of_shuffled_positions_is_standard_normal() -> None:
    """Neighbours share rows: a row is one pair's second and the next one's first."""
    positions = drawn(1, 200, 16).cumsum(0)
    z = []
    for seed in DRAWS:
        order = torch.randperm(200, generator=torch.Generator().manual_seed(seed))
        rows = positions[order]
        z.append(vector_pairing(rows[:-1], rows[1:]).signed.z)
    assert is_standard_normal(z)
    assert vector_pairing(positions[:-1], positions[1:]).signed.z > 20


def test_z_of_random_heads_is_standard_normal() -> None:
    z = [head_pairing(drawn(s, 48, 64), drawn(s + 10_000, 64, 48), 4).z for s in DRAWS]
    assert is_standard_normal(z)


@given(SEEDS, st.integers(1, 6), st.integers(4, 16))
def test_heads_sum_the_norms_of_their_products(seed: int, heads: int, channels: int) -> None:
    left, right = drawn(seed, 20, heads * channels), drawn(seed + 1, heads * channels, 24)
    products = torch.stack(
        [
            left.double()[:, own : own + channels] @ right.double()[own : own + channels]
            for own in range(0, heads * channels, channels)
        ]
    )
    expected = products.square().sum().item() / heads
    assert head_pairing(left, right, heads).observed == pytest.approx(expected, rel=1e-5)


def test_heads_that_learned_together_are_told_from_transposed_ones() -> None:
    values = drawn(5, 64, 64) * torch.linspace(0.3, 3, 64)[:, None]
    outputs = values.mT * 0.7 + drawn(6, 64, 64) * 0.3
    assert head_pairing(outputs, values, 4).z > 8
    assert abs(head_pairing(drawn(6, 64, 64), values, 4).z) < 5


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no pairs of vectors"):
        vector_pairing(torch.ones(4, 3), torch.ones(3, 4))
    with pytest.raises(ValueError, match="share no channels"):
        head_pairing(torch.ones(4, 8), torch.ones(6, 4), 2)
    with pytest.raises(ValueError, match="not 3 heads"):
        head_pairing(torch.ones(4, 8), torch.ones(8, 4), 3)


@given(SEEDS, st.sampled_from([1e-22, 1e-12, 1.0, 1e12, 1e22]), st.sampled_from([1e-12, 1.0, 1e12]))
def test_cosines_know_no_scale(seed: int, of_all: float, of_one: float) -> None:
    """Not that of squares either, which float32 does not hold; columns as well as rows."""
    rows, columns = paired_neurons(seed, 70, 16)
    sound = vector_pairing(rows, columns)
    rows = rows * of_all
    rows[3] *= of_one
    for left, right in ((rows, columns), (columns, rows), (rows.mT.contiguous().mT, columns)):
        found = vector_pairing(left, right)
        assert found.signed.z == pytest.approx(sound.signed.z, rel=1e-4)
        assert found.magnitude.observed == pytest.approx(sound.magnitude.observed, rel=1e-5)


@given(SEEDS, st.integers(2, 80), st.integers(1, 3))
def test_partners_may_be_shared_by_several(seed: int, pairs: int, several: int) -> None:
    rows, columns = paired_neurons(seed, pairs, 16)
    lefts = [rows.roll(i, 0) for i in range(several)]
    alone = [vector_pairing(left, columns) for left in lefts]
    assert vector_pairings(lefts, columns) == alone


@given(SEEDS, st.integers(1, 4), st.integers(1, 4), st.integers(4, 12))
def test_heads_that_share_count_once_each(seed: int, groups: int, shared: int, d: int) -> None:
    heads = groups * shared
    left, right = drawn(seed, 20, heads * d), drawn(seed + 1, groups * d, 24)
    repeated = right.unflatten(0, (groups, d)).repeat_interleave(shared, 0).flatten(0, 1)
    one, other = head_pairing(left, right, heads), head_pairing(left, repeated, heads)
    assert one.observed == pytest.approx(other.observed, rel=1e-6)
    assert one.by_part == pytest.approx(other.by_part, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_runs_that_lost_their_partners_are_strays(share: float) -> None:
    up, down = paired_neurons(3, 2048, 256)
    lost = round(len(up) * share)
    start = 512
    order = torch.arange(len(up))
    order[start : start + lost] = order[start : start + lost].roll(lost // 2)
    sound = vector_pairing(up, down).magnitude
    broken = vector_pairing(up[order], down).magnitude
    assert sound.strays() == {}
    rows = {row for first, last in broken.strays() for row in range(first, last + 1)}
    meant = set(range(start, start + lost))
    assert rows
    assert len(rows & meant) > 0.8 * len(meant)
    assert len(rows - meant) < 0.5 * len(meant)


def test_a_last_run_of_few_pairs_is_no_stray() -> None:
    up, down = paired_neurons(4, 2048 + 1, 256)
    assert vector_pairing(up, down).magnitude.strays() == {}

"""Forms from thin factors are those of the matrices that the factors make."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from geometric_invariants.geometry import attention, latent_attention
from geometric_invariants.geometry.latent_attention import Factors, LatentShape

HEADS, NOPE, ROPE, VALUE = 3, 5, 2, 4


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def factors(d: int, query_rank: int | None, key_rank: int, *, gains: bool = True) -> Factors:
    inner = HEADS * (NOPE + ROPE)
    return Factors(
        query_down=None if query_rank is None else drawn(0, query_rank, d),
        query_gain=1 + 0.3 * drawn(1, query_rank) if query_rank and gains else None,
        query_up=drawn(2, inner, query_rank or d),
        key_down=drawn(3, key_rank + ROPE, d),
        key_gain=1 + 0.3 * drawn(4, key_rank) if gains else None,
        key_up=drawn(5, HEADS * (NOPE + VALUE), key_rank),
        heads=HEADS,
        nope=NOPE,
        rope=ROPE,
    )


def composed(given: Factors) -> tuple[Tensor, Tensor]:
    """Queries and keys [heads · (nope + rope), d], by the definition."""
    query, key = given.query_up, given.key_down
    if given.query_down is not None:
        gain = 1 if given.query_gain is None else given.query_gain[:, None]
        query = query @ (gain * given.query_down)
    rank = given.key_up.shape[1]
    latent = key[:rank] * (1 if given.key_gain is None else given.key_gain[:, None])
    rows = []
    for up in given.key_up.split(NOPE + VALUE):
        rows += [up[:NOPE] @ latent, key[rank:]]
    return query, torch.cat(rows)


@pytest.mark.parametrize("gains", [True, False])
@pytest.mark.parametrize(
    ("d", "query_rank", "key_rank"),
    [(64, 12, 6), (64, None, 6), (64, 40, 30), (16, 12, 8), (16, None, 3), (9, 4, 3)],
)
def test_both_forms_are_those_of_the_composed_matrices(
    d: int, query_rank: int | None, key_rank: int, gains: bool
) -> None:
    given = factors(d, query_rank, key_rank, gains=gains)
    query, key = composed(given)
    found = latent_attention.forms(given)
    plain = attention.output_form(query, key)
    assert found.output.size == len(query)
    assert found.output.stable_rank == pytest.approx(plain.stable_rank, rel=1e-9)
    assert found.output.participation_ratio == pytest.approx(plain.participation_ratio, rel=1e-5)
    assert found.output.symmetry_deviation == pytest.approx(plain.symmetry_deviation, rel=1e-9)
    assert found.output.descending == pytest.approx(plain.descending, rel=1e-8, abs=1e-9)
    counts = [(f.signs.positive, f.signs.negative, f.signs.zero) for f in (found.output, plain)]
    assert counts[0] == counts[1]
    assert found.output.signs.top == pytest.approx(plain.signs.top, rel=1e-8, abs=1e-9)
    for mine, theirs in zip(found.heads, attention.head_signs(query, key, HEADS), strict=True):
        assert mine.signed_mass == pytest.approx(theirs.signed_mass, abs=1e-9)
        assert mine.signs.positive == theirs.signs.positive
        assert mine.signs.zero == theirs.signs.zero
    assert found.rms == pytest.approx((_rms(query), _rms(key)), rel=1e-12)
    again = [torch.cat(parts).flatten(0, 1) for parts in zip(*_heads(given), strict=True)]
    torch.testing.assert_close(again[0], query)
    torch.testing.assert_close(again[1], key)


def _heads(given: Factors) -> list[tuple[Tensor, Tensor]]:
    return list(latent_attention.composed_heads(given))


def _rms(matrix: Tensor) -> float:
    return matrix.square().mean().sqrt().item()


def test_factors_that_are_dependent_lose_no_sign() -> None:
    """Two equal rows of a latent: the QR takes over where Cholesky's factor would not do."""
    given = factors(64, 12, 6, gains=False)
    assert given.query_down is not None
    given.query_down[1] = given.query_down[0]
    query, key = composed(given)
    masses = [head.signed_mass for head in attention.head_signs(query, key, HEADS)]
    found = [head.signed_mass for head in latent_attention.forms(given).heads]
    assert found == pytest.approx(masses, abs=1e-9)


def test_thin_keys_balance_whatever_the_weights() -> None:
    """Sylvester's law: of 2r non-zero eigenvalues r are positive, of weights shifted or not."""
    given = factors(64, 12, 6)
    shifted = dataclasses.replace(given, query_up=given.query_up + 3, key_up=given.key_up + 3)
    inner = HEADS * (NOPE + ROPE)
    assert 2 * given.rank <= inner
    signs = latent_attention.forms(shifted).output.signs
    assert (signs.positive, signs.negative, signs.zero) == (8, 8, inner - 16)


def test_heads_of_random_factors_spread_as_drawn() -> None:
    """So that drawn factors stand for a layer's: its scales cancel but for the rope rows' share."""
    generator = torch.Generator().manual_seed(0)

    def gaussian(*shape: int) -> Tensor:
        drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return drawn.div_(shape[-1] ** 0.5)

    d, heads, nope, rope = 256, 96, 16, 8
    given = Factors(
        *(gaussian(64, d), None, 7 * gaussian(heads * (nope + rope), 64)),
        *(gaussian(32 + rope, d), None, 3 * gaussian(heads * 2 * nope, 32)),
        *(heads, nope, rope),
    )
    found = latent_attention.forms(given)
    assert found.shape == LatentShape(64, 32, nope, rope, found.shape.rope_scale)
    assert found.shape.rope_scale == pytest.approx(1 / 3, rel=0.1)
    spread = torch.tensor([head.signed_mass for head in found.heads]).std().item()
    drawn_std = latent_attention.random_signed_mass_std(found.shape, d, generator)
    assert drawn_std == pytest.approx(spread, rel=0.25)


@pytest.mark.parametrize(
    "wrong",
    [{"heads": 4}, {"rope": 3}, {"nope": 6}, {"key_gain": drawn(0, 5)}, {"query_gain": None}],
)
def test_factors_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    given = factors(64, 12, 6)
    if wrong == {"query_gain": None}:
        wrong = {"query_gain": drawn(0, 12), "query_down": None, "query_up": drawn(1, 21, 64)}
    with pytest.raises(ValueError, match="do not fit"):
        dataclasses.replace(given, **wrong)  # type: ignore[arg-type]

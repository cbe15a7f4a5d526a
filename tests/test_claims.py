from __future__ import annotations

import ast
from pathlib import Path

import pytest

from geometric_invariants.invariants import quantities
from geometric_invariants.invariants.claims import Claim, ClaimsError, load_claims
from geometric_invariants.reports.results import Tolerance

ROOM = Path(quantities.__file__).parent.parent


def test_claims_tests_and_quantities_are_one_to_one() -> None:
    claims = set(load_claims())
    tests = [
        node.name.removeprefix("test_")
        for file in ROOM.glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert sorted(tests) == sorted(claims)
    assert all(callable(quantities.quantity(claim)) for claim in claims)
    with pytest.raises(KeyError):
        quantities.quantity("nothing")


def test_bands_follow_the_statement() -> None:
    claims = load_claims()
    sparsity = claims["q_sparsity"]
    assert sparsity.band_for("t5_base") == (0.9935, 0.9945)
    assert sparsity.band_for("mine") == (0.9365, 1.0)
    assert sparsity.asserted_for("t5_base", universal=False)
    assert not sparsity.asserted_for("mine", universal=False)
    assert sparsity.asserted_for("mine", universal=True)
    assert claims["cross_layer_correlation"].asserted_for("mine", universal=False)
    assert not claims["k_sparsity"].asserted_for("mine", universal=True)


def test_claims_are_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(VALID + "band = [0, inf]\nband_reason = 'b'\nof = 'every part'\n")
    assert load_claims(file)["a"] == Claim(
        id="a",
        version=1,
        title="A",
        statement="Is.",
        source="S1",
        tolerance=Tolerance(0.1, 0.0, "why"),
        band=(0.0, float("inf")),
        band_reason="b",
        of="every part",
    )


def test_every_band_has_a_reason() -> None:
    bands = [claim for claim in load_claims().values() if claim.band or claim.stated]
    assert all(len(claim.band_reason) > 10 for claim in bands)


VALID = (
    "[a]\nversion = 1\ntitle = 'A'\nstatement = 'Is.'\nsource = 'S1'\n"
    "tolerance = {absolute = 0.1, reason = 'why'}\n"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no claims"),
        ("[a\n", "not valid TOML"),
        ("a = 1\n", "must be a table"),
        (VALID.replace("version = 1\n", ""), "needs version, a int"),
        (VALID.replace(", reason = 'why'", ""), "needs its reason"),
        (VALID.replace("absolute", "absolut"), "tolerance"),
        (VALID + "colour = 'red'\n", "not understood"),
        (VALID + "band_reason = 'b'\nband = [2, 1]\n", "a band is"),
        (VALID + "band_reason = 'b'\nband = [nan, 1]\n", "a band is"),
        (VALID + "band = [1, 2]\n", "needs its band_reason"),
        (VALID + "[a.stated]\nm = [1, 2]\n", "needs its band_reason"),
        (VALID + "of = 'some parts'\n", "of is"),
        (VALID + "everywhere = true\n", "needs a band"),
    ],
)
def test_malformed_claims_name_file_and_cause(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(text)
    with pytest.raises(ClaimsError, match=message) as raised:
        load_claims(file)
    assert str(file) in str(raised.value)

"""A quantization against its float baseline: a sound one passes, one wrong number in it fails."""

from __future__ import annotations

import dataclasses
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from geometric_invariants.geometry.rounding import of_integers
from geometric_invariants.reports.results import Measurement, Results
from tests import quantized, rounding
from tests.commands import claims, last_line
from tests.measuring import QUICK, local, measure
from tests.test_row_changes import moved

QUERY = "encoder.layer.1.attention.self.query"
KEY = "encoder.layer.1.attention.self.key"
UP = "encoder.layer.0.intermediate.dense"
SCALES = {
    "int8": "SCB",
    "int8, asymmetric": "weight_scale",
    "FP8": "weight_scale",
    "nf4": "weight.absmax",
    "GPTQ": "scales",
}
ROUNDING = {"nf4": of_integers(4, 64), "GPTQ": of_integers(4, 128)}
# The others are symmetric: they have none.
ZERO_POINTS = {
    "int8, asymmetric": quantized.shift("weight_zero_point", UP, 700),
    "GPTQ": quantized.shift("qzeros", UP, 150),
}


@cache
def baseline() -> Results:
    with TemporaryDirectory() as folder:
        found = measure(local(quantized.store_float(Path(folder))), QUICK, *CLAIMS)
    return Results(tuple(found.values()))


CLAIMS = (*rounding.CLAIMS, "weight_change", "manifest")


def judged(folder: Path, *claims: str) -> dict[str, Measurement]:
    settings = dataclasses.replace(QUICK, baseline=baseline())
    return measure(local(folder), settings, *claims)


@pytest.mark.parametrize("encoding", quantized.ENCODINGS)
def test_a_sound_quantization_passes(encoding: str, tmp_path: Path) -> None:
    cells = judged(quantized.store(encoding, tmp_path), *CLAIMS)
    assert {name: cell.changes for name, cell in cells.items() if cell.change != "steady"} == {}
    assert cells["row_profile"].provenance.encodings[0].weights == 12
    assert cells["row_profile"].changes == ()


@pytest.mark.parametrize("encoding", quantized.ENCODINGS)
def test_a_doubled_scale_fails_and_its_tensor_is_named(encoding: str, tmp_path: Path) -> None:
    damage = quantized.double_scale(SCALES[encoding], UP, 300)
    cell = judged(quantized.store(encoding, tmp_path, damage), "row_profile")["row_profile"]
    assert cell.change == "regressed"
    (line,) = cell.changes
    assert line.startswith(f"row_profile: {UP}.weight, row")
    assert " explains " in line


@pytest.mark.parametrize("encoding", ZERO_POINTS)
def test_a_shifted_zero_point_fails_and_its_tensor_is_named(encoding: str, tmp_path: Path) -> None:
    folder = quantized.store(encoding, tmp_path, ZERO_POINTS[encoding])
    cell = judged(folder, "row_profile")["row_profile"]
    assert cell.change == "regressed"
    (line,) = cell.changes
    assert line.startswith(f"row_profile: {UP}.weight, row")
    assert ": sum " in line


@pytest.mark.parametrize("encoding", quantized.ENCODINGS)
def test_exchanged_tables_of_scales_fail_and_both_tensors_are_named(
    encoding: str, tmp_path: Path
) -> None:
    damage = quantized.exchange(SCALES[encoding], QUERY, KEY)
    cell = judged(quantized.store(encoding, tmp_path, damage), "row_profile")["row_profile"]
    assert cell.change == "regressed"
    assert [f"{name}.weight" in " ".join(cell.changes) for name in (QUERY, KEY)] == [True, True]


@pytest.mark.parametrize("encoding", ["nf4", "GPTQ"])
def test_doubled_scales_at_random_places_are_told(encoding: str) -> None:
    """All but the few whose weights are the small ones of their rows."""
    places, told = random.Random(0), []
    for name in quantized.linear_modules():
        plain = quantized.minilm()[f"{name}.weight"]
        for _ in range(4):
            leaves = dict(quantized.encoded(encoding, name))
            scales = leaves[SCALES[encoding]].clone()
            scales.view(-1)[places.randrange(scales.numel())] *= 2
            leaves[SCALES[encoding]] = scales
            decoded = quantized.ENCODINGS[encoding].decode(leaves)
            told.append(bool(moved(plain, decoded.reshape(plain.shape), ROUNDING[encoding])))
    assert len(told) == 48
    assert sum(told) >= 46


def test_the_gate_from_the_command_line(tmp_path: Path) -> None:
    file, few = tmp_path / "float.json", ("-k", "row_profile or q_sparsity or manifest")
    plain = quantized.store_float(tmp_path / "float")
    sound = quantized.store("GPTQ", tmp_path / "sound")
    damage = quantized.double_scale("scales", UP, 300)
    damaged = quantized.store("GPTQ", tmp_path / "damaged", damage)
    options = ("--baseline", file, *few)
    assert claims("--model", f"mine={plain}", *options, "--update-baseline").returncode == 0
    passed = claims("--model", f"mine={sound}", *options, "--require-baseline")
    assert passed.returncode == 0, passed.stdout
    assert "0 regressed, 0 new, 0 vanished, 0 not comparable" in last_line(passed)
    failed = claims("--model", f"mine={damaged}", *options)
    assert failed.returncode == 1
    assert f"regressed: row_profile: {UP}.weight, row" in failed.stdout

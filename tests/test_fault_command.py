"""`python -m invariants faults`: what a model's claims catch of a few faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from geometric_invariants.fixtures.faults import BENIGN, FAULTS
from geometric_invariants.fixtures.model import Model
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.experiments.faults import Trial
from tests.measuring import CLAIMS, QUICK

_FEW = {
    name: fault
    for name, fault in ((f.name, f) for f in (*FAULTS, *BENIGN))
    if name in {"up-halves-exchanged", "embedding-moved-by-one", "up-dropped", "other-shards"}
}


@pytest.fixture(scope="module")
def trial(t5_tiny: Model) -> Iterator[Trial]:
    with Trial(t5_tiny, CLAIMS.values(), QUICK) as found:
        yield found


def test_the_table_says_who_catches_what(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "faults.json"
    only = "up-one-late,embedding-shuffled,last-layer-dropped,gate-zero"
    assert main(["faults", "t5_tiny", "--only", only, "--json", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in shown}
    assert "neuron_pairing" in rows["up-one-late"]
    assert "kin_tokens" in rows["embedding-shuffled"]
    assert "gate-zero" not in rows
    assert any(line.startswith("caught without a baseline") for line in shown)
    assert "1 of 4 do not apply to this model" in "\n".join(shown)
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [row["name"] for row in written["faults"]] == [
        "up-one-late",
        "embedding-shuffled",
        "last-layer-dropped",
    ]
    assert all(row["with_baseline"] or row["refused"] for row in written["faults"])


def test_another_storage_raises_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "t5_tiny", "--benign", "--only", "other-shards,other-prefix"]) == 0
    assert "alarms without a baseline 0 of 2 (0.0%), with it 0 of 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "up-lost"], "--only up-lost: no such fault; use a kind (benign, lossy"),
        (["--only", "other-shards"], "no such fault"),
        (["--benign", "--only", "order"], "no such fault"),
    ],
)
def test_a_name_that_no_fault_has_is_one_line(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["faults", "t5_tiny", *options]) == 2
    assert message in capsys.readouterr().err


def test_claims_that_need_a_forward_pass_take_no_part(trial: Trial) -> None:
    assert {"neuron_pairing", "pentachoron_cv", "manifest"} <= set(trial.claims)
    assert not {"layer_evolution", "encoder_relational_lift", "modulator_alpha_001"} & set(
        trial.claims
    )


@pytest.mark.parametrize("name", sorted(_FEW))
def test_what_is_taken_from_the_sound_model_changes_nothing(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (few,) = trial.run([_FEW[name]])
    monkeypatch.setattr(trial, "_touched", lambda changes: trial._claims)
    monkeypatch.setattr(trial, "_known", {})
    (every,) = trial.run([_FEW[name]])
    assert (few.alone, few.compared, few.refused) == (every.alone, every.compared, every.refused)


def test_the_sound_model_itself_is_steady(trial: Trial) -> None:
    sound = next(b for b in BENIGN if b.name == "other-prefix")
    (found,) = trial.run([sound])
    assert not found.is_caught
    assert trial.failing == []

"""The gate's rates: measured on a small model, kept, and drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.faults import BENIGN, FAULTS, State
from geometric_invariants.fixtures.faults.writing import write as store
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.storage.checkpoint import Checkpoint
from geometric_invariants.invariants.experiments.faults import Conditions, Trial
from geometric_invariants.invariants.experiments.gate_rates import __main__, kept, missed, tables
from geometric_invariants.invariants.experiments.gate_rates.__main__ import main
from geometric_invariants.invariants.experiments.gate_rates.changes import (
    DECLARED_INT4,
    sized_faults,
)
from geometric_invariants.invariants.experiments.gate_rates.kept import Caught, Rates, Tally
from geometric_invariants.invariants.experiments.gate_rates.mixture import Sizes, save_mixture
from geometric_invariants.invariants.experiments.gate_rates.running import Trying, with_pairing
from geometric_invariants.invariants.experiments.gate_rates.tasks import CHANGES, Plan, tried
from geometric_invariants.reports.files import ResultsError
from tests.measuring import CLAIMS, QUICK

_CLAIMS = ("weight_change", "neuron_pairing", "head_pairing", "stable_rank", "row_profile")
_FEW = frozenset(
    {
        *("int8-by-row", "fine-tuned-dense", "int4-declared"),
        *("int4-in-groups", "up-neurons-shuffled", "up-dropped", "up-transposed"),
        "noise-on-the-matrices-of-one-layer-of-their-rms-0p1",
        "noise-on-the-matrices-of-one-layer-of-their-rms-0p0001",
    }
)
_tallies = st.tuples(*[st.integers(0, 99)] * 3).map(lambda c: Tally(max(c), min(c), sorted(c)[1]))
_caught = st.builds(
    Caught, *[st.lists(st.integers(0, 1), unique=True).map(tuple)] * 2, st.booleans()
)
_rates = st.builds(
    Rates,
    claims=st.just(("one", "two")),
    failing=st.just(("two",)),
    pairing=st.just({"neuron_pairing": {"encoder layer 0 up": 12.5}}),
    pairs=st.dictionaries(
        st.sampled_from("ab"), st.dictionaries(st.sampled_from("cd"), _tallies, min_size=1)
    ),
    nearest=st.dictionaries(st.sampled_from(("one", "two")), st.sampled_from((0.25, 3.0))),
    faults=st.dictionaries(st.sampled_from([f.name for f in FAULTS[:5]]), _caught),
    sized=st.dictionaries(
        st.sampled_from("ab"), st.dictionaries(st.sampled_from("cd"), _tallies, min_size=1)
    ),
)


@pytest.fixture(scope="module")
def rates(t5_tiny: Model) -> Rates:
    """A few claims' and changes', one seed each."""
    plan = Plan(seeds=1, sizes=1, only=_FEW)
    with Trial(t5_tiny, [CLAIMS[name] for name in _CLAIMS], QUICK) as trial:
        return with_pairing(trial, tried(trial, plan.tasks()))


@given(_rates, _rates, _rates)
def test_parts_add_up_in_any_grouping(one: Rates, two: Rates, three: Rates) -> None:
    assert (one + two) + three == one + (two + three)
    assert Rates() + one == Rates(claims=one.claims) + one


@settings(deadline=None)
@given(_rates)
def test_what_is_kept_is_read_back(tmp_path_factory: pytest.TempPathFactory, one: Rates) -> None:
    file = tmp_path_factory.mktemp("kept") / "gate.json"
    kept.write({"mine": one}, file)
    assert kept.read(file) == {"mine": one}


@settings(deadline=None)
@given(_rates)
def test_whatever_was_measured_can_be_drawn(one: Rates) -> None:
    for draw in (tables.alarms_by_model, tables.nearest, tables.by_size, tables.by_claim):
        head, line, *rows = draw({"mine": one}).splitlines()
        assert {row.count("|") for row in rows} <= {head.count("|")} == {line.count("|")}


@settings(deadline=None)
@given(_rates)
def test_counts_of_kinds_are_those_of_all(one: Rates) -> None:
    last = tables.detection({"mine": one}).splitlines()[-3]
    caught = sum(c.is_caught for c in one.faults.values())
    expected = f"{caught}, " if one.faults else "–"
    assert last.startswith(f"| **all** | {expected}")


def test_benign_changes_pass_and_faults_are_caught(rates: Rates) -> None:
    assert rates.alarms == ()
    assert {by["int4-declared"].tries for by in rates.pairs.values()} == {1}
    assert set(rates.pairs) == {"the same draws"}
    assert rates.faults["int4-in-groups"].is_caught
    assert not rates.faults["int4-in-groups"].is_caught_alone
    shuffled = rates.faults["up-neurons-shuffled"]
    assert "neuron_pairing" in rates.named(shuffled.alone)
    (noise,) = rates.sized.values()
    assert (noise["0.0001"].compared, noise["0.1"].compared) == (0, 1)


def test_what_is_near_a_tolerance_is_told_from_what_is_beyond(rates: Rates) -> None:
    assert 0 < rates.nearest["weight_change"] < 1
    assert set(rates.nearest) <= set(_CLAIMS)
    assert len(rates.pairing["neuron_pairing"]) == 8


def test_tables_are_drawn_of_what_was_measured(rates: Rates) -> None:
    by_model = {"t5_tiny": rates}
    assert "| **all** | 3 | 0 | 0 |" in tables.alarms_by_model(by_model)
    assert "| *the same draws* | 3 | 0 | 0 |" in tables.alarms_by_change(by_model)
    assert tables.alarms(by_model) == "None."
    assert "| 0.1 | 1 | 0.0% [0.0%, 97.5%] | 100.0% [2.5%, 100.0%] |" in tables.by_size(by_model)
    assert "| t5_tiny | neuron_pairing | encoder up |" in tables.pairing(by_model)
    row = next(r for r in tables.by_claim(by_model).splitlines() if "neuron_pairing" in r)
    assert "100%" in row
    assert missed.NO_REASON not in tables.not_caught(by_model, compared=True)


def test_other_draws_move_what_is_sampled_and_other_threads_hardly_anything(
    t5_tiny: Model,
) -> None:
    change = next(b for b in BENIGN if b.name == "other-prefix")
    with Trial(t5_tiny, [CLAIMS["pentachoron_cv"]], QUICK) as trial:
        (same,) = trial.run([change])
        (other,) = trial.run([change], conditions=Conditions(seed=1))
    assert same.excess["pentachoron_cv"] == 0
    assert 0 < other.excess["pentachoron_cv"] < 1
    with Trial(t5_tiny, [CLAIMS["mean_pairwise_cosine"]], QUICK) as trial:
        before = torch.get_num_threads()
        (two,) = trial.run([change], conditions=Conditions(threads=2))
    assert two.excess["mean_pairwise_cosine"] < 1e-6
    assert torch.get_num_threads() == before


def test_declared_codes_are_what_rounding_makes_of_the_weights(
    t5_tiny: Model, tmp_path: Path
) -> None:
    changes = DECLARED_INT4.changes(State.of(t5_tiny.checkpoint, t5_tiny.layout))
    assert changes is not None
    folder = store(t5_tiny.checkpoint, changes, tmp_path / "codes", config=DECLARED_INT4.config)
    coded = Checkpoint(folder)
    assert coded.tensors.keys() == t5_tiny.checkpoint.tensors.keys()
    assert sum(kind.weights for kind in coded.encodings) == 64  # 4 × (4 + 2) + 4 × (8 + 2)
    weight = t5_tiny.layout.having("mlp_up")[0].tensor
    before, after = t5_tiny.checkpoint.read(weight).float(), coded.read(weight).float()
    step = before.view(-1, 64).abs().amax(1) / 7.5
    assert ((after - before).view(-1, 64).abs().amax(1) / step).max() <= 0.51


def test_the_mixture_is_sound_and_always_the_same(tmp_path: Path) -> None:
    first, second = (Model("mixture", save_mixture(tmp_path / name, Sizes(2, 3))) for name in "ab")
    assert first.checkpoint.sha256() == second.checkpoint.sha256()
    assert first.account.share == 1
    names = ("neuron_pairing", "kin_tokens", "lost_tensors", "blank_weights")
    with Trial(first, [CLAIMS[name] for name in names], QUICK) as trial:
        assert trial.failing == []
        (broken,) = trial.run([f for f in FAULTS if f.name == "expert-fresh"])
    assert "neuron_pairing" in broken.alone


def test_sizes_have_names_of_their_own() -> None:
    names = [one.fault.name for one in sized_faults()]
    assert len(set(names)) == len(names)
    assert set(names) <= CHANGES.keys()


def test_the_document_gives_a_reason_for_every_miss() -> None:
    found = kept.read(kept.KEPT)
    for compared in (True, False):
        reasons = missed.reasons(compared=compared)
        assert missed.faults(found, compared=compared).keys() <= reasons.keys()


def test_a_reason_for_no_fault_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "missed.toml"
    file.write_text('[[with_baseline]]\nwhy = "because"\nfaults = ["up-lost"]\n', encoding="utf-8")
    with pytest.raises(InputError, match="up-lost is no fault"):
        missed.reasons(compared=True, file=file)


def test_the_command_keeps_what_processes_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gate.json"
    few = Trying(QUICK, ("lost_tensors", "weight_change"))
    monkeypatch.setattr(__main__, "Trying", lambda: few)
    kept.write({"other": Rates(few.claims)}, file)
    chosen = ["--models", "t5_tiny", "--only", "up-dropped,up-page-zero", "--seeds", "1"]
    assert main([*chosen, "--processes", "2", "--add", "--out", str(file)]) == 0
    read = kept.read(file)
    assert read.pop("other") == Rates(few.claims)
    assert read["t5_tiny"].claims == few.claims
    assert set(read["t5_tiny"].faults) == {"up-dropped", "up-page-zero"}
    assert str(tmp_path) not in file.read_text(encoding="utf-8")
    assert "t5_tiny: 2 of 2 changes tried" in capsys.readouterr().err


def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "gate.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(ResultsError, match="measure them again"):
        kept.read(file)

"""Is this checkpoint whole? As a function, as a command, and by `--only checks`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from geometric_invariants.fixtures import reading
from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.storage.checkpoint import Checkpoint
from geometric_invariants.fixtures.torchvision_operators import declare_missing_operators
from geometric_invariants.geometry import spectrum
from geometric_invariants.invariants import check
from geometric_invariants.invariants.__main__ import main
from geometric_invariants.invariants.checking import Checked
from geometric_invariants.invariants.claims import load_claims, only
from geometric_invariants.reports.files import read_results, write_results
from geometric_invariants.reports.results import Results
from tests.commands import ROOT, claims, last_line, run
from tests.measuring import QUICK, local, measure

Tensors = dict[str, Tensor]
Broken = Callable[[Callable[[Tensors], None]], Path]
_CHECKS = only(load_claims(), "checks")
_UP = "encoder.block.1.layer.1.DenseReluDense.wi.weight"
_GAIN = "encoder.block.1.layer.1.layer_norm.weight"


@pytest.fixture
def broken(tmp_path: Path, t5_tiny: Model) -> Broken:
    def make(change: Callable[[Tensors], None]) -> Path:
        folder = tmp_path / "broken"
        shutil.copytree(t5_tiny.checkpoint.folder, folder)
        file = folder / t5_tiny.checkpoint.files[0].name
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})
        return folder

    return make


def _module(folder: Path) -> torch.nn.Module:
    declare_missing_operators()
    from transformers import T5ForConditionalGeneration

    module: torch.nn.Module = T5ForConditionalGeneration.from_pretrained(folder)
    return module


def _values(found: Checked) -> dict[str, Any]:
    return {m.claim: (m.verdict, m.value, dict(m.parts), m.message) for m in found.measurements}


def test_a_path_a_live_module_and_its_state_dict_show_the_same(t5_tiny: Model) -> None:
    folder = t5_tiny.checkpoint.folder
    module = _module(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    stored = check(folder, device="cpu")
    assert stored.ok
    assert bool(stored)
    (line,) = stored.lines
    assert str(stored) == line
    assert line.startswith("whole: 89 tensors, 2.89 M parameters, all finite; 8 layers pair (z ≥ 6")
    live = check(module, tokenizer=folder)
    held = check(module.state_dict(), config=config, tokenizer=folder)
    # A module names a table that it ties twice; the file stores it once.
    pairings = _CHECKS.keys() - {"manifest"}
    assert {k: v for k, v in _values(live).items() if k in pairings} == {
        k: v for k, v in _values(stored).items() if k in pairings
    }
    assert _values(live) == _values(held)
    measured = [m for m in live.measurements if m.value is not None]
    assert {m.provenance.location for m in measured} == {"memory"}


def test_the_module_is_measured_where_it_stands_and_left_as_it_is(t5_tiny: Model) -> None:
    """As it trains: a step later the values are others."""
    module = _module(t5_tiny.checkpoint.folder)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    first = check(module)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    with torch.no_grad():
        up = module.get_parameter(_UP)
        up.copy_(up.roll(len(up) // 2, 0))
    second = check(module, baseline=Results(first.measurements))
    assert not second.ok
    assert any(_UP in line and line.startswith("neuron_pairing: ") for line in second.lines)
    assert any("regressed" in line for line in second.lines)


def _exchange(tensors: Tensors) -> None:
    tensors[_UP] = tensors[_UP].roll(len(tensors[_UP]) // 2, 0).contiguous()


def _spoil(tensors: Tensors) -> None:
    tensors[_UP][7, 3] = float("nan")
    tensors[_GAIN][2] = float("inf")


def _lose(tensors: Tensors) -> None:
    del tensors[_UP]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_exchange, ("neuron_pairing: claimed 4 – inf", f"of {_UP} do not belong")),
        (_spoil, (f"{_UP} holds 1 NaN or infinite entries, in row 7", f"{_GAIN} holds 1 NaN")),
        (_lose, ("encoder layer 1 lacks mlp_up",)),
    ],
)
def test_what_is_broken_is_told_in_lines_and_by_the_exit_code(
    change: Callable[[Tensors], None],
    said: tuple[str, ...],
    broken: Broken,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, data = broken(change), tmp_path / "found.json"
    assert main(["check", str(folder), "--device", "cpu", "--json", str(data)]) == 1
    lines = capsys.readouterr().out.splitlines()
    for expected in said:
        assert any(expected in line for line in lines), lines
    assert len(lines) == len(set(lines)) <= 2
    assert set(read_results(data).claims()) == _CHECKS.keys()


def test_a_spoilt_checkpoint_is_read_once(broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, calls = broken(_spoil), []
    read = reading.reading

    def counted(*arguments: Any, **options: Any) -> reading.Reading:
        calls.append(options)
        return read(*arguments, **options)

    monkeypatch.setattr(reading, "reading", counted)
    found = check(folder, device="cpu")
    assert not found.ok
    assert len([call for call in calls if "executor" not in call]) == 1


def test_the_command_is_silent_about_what_is_well(
    t5_tiny: Model, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    assert main(["check", "t5_tiny", "--device", "cpu", "--json", str(baseline)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    path = str(t5_tiny.checkpoint.folder)
    assert main(["check", path, "--device", "cpu", "--baseline", str(baseline)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "9 of 9 steady against the baseline" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/at/all.safetensors"], "no such file or folder"),
        (["t5_tinny"], "did you mean t5_tiny"),
        (["t5_tiny", "--baseline", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_cannot_be_asked_is_bad_input(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_baseline_of_several_models_needs_a_name(t5_tiny: Model) -> None:
    folder = t5_tiny.checkpoint.folder
    one, other = (check(folder, name=name, device="cpu").measurements for name in ("a", "b"))
    both = Results((*one, *other))
    assert check(folder, name="b", baseline=both, device="cpu").ok
    with pytest.raises(InputError, match="the baseline holds a, b, not model"):
        check(folder, baseline=both, device="cpu")


def test_parts_of_sharded_tensors_and_tensors_without_numbers_are_refused() -> None:
    nothing = torch.empty(4, 4, device="meta")
    found = check({"model.embed_tokens.weight": nothing})
    assert not found.ok
    assert "model.embed_tokens.weight holds no numbers" in str(found)


def test_checks_alone_compute_no_spectrum_and_give_what_the_whole_run_gives(
    t5_tiny: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = t5_tiny.checkpoint.folder
    whole = Model("t5_tiny", folder)
    assert whole.reading.pairs == Model("t5_tiny", folder).survey.pairs
    for name in ("singular_values", "singular_values_of", "summarize"):
        monkeypatch.setattr(spectrum, name, _refused)
    for name in ("svdvals", "eigvalsh", "eigh", "svd", "eigvals"):
        monkeypatch.setattr(torch.linalg, name, _refused)
    found = check(folder, device="cpu")
    assert found.ok
    with pytest.raises(AssertionError, match="a spectrum"):
        _ = Model("t5_tiny", folder).survey
    monkeypatch.undo()
    measured = measure(local(folder, "model"))
    for m in found.measurements:
        assert (m.value, m.parts) == (measured[m.claim].value, measured[m.claim].parts)


def _refused(*arguments: object, **options: object) -> None:
    raise AssertionError("a spectrum")


def test_a_survey_that_was_made_serves_the_checks(
    t5_tiny: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model("t5_tiny", t5_tiny.checkpoint.folder)
    _ = model.survey
    monkeypatch.setattr(reading, "reading", _refused)
    assert model.reading.pairs == model.survey.pairs


def test_only_checks_selects_them_and_says_one_line(tmp_path: Path, t5_tiny: Model) -> None:
    data, page = tmp_path / "r.json", tmp_path / "r.html"
    mine = f"mine={t5_tiny.checkpoint.folder}"
    done = claims("--model", mine, "--only", "checks", "--results", data, "--report", page)
    assert done.returncode == 0, done.stdout
    results = read_results(data)
    assert set(results.claims()) == _CHECKS.keys()
    assert all(m.is_check for m in results.measurements)
    said = [line for line in done.stdout.splitlines() if line.startswith("mine: ")]
    assert len(said) == 1
    assert said[0].startswith("mine: whole: 89 tensors")
    assert last_line(done).startswith("1 of 1 models measured")
    html = page.read_text(encoding="utf-8")
    assert html.index("Is this checkpoint whole?</h2>") < html.index('id="claims"')
    plain = run("invariants", mine, "--only", "checks", "--results", tmp_path / "plain.json")
    assert plain.returncode == 0, plain.stderr
    assert [m.key for m in read_results(tmp_path / "plain.json").measurements] == [
        ("mine", claim) for claim in _CHECKS
    ]


def test_claims_that_were_not_asked_for_have_not_vanished(tmp_path: Path, t5_tiny: Model) -> None:
    baseline = tmp_path / "b.json"
    measured = measure(local(t5_tiny.checkpoint.folder), QUICK, *_CHECKS, "q_sparsity")
    write_results(Results(tuple(measured.values())), baseline)
    mine = f"mine={t5_tiny.checkpoint.folder}"
    done = claims("--model", mine, "--only", "checks", "--baseline", baseline)
    assert done.returncode == 0, done.stdout
    assert "vanished" not in done.stdout.replace("0 vanished", "")


def test_weights_in_memory_have_no_hash(t5_tiny: Model) -> None:
    tensors = {
        name: t5_tiny.checkpoint.read(name)
        for name in Checkpoint(t5_tiny.checkpoint.folder).tensors
    }
    assert {m.provenance.checkpoint for m in check(tensors).measurements} == {""}


def test_what_the_readme_says_of_it_runs(
    t5_tiny: Model, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## Ask whether a checkpoint is whole")
    _, shell, _, code, *_ = section.split("```")
    command, tests = (line.partition("#")[0].split() for line in shell.splitlines()[1:])
    assert command[:4] == ["python", "-m", "invariants", "check"]
    folder = t5_tiny.checkpoint.folder
    assert main(["check", str(folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert tests == ["pytest", "invariants", "--only", "checks"]  # run above, of one model
    exec(code.removeprefix("python"), {"module": _module(folder)})

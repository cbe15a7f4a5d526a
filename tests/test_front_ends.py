"""pytest and `python -m`, as a user starts them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from fixtures.tests import tiny_models
from reports.files import read_results
from reports.results import Measurement

ROOT = Path(__file__).parent.parent
# Nothing of the surrounding run may reach the inner one.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}


QUICK = ("--samples", 5000, "--twins", 0)


def run(*arguments: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, arguments)]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def claims(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run("pytest", "invariants", "-p", "no:cacheprovider", *QUICK, *arguments)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.rstrip().splitlines()[-1]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tiny_models.save_bert(folder)
    return folder


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("t5")
    tiny_models.save_t5(folder)
    return folder


def numbers(file: Path) -> dict[str, object]:
    def kept(m: Measurement) -> object:
        return m.verdict, m.value, m.random, m.controls, m.related, dict(m.parts), m.notes

    return {f"{m.claim}/{m.model}": kept(m) for m in read_results(file).measurements}


def test_both_front_ends_give_the_same_numbers(tmp_path: Path, t5: Path) -> None:
    twinned = ("--samples", 5000, "--twins", 2)
    first = claims("--model", f"mine={t5}", "-q", *twinned, "--results", tmp_path / "pytest.json")
    assert first.returncode == 0, first.stdout
    assert last_line(first).startswith("1 of 1 models measured")
    plain = run("invariants", f"mine={t5}", *twinned, "--results", tmp_path / "plain.json")
    assert plain.returncode == 0, plain.stderr
    assert numbers(tmp_path / "pytest.json") == numbers(tmp_path / "plain.json")


def test_local_models_are_measured_and_the_page_stands_alone(
    tmp_path: Path, bert: Path, t5: Path
) -> None:
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    done = claims("--model", f"a={bert}", "--model", f"b={t5}", "--report", page, "--results", data)
    assert done.returncode == 0, done.stdout
    assert read_results(data).measured_models() == ["a", "b"]
    html = page.read_text(encoding="utf-8")
    for outside in ("http://", "https://", "src=", "<script", "@import", "url("):
        assert outside not in html
    rendered = run("reports", "render", data, "-o", tmp_path / "again.html")
    assert rendered.returncode == 0, rendered.stderr
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == html
    loads = {m.provenance.load for m in read_results(data).measurements if m.value}
    assert len(loads) == 2


def test_a_broken_model_is_an_error_and_the_others_go_on(tmp_path: Path, bert: Path) -> None:
    data = tmp_path / "r.json"
    done = claims(
        "--model", f"bad={tmp_path / 'gone'}", "--model", f"good={bert}", "--results", data
    )
    assert done.returncode == 1
    assert f"{tmp_path / 'gone'}: no such file or folder" in done.stdout
    results = read_results(data)
    assert {m.verdict for m in results.of("bad")} == {"error"}
    assert results.measured_models() == ["good"]
    assert last_line(done).startswith("1 of 2 models measured, 1 without a value: bad")


def test_unavailable_models_are_skipped_unless_required(tmp_path: Path) -> None:
    options = ("--model", "theirs=owner/nothing-here", "--results", tmp_path / "r.json")
    assert claims(*options).returncode == 0
    cell = read_results(tmp_path / "r.json").measurements[0]
    assert cell.verdict == "unavailable"
    assert cell.command == "pytest invariants --model theirs --download"
    for required in ("any", "all", "theirs"):
        failed = claims(*options, "--require-models", required)
        assert failed.returncode == 1
        assert "--require-models" in failed.stdout


def test_gate_from_the_command_line(tmp_path: Path, t5: Path) -> None:
    file = tmp_path / "baseline.json"
    model = ("--model", f"mine={t5}", "--baseline", file)
    missing = claims(*model)
    assert missing.returncode == 4
    assert "baseline.json: not a readable results file" in missing.stderr
    assert claims(*model, "--update-baseline").returncode == 0
    written = json.loads(file.read_text(encoding="utf-8"))
    assert {m["model"] for m in written["measurements"]} == {"mine"}
    same = claims(*model, "--seed", 3)
    assert same.returncode == 0, same.stdout
    kept = file.read_bytes()
    tensors = load_file(t5 / "model.safetensors")
    tensors["encoder.block.1.layer.0.SelfAttention.v.weight"] *= 3
    changed = tmp_path / "changed"
    changed.mkdir()
    save_file(tensors, changed / "model.safetensors")
    (changed / "config.json").write_bytes((t5 / "config.json").read_bytes())
    moved = claims(
        "--model", f"mine={changed}", "--baseline", file, "--results", tmp_path / "new.json"
    )
    assert moved.returncode == 1
    assert "regressed: v_sparsity, encoder layer 1 self_attn_v" in moved.stdout
    assert file.read_bytes() == kept
    compared = run("reports", "compare", file, tmp_path / "new.json")
    assert compared.returncode == 1
    assert "regressed  v_sparsity [mine]" in compared.stdout
    counts = r"baseline: \d+ steady, [1-9]\d* regressed, 0 new, 0 vanished, 0 not comparable$"
    assert re.search(counts, last_line(compared))
    assert re.search(counts, last_line(moved))


def test_a_gate_that_compares_nothing_fails(tmp_path: Path, bert: Path) -> None:
    """Another id, another definition: green would say that nothing moved."""
    file, data = tmp_path / "baseline.json", tmp_path / "new.json"
    one = ("-k", "layernorm_scale or dead_neurons")
    base = ("--baseline", file)
    assert claims("--model", f"old={bert}", *base, "--update-baseline", *one).returncode == 0
    renamed = claims("--model", f"mine={bert}", *base, *one, "--results", data)
    assert renamed.returncode == 1
    assert "--baseline: nothing of mine was compared: the baseline holds none of 2" in (
        renamed.stdout
    )
    assert last_line(renamed).endswith(
        "2 new, 0 vanished, 0 not comparable: 2 of 2 values were not compared"
    )
    compared = run("reports", "compare", file, data)
    assert compared.returncode == 1
    assert "old is gone: the new file has no value of it" in compared.stdout
    assert "2 vanished" in last_line(compared)

    edit(file, version=99)  # of one of the two claims
    half = ("--model", f"old={bert}", *base, *one)
    partly = claims(*half)
    assert partly.returncode == 0
    assert last_line(partly).endswith(
        "baseline: 1 steady, 0 regressed, 0 new, 0 vanished, 1 not comparable:"
        " 1 of 2 values were not compared"
    )
    required = claims(*half, "--require-baseline")
    assert required.returncode == 1
    assert "--require-baseline: " in required.stdout
    assert "was not compared: baseline: version 99" in required.stdout
    taken = claims("--model", f"mine={bert}", *base, *one, "--update-baseline-new-only")
    assert taken.returncode == 0, taken.stdout


def test_a_model_of_the_baseline_that_the_run_lacks_is_named(tmp_path: Path, bert: Path) -> None:
    file = tmp_path / "baseline.json"
    claims("--model", f"mine={bert}", "--baseline", file, "--update-baseline", "-k", "q_sparsity")
    content = json.loads(file.read_text(encoding="utf-8"))
    content["measurements"] += [{**m, "model": "other"} for m in content["measurements"]]
    file.write_text(json.dumps(content), encoding="utf-8")
    content["measurements"][0]["claim"] = "given_up"
    file.write_text(json.dumps(content), encoding="utf-8")
    done = claims("--model", f"mine={bert}", "--baseline", file)
    assert last_line(done).endswith("; in the baseline, but not measured: other")
    assert "vanished: given_up [mine]: in the baseline, but nothing in this run" in done.stdout
    assert done.returncode == 1


def edit(file: Path, **fields: object) -> None:
    """Change the first measurement of a results file."""
    content = json.loads(file.read_text(encoding="utf-8"))
    content["measurements"][0].update(fields)
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"schema": 2, "measurements": [{"model": 1}]}', "claim is missing"),
        ('{"schema": 1, "measurements": []}', "measure again with this version"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "hostile.json"
    file.write_text(text)
    gated = run("pytest", "invariants", "--collect-only", "-q", "--baseline", file)
    assert gated.returncode == 4
    for done in (gated, run("reports", "compare", file, file), run("reports", "render", file)):
        assert cause in done.stderr
        assert str(file) in done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "INTERNALERROR" not in done.stdout + done.stderr


OWN_TESTS = """
def test_mine(model):
    assert model.id == "other"

def test_drawn(model, sampling):
    assert sampling.samples == 5000

def test_judged(measure):
    measure(None)
"""


def test_a_test_of_ones_own_is_an_ordinary_test(tmp_path: Path, bert: Path) -> None:
    """It is named for no claim; that ended the run with an internal error."""
    room = tmp_path / "invariants"
    room.mkdir()
    (room / "test_own.py").write_text(OWN_TESTS)
    plugins = ("fixtures.plugin", "reports.plugin", "invariants.conftest", "no:cacheprovider")
    options = ("--rootdir", tmp_path, "--model", f"mine={bert}", "--results", tmp_path / "r.json")
    done = run("pytest", room, *(f"-p{name}" for name in plugins), *options, *QUICK, folder=room)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert "assert 'mine' == 'other'" in done.stdout
    assert "named for no claim" in done.stdout
    assert "2 failed, 1 passed" in done.stdout
    assert not (tmp_path / "r.json").exists()


def test_new_only_update_keeps_what_is_there(tmp_path: Path, bert: Path, t5: Path) -> None:
    file = tmp_path / "baseline.json"
    option = ("--baseline", file, "--update-baseline-new-only")
    assert claims("--model", f"a={bert}", *option).returncode == 0
    before = read_results(file).by_key()
    assert (
        claims("--model", f"a={bert}", "--model", f"b={t5}", "--seed", 5, *option).returncode == 0
    )
    after = read_results(file).by_key()
    assert {model for model, _ in after} == {"a", "b"}
    assert all(after[key] == cell for key, cell in before.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "t5_smal"], "did you mean t5_small"),
        (["--models", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["--device", "tpu"], "use auto, cpu, cuda"),
        (["--claims", "some"], "invalid choice"),
        (["--samples", "0"], "--samples: must be a whole number of at least 2: 0"),
        (["--seed", "-1"], "--seed: must be a whole number of at least 0: -1"),
        (["--twins", "few"], "--twins: must be a whole number of at least 0: few"),
        (["--tolerance", "pentachoron=1"], "no such claim"),
        (["--tolerance", "q_sparsity=x"], "use CLAIM=NUMBER"),
        (["--tolerance", "q_sparsity=nan"], "finite"),
        (["--update-baseline"], "needs --baseline"),
        (["--require-models", "t5_larg"], "not part of this run: t5_larg"),
        (["--require-baseline"], "--require-baseline needs --baseline"),
        (["--report", "."], "is a folder"),
    ],
)
def test_wrong_options_are_usage_errors(options: list[str], message: str) -> None:
    done = run("pytest", "invariants", "--collect-only", "-q", *options)
    assert done.returncode == 4
    assert message in done.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("invariants minilm_l6 --device gpu", "--device: use auto, cpu, cuda or cuda:N, not gpu"),
        ("invariants minilm_l6 --samples 0", "--samples: must be a whole number of at least 2: 0"),
        ("invariants minilm_l6 --twins -1", "--twins: must be a whole number of at least 0: -1"),
        ("invariants minilm_l6 --seed 1.5", "--seed: must be a whole number of at least 0: 1.5"),
        ("invariants minilm_l6 --results .", "--results: .: is a folder"),
        ("invariants minilm_l7", "did you mean minilm_l6"),
        ("reports render nowhere.json -o .", "-o/--output: .: is a folder"),
        ("reports render nowhere.json", "nowhere.json: not a readable results file"),
    ],
)
def test_wrong_options_of_the_modules_are_named_in_one_line(command: str, message: str) -> None:
    done = run(*command.split())
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_collecting_imports_nothing_heavy() -> None:
    script = (
        "import sys, pytest;"
        "code = pytest.main(['invariants', '--collect-only', '-q', '-p', 'no:cacheprovider']);"
        "heavy = {'torch', 'transformers', 'hypothesis', 'nltk', 'jinja2'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy or code else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_options_stand_under_one_heading() -> None:
    shown = run("pytest", "--help").stdout
    _, _, after = shown.partition("geometric invariants of transformer checkpoints")
    for option in ("--model", "--download", "--claims", "--baseline", "--report", "--tolerance"):
        assert f"\n  {option}" in after

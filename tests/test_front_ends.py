"""pytest and `python -m`, as a user starts them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.reports.files import read_results
from geometric_invariants.reports.results import Measurement
from tests.commands import ENVIRONMENT, QUICK, ROOT, claims, last_line, run


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
    assert cell.command == "pytest invariants --model theirs=owner/nothing-here --download"
    for required in ("any", "all", "theirs"):
        failed = claims(*options, "--require-models", required)
        assert failed.returncode == 1
        assert "--require-models" in failed.stdout


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
    plugins = (
        "geometric_invariants.fixtures.plugin",
        "geometric_invariants.reports.plugin",
        "geometric_invariants.invariants.conftest",
        "no:cacheprovider",
    )
    options = ("--rootdir", tmp_path, "--model", f"mine={bert}", "--results", tmp_path / "r.json")
    done = run("pytest", room, *(f"-p{name}" for name in plugins), *options, *QUICK, folder=room)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert "assert 'mine' == 'other'" in done.stdout
    assert "named for no claim" in done.stdout
    assert "2 failed, 1 passed" in done.stdout
    assert not (tmp_path / "r.json").exists()


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


@pytest.mark.parametrize("samples", [2, 1000, 3000, 10_000])
def test_any_number_of_samples_writes_results(tmp_path: Path, t5: Path, samples: int) -> None:
    data = tmp_path / "r.json"
    options = ("--samples", samples, "--twins", 2, "--model", f"mine={t5}", "--results", data)
    done = run("pytest", "invariants", "-p", "no:cacheprovider", "-q", *options)
    assert done.returncode == 0, done.stdout
    assert len(read_results(data).measurements) == len(load_claims())

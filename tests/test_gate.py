"""The regression gate, as a user starts it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from geometric_invariants.reports.files import read_results
from tests.commands import claims, last_line, run


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
        ('{"schema": 3, "measurements": [{"model": 1}]}', "claim is missing"),
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


def test_a_required_baseline_fails_for_a_model_that_is_not_here(tmp_path: Path, bert: Path) -> None:
    file, one = tmp_path / "baseline.json", ("-k", "dead_neurons")
    options = ("--baseline", file, *one)
    assert claims("--model", f"mine={bert}", *options, "--update-baseline").returncode == 0
    absent = ("--model", "mine=owner/nothing-here", *options)
    assert claims(*absent).returncode == 0
    required = claims(*absent, "--require-baseline")
    assert required.returncode == 1
    assert "--require-baseline: nothing of mine was compared: it has no value" in required.stdout

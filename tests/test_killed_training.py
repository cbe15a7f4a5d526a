"""`python -m invariants train`, killed and started again, ends at the numbers of one run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from geometric_invariants.invariants.__main__ import main
from tests.commands import ENVIRONMENT, ROOT
from tests.measuring import take_few_words

ARGUMENTS = ("t5_tiny", "--epochs", "2", "--words", "200", "--batch", "64", "--device", "cpu")
# 180 lessons in batches of 64, three an epoch and one held out: the seventh loss is of epoch two.
KILLED = """
import os, signal, sys
from geometric_invariants.geometry.modulation import training
from geometric_invariants.geometry.modulation.resuming import State
from geometric_invariants.invariants.__main__ import main
from tests.measuring import take_few_words

whole, losses = training._loss, []
def loss(*arguments):
    losses.append(None)
    if len(losses) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments)

training._loss = loss
State.save_in_time = State.save  # after every batch: it takes less than ten seconds to get there
take_few_words(setattr, "train")
main(sys.argv[1:])
"""


pytestmark = pytest.mark.usefixtures("needs_wordnet")


def test_a_killed_command_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_few_words(monkeypatch.setattr, "train")
    state, found, expected = (tmp_path / name for name in ("state", "found.json", "expected.json"))
    resuming = ("train", *ARGUMENTS, "--resume", str(state), "--json", str(found))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *resuming],
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert state.exists()
    assert not found.exists()
    assert main([*resuming]) == 0
    resumed = capsys.readouterr().out
    assert main(["train", *ARGUMENTS, "--json", str(expected)]) == 0
    learned, whole_learned = (
        said.partition("Original")[0] for said in (resumed, capsys.readouterr().out)
    )
    assert "epoch 2: train loss" in learned
    assert learned == whole_learned
    ended, whole = (list(_numbers(json.loads(file.read_text()))) for file in (found, expected))
    # What is encoded after the training differs in its last digits between any two processes.
    assert ended == pytest.approx(whole, rel=1e-4, abs=1e-6)


def _numbers(content: object) -> Iterator[float]:
    """All numbers of a results file but those of the process that wrote it."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from () if name == "provenance" else _numbers(value)
    elif isinstance(content, list):
        for value in content:
            yield from _numbers(value)
    elif isinstance(content, (int, float)):
        yield content

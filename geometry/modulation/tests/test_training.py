from __future__ import annotations

import dataclasses
import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.geometry.modulation import training
from geometric_invariants.geometry.modulation.field import FieldModulator
from geometric_invariants.geometry.modulation.lerp import LerpModulator
from geometric_invariants.geometry.modulation.resuming import StateError
from geometric_invariants.geometry.modulation.training import History, TrainingSettings, train

SETTINGS = TrainingSettings(epochs=4, batch=8, rate=3e-2, interval=3)
ROOT = Path(__file__).parents[3]


def data(n: int = 60) -> tuple[list[list[int]], list[list[int]]]:
    """What a text says depends on its first token alone."""
    generator = torch.Generator().manual_seed(1)
    first = torch.randint(5, 9, (n,), generator=generator).tolist()
    return [[token, 3, 1] if token % 2 else [token, 1] for token in first], [
        [t + 20, 1] for t in first
    ]


def run(
    module: Any, checkpoint: Path | None = None, settings: TrainingSettings = SETTINGS
) -> tuple[LerpModulator, History]:
    generator = torch.Generator().manual_seed(0)
    modulator = LerpModulator(1500, 64, 3, start=0.1, generator=generator)
    return modulator, train(module, modulator, *data(), settings, checkpoint, seconds=0)


def test_training_lowers_the_loss_and_leaves_the_model_alone(tmp_path: Path) -> None:
    module = tiny_models.save_t5(tmp_path)
    before = {name: p.clone() for name, p in module.named_parameters()}
    modulator, history = run(module)
    assert history.training[-1] < 0.8 * history.training[0]
    assert history.held_out[-1] < history.held_out[0]
    assert len(history.training) == len(history.held_out) == 4
    assert len(history.alpha) == 28 // 3 + 2
    assert history.alpha[-1] == modulator.alpha.tolist() != history.alpha[0]
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())
    assert all(p.requires_grad for p in module.parameters())
    again, repeated = run(module)
    assert repeated == history
    assert torch.equal(again.geometric, modulator.geometric)


def test_the_rate_follows_a_cosine_by_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    class Watched(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    run(tiny_models.save_t5(tmp_path))
    expected = [3e-2 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates == pytest.approx([rate for rate in expected for _ in range(7)])


def test_a_field_modulator_trains_in_its_groups_and_stops_early(tmp_path: Path) -> None:
    module = tiny_models.save_t5(tmp_path)
    torch.manual_seed(0)
    modulator = FieldModulator(64, 3)
    before = {name: p.clone() for name, p in modulator.named_parameters()}
    checks = iter([0.2, 0.5, 0.5, 0.1, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    settings = TrainingSettings(epochs=9, batch=8, check_every=2)
    history = train(module, modulator, *data(), settings, cv=lambda: next(checks))
    assert history.stopped == 20
    assert history.cv[-5:] == [0.9] * 5
    assert all(len(alpha) == 9 for alpha in history.alpha)
    assert not modulator.training
    assert any(not torch.equal(p, before[name]) for name, p in modulator.named_parameters())
    alpha = torch.tensor(history.alpha)
    assert ((alpha >= 0.001) & (alpha <= 0.35)).all()


KILLED = """
import os, signal, sys
from pathlib import Path
from geometric_invariants.geometry.modulation import resuming, training
from geometric_invariants.geometry.modulation.tests import test_training
from geometric_invariants.fixtures.tests import tiny_models

count, during = 0, sys.argv[4]
def killing(whole):
    def counted(*args):
        global count
        count += 1
        if count == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*args)
    return counted

if during == "loss":
    training._loss = killing(training._loss)
else:
    resuming.os.fdopen = killing(resuming.os.fdopen)
module = tiny_models.save_t5(Path(sys.argv[1]))
test_training.run(module, Path(sys.argv[2]))
"""
# 28 batches, and one of the held-out texts after every seventh: 32 losses.
STEPS = {"at random": ("loss", range(2, 32)), "held out": ("loss", [8]), "saving": ("saving", [12])}


@pytest.mark.parametrize("when", STEPS)
def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path, when: str) -> None:
    """Anywhere, between an epoch's last batch and its held-out loss, while the state is written."""
    during, steps = STEPS[when]
    step = random.choice(steps)
    module = tiny_models.save_t5(tmp_path / "model")
    expected, history = run(module)
    file = tmp_path / "state.pt"
    arguments = (tmp_path / "other", file, step, during)
    command = [sys.executable, "-c", KILLED, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    assert file.exists()
    resumed, found = run(module, file)
    assert json.dumps(dataclasses.asdict(found)) == json.dumps(dataclasses.asdict(history)), step
    for name, parameter in expected.named_parameters():
        assert torch.equal(dict(resumed.named_parameters())[name], parameter), (name, step)


def test_a_finished_run_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tiny_models.save_t5(tmp_path / "model")
    expected, history = run(module, tmp_path / "state.pt")
    monkeypatch.delattr(training, "_loss")
    again, found = run(module, tmp_path / "state.pt")
    assert found == history
    assert torch.equal(again.geometric, expected.geometric)


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    module = tiny_models.save_t5(tmp_path / "model")
    file = tmp_path / "state.pt"
    brief = dataclasses.replace(SETTINGS, epochs=1)
    run(module, file, brief)
    with pytest.raises(StateError, match=r"state\.pt: of another training: epochs 1, here 4; name"):
        run(module, file)
    modulator = LerpModulator(1500, 64, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(StateError, match=r"texts [0-9a-f]{12}, here [0-9a-f]{12};"):
        train(module, modulator, data()[1], data()[0], brief, file)
    with pytest.raises(StateError, match="checkpoint unsaid, here abc"):
        train(module, modulator, *data(), brief, file, origin={"checkpoint": "abc"})
    for content in (b"", b"no state", file.read_bytes()[:-900]):
        file.write_bytes(content)
        with pytest.raises(StateError, match="no state of a training"):
            run(module, file)


def test_what_cannot_be_trained_on(tmp_path: Path) -> None:
    module = tiny_models.save_t5(tmp_path)
    modulator = LerpModulator(1500, 64, 3)
    with pytest.raises(ValueError, match="do not pair up"):
        train(module, modulator, [[1]], [])
    with pytest.raises(ValueError, match="nothing to train on"):
        train(module, modulator, [], [])


def test_the_notebooks_settings() -> None:
    found = training.NOTEBOOKS
    assert (found.held_out, found.seed, found.batch, found.epochs) == (0.1, 42, 32, 10)
    assert (found.rate, found.weight_decay, found.clip) == (1e-3, 0.01, 1.0)
    assert found.interval == 10


def test_labels_are_shifted_right(tmp_path: Path) -> None:
    """The decoder reads the start and the labels before: the source shows it each label itself."""
    module = tiny_models.save_t5(tmp_path).eval()
    inputs, targets = [[5, 6, 1], [7, 1]], [[20, 21, 1], [22, 1]]
    with torch.no_grad():
        found = training._loss(module, inputs, targets, torch.device("cpu"))
        total = torch.tensor(0.0)
        for text, target in zip(inputs, targets, strict=True):
            read = [module.config.decoder_start_token_id, *target[:-1]]
            output = module(input_ids=torch.tensor([text]), decoder_input_ids=torch.tensor([read]))
            total += torch.nn.functional.cross_entropy(
                output.logits[0], torch.tensor(target), reduction="sum"
            )
    torch.testing.assert_close(found, total / 5)

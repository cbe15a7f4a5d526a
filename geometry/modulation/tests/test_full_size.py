"""The modulators at the size of t5_small, with random weights: forward, and one training step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from geometric_invariants.fixtures.torchvision_operators import declare_missing_operators
from geometric_invariants.geometry.modulation.field import FieldModulator
from geometric_invariants.geometry.modulation.hooks import modulated
from geometric_invariants.geometry.modulation.lerp import LerpModulator
from geometric_invariants.geometry.modulation.training import TrainingSettings, train

IDS = torch.tensor([[21603, 10, 3, 9, 422, 2586, 1], [21603, 10, 8, 1, 0, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture(scope="module")
def t5_small() -> Any:
    declare_missing_operators()
    torch.manual_seed(0)
    config = transformers.T5Config(vocab_size=32128)
    config.decoder_start_token_id = 0
    module: Any = transformers.T5ForConditionalGeneration(config)
    return module.eval()


def states(module: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = module.get_encoder()(
            input_ids=IDS, attention_mask=MASK
        ).last_hidden_state
    return found


@pytest.mark.parametrize("kind", ["lerp", "constant", "field"])
def test_forward_and_one_training_step(t5_small: Any, kind: str) -> None:
    torch.manual_seed(0)
    modulator: LerpModulator | FieldModulator
    if kind == "field":
        modulator = FieldModulator(512, 6)
    else:
        modulator = LerpModulator(32128, 512, 6, shared=kind == "constant")
        if kind == "constant":
            modulator.fix_alpha(0.29154)
    plain = states(t5_small)
    with modulated(t5_small.get_encoder(), modulator):
        changed = states(t5_small)
    assert changed.shape == (2, 7, 512)
    assert changed.isfinite().all()
    assert not torch.equal(changed, plain)
    before = [p.clone() for p in modulator.parameters()]
    texts = [row[:4].tolist() for row in IDS] * 2
    settings = TrainingSettings(epochs=1, batch=4, held_out=0.0)
    history = train(t5_small, modulator, texts, [[5, 1]] * 4, settings)
    assert len(history.training) == 1
    moved = [not torch.equal(a, b) for a, b in zip(before, modulator.parameters(), strict=True)]
    assert any(moved)
    assert torch.equal(states(t5_small), plain)

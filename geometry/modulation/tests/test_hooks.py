from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from geometric_invariants.fixtures.tests import tiny_models
from geometric_invariants.geometry.modulation.field import FieldModulator
from geometric_invariants.geometry.modulation.hooks import modulated, transformer_blocks
from geometric_invariants.geometry.modulation.lerp import LerpModulator

IDS = torch.tensor([[5, 9, 3, 77, 1], [8, 2, 1, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


@pytest.fixture(params=["t5", "bert"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    module = getattr(tiny_models, f"save_{request.param}")(tmp_path)
    return module.get_encoder() if request.param == "t5" else module


def last(stack: Any, *, padded: bool = True) -> torch.Tensor:
    ids, mask = (IDS, MASK) if padded else (IDS[:1], MASK[:1])
    with torch.no_grad():
        states: torch.Tensor = stack(input_ids=ids, attention_mask=mask).last_hidden_state
    return states


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("padded", [True, False])
def test_alpha_zero_is_the_plain_encoder_bit_for_bit(
    stack: Any, attention: str, dtype: torch.dtype, padded: bool
) -> None:
    stack = stack.to(dtype)
    stack.set_attn_implementation(attention)
    modulator = LerpModulator(1500, 64, 3)
    modulator.fix_alpha(0.0)
    plain = last(stack, padded=padded)
    with modulated(stack, modulator):
        assert torch.equal(last(stack, padded=padded), plain)
    modulator.fix_alpha(0.3)
    with modulated(stack, modulator):
        changed = last(stack, padded=padded)
        assert changed.dtype == dtype
        assert not torch.equal(changed, plain)
    assert torch.equal(last(stack, padded=padded), plain)


def test_hooks_are_stepping_through_the_blocks_by_hand(tmp_path: Path) -> None:
    stack = tiny_models.save_bert(tmp_path)
    modulator = LerpModulator(1500, 64, 3)
    modulator.fix_alpha(0.2)
    with modulated(stack, modulator), torch.no_grad():
        hooked = stack(input_ids=IDS[:1]).last_hidden_state
    with torch.no_grad():
        states = stack.embeddings(input_ids=IDS[:1])
        for layer, block in enumerate(stack.encoder.layer):
            states = block(modulator(states, IDS[:1], layer))
            states = states[0] if isinstance(states, tuple) else states
    torch.testing.assert_close(states, hooked, rtol=1e-6, atol=1e-6)


def test_only_the_chosen_layers_are_changed(stack: Any) -> None:
    seen: list[int] = []

    def note(states: torch.Tensor, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        assert torch.equal(tokens, IDS)
        assert states.shape == (2, 5, 64)
        seen.append(layer)
        return states

    with modulated(stack, note, layers=[2, 0]):
        last(stack)
    assert seen == [0, 2]
    with (
        pytest.raises(ValueError, match=r"layers \[7\] are not among the 3"),
        modulated(stack, note, layers=[7]),
    ):
        pass


def test_hooks_come_off_after_an_exception(stack: Any) -> None:
    plain = last(stack)

    def fail(states: torch.Tensor, tokens: torch.Tensor, layer: int) -> torch.Tensor:
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"), modulated(stack, fail):
        last(stack)
    assert torch.equal(last(stack), plain)
    assert not any(m._forward_pre_hooks for m in stack.modules())


def test_generation_runs_through_a_modulated_encoder(tmp_path: Path) -> None:
    module = tiny_models.save_t5(tmp_path)
    modulator = FieldModulator(64, 3)
    modulator.logit.data.fill_(5.0)

    def generated() -> torch.Tensor:
        found: torch.Tensor = module.generate(
            input_ids=IDS[:1], max_new_tokens=4, output_scores=True, return_dict_in_generate=True
        ).scores[0]
        return found

    plain = generated()
    with modulated(module.get_encoder(), modulator):
        changed = generated()
    assert not torch.equal(changed, plain)
    assert torch.equal(generated(), plain)


def test_what_cannot_be_attached_to(stack: Any) -> None:
    with pytest.raises(ValueError, match="no list of blocks"):
        transformer_blocks(torch.nn.Linear(2, 2))
    assert len(transformer_blocks(stack)) == 3
    modulator = LerpModulator(1500, 64, 3)
    with modulated(stack, modulator), pytest.raises(ValueError, match="with input_ids"):
        stack(inputs_embeds=torch.zeros(1, 3, 64))

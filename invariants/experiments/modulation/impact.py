"""What a modulator does to the states of a text's tokens (SPEC S7)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from geometric_invariants.fixtures.loaded import padded
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import relations
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.impact import Impact, modulator_impact
from geometric_invariants.invariants.experiments.modulation.overlay import attached, stack_of

TEXTS, PAIRS = 32, 20_000


def impact_of(model: Model, texts: list[list[int]], modulator: Any, sampling: Sampling) -> Impact:
    """Impact on the last hidden states of all tokens of up to 32 texts.

    20,000 pairs of those tokens are held against one another. Source: SPEC 9, 17 (S7).
    """
    chosen = texts[:: max(1, len(texts) // TEXTS)][:TEXTS]
    before = _states(model, chosen)
    with attached(model, modulator):
        after = _states(model, chosen)
    pairs = relations.draw_pairs(len(before), PAIRS, sampling.generator("pairs of tokens"))
    return modulator_impact(before, after, pairs)


@torch.inference_mode()
def _states(model: Model, texts: list[list[int]]) -> Tensor:
    """Last hidden states of every token, [tokens, d] float32 on the CPU."""
    ids, mask = padded(texts)
    output = stack_of(model)(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
    states: Tensor = output.last_hidden_state.float().cpu()
    return states[mask.bool()]

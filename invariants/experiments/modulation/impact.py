"""What a modulator does to the states of a text's tokens, and to what is said (SPEC S7, M4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fixtures.model import Model
from geometry import relations
from geometry.estimate import Sampling
from geometry.modulation.impact import Impact, modulator_impact
from invariants.experiments.modulation.generation import generations
from invariants.experiments.modulation.overlay import Overlay, attached, stack_of
from invariants.experiments.modulation.prompts import PROMPTS
from invariants.experiments.relations import LONGEST
from invariants.finding import NotApplicableError

TEXTS, PAIRS = 32, 20_000
SPOKEN, TOKENS = 5, 32


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


@dataclass(frozen=True, slots=True)
class Said:
    """A prompt's two greedy generations, in how many of how many tokens they differ."""

    prompt: str
    plain: str
    modulated: str
    differing: int
    tokens: int

    @property
    def verdict(self) -> str:
        return "DIFFERENT" if self.differing else "IDENTICAL"


def said_with_and_without(model: Model, laid: Overlay, alpha: float) -> tuple[Said, ...]:
    """Five prompts generated from the plain encoder and from the modulated one. Source: SPEC M4.

    Raises NotApplicableError for a model that does not generate from an encoder.
    """
    vocabulary = model.vocabulary
    if vocabulary is None or not model.loaded.is_encoder_decoder:
        raise NotApplicableError("only an encoder–decoder with a tokenizer generates from a prompt")
    prompts = [vocabulary.encode(prompt, LONGEST) for prompt in PROMPTS[:SPOKEN]]
    laid.modulator.fix_alpha(alpha)
    plain = generations(model, prompts, tokens=TOKENS)
    with attached(model, laid.modulator):
        changed = generations(model, prompts, tokens=TOKENS)
    return tuple(
        Said(prompt, vocabulary.decode(a), vocabulary.decode(b), *_differing(a, b))
        for prompt, a, b in zip(PROMPTS, plain, changed, strict=False)
    )


def _differing(a: list[int], b: list[int]) -> tuple[int, int]:
    """How many places hold other tokens, of as many as the longer text has."""
    length = max(len(a), len(b))
    padded = [text + [-1] * (length - len(text)) for text in (a, b)]
    return sum(x != y for x, y in zip(*padded, strict=True)), length


@torch.inference_mode()
def _states(model: Model, texts: list[list[int]]) -> Tensor:
    """Last hidden states of every token, [tokens, d] float32 on the CPU."""
    width = max(map(len, texts))
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
    output = stack_of(model)(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
    states: Tensor = output.last_hidden_state.float().cpu()
    return states[mask.bool()]

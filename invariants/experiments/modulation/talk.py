"""What an encoder–decoder makes of a prompt, plain and modulated: greedy or sampled (SPEC M5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.invariants.experiments.modulation.generation import generations
from geometric_invariants.invariants.experiments.modulation.overlay import attached
from geometric_invariants.invariants.experiments.relations import LONGEST
from geometric_invariants.invariants.finding import NotApplicableError

TOKENS = 64
TEMPERATURE, TOP_P = 0.7, 0.9


@dataclass(frozen=True, slots=True)
class Drawing:
    """How tokens are drawn: from the likeliest that hold `top_p` of the mass, at a temperature.

    Raises ValueError unless the temperature is positive and 0 < top_p ≤ 1: towards 0 of either it
    is greedy generation, which needs no draws.
    """

    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(
                f"a temperature must be positive, not {self.temperature:g}; without sampling the"
                " text is greedy"
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(
                f"top-p must lie above 0 and at most at 1, not at {self.top_p:g}; without sampling"
                " the text is greedy"
            )


@dataclass(frozen=True, slots=True)
class Said:
    """Two generations of one prompt, and in how many tokens of how many they differ.

    A place that only the longer text has counts as different.
    """

    prompt: str
    plain: str
    modulated: str
    differing: int
    tokens: int

    @property
    def is_identical(self) -> bool:
        return not self.differing


def token_ids(model: Model, prompts: Sequence[str]) -> list[list[int]]:
    """Prompts as an encoder–decoder's token ids, at most 128.

    Raises NotApplicableError for a model that does not generate from an encoder.
    """
    if not model.checkpoint.config.get("is_encoder_decoder") or model.vocabulary is None:
        raise NotApplicableError("only an encoder–decoder with a tokenizer can talk")
    return model.vocabulary.encode_all(prompts, LONGEST)


def texts_of(
    model: Model,
    prompts: Sequence[str],
    modulator: Any = None,
    *,
    tokens: int = TOKENS,
    drawing: Drawing | None = None,
) -> list[list[int]]:
    """Token ids that the encoder, plain or modulated, makes of each prompt: greedy, or drawn.

    What one prompt draws depends on seed and prompt alone: neither on its neighbours, nor on what
    the encoder is modulated by. Source: SPEC M5.
    """
    ids = token_ids(model, prompts)
    if modulator is None:
        return _generated(model, prompts, ids, tokens, drawing)
    with attached(model, modulator):
        return _generated(model, prompts, ids, tokens, drawing)


def held_against(
    model: Model, prompts: Sequence[str], plain: list[list[int]], changed: list[list[int]]
) -> list[Said]:
    """Texts of prompts beside the plain encoder's."""
    assert model.vocabulary is not None
    decode = model.vocabulary.decode
    found = []
    for prompt, a, b in zip(prompts, plain, changed, strict=True):
        differing = sum(x != y for x, y in zip_longest(a, b))
        found.append(Said(prompt, decode(a), decode(b), differing, max(len(a), len(b))))
    return found


def _generated(
    model: Model,
    prompts: Sequence[str],
    ids: list[list[int]],
    tokens: int,
    drawing: Drawing | None,
) -> list[list[int]]:
    if drawing is None:
        return generations(model, ids, tokens=tokens)
    sampling = Sampling(drawing.seed)
    return [
        drawn(model, text, drawing, sampling.generator(f"talk {prompt}"), tokens=tokens)
        for prompt, text in zip(prompts, ids, strict=True)
    ]


@torch.inference_mode()
def drawn(
    model: Model, text: list[int], drawing: Drawing, generator: torch.Generator, *, tokens: int
) -> list[int]:
    """One text drawn token by token, as transformers does it, but from a generator of its own."""
    module = model.loaded.module
    source = torch.tensor([text], device=model.device)
    mask = torch.ones_like(source)
    encoded = module.get_encoder()(input_ids=source, attention_mask=mask)
    last, past = torch.tensor([[module.config.decoder_start_token_id]], device=model.device), None
    found: list[int] = []
    while len(found) < tokens:
        output = module(
            encoder_outputs=encoded,
            attention_mask=mask,
            decoder_input_ids=last,
            past_key_values=past,
            use_cache=True,
        )
        past = output.past_key_values
        shares = nucleus(output.logits[0, -1].float().cpu(), drawing)
        token = int(torch.multinomial(shares, 1, generator=generator))
        if token == module.config.eos_token_id:
            break
        found.append(token)
        last = torch.tensor([[token]], device=model.device)
    return found


def nucleus(logits: Tensor, drawing: Drawing) -> Tensor:
    """Shares of tokens [tokens] at a temperature, the unlikeliest 1 − top_p of the mass left out.

    The likeliest token stays whatever its share. logits [tokens].
    """
    shares = (logits / drawing.temperature).softmax(0)
    falling, order = shares.sort(descending=True, stable=True)
    before = falling.cumsum(0) - falling
    kept = before < drawing.top_p
    kept[0] = True
    return torch.zeros_like(shares).scatter(0, order[kept], falling[kept])

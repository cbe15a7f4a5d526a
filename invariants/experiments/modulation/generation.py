"""What an encoder–decoder says, plain and modulated, and whether that is still text (SPEC M5)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from geometric_invariants.fixtures.loaded import padded
from geometric_invariants.fixtures.model import Model
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay, attached

PROMPTS = 200
_TOLERATED = 0.1


@dataclass(frozen=True, slots=True)
class Text:
    """Greedy generations beside the plain encoder's of the same prompts, means over the prompts.

    `unchanged`: share that is the same token for token. `distinct`: distinct tokens over tokens, 0
    of an empty text. `repetition`: share of a text's pairs of neighbouring tokens that it has had
    before.
    """

    unchanged: float
    distinct: float
    repetition: float


def incoherence(text: Text, plain: Text) -> float:
    """How far text has gone from the plain encoder's towards babble: 0 none, above 1 incoherent.

    A decoder that has lost its encoder repeats itself, or says nothing. Text is coherent while it
    keeps nine tenths of the plain text's share of distinct tokens and repeats no more than a tenth
    of its pairs of tokens beyond what the plain text does; the further gone of the two counts. A
    loop of four tokens in sixteen has 0.25 and 0.73, and other words for the same move either by a
    few hundredths. Whether a text is *unchanged* is no part of it: another text may be as good.
    """
    lost = 1 - text.distinct / max(plain.distinct, 1e-12)
    repeated = text.repetition - plain.repetition
    return max(lost, repeated, 0.0) / _TOLERATED


def prompts_of(laid: Overlay) -> list[list[int]]:
    """Two hundred definitions, from all over WordNet."""
    return laid.texts[:: max(1, len(laid.texts) // PROMPTS)][:PROMPTS]


def text_at(model: Model, laid: Overlay, alpha: float) -> Text:
    """What one α before every block of the encoder makes of the prompts' generations."""
    laid.modulator.fix_alpha(alpha)
    return text_under(model, laid.modulator, prompts_of(laid))


def text_under(model: Model, modulator: Any, prompts: list[list[int]]) -> Text:
    """What a modulator makes of the prompts' generations."""
    plain = plain_generations(model, prompts)
    with attached(model, modulator):
        return compared(generations(model, prompts), plain)


def plain_text(model: Model, prompts: list[list[int]]) -> Text:
    """The plain encoder's own generations."""
    plain = plain_generations(model, prompts)
    return compared(plain, plain)


def compared(texts: list[list[int]], plain: list[list[int]]) -> Text:
    """Token ids of generations against the plain ones."""
    count = len(texts)
    return Text(
        unchanged=sum(a == b for a, b in zip(texts, plain, strict=True)) / count,
        distinct=sum(len(set(text)) / len(text) for text in texts if text) / count,
        repetition=sum(map(_repetition, texts)) / count,
    )


def plain_generations(model: Model, prompts: list[list[int]]) -> list[list[int]]:
    """The plain encoder's generations, made once for one set of prompts."""
    key = f"generations {hash(tuple(map(tuple, prompts)))}"
    if key not in model.memory:
        model.memory[key] = generations(model, prompts)
    found: list[list[int]] = model.memory[key]
    return found


def generations(model: Model, prompts: list[list[int]], *, tokens: int = 16) -> list[list[int]]:
    """Greedy generations of many prompts: token ids after the start, cut at the end of the text."""
    module = model.loaded.module
    end, padding = module.config.eos_token_id, module.config.pad_token_id
    ids, mask = padded(prompts, padding)
    with torch.inference_mode():
        found = module.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=tokens,
            do_sample=False,
        )
    return [row[1 : row.index(end) if end in row else None] for row in found.tolist()]


def _repetition(text: list[int]) -> float:
    pairs = list(pairwise(text))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0

"""The project's own prompts, one of each kind that the source gives a modulated encoder (S11)."""

from __future__ import annotations

PROMPTS = (
    "summarize: a small domestic animal that barks and guards the house",
    "translate English to German: The bridge over the river is closed this week.",
    "question: What falls from the clouds when it is cold enough to snow?",
    "A person who repairs shoes is called a",
    "cola sentence: The books on the shelf was written by her brother.",
    "list: three things that a carpenter keeps in a box",
    "def area(width, height): return",
)

"""A GPU gives the CPU's verdicts and values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.registry import select_models
from geometric_invariants.invariants import quantities
from geometric_invariants.invariants.__main__ import measure_model
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.verdicts import Settings

pytestmark = pytest.mark.gpu
WITHOUT_PASSES = (
    "attention",
    "embedding",
    "layers",
    "norms",
    "position",
    "volumes",
    "weights",
    "words",
)


FLOAT32 = {"observed", "expected", "std", "by_part", "norms", "products", "sums"}


def claims() -> list[str]:
    modules = [getattr(quantities, name) for name in WITHOUT_PASSES]
    return [claim for claim in load_claims() if any(hasattr(m, claim) for m in modules)]


def test_claims_have_the_cpus_values_and_verdicts() -> None:
    entry = select_models(["t5_tiny"])["t5_tiny"]
    chosen = {name: claim for name, claim in load_claims().items() if name in claims()}
    settings = Settings(samples=20_000, twins=0)
    on_cpu, on_gpu = (
        measure_model(entry, chosen, settings, device=device) for device in ("cpu", "cuda")
    )
    assert len(on_cpu) > 15
    for ours, theirs in zip(on_cpu, on_gpu, strict=True):
        assert theirs.verdict == ours.verdict, ours.claim
        if ours.value is None or theirs.value is None:
            assert theirs.value is ours.value
            continue
        found, expected = ([v.value, v.low, v.high] for v in (theirs.value, ours.value))
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12), ours.claim
        assert theirs.parts == pytest.approx(ours.parts, rel=1e-9, abs=1e-12), ours.claim


def test_the_survey_is_the_cpus() -> None:
    source = select_models(["t5_mini"])["t5_mini"].source
    location = source.locate("t5_mini", download=False)
    on_cpu, on_gpu = (Model("t5_mini", location, device).survey for device in ("cpu", "cuda"))
    ours, theirs = list(numbers(on_cpu)), list(numbers(on_gpu))
    assert len(ours) == len(theirs) > 1000
    for (name, expected), (_, found) in zip(ours, theirs, strict=True):
        # Cosines, Grams and sketches are products of float32 numbers.
        rel, least = (1e-4, 1e-4) if name in FLOAT32 else (1e-9, 1e-12)
        assert found == pytest.approx(expected, rel=rel, abs=least), name


def numbers(found: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a tree of dataclasses, tuples and tensors, in order, with its field."""
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        for field in dataclasses.fields(found):
            yield from numbers(getattr(found, field.name), field.name)
    elif isinstance(found, (tuple, list)):
        for one in found:
            yield from numbers(one, name)
    elif isinstance(found, torch.Tensor):
        yield from ((name, value) for value in found.flatten().tolist())
    elif isinstance(found, (int, float)):
        yield name, float(found)

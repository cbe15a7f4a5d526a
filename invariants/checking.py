"""Is this checkpoint whole? The quick tier as one function, on files or a module (SPEC §10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geometric_invariants.fixtures.errors import CheckpointError, InputError
from geometric_invariants.fixtures.model import Model, open_model, resolve_device
from geometric_invariants.fixtures.registry import ModelEntry, select_models
from geometric_invariants.fixtures.sources import LocalSource, parse_source
from geometric_invariants.fixtures.storage.held import HeldCheckpoint
from geometric_invariants.invariants.claims import Claim, load_claims, only
from geometric_invariants.invariants.verdicts import Settings, evaluate, without_value
from geometric_invariants.reports import baseline as baselines
from geometric_invariants.reports import checks
from geometric_invariants.reports.files import read_results
from geometric_invariants.reports.results import Measurement, Results

Checkable = str | Path | nn.Module | Mapping[str, Tensor]
_UNNAMED = "model"


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks say: `ok`, and `lines`: one when all is well, else one for each failure."""

    measurements: tuple[Measurement, ...]
    ok: bool
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __bool__(self) -> bool:
        return self.ok


def check(
    model: Checkable,
    *,
    baseline: Results | Path | str | None = None,
    device: str | None = None,
    config: Mapping[str, Any] | None = None,
    tokenizer: Path | str | None = None,
    name: str = "",
) -> Checked:
    """The claims of the quick tier, at reading speed: no spectra, no twins, no forward pass.

    model: a folder or weight file, a registered id, a hub id whose weights are here; or a live
    module or state dict, measured on the device where it lies, which `config` (a config.json's
    content; by default the module's own) and `tokenizer` (its folder) describe. `baseline` are
    results of an earlier run, of this model or of one `name`. What is wrong with the weights is a
    line, never an exception. Raises InputError for what names no weights, ResultsError for an
    unreadable baseline, UnavailableError for weights that are not here. Source: SPEC §10.
    """
    stored = read_results(Path(baseline)) if isinstance(baseline, (str, Path)) else baseline
    settings = Settings(twins=0, baseline=stored)
    claims = only(load_claims(), "checks")
    if isinstance(model, (str, Path)):
        measured = _of_files(_entry(model, name, stored), claims, settings, device or "auto")
    else:
        held = _held(model, config, None if tokenizer is None else Path(tokenizer))
        own = _name(name, _UNNAMED, stored)
        measured = _of_held(own, held, claims, settings, device or _device_of(held.tensors))
    return _checked(Results(tuple(measured)))


def _of_files(
    entry: ModelEntry, claims: dict[str, Claim], settings: Settings, device: str
) -> list[Measurement]:
    location, where = entry.source.locate(entry.id, download=False), resolve_device(device)
    try:
        model = open_model(entry, location, where, torch.float32, download=False)
    except CheckpointError as error:
        return [without_value(claim, entry.id, error, settings) for claim in claims.values()]
    return [evaluate(claim, model, settings) for claim in claims.values()]


def _of_held(
    name: str, held: _Held, claims: dict[str, Claim], settings: Settings, device: str
) -> list[Measurement]:
    try:
        where = resolve_device(device)
        model = Model(name, HeldCheckpoint(held.tensors, held.config, held.folder), where)
    except CheckpointError as error:
        return [without_value(claim, name, error, settings) for claim in claims.values()]
    return [evaluate(claim, model, settings) for claim in claims.values()]


def _checked(results: Results) -> Checked:
    found = checks.checks(results.measurements)
    assert found is not None
    lines = baselines.uncompared(results, every=False)
    if not lines:
        return Checked(results.measurements, found.ok, found.lines)
    failures = found.lines if not found.ok else ()
    return Checked(results.measurements, ok=False, lines=(*failures, *lines))


@dataclass(frozen=True, slots=True)
class _Held:
    """Tensors in memory, with what describes them."""

    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any]
    folder: Path | None


def _held(
    model: nn.Module | Mapping[str, Tensor], config: Mapping[str, Any] | None, folder: Path | None
) -> _Held:
    if not isinstance(model, nn.Module):
        return _Held(model, config or {}, folder)
    own: Any = getattr(getattr(model, "module", model), "config", None)
    if config is None and hasattr(own, "to_dict"):
        config = json.loads(json.dumps(own.to_dict(), default=str))
    return _Held(model.state_dict(), config or {}, folder)


def _device_of(tensors: Mapping[str, Tensor]) -> str:
    return next((str(tensor.device) for tensor in tensors.values()), "cpu")


def _entry(model: str | Path, name: str, stored: Results | None) -> ModelEntry:
    """A path, a registered id, ID=SOURCE or a hub id, under the name that the baseline holds."""
    text = str(model)
    if isinstance(model, Path) or Path(text).expanduser().exists():
        found = ModelEntry(_UNNAMED, LocalSource(Path(text).expanduser()))
    elif text.isidentifier() or "=" in text:
        (found,) = select_models([text]).values()
    else:
        found = ModelEntry(_UNNAMED, parse_source(text))
    return ModelEntry(_name(name, found.id, stored), found.source)


def _name(given: str, own: str, stored: Results | None) -> str:
    """Whose cells of the baseline are meant: those of this name, or of its only model."""
    names = [] if stored is None else stored.models()
    wanted = given or own
    if wanted in names or not names:
        return wanted
    if len(names) > 1 or given:
        raise InputError(f"the baseline holds {', '.join(names)}, not {wanted}; say which is meant")
    return names[0]

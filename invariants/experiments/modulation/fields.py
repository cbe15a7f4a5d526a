"""A field modulator on a model's encoder: trained or as it stands, and what it does (SPEC M6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.loaded import padded
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry import simplex
from geometric_invariants.geometry.estimate import Sampling
from geometric_invariants.geometry.modulation.field import SOURCES, FieldModulator, FieldSettings
from geometric_invariants.geometry.modulation.field_checks import (
    SOURCES_SIMPLICES,
    CvCheck,
    SelfTest,
    cv_check,
    self_test,
    sources_cv_check,
)
from geometric_invariants.geometry.modulation.impact import Impact
from geometric_invariants.geometry.modulation.resuming import write_state
from geometric_invariants.geometry.modulation.training import (
    NOTEBOOKS,
    History,
    TrainingSettings,
    train,
)
from geometric_invariants.invariants.experiments.modulation import overlay
from geometric_invariants.invariants.experiments.modulation.impact import impact_of
from geometric_invariants.invariants.experiments.modulation.learning import lemmas
from geometric_invariants.invariants.experiments.modulation.measured import (
    SIMPLICES,
    Detail,
    Relations,
    detail,
    measure,
    volume_cv,
)
from geometric_invariants.invariants.experiments.modulation.overlay import Overlay

_PROBED, _MAPPED = 500, 100


def fresh_field(
    model: Model, laid: Overlay, settings: FieldSettings = SOURCES, seed: int = NOTEBOOKS.seed
) -> FieldModulator:
    """An untrained field modulator of the model's width and depth, from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modulator = FieldModulator(laid.words.encoder.shape[1], overlay.depth(model), settings)
    return modulator.to(model.device).eval()


def learn_field(
    model: Model,
    laid: Overlay,
    modulator: FieldModulator,
    settings: TrainingSettings = NOTEBOOKS,
    count: int | None = None,
    checkpoint: Path | None = None,
) -> History:
    """Train a field modulator in place on the first `count` words, or all.

    Five CV checks out of band end it: of the whole states of 500 definitions, on fixed simplices of
    distinct ones. With a `checkpoint` file a run that was cut off goes on from there.
    Source: SPEC M6.
    """
    probe = laid.texts[:_PROBED]
    generator = torch.Generator().manual_seed(settings.seed)
    sets = simplex.draw_index_sets(len(probe), SIMPLICES, 5, generator)

    def cv() -> float:
        return volume_cv(overlay.encode_under(model, modulator, probe), sets)[0]

    inputs, targets = laid.texts[:count], lemmas(model, laid)[:count]
    return train(model.loaded.module, modulator, inputs, targets, settings, checkpoint, cv=cv)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """By layer and expert [layers, experts] float64, over all tokens of a hundred definitions.

    `spanning`: the share of simplices whose V² is above 0. `volume`: their mean V². `validity`:
    the mean of the validity projection, in (0, 1).
    """

    spanning: Tensor
    volume: Tensor
    validity: Tensor


@torch.inference_mode()
def map_of(model: Model, laid: Overlay, modulator: FieldModulator) -> FieldMap:
    """What every expert reads in every layer of the modulated encoder."""
    found: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def change(states: Tensor, tokens: Tensor, layer: int) -> Tensor:
        del tokens
        reading = modulator.read(states, layer)
        kept = mask.bool().to(states.device)
        volumes = reading.squared_volumes[kept].double()
        validity = reading.validity[kept].double().mean(0)
        found[layer] = ((volumes > 0).double().mean(0), volumes.mean(0), validity)
        return reading.states

    texts = laid.texts[:: max(1, len(laid.texts) // _MAPPED)][:_MAPPED]
    ids, mask = padded(texts)
    with overlay.attached(model, change):
        overlay.stack_of(model)(
            input_ids=ids.to(model.device), attention_mask=mask.to(model.device)
        )
    layers = [found[layer] for layer in sorted(found)]
    return FieldMap(*(torch.stack(each).cpu() for each in zip(*layers, strict=True)))


@dataclass(frozen=True, slots=True)
class FieldFindings:
    """What a field modulator does to the encoder: relations, bands, CV checks, impact, and a map.

    `before` and `after` hold relations and details, `checks` CVs in two forms of both encoders.
    """

    before: tuple[Relations, Detail]
    after: tuple[Relations, Detail]
    checks: dict[str, CvCheck]
    impact: Impact
    map: FieldMap
    test: SelfTest


def examine_field(
    model: Model, laid: Overlay, modulator: FieldModulator, sampling: Sampling
) -> FieldFindings:
    """Relations before and after, CV checks in the source's form and in ours, impact, map."""
    words, settings = laid.words, modulator.settings
    rows = {
        "plain": words.encoder,
        "modulated": overlay.encode_under(model, modulator, laid.texts, progress=True),
    }
    drawn = sampling.generator("field checks")
    sets = simplex.draw_index_sets(len(words), SOURCES_SIMPLICES, 5, drawn)
    checks = {f"{name}, whole states": cv_check(x, sets, settings) for name, x in rows.items()}
    for name, x in rows.items():
        generator = sampling.generator("the source's field checks")
        checks[f"{name}, source's form"] = sources_cv_check(x, generator, settings)
    before, after = (
        (measure(words, laid.probe, x), detail(words, laid.probe, x)) for x in rows.values()
    )
    return FieldFindings(
        before=before,
        after=after,
        checks=checks,
        impact=impact_of(model, laid.texts, modulator, sampling),
        map=map_of(model, laid, modulator),
        test=self_test(modulator, sampling.generator("field self-test")),
    )


def save_field(modulator: FieldModulator, file: Path) -> None:
    """Keep a field modulator with its settings, whole at any time."""
    content = {
        "settings": {name: getattr(modulator.settings, name) for name in FieldSettings.__slots__},
        "d": modulator.d,
        "layers": len(modulator.logit),
        "state": modulator.state_dict(),
    }
    write_state(content, file)


def load_field(file: Path, model: Model, laid: Overlay) -> FieldModulator:
    """The inverse of `save_field`. Raises InputError for another file, or another model's shape."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        kept = dict(content["settings"])
        settings = replace(SOURCES, **(kept | {"experts": tuple(kept["experts"])}))
        modulator = FieldModulator(content["d"], content["layers"], settings)
        modulator.load_state_dict(content["state"])
    except Exception as error:  # whatever torch makes of a file
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file}: not a saved field modulator ({reason})") from error
    found = (modulator.d, len(modulator.logit))
    wanted = (laid.words.encoder.shape[1], overlay.depth(model))
    if found != wanted:
        raise InputError(
            f"{file}: a field of d = {found[0]} and {found[1]} layers,"
            f" {model.id} has d = {wanted[0]} and {wanted[1]} layers"
        )
    return modulator.to(model.device).eval()

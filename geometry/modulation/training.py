"""Training a modulator on a frozen encoder–decoder (SPEC M3, M6): resumable, and from its seed."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from geometric_invariants.geometry.modulation.field import SOURCES, FieldModulator
from geometric_invariants.geometry.modulation.hooks import modulated
from geometric_invariants.geometry.modulation.lerp import LerpModulator
from geometric_invariants.geometry.modulation.resuming import History, State

__all__ = ["NOTEBOOKS", "History", "TrainingSettings", "train"]

IGNORED = -100  # labels that the loss passes over
SAVED_EVERY = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """The notebook's settings; all `…every` and `interval` (of recording α) count batches.

    The rate follows a cosine over the epochs, one step each. A run with a CV check stops after
    `patience` checks in a row that miss the target.
    """

    epochs: int = 10
    batch: int = 32
    rate: float = 1e-3
    weight_decay: float = 0.01
    clip: float = 1.0
    held_out: float = 0.1
    seed: int = 42
    interval: int = 10
    check_every: int = 100
    patience: int = 5


NOTEBOOKS = TrainingSettings()


def train(
    model: Any,
    modulator: LerpModulator | FieldModulator,
    inputs: Sequence[list[int]],
    targets: Sequence[list[int]],
    settings: TrainingSettings = NOTEBOOKS,
    checkpoint: Path | None = None,
    cv: Callable[[], float] | None = None,
    *,
    origin: Mapping[str, str] | None = None,
    seconds: float = SAVED_EVERY,
) -> History:
    """Train the modulator in place; the model keeps its weights and stays in eval.

    `model` is an encoder–decoder that takes input_ids, attention_mask and labels, which it shifts
    right itself. AdamW, a cosine schedule by epoch, clipped gradients. With a `checkpoint` file the
    state is kept every so many `seconds`, and a run that finds one goes on from there to the same
    numbers, bit for bit; `origin` names what else must be the same for that (weights, start of α).
    A field modulator trains in its own parameter groups. `cv` measures the modulated encoder's
    pentachoron CV; five checks in a row outside 0.21 ± 0.05 end the run. Source: SPEC M3, M6.
    Raises ValueError if inputs and targets do not pair up, or none is left to train on, StateError
    where the file is of another training.
    """
    kept, held = _split(len(inputs), len(targets), settings)
    frozen = [p.requires_grad for p in model.parameters()]
    model.eval().requires_grad_(False)
    device = modulator.logit.device
    per_epoch = math.ceil(len(kept) / settings.batch)
    total = per_epoch * settings.epochs
    modulator.train()
    groups: Any = modulator.parameters()
    in_target = SOURCES.in_target
    if isinstance(modulator, FieldModulator):
        groups = modulator.parameter_groups(settings.rate)
        in_target = modulator.settings.in_target
    optimiser = torch.optim.AdamW(groups, lr=settings.rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs)
    known = _origin(settings, inputs, targets) | dict(origin or {})
    state = State(modulator, optimiser, schedule, checkpoint, known, seconds)
    state.restore()
    history, running = state.history, state.running
    with modulated(model.get_encoder(), modulator), _bar(total, "training", "batch") as bar:
        bar.update(state.step)
        while state.step < total and history.stopped is None:
            epoch, place = divmod(state.step, per_epoch)
            order = kept[_permutation(len(kept), settings.seed + 1 + epoch)]
            rows = order[place * settings.batch : (place + 1) * settings.batch].tolist()
            loss = _loss(model, [inputs[i] for i in rows], [targets[i] for i in rows], device)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(modulator.parameters(), settings.clip)
            optimiser.step()
            running.append(loss.item())
            if state.step % settings.interval == 0:
                history.alpha.append(modulator.alpha.flatten().tolist())
            state.step += 1
            if state.step % per_epoch == 0:
                schedule.step()
                history.training.append(sum(running) / len(running))
                history.held_out.append(_evaluate(model, inputs, targets, held, settings, device))
                running.clear()
            if cv is not None and state.step % settings.check_every == 0:
                history.cv.append(cv())
                latest = history.cv[-settings.patience :]
                if len(latest) == settings.patience and not any(map(in_target, latest)):
                    history.stopped = state.step
            state.save_in_time()
            bar.update()
    state.save()
    modulator.eval()
    for parameter, required in zip(model.parameters(), frozen, strict=True):
        parameter.requires_grad_(required)
    history.alpha.append(modulator.alpha.flatten().tolist())
    return history


def _origin(
    settings: TrainingSettings, inputs: Sequence[list[int]], targets: Sequence[list[int]]
) -> dict[str, str]:
    """What a training's numbers follow from, beside model and modulator, in words."""
    texts = sha256(repr((list(inputs), list(targets))).encode()).hexdigest()[:12]
    return {name: str(value) for name, value in asdict(settings).items()} | {"texts": texts}


def _bar(total: int, what: str, unit: str) -> tqdm[None]:
    return tqdm(total=total, desc=what, unit=unit, disable=None, leave=False, file=sys.stderr)


def _split(inputs: int, targets: int, settings: TrainingSettings) -> tuple[Tensor, Tensor]:
    if inputs != targets:
        raise ValueError(f"{inputs} inputs and {targets} targets do not pair up")
    order = _permutation(inputs, settings.seed)
    held = int(inputs * settings.held_out)
    if inputs - held < 1:
        raise ValueError("there is nothing to train on")
    return order[held:], order[:held]


def _permutation(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def _evaluate(
    model: Any,
    inputs: Sequence[list[int]],
    targets: Sequence[list[int]],
    held: Tensor,
    settings: TrainingSettings,
    device: torch.device,
) -> float:
    losses = []
    with _bar(len(held), "held out", "text") as bar:
        for part in held.split(settings.batch) if len(held) else ():
            rows = part.tolist()
            loss = _loss(model, [inputs[i] for i in rows], [targets[i] for i in rows], device)
            losses.append(loss.item() * len(rows))
            bar.update(len(rows))
    return sum(losses) / max(1, len(held))


def _loss(
    model: Any, inputs: list[list[int]], targets: list[list[int]], device: torch.device
) -> Tensor:
    ids, mask = _padded(inputs, 0), _padded([[1] * len(text) for text in inputs], 0)
    labels = _padded(targets, IGNORED)
    loss: Tensor = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), labels=labels.to(device)
    ).loss
    return loss


def _padded(rows: list[list[int]], filler: int) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])

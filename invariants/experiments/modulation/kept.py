"""A trained modulator in a file, for a later command."""

from __future__ import annotations

from pathlib import Path

from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.geometry.modulation.lerp import LerpModulator
from geometric_invariants.geometry.modulation.resuming import check_origin, read_state, write_state

_KIND = "LERP modulator"


def keep(model: Model, modulator: LerpModulator, name: str, file: Path) -> None:
    """Write a modulator, whose weights it was trained on, and the name of its training.

    Raises InputError for a file that cannot be written.
    """
    content = {
        "origin": {"kind": _KIND, "checkpoint": model.checkpoint.sha256()},
        "name": name,
        "parameters": modulator.state_dict(),
    }
    try:
        write_state(content, file)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error})") from error


def kept(model: Model, file: Path) -> tuple[LerpModulator, str]:
    """The inverse of `keep`: modulator and name. Raises StateError for one of other weights."""
    content = read_state(file)
    check_origin(
        file,
        content.get("origin", {}),
        {"kind": _KIND, "checkpoint": model.checkpoint.sha256()},
    )
    parameters = content["parameters"]
    (rows, dimensions), (width, _) = (
        parameters[name].shape for name in ("geometric", "projection")
    )
    layers = len(parameters["logit"])
    modulator = LerpModulator(rows, width, layers, dimensions=dimensions)
    modulator.load_state_dict(parameters)
    return modulator.to(model.device).eval(), content["name"]

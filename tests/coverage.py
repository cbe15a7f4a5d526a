"""python -m tests.coverage: draw docs/coverage.md, which share of the parameters is measured.

One row per way to store a checkpoint and per architecture that people use, each built small.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fixtures.errors import CheckpointError
from fixtures.model import Model
from fixtures.tests import small_architectures
from fixtures.tests.small_llama import CONFIG, state_dict, write
from fixtures.tests.stored_layouts import LAYOUTS, stored_as

DOCUMENT = Path(__file__).parent.parent / "docs" / "coverage.md"
_HEAD = """# What is measured of which checkpoint

Every tensor of a file has an account. *Measured* is the share of parameters whose role is known
(biases included), *role unknown* that of matrices with spectra and magnitudes alone,
*not measured* that of parameters of three dimensions or more; what is stored as codes is refused.
All shares are of small random models; `python -m tests.coverage` draws this page, and a test holds
it against what is measured.

## Ways to store a small Llama

| stored as | measured | what is said |
| --- | --- | --- |
"""
_ARCHITECTURES = """
## Architectures

As transformers initialises and saves them. *Rules* is the table of names that places the weights.

| model type | rules | measured | role unknown | not measured |
| --- | --- | --- | --- | --- |
"""


def layout_row(name: str, folder: Path) -> str:
    """How a quantized layout is met: the share that is measured, and the refusal."""
    tensors, section = stored_as(name)
    model = Model("mine", write(folder, tensors, CONFIG | {"quantization_config": section}))
    try:
        _ = model.survey
    except CheckpointError as error:
        said = str(error).partition("stored as ")[2].partition(", e.g.")[0]
        return f"| {name} | {model.account.share:.1%} | refused: {said} |"
    raise AssertionError(f"{name} is not refused")


def plain_row(folder: Path) -> str:
    """The same Llama as it is."""
    share = Model("mine", write(folder, state_dict(), CONFIG)).account.share
    return f"| float32, bfloat16, float16, float64 | {share:.1%} | |"


def architecture_row(model_type: str, folder: Path) -> str:
    """One architecture. Raises CheckpointError if its survey is refused."""
    small_architectures.build(model_type, folder)
    model = Model("mine", folder)
    _ = model.survey
    account = model.account
    shares = (
        account.share,
        account.numel("unknown role") / account.parameters,
        account.numel("not measured") / account.parameters,
    )
    numbers = " | ".join(f"{share:.1%}" for share in shares)
    return f"| {model_type} | {model.layout.family} | {numbers} |"


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main() -> None:
    """Write the page."""
    lines = []
    for layout in LAYOUTS:
        with a_folder() as folder:
            lines.append(layout_row(layout, folder))
    with a_folder() as folder:
        text = _HEAD + "\n".join([plain_row(folder), *lines]) + "\n" + _ARCHITECTURES
    rows = []
    for model_type in small_architectures.POPULAR:
        with a_folder() as folder:
            rows.append(architecture_row(model_type, folder))
    DOCUMENT.write_text(text + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

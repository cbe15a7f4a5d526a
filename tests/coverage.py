"""python -m tests.coverage: draw docs/coverage.md, which share of the parameters is measured.

One row per way to store a checkpoint and per architecture that people use, each built small; then
all types of transformers, from the scores of the last whole run.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.sources import LocalSource
from geometric_invariants.fixtures.tests import small_architectures
from geometric_invariants.fixtures.tests.all_types import recorded
from geometric_invariants.fixtures.tests.all_types.__main__ import popular
from geometric_invariants.fixtures.tests.small_llama import CONFIG, state_dict, write
from geometric_invariants.fixtures.tests.stored_folders import FOLDERS
from geometric_invariants.fixtures.tests.stored_layouts import LAYOUTS, config_of, stored_as
from tests import rounding

PLAIN = ("float64", "float32", "bfloat16", "float16")
DOCUMENT = Path(__file__).parent.parent / "docs" / "coverage.md"
_HEAD = """# What is measured of which checkpoint

Every tensor of a file has an account. *Measured* is the share of parameters whose role is known
(biases included), *role unknown* that of matrices with spectra and magnitudes alone,
*not measured* that of parameters of three dimensions or more; what is stored as codes is decoded,
or refused. All shares are of small random models; `python -m tests.coverage` draws this page, and a
test holds it against what is measured.

## Ways to store a small Llama

Each encoding is written by its own library, and what is decoded is what that library reads, to the
last bit: compressed-tensors (FP8, MXFP8, int8, packed integers, MXFP4, NVFP4), transformers (FP8 in
blocks, MLX, gpt-oss), bitsandbytes (LLM.int8, nf4, fp4), hqq, optimum-quanto. GPTQ's and AWQ's
libraries need a GPU to be built: their codes are packed by the published layout, and held against
what auto-round 0.16.1's layers packed and read, and AWQ's against compressed-tensors' converter.
quanto's codes of 2 and 4 bits name no shape and are read where a bias does.

| stored as | measured | what is said |
| --- | --- | --- |
"""
_FOLDERS = """
## Wrappers, containers and folders

| | measured | what is said |
| --- | --- | --- |
"""
_ARCHITECTURES = """
## Architectures

As transformers initialises and saves them. *Rules* is the table of names that places the weights.

| model type | rules | measured | role unknown | not measured |
| --- | --- | --- | --- | --- |
"""


def layout_row(name: str, folder: Path) -> str:
    """How a quantized layout is met: the share that is measured, and how, or the refusal."""
    model = Model("mine", write(folder, stored_as(name), config_of(name)))
    try:
        _ = model.survey
    except CheckpointError as error:
        said = str(error).partition("stored as ")[2].partition("; ")[0]
        kind, _, rest = said.partition(", e.g. ")
        why = rest.partition(", ")[2]
        return f"| {name} | {model.account.share:.1%} | refused: {kind}{why and f'; {why}'} |"
    return f"| {name} | {model.account.share:.1%} | {'; '.join(model.remarks)} |"


def plain_row(dtype: str, folder: Path) -> str:
    """The same Llama as it is, in a dtype of torch."""
    stored = {name: tensor.to(getattr(torch, dtype)) for name, tensor in state_dict().items()}
    model = Model("mine", write(folder, stored, CONFIG))
    _ = model.survey
    return f"| {dtype} | {model.account.share:.1%} | |"


def folder_row(name: str, folder: Path) -> str:
    """How a container or folder is met: the share that is measured, remarks, or the refusal."""
    FOLDERS[name](folder)
    try:
        model = Model("mine", LocalSource(folder).locate("mine", download=False))
        _ = model.survey
    except CheckpointError as error:
        said = str(error).replace(f"{folder}/", "").replace(f"{folder}: ", "")
        return f"| {name} | – | refused: {said} |"
    return f"| {name} | {model.account.share:.1%} | {'; '.join(model.remarks)} |"


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


ROWS: dict[str, Callable[[Path], str]] = {
    **{dtype: partial(plain_row, dtype) for dtype in PLAIN},
    **{layout: partial(layout_row, layout) for layout in LAYOUTS},
    **rounding.ROWS,
    **{name: partial(folder_row, name) for name in FOLDERS},
    **{kind: partial(architecture_row, kind) for kind in small_architectures.POPULAR},
}


def page(rows: list[str]) -> str:
    """The page, from the rows in the order of ROWS."""
    sizes = (len(PLAIN) + len(LAYOUTS), len(rounding.ROWS), len(FOLDERS))
    ends = [0, *itertools.accumulate(sizes), len(rows)]
    sections = (_HEAD, rounding.HEAD, _FOLDERS, _ARCHITECTURES)
    parts = [rows[start:stop] for start, stop in itertools.pairwise(ends)]
    tables = "".join(
        head + "\n".join(part) + "\n" for head, part in zip(sections, parts, strict=True)
    )
    return tables + recorded.section(recorded.kept(), popular())


def main() -> None:
    """Write the page."""
    rows = []
    for row in ROWS.values():
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(Path(folder)))
    DOCUMENT.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Whether the rows of tables belong to their tokens (SPEC K9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.texts.kin import kin_spellings
from geometric_invariants.geometry.embedding import column_means
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.pairing import Pairing, vector_pairing
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.head import untied_head
from geometric_invariants.invariants.quantities.table import stored_table, vocabulary
from geometric_invariants.reports.exhibits import Table

_FEWEST, _MOST_RUNS = 50, 16  # pairs of a run of ids, runs
_LOST = 0.06  # excess under which a run is named: the claim's edge
_CLEAR = 8.0  # z of a run that was found again
_SHIFTS = tuple(shift for k in range(1, 9) for shift in (k, -k))


@dataclass(frozen=True, slots=True)
class _Run:
    """Pairs of one kind whose later ids follow each other, [pairs, 2], and what they show."""

    kind: str
    pairs: Tensor
    found: Pairing

    @property
    def ids(self) -> str:
        return f"{int(self.pairs.max(1).values[0])} – {int(self.pairs.max(1).values[-1])}"


def kin_tokens(model: Model) -> Finding:
    """Excess of the cosine of kin tokens' rows, centred, over dealt partners; least of all runs.

    A run are 50 pairs or more of one kind that follow each other, at most sixteen of a kind; of
    the embedding, and of the head where that is a table of its own. Kinds of under 50 pairs are
    left out. Raises NotApplicableError where no kind has more.
    """
    embedding, words = stored_table(model), vocabulary(model)
    weight = model.layout.token_embedding
    assert weight is not None
    tables = {weight.tensor: embedding}
    head = untied_head(model)
    if head is not None:
        tables[head[0].tensor] = head[1]
    spellings = kin_spellings(words.tokens)
    means = {name: column_means(rows) for name, rows in tables.items()}
    found = {
        name: [
            run
            for kind, pairs in spellings.items()
            for run in _runs(rows, means[name], kind, pairs)
        ]
        for name, rows in tables.items()
    }
    runs = [run for of_table in found.values() for run in of_table]
    if not runs:
        raise NotApplicableError(f"no {_FEWEST} tokens of the vocabulary have kin spellings")
    lost = [
        _place(name, tables[name], means[name], run)
        for name, of_table in found.items()
        for run in of_table
        if run.found.excess < _LOST and not model.is_twin
    ]
    return Finding(
        estimate=exact(min(run.found.excess for run in runs), "exact null"),
        design="cosines of centred rows by runs of ids, partners dealt in blocks of 32",
        controls=(Named("dealt partners", exact(0.0), "the excess of any table"),),
        related=(
            Named(
                "least z", exact(min(run.found.z for run in runs)), "of a run of 50 pairs or more"
            ),
            Named(
                "pairs", exact(sum(run.found.pairs for run in found[weight.tensor])), "of tokens"
            ),
        ),
        parts=_by_kind(found),
        tables=() if model.is_twin else tuple(_table(*one) for one in found.items()),
        notes=tuple(lost[:8]),
        where="; ".join(lost[:2]),
    )


def _runs(rows: Tensor, mean: Tensor, kind: str, pairs: list[tuple[int, int]]) -> Iterator[_Run]:
    inside = sorted((pair for pair in pairs if max(pair) < len(rows)), key=_ids)
    if len(inside) < _FEWEST:
        return
    count = min(_MOST_RUNS, len(inside) // _FEWEST)
    for run in torch.tensor(inside).tensor_split(count):
        yield _Run(kind, run, _pairing(rows, mean, run))


def _ids(pair: tuple[int, int]) -> tuple[int, int]:
    return max(pair), min(pair)


def _pairing(rows: Tensor, mean: Tensor, pairs: Tensor) -> Pairing:
    first, second = (rows[side].float() - mean for side in pairs.T.to(rows.device))
    return vector_pairing(first, second).signed


def _place(name: str, rows: Tensor, mean: Tensor, run: _Run) -> str:
    """Which rows do not belong to their tokens, and by how many rows they were moved."""
    line = f"rows {run.ids} of {name} do not belong to their tokens ({run.kind})"
    later = run.pairs == run.pairs.max(1, keepdim=True).values
    for shift in _SHIFTS:
        # Of a table that is moved from some row on, perhaps the later of two alone.
        for moved in (run.pairs + shift, run.pairs + shift * later):
            inside = int(moved.min()) >= 0 and int(moved.max()) < len(rows)
            if inside and _pairing(rows, mean, moved).z > _CLEAR:
                return f"{line}: moved by {shift:+d}"
    return line


def _by_kind(found: Mapping[str, list[_Run]]) -> dict[str, float]:
    """The least excess of each kind, of each table where there are two."""
    parts: dict[str, float] = {}
    for name, runs in found.items():
        for run in runs:
            label = run.kind if len(found) == 1 else f"{run.kind}, {name}"
            parts[label] = min(parts.get(label, 2.0), run.found.excess)
    return parts


def _table(name: str, runs: list[_Run]) -> Table:
    rows = {
        f"{run.kind}, {run.ids}": (p.pairs, p.observed, p.expected, p.z)
        for run in runs
        for p in (run.found,)
    }
    columns = ("pairs", "cosine", "of dealt partners", "z")
    return table(f"kin tokens of {name}", columns, rows, "by runs of the later token's id")

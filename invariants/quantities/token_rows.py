"""Rows of tables: of head and embedding, hardly trained ones, positions (SPEC K5, K6, K9)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.weight_reading import read_weight, require_finite
from geometric_invariants.geometry import untrained_rows as rows_that
from geometric_invariants.geometry.embedding import row_norms
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.pairing import Pairing, vector_pairing
from geometric_invariants.invariants.drawn import table
from geometric_invariants.invariants.finding import Finding, Named, NotApplicableError
from geometric_invariants.invariants.quantities.head import untied_head
from geometric_invariants.invariants.quantities.pairing import is_trained
from geometric_invariants.invariants.quantities.stacks import by_stack
from geometric_invariants.invariants.quantities.table import TokenTable, token_table
from geometric_invariants.reports.exhibits import Table

_PARTS = 16
_IN_ORDER = 0.1  # excess: the claim's edge
_SPHERE = 0.01  # CV of norms under which they say nothing
_RUN, _SHOWN = 8, 16  # rows of a run, runs
_POSITIONS, _ENOUGH = 8, 128  # of a table, and of one that is judged


def head_and_table(model: Model) -> Finding:
    """Excess of the mean cosine of tokens' embedding and head rows over dealt partners.

    Raises NotApplicableError where no head is stored, or it is the table itself.
    """
    found = untied_head(model)
    if found is None:
        raise NotApplicableError("no output head is stored as a table of its own")
    weight, head, embedding = found
    both = vector_pairing(embedding, head, parts=_PARTS)
    signed = both.signed
    return Finding(
        estimate=exact(signed.excess, "exact null"),
        design="cosines of a token's two rows, partners dealt in blocks of 32",
        controls=(Named("dealt partners", exact(0.0), "the excess of any head"),),
        related=(
            Named("z", exact(signed.z), "of the cosine, standard normal for any unrelated head"),
            Named("z of |cosine|", exact(both.magnitude.z), "the same of its magnitude"),
            Named("mean cosine", exact(signed.observed), "of a token's two rows"),
            Named("… of dealt partners", exact(signed.expected), "null"),
        ),
        tables=() if model.is_twin else (_by_ids(f"{weight.tensor} and table", signed),),
    )


def untrained_rows(model: Model) -> Finding:
    """Share of tokens' rows that fit the initialisation or the unused rows, or repeat another.

    Raises NotApplicableError where the norms' CV is under 0.01: they lie on a sphere by design.
    """
    tokens = token_table(model)
    rows, kept = tokens.rows, tokens.kept
    used = torch.ones(len(rows), dtype=torch.bool) if kept is None else kept.cpu()
    norms = row_norms(rows).cpu()[used]
    if not norms.std() > _SPHERE * norms.mean():
        raise NotApplicableError("all rows have one norm (CV under 0.01), which tells nothing")
    kinds = {"repeat another row": rows_that.repeats(rows)}
    weight = model.layout.token_embedding
    std = None if weight is None else model.layout.initial_std(weight)
    if std:
        kinds["fit the initialisation"] = rows_that.fits_initialisation(rows, std)
    like_unused = rows_that.fits_unused(rows, (~used).nonzero().flatten())
    if like_unused is not None:
        kinds["fit the unused rows"] = like_unused
    of_tokens = {kind: found & used for kind, found in kinds.items()}
    untrained = torch.stack(list(of_tokens.values())).any(0)
    return Finding(
        estimate=exact(untrained.double().sum().item() / max(1, int(used.sum()))),
        design="norm and direction of tokens' rows; exact repetitions",
        controls=(Named("random table", exact(1.0), "fits its own initialisation"),),
        related=(
            *(
                Named(f"rows that {kind}", exact(int(found.sum())), "of tokens in use")
                for kind, found in of_tokens.items()
            ),
            Named(
                "rows of no token in use", exact(int((~used).sum())), "beyond the vocabulary too"
            ),
        ),
        tables=() if model.is_twin else _tables(tokens, of_tokens),
        notes=(*tokens.notes, *(() if std else ("no initialisation of the table is known",))),
    )


def position_order(model: Model) -> Finding:
    """Excess of the cosine of neighbouring rows of a learned position table over dealt partners.

    The first table of the judged stack with eight positions or more; judged from 128 on where the
    model's neurons pair. A table that was moved by some rows shows none of it: that needs a
    baseline.
    """
    tables = [w for w in model.layout.having("position_embedding") if len(w.shape) == 2]
    judged = by_stack(model, tables, lambda weight: weight.stack).judged
    weight = next((one for one in judged if one.shape[0] > _POSITIONS), None)
    if weight is None:
        raise NotApplicableError("the model stores no table of positions")
    rows = read_weight(model.checkpoint, weight, model.device)
    require_finite(model.checkpoint, weight.tensor, rows)
    signed = vector_pairing(rows[:-1], rows[1:], parts=_PARTS).signed
    return Finding(
        estimate=exact(signed.excess, "exact null"),
        design="cosines of neighbouring positions, partners dealt in blocks of 32",
        in_source_design=len(rows) >= _ENOUGH and is_trained(model),
        controls=(Named("dealt partners", exact(0.0), "the excess of any order"),),
        related=(
            Named("z", exact(signed.z), "of shuffled rows standard normal"),
            Named("mean cosine", exact(signed.observed), "of neighbouring rows"),
            Named("… of dealt partners", exact(signed.expected), "null"),
        ),
        tables=() if model.is_twin else (_by_ids(weight.tensor, signed),),
        where=f"the rows of {weight.tensor} are in another order, or drawn afresh"
        if signed.excess < _IN_ORDER
        else "",
    )


def _by_ids(title: str, pairing: Pairing) -> Table:
    rows = {
        f"rows {i * pairing.size} – {min(pairing.pairs, (i + 1) * pairing.size) - 1}": (z,)
        for i, z in enumerate(pairing.by_part)
    }
    return table(f"pairing by rows, {title}", ("z",), rows)


def _tables(tokens: TokenTable, kinds: dict[str, Tensor]) -> tuple[Table, ...]:
    """The longest runs of rows of each kind."""
    found = [(kind, *run) for kind, flags in kinds.items() for run in _runs(flags)]
    longest = sorted(found, key=lambda run: run[1] - run[2])[:_SHOWN]
    rows = {
        f"rows {first} – {last}": (kind, last - first + 1, tokens.token(first), tokens.token(last))
        for kind, first, last in longest
    }
    columns = ("that", "rows", "first token", "last token")
    meaning = f"runs of {_RUN} rows or more, the longest"
    return (table("runs of untrained rows", columns, rows, meaning),) if rows else ()


def _runs(flags: Tensor) -> Iterator[tuple[int, int]]:
    """First and last of the rows that follow each other."""
    place = 0
    for value, members in itertools.groupby(flags.tolist()):
        size = sum(1 for _ in members)
        if value and size >= _RUN:
            yield place, place + size - 1
        place += size

"""Pictures and tables of M = W_q W_kᵀ by layer (SPEC W3, §8)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from geometric_invariants.geometry import controls
from geometric_invariants.geometry.attention import OutputForm, random_descending, random_rms
from geometric_invariants.geometry.spectrum import even_ranks
from geometric_invariants.invariants.drawn import rounded, table
from geometric_invariants.reports.exhibits import Figure, Table


@dataclass(frozen=True, slots=True)
class QKLayer:
    """One layer's M = W_q W_kᵀ, the columns of W_q, and the rms of W_q and W_k.

    `rank` is what no weights of these shapes exceed in M; `part` names the layer.
    """

    part: str
    stack: str
    layer: int
    form: OutputForm
    width: int
    rms: tuple[float, float]
    rank: int

    @property
    def balances(self) -> bool:
        """Whether Sylvester's law alone makes as many eigenvalues positive as negative."""
        return 2 * self.rank <= self.form.size

    @property
    def is_plain(self) -> bool:
        """Whether keys are neither shared nor thin, so that the null of plain weights is its."""
        return self.rank == min(self.form.size, self.width)

    @property
    def balance(self) -> float:
        return self.form.signs.positive_fraction


def by_layer(layers: Iterable[QKLayer]) -> Table:
    """Ranks, asymmetry, signs and the five largest eigenvalues of every layer."""
    columns = (
        *("shape", "stable rank", "participation ratio", "asymmetry", "positive", "negative"),
        *("zero", "positive fraction", "z-score", *(f"eigenvalue {i}" for i in range(1, 6))),
    )
    return table(
        "QK by layer",
        columns,
        {layer.part: _cells(layer.form) for layer in layers},
        "M = W_q W_kᵀ; asymmetry ‖M − Mᵀ‖/‖M‖; eigenvalues of sym(M), counted by sign; z-score of"
        " the positive fraction against random square weights",
    )


def trend(layers: Iterable[QKLayer]) -> Table:
    """How the manifold changes from the first layer of each stack to its last."""
    rows: dict[str, tuple[float, ...]] = {}
    for stack, members in _stacks(layers).items():
        first, last = members[0].form, members[-1].form
        noise = math.hypot(0.75 / first.size, 0.75 / last.size)
        change = last.signs.positive_fraction - first.signs.positive_fraction
        rows[stack] = (
            first.signs.positive_fraction,
            last.signs.positive_fraction,
            change,
            change / noise if len(members) > 1 else 0.0,
            last.stable_rank - first.stable_rank,
            last.symmetry_deviation - first.symmetry_deviation,
        )
    columns = (
        *("first", "last", "change", "z-score of the change"),
        *("change of stable rank", "change of asymmetry"),
    )
    meaning = "positive fraction of the first and the last layer; z-score against random weights"
    return table("QK trend", columns, rows, meaning)


def fractions(layers: Sequence[QKLayer]) -> Figure:
    """The positive fraction over the layers of each stack, with where random weights lie."""
    stacks = _stacks(layers)
    places = sorted({layer.layer for layer in layers})
    null = controls.random_balance(min(layer.form.size for layer in layers))
    series = {}
    for stack, members in stacks.items():
        found = {layer.layer: rounded([layer.balance])[0] for layer in members}
        series[stack] = tuple(found.get(place) for place in places)
    return Figure(
        "QK positive fraction by layer",
        "lines",
        tuple(map(float, places)),
        series,
        levels={"random, 2.5 %": null.low, "random, 97.5 %": null.high},
        x_label="layer",
        y_label="positive fraction of eigenvalues",
    )


def eigenvalues(layers: Iterable[QKLayer]) -> Figure:
    """Sorted eigenvalues of sym(M) in the first, middle and last layer of each stack, each over the
    root mean square that random weights of its scale would show, beside theirs where keys are
    neither shared nor thin.
    """
    shares = torch.linspace(0, 1, 64, dtype=torch.float64)
    series, nulls = {}, {}
    for members in _stacks(layers).values():
        chosen = {0: members[0], len(members) // 2: members[len(members) // 2]}
        for layer in {**chosen, len(members) - 1: members[-1]}.values():
            size, width = layer.form.size, layer.width
            at_random = random_rms(size, width, *layer.rms)
            scale = at_random if at_random > 0 else 1.0
            kept = [value / scale for value in layer.form.descending]
            series[layer.part] = _at(shares, size, kept)
            if layer.is_plain:
                null = random_descending(size, width)
                nulls[f"random {size} × {width}"] = _at(shares, size, null)
    return Figure(
        "QK eigenvalues",
        "lines",
        rounded(shares),
        {**series, **nulls},
        x_label="share of eigenvalues that are larger",
        y_label="eigenvalue of sym(M) / rms at random",
    )


def _at(shares: torch.Tensor, size: int, kept: Sequence[float]) -> tuple[float, ...]:
    """Values kept at even ranks, at these shares of the ranks, by interpolation."""
    if size == 1:
        return rounded(list(kept) * len(shares))
    own = torch.tensor(even_ranks(size), dtype=torch.float64) / (size - 1)
    values = torch.tensor(kept, dtype=torch.float64)
    right = torch.searchsorted(own, shares).clamp(1, len(own) - 1)
    low, high = own[right - 1], own[right]
    weight = (shares - low) / (high - low)
    return rounded(torch.lerp(values[right - 1], values[right], weight))


def _cells(form: OutputForm) -> tuple[float | str | None, ...]:
    signs = form.signs
    top = (*signs.top, *[None] * (5 - len(signs.top)))
    return (
        f"{form.size} × {form.size}",
        form.stable_rank,
        form.participation_ratio,
        form.symmetry_deviation,
        *(signs.positive, signs.negative, signs.zero),
        signs.positive_fraction,
        form.z_score,
        *top,
    )


def _stacks(layers: Iterable[QKLayer]) -> Mapping[str, list[QKLayer]]:
    found: dict[str, list[QKLayer]] = {}
    for layer in layers:
        found.setdefault(layer.stack, []).append(layer)
    return found

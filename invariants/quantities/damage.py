"""What the values of single tensors show of damage, beside their like in other layers (SPEC K1)."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from geometric_invariants.fixtures.architecture.naming import pattern
from geometric_invariants.fixtures.errors import CheckpointError
from geometric_invariants.fixtures.model import Model
from geometric_invariants.fixtures.survey_marks import MarksRow
from geometric_invariants.geometry.estimate import exact
from geometric_invariants.geometry.tensor_marks import Runs, TensorMarks
from geometric_invariants.invariants.finding import Finding
from geometric_invariants.invariants.quantities.completeness import listed
from geometric_invariants.invariants.quantities.depth import jump

_FEWEST, _RARE = 4, 4  # like tensors, and of how many of them one may stand out
_FEWEST_WORDS = 3  # rows of zeros among a table's words
_FEWEST_ENTRIES = 16  # of a vector whose numbers may be expected to differ
_READERS = ("attn_q", "attn_k", "attn_v", "mlp_up", "mlp_gate")
_MATRICES = (*_READERS, "attn_o", "mlp_down")
_TABLES = ("embedding", "head")
_SPECIAL = re.compile(r"<.*>|\[.*\]|.*(unused|reserved|extra|pad|special|dummy).*", re.I | re.S)
_WORD = re.compile(r"(▁|Ġ|##)?[^\W\d_]{3,}")
_GAPS: dict[str, float] = {  # of the rows' largest magnitudes; of others, biases too, 64
    **dict.fromkeys((*_READERS, "layernorm"), 16.0),
    **dict.fromkeys((*_TABLES, "attn_o"), 32.0),
}
_GAP = 64.0
_LARGEST_CODES = 448.0, 57344.0  # of float8_e4m3fn and float8_e5m2
_MANY_AT_LARGEST, _FEWEST_ROWS = 0.1, 64
_FEW_VALUES, _LEAST_VALUES = 16, 3
_FINE, _WIDE = 1 / 2, 512  # numbers over entries, and entries
_UNIFORM = 0.5, 0.62  # flatness: Gaussian 0.2 – 0.4


def blank_weights(model: Model) -> Finding:
    """How many tensors, pages of 4 KiB and rows of words are exactly zero, and are not meant so.

    Like are tensors of one name but for numbers, four or more, of which at most a quarter is blank:
    what is zero in most layers is meant so, but for a role that reads the hidden states. Rows of
    the token table are judged where the tokenizer says which of them stand for words.
    """
    blanks = list(_blanks(model))
    return Finding(
        estimate=exact(len(blanks), "exact zeros"),
        design="tensors, pages of 4 KiB, rows of words",
        where=listed(blanks),
    )


def damaged_weights(model: Model) -> Finding:
    """How many signs of damage single tensors show: constants, outliers, codes, lost scales.

    Some of them no sound tensor shows, others none that four or more like tensors do not share.
    """
    found = list(_damage(model))
    return Finding(
        estimate=exact(len(found), "marks of every tensor"),
        design="tensors and rows",
        where=listed(found),
    )


@dataclass(frozen=True, slots=True)
class _Like:
    """Tensors of one name but for numbers, of one shape and one role."""

    rows: list[MarksRow]

    def standing_out(
        self, test: Callable[[MarksRow], bool], milder: Callable[[MarksRow], bool] | None = None
    ) -> list[MarksRow]:
        """Those that a test is true of, where they and those of a milder one are few of many."""
        if len(self.rows) < _FEWEST:
            return []
        several = sum(map(milder or test, self.rows))
        return [row for row in self.rows if test(row)] if several * _RARE <= len(self.rows) else []


def _alike(rows: Iterable[MarksRow]) -> list[_Like]:
    groups: dict[Hashable, list[MarksRow]] = defaultdict(list)
    for row in rows:
        roles = tuple((weight.role, weight.stack) for weight in row.weights)
        groups[pattern(row.tensor), row.marks.rows, row.marks.columns, roles].append(row)
    return [_Like(group) for group in groups.values()]


def _blanks(model: Model) -> Iterator[str]:
    for like in _alike(model.reading.marks):
        whole = like.standing_out(lambda row: row.marks.is_zero)
        yield from (f"{row.label} is zero" for row in whole)
        for row in like.standing_out(lambda row: bool(row.blank) and not row.marks.is_zero):
            yield from (f"{weight.label} in {row.tensor} is zero" for weight in row.blank)
        for row in like.standing_out(lambda row: bool(row.marks.zero_spans)):
            if row not in whole:
                yield from (f"{_place(row, span)} are zero" for span in row.marks.zero_spans)
    yield from _blank_roles(model)
    yield from _blank_words(model)


def _place(row: MarksRow, span: tuple[int, int]) -> str:
    """Where entries lie, by whole rows where they fill them."""
    columns = row.marks.columns
    first, last = -(-span[0] // columns), span[1] // columns - 1
    stored = "stored " if any(weight.cut.transposed for weight in row.weights) else ""
    if first <= last:
        return f"{stored}rows {first} – {last} of {row.label}"
    start, stop = divmod(span[0], columns), divmod(span[1] - 1, columns)
    return f"{stored}entries {[*start]} – {[*stop]} of {row.label}"


def _blank_roles(model: Model) -> Iterator[str]:
    """Roles that read the hidden states and are zero in every layer, which nobody means."""
    blank: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in model.reading.marks:
        for weight in row.weights:
            if weight.role.endswith(_READERS) and weight.layer is not None:
                blank[weight.stack, weight.role].append(weight in row.blank)
    for (stack, role), of_layers in blank.items():
        if len(of_layers) > 1 and all(of_layers):
            yield f"{stack} {role} is zero in all {len(of_layers)} layers"


def _blank_words(model: Model) -> Iterator[str]:
    table = _table(model)
    if table is None or not table.marks.zero_rows:
        return
    spelled = _spelled(model)
    words = [r for r in _each(table.marks.zero_rows) if _WORD.fullmatch(spelled.get(r, ""))]
    if len(words) >= _FEWEST_WORDS:
        yield f"rows of {len(words)} words, {words[0]} – {words[-1]}, of {table.label} are zero"


def _table(model: Model) -> MarksRow | None:
    """The marks of the token table, by rows as they are stored."""
    weight = model.layout.token_embedding
    rows = (row for row in model.reading.marks if weight is not None and row.weight == weight)
    found = next(rows, None)
    return None if found is None or found.weights[0].cut.transposed else found


def _spelled(model: Model) -> dict[int, str]:
    """Tokens by row, but special and unused ones; none where no tokenizer can be read."""
    try:
        words = model.vocabulary
    except CheckpointError:
        words = None
    tokens = {} if words is None else words.tokens
    return {row: token for token, row in tokens.items() if not _SPECIAL.fullmatch(token)}


def _each(runs: Runs) -> Iterator[int]:
    return (row for first, last in runs for row in range(first, last + 1))


def _damage(model: Model) -> Iterator[str]:
    table, rows = _table(model), model.reading.marks
    for row in rows:
        if _is_matrix(row) or _is_table(row):
            yield from (f"{row.label} {fault}" for fault in _of_one(row.marks))
        if row is table:
            spelled = _spelled(model)
            rows_of = (r for r in _each(row.marks.constant_rows) if r in spelled)
            yield from (f"row {r} of {row.label} is constant" for r in islice(rows_of, _FEWEST))
        elif _is_matrix(row) and not row.marks.is_constant:
            for first, last in row.marks.constant_rows:
                place = f"row {first}" if first == last else f"rows {first} – {last}"
                yield f"{place} of {row.label} {'is' if first == last else 'are'} constant"
        yield from _outliers(row)
    for like in _alike(rows):
        yield from _beside(like)


def _is_matrix(row: MarksRow) -> bool:
    return bool(row.weights) and all(
        weight.role.endswith(_MATRICES) and weight.layer is not None for weight in row.weights
    )


def _is_table(row: MarksRow) -> bool:
    return row.weight is not None and row.weight.role in _TABLES


def _of_one(marks: TensorMarks) -> Iterator[str]:
    """What no sound matrix shows, whatever its like do."""
    if marks.codes:
        yield f"holds codes ({marks.codes}) that were never scaled (up to {marks.largest:g})"
    elif marks.largest in _LARGEST_CODES:
        yield f"reaches exactly {marks.largest:g}, a code that was never scaled"
    if marks.spelled >= _WIDE and _LEAST_VALUES < marks.distinct <= _FEW_VALUES:
        yield _numbers_said(marks)
    if _is_clipped(marks):
        yield f"reaches just {marks.largest:.3g} in {marks.at_largest:.0%} of its rows"


def _outliers(row: MarksRow) -> Iterator[str]:
    """Rows, of a vector entries, that are far larger than all others."""
    marks = row.marks
    role = "" if row.weight is None else row.weight.role.removeprefix("self_")
    limit = _GAPS.get(role.removeprefix("cross_"), _GAP)
    judged = _is_matrix(row) or _is_table(row) or marks.columns == 1
    if judged and marks.gap > limit:
        places = ", ".join(map(str, marks.outliers[:_FEWEST]))
        what = "entry" if marks.columns == 1 else "row"
        yield (
            f"{what} {places} of {row.label} up to {marks.largest:.3g}, "
            f"{marks.gap:.3g} times all others"
        )


def _beside(like: _Like) -> Iterator[str]:
    """What stands out among like tensors."""
    if like.rows[0].marks.columns == 1:
        if like.rows[0].marks.rows >= _FEWEST_ENTRIES:
            found = like.standing_out(lambda row: row.marks.is_constant and not row.marks.is_zero)
            yield from (f"{row.label} is constant, {row.marks.largest:g}" for row in found)
        return
    if not all(_is_matrix(row) for row in like.rows):
        return
    yield from _off_course(like)
    usual = statistics.median(row.marks.typical for row in like.rows)
    for unlike in (*_UNLIKE, _scale(usual)):
        for row in like.standing_out(unlike.is_strong, unlike.is_mild):
            yield f"{row.label} {unlike.said(row.marks)}"


def _off_course(like: _Like) -> Iterator[str]:
    """The matrix whose scale is off the course that the layers' scales take."""
    by_layer = {row.weights[0].layer: row for row in like.rows if row.weight is not None}
    scales = {layer: row.marks.typical for layer, row in by_layer.items() if layer is not None}
    odd = jump(scales) if len(scales) == len(like.rows) else None
    if odd is not None:
        row = by_layer[odd]
        yield f"{row.label} has rows up to {row.marks.typical:.3g}, off the course of its like"


@dataclass(frozen=True, slots=True)
class _Unlike:
    """A number that is over `limit` in few matrices, while most of their like are under `mild`."""

    of: Callable[[TensorMarks], float]
    limit: float
    mild: float
    said: Callable[[TensorMarks], str]

    def is_strong(self, row: MarksRow) -> bool:
        return not row.marks.is_zero and self.of(row.marks) > self.limit

    def is_mild(self, row: MarksRow) -> bool:
        return self.of(row.marks) > self.mild


def _is_clipped(marks: TensorMarks) -> bool:
    """Whether many rows reach one number, though numbers are finely told apart.

    Entries that are drawn uniformly reach their bound, by rounding.
    """
    fine, (low, high) = marks.distinct > _FINE * marks.spelled, _UNIFORM
    many = marks.rows >= _FEWEST_ROWS and marks.at_largest >= _MANY_AT_LARGEST
    return fine and many and not low < marks.flatness < high


def _numbers_said(marks: TensorMarks) -> str:
    return f"holds {marks.distinct} different numbers in {marks.spelled}"


def _coarseness(marks: TensorMarks) -> float:
    """Entries for each different number."""
    return marks.spelled / marks.distinct if marks.spelled >= _WIDE else 0.0


def _scale(usual: float) -> _Unlike:
    def factor(marks: TensorMarks) -> float:
        low, high = sorted((marks.typical, usual))
        return high / low if low > 0 else 0.0

    said = f"its like {usual:.3g}"
    return _Unlike(factor, 16.0, 4.0, lambda m: f"has rows up to {m.typical:.3g}, {said}")


_UNLIKE = (
    _Unlike(
        lambda m: 0.0 if m.zero_spans else m.zeros, 0.05, 0.01, lambda m: f"has {m.zeros:.0%} zeros"
    ),
    _Unlike(_coarseness, 16.0, 6.0, _numbers_said),
    _Unlike(
        lambda m: m.flatness,
        _UNIFORM[1],
        _UNIFORM[0],
        lambda m: f"has magnitudes all alike, {m.flatness:.2f} of the largest",
    ),
)

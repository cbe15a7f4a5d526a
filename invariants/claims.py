"""The claims as data: claims.toml, read and checked."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from geometric_invariants.reports.results import Tolerance

CLAIMS = Path(__file__).with_name("claims.toml")
Band = tuple[float, float]


class ClaimsError(Exception):
    """The claims file cannot be used; the message names file, claim and cause."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed constant, or a quantity that is only measured (`band` None, stated for nobody).

    `stated` maps the models that the source states the number for to the band it states;
    `everywhere` states `band` for every model the quantity applies to; `band_reason` says where the
    band's edges come from. `of` "every part" judges the worst part (layer, seed) instead of the
    whole. `random` False marks a count that random weights of the architecture cannot change.
    `within` are the bounds that no value can lie beyond: a share's 0 and 1. `is_check` marks a
    claim of the quick tier (SPEC §10), which one reading of the tensors serves.
    """

    id: str
    version: int
    title: str
    statement: str
    source: str
    tolerance: Tolerance
    band: Band | None = None
    band_reason: str = ""
    of: Literal["value", "every part"] = "value"
    random: bool = True
    everywhere: bool = False
    stated: Mapping[str, Band] = field(default_factory=dict)
    within: Band = (-math.inf, math.inf)
    is_check: bool = False

    def band_for(self, model: str) -> Band | None:
        """The band to hold this model's value against."""
        return self.stated.get(model, self.band)

    def asserted_for(self, model: str, *, universal: bool) -> bool:
        """Whether a value outside the band fails the run."""
        return self.band_for(model) is not None and (
            universal or self.everywhere or model in self.stated
        )


def load_claims(file: Path = CLAIMS) -> dict[str, Claim]:
    """All claims by id, in the file's order. Raises ClaimsError naming file, claim and cause."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimsError(f"{file}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ClaimsError(f"{file}: not valid TOML ({error})") from error
    if not content:
        raise ClaimsError(f"{file}: holds no claims")
    return {name: _claim(name, table, file) for name, table in content.items()}


def only(claims: dict[str, Claim], part: str | None) -> dict[str, Claim]:
    """The claims that `--only` names: those of the quick tier for `checks`, all for None."""
    return {name: claim for name, claim in claims.items() if part is None or claim.is_check}


_REQUIRED = {"version": int, "title": str, "statement": str, "source": str, "tolerance": dict}
_OPTIONAL = {
    "band": list,
    "band_reason": str,
    "within": list,
    "of": str,
    "random": bool,
    "everywhere": bool,
    "check": bool,
    "stated": dict,
}


def _claim(name: str, table: Any, file: Path) -> Claim:
    where = f"{file}: [{name}]"
    if not isinstance(table, dict):
        raise ClaimsError(f"{where}: must be a table")
    for key, kind in _REQUIRED.items():
        if not isinstance(table.get(key), kind):
            raise ClaimsError(f"{where}: needs {key}, a {kind.__name__}")
    for key, value in table.items():
        if not isinstance(value, (_REQUIRED | _OPTIONAL).get(key, ())):
            raise ClaimsError(f"{where}: {key} = {value!r} is not understood")
    if table.get("of", "value") not in ("value", "every part"):
        raise ClaimsError(f'{where}: of is "value" or "every part", not {table["of"]!r}')
    fields = table | _bands(table, where) | {"tolerance": _tolerance(table["tolerance"], where)}
    return Claim(id=name, is_check=fields.pop("check", False), **fields)


def _tolerance(table: dict[str, Any], where: str) -> Tolerance:
    try:
        tolerance = Tolerance(**table)
    except TypeError as error:
        raise ClaimsError(f"{where}: tolerance {table} ({error})") from error
    if not tolerance.reason:
        raise ClaimsError(f"{where}: a tolerance needs its reason")
    return tolerance


def _bands(table: dict[str, Any], where: str) -> dict[str, Any]:
    """`band`, `within` and `stated` as pairs of numbers."""
    stated = table.get("stated", {})
    if table.get("everywhere") and "band" not in table:
        raise ClaimsError(f"{where}: everywhere = true needs a band")
    if ("band" in table or stated) and not table.get("band_reason"):
        raise ClaimsError(f"{where}: a band needs its band_reason")
    return {
        "band": _band(table["band"], where) if "band" in table else None,
        "within": _band(table.get("within", [-math.inf, math.inf]), where),
        "stated": {model: _band(band, where) for model, band in stated.items()},
    }


def _band(value: Any, where: str) -> Band:
    match value:
        case [int() | float() as low, int() | float() as high] if low <= high:
            if not math.isnan(low) and not math.isnan(high):
                return float(low), float(high)
    raise ClaimsError(f"{where}: a band is [low, high], not {value!r}")

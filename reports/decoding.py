"""From JSON to frozen dataclasses, strictly: every value has its field's type and is a number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

LARGEST = 1e300  # beyond it the difference of two numbers overflows
_LARGEST_WHOLE = 1 << 63
_EXPECTED = {
    bool: "true or false",
    int: "a whole number of 64 bits",
    float: f"a number within ±{LARGEST:g}",
    str: "Unicode text",
}
T = TypeVar("T")


def is_number(x: float) -> bool:
    """Whether x is finite and can be set against others: |x| ≤ 1e300."""
    return abs(x) <= LARGEST  # False for NaN


def decode(kind: type[T], content: object, where: str = "") -> T:
    """What JSON gave, as a dataclass of type `kind`.

    Raises ValueError naming the place below `where`, what is expected there and what stands there.
    """
    if not isinstance(content, dict):
        raise _malformed(where or kind.__name__, "an object", content)
    schema: Any = kind  # to mypy a type[T] is not hashable
    hints = _hints(schema)
    for name in content:
        if name not in hints:
            raise ValueError(f"{_at(where, name)} is not a field")
    for name in _required(schema):
        if name not in content:
            raise ValueError(f"{_at(where, name)} is missing")
    fields = {name: _value(hints[name], value, _at(where, name)) for name, value in content.items()}
    try:
        return kind(**fields)
    except ValueError as error:
        raise ValueError(f"{where or kind.__name__}: {error}") from error


def _value(hint: Any, content: object, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _EXPECTED:
        return _plain(hint, content, where)
    if origin is Literal:
        return _one_of(arguments, content, where)
    if origin in (Union, UnionType):
        return _alternative(arguments, content, where)
    if origin is tuple:
        return _tuple(arguments, content, where)
    if origin is Mapping:
        return _mapping(arguments[1], content, where)
    return decode(hint, content, where)


def _plain(kind: type, content: object, where: str) -> Any:
    match content:
        case bool():
            if kind is bool:
                return content
        case int() | float() if kind is float and is_number(content):
            return float(content)
        case int() if kind is int and abs(content) < _LARGEST_WHOLE:
            return content
        case str() if kind is str and not any("\ud800" <= c <= "\udfff" for c in content):
            return content
    raise _malformed(where, _EXPECTED[kind], content)


def _one_of(choices: tuple[object, ...], content: object, where: str) -> object:
    if content not in choices:
        raise _malformed(where, f"one of {', '.join(map(str, choices))}", content)
    return content


def _alternative(hints: tuple[Any, ...], content: object, where: str) -> Any:
    """None where that is allowed, text where that is; else the first alternative."""
    if content is None and NoneType in hints:
        return None
    is_text = isinstance(content, str) and str in hints
    return _value(str if is_text else hints[0], content, where)


def _tuple(hints: tuple[Any, ...], content: object, where: str) -> tuple[Any, ...]:
    if not isinstance(content, list | tuple):
        raise _malformed(where, "a list", content)
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(content)
    if len(hints) != len(content):
        raise ValueError(f"{where} must hold {len(hints)} values, not {len(content)}")
    items = enumerate(zip(hints, content, strict=True))
    return tuple(_value(hint, item, f"{where}[{index}]") for index, (hint, item) in items)


def _mapping(hint: Any, content: object, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise _malformed(where, "an object", content)
    return {
        _plain(str, name, where): _value(hint, value, _at(where, name))
        for name, value in content.items()
    }


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


@cache
def _required(kind: Any) -> tuple[str, ...]:
    absent = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    return tuple(f.name for f in fields if f.default is absent and f.default_factory is absent)


def _malformed(where: str, expected: str, content: object) -> ValueError:
    return ValueError(f"{where} must be {expected}, not {_shown(content)}")


def _at(where: str, name: object) -> str:
    return f"{where}.{_short(str(name))}" if where else _short(str(name))


def _shown(content: object) -> str:
    match content:
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
    return _short(repr(content))


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"

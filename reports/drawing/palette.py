"""Which class, and so which colour, a series is drawn in: one role, one colour on the whole page.

The classes' colours stand in the page's style sheet: s0 – s7 for what is measured, c0 – c3 for
controls, which share the soft colour and differ in their dashes.
"""

from __future__ import annotations

from collections.abc import Iterable

_CONTROLS = (
    "random",
    "null",
    "shuffled",
    "gaussian",
    "initialisation",
    "permuted",
    "normal",
    "dealt",
)
_ROLES = {"encoder": 0, "static": 1, "decoder": 2, "original": 3, "trained": 4, "procrustes": 5}
_COLOURS, _DASHES = 8, 4


def is_control(name: str) -> bool:
    """Whether a series shows what weights without training would."""
    return any(word in name.lower() for word in _CONTROLS)


def classes(names: Iterable[str]) -> dict[str, str]:
    """A class for each series: by its role where it has a known one, else the first that is free.

    A class comes twice only where there are more series than classes.
    """
    named = list(dict.fromkeys(names))
    controls = [name for name in named if is_control(name)]
    found = {name: f"c{index % _DASHES}" for index, name in enumerate(controls)}
    others = [name for name in named if name not in found]
    taken: dict[int, str] = {}
    for name in others:
        role = next((place for word, place in _ROLES.items() if word in name.lower()), None)
        if role is not None and role not in taken:
            taken[role] = name
    free = [place for place in range(_COLOURS) if place not in taken]
    rest = [name for name in others if name not in taken.values()]
    found |= {name: f"s{place}" for place, name in taken.items()}
    circle = free or list(range(_COLOURS))
    found |= {name: f"s{circle[i % len(circle)]}" for i, name in enumerate(rest)}
    return {name: found[name] for name in named}

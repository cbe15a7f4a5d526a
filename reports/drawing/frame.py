"""The plot's rectangle: where numbers lie in it, and how they are written into paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from geometric_invariants.reports.drawing.scales import Scale

WIDTH = 360
HEIGHT = 168
EDGE = 8
LINE = 13
_CHARACTER = 6.4


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle in px, y downwards, and the scales along its sides."""

    x: Scale
    y: Scale
    left: float
    right: float
    top: float
    bottom: float

    def across(self, value: float) -> float | None:
        """The px from the left of a value on x; None where it has no place."""
        share = self.x.share(value)
        return None if share is None else self.left + share * (self.right - self.left)

    def down(self, value: float) -> float | None:
        """The px from the top of a value on y; None where it has no place."""
        share = self.y.share(value)
        return None if share is None else self.bottom - share * (self.bottom - self.top)

    def floor(self) -> float:
        """The px from the top of zero where the axis holds it, else of the axis's low end."""
        zero = self.down(0.0)
        return self.bottom if zero is None else min(self.bottom, max(self.top, zero))


def px(number: float) -> str:
    """A coordinate with at most one decimal."""
    shown = f"{number:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def width(text: str) -> float:
    """About how many px a text of the drawings' size takes."""
    return _CHARACTER * len(text)


def shortened(text: str, most: float) -> str:
    """A text of at most `most` px, its middle left out where it is longer."""
    count = max(3, int(most / _CHARACTER))
    if len(text) <= count:
        return text
    head = count // 2
    return f"{text[:head]}…{text[len(text) - (count - head - 1) :]}"


def path(style: str, pieces: Iterable[str]) -> str:
    """One path of a class; nothing where there is nothing to draw."""
    drawn = "".join(pieces)
    return f'<path class="{style}" d="{drawn}"/>' if drawn else ""


def text(style: str, x: float, y: float, content: str, *, turned: bool = False) -> str:
    """A text at a place, escaped; `turned` it rises from the lower left to end there."""
    at = f'x="{px(x)}" y="{px(y)}"'
    if turned:
        at = f'transform="translate({px(x)} {px(y)})rotate(-45)"'
    return f'<text class="{style}" {at}>{escape(content)}</text>'

"""The stepped colours of a heat map, and the scale that numbers them."""

from __future__ import annotations

from dataclasses import dataclass

from geometric_invariants.reports.drawing.axes import fitting
from geometric_invariants.reports.drawing.frame import EDGE, LINE, WIDTH, Frame, path, px, text
from geometric_invariants.reports.drawing.scales import Range, Scale, is_flat

STEPS = 12
_THICK = 9.0


@dataclass(frozen=True, slots=True)
class Colours:
    """Steps of colour: away from zero both ways where values have both signs, else upwards."""

    low: float
    high: float

    @property
    def diverges(self) -> bool:
        return self.low < 0 < self.high

    @property
    def largest(self) -> float:
        return max(abs(self.low), abs(self.high))

    def step(self, value: float) -> int:
        """− STEPS … STEPS; 0 is the ground, and all there is where all values are equal."""
        if is_flat(self.low, self.high):
            return 0
        if self.diverges:
            return round(STEPS * (value / self.largest))
        return round(STEPS * ((value - self.low) / (self.high - self.low)))

    def value(self, step: int) -> float:
        """The middle of a step."""
        if self.diverges:
            return self.largest * (step / STEPS)
        return self.low + (self.high - self.low) * (step / STEPS)


def style(step: int | None) -> str:
    """The class of a step's cells; of gaps for None."""
    if step is None:
        return "gap"
    return f"h{step}" if step > 0 else f"n{-step}"


def legend(colours: Colours, left: float) -> list[str]:
    """Every step as a field, and the numbers that they stand for under it."""
    top = float(EDGE) / 2
    if is_flat(colours.low, colours.high):
        return [text("tt", left, top + 10, f"all {colours.low:.6g}")]
    steps = range(colours.step(colours.low), colours.step(colours.high) + 1)
    ends: Range = (colours.value(steps[0]), colours.value(steps[-1]))
    room, foot = WIDTH - 2 * EDGE - left, top + _THICK
    half, wide = (ends[1] - ends[0]) / (len(steps) - 1) / 2, room / len(steps)
    whole = Scale(ends[0] - half, ends[1] + half)
    frame = Frame(whole, Scale(0, 1), left, left + room, top, foot)
    ticks = fitting(Scale(*ends), room)
    places = [(frame.across(tick.value) or 0.0, tick.label) for tick in ticks]
    fields = (path(style(step), [f"M{i} 0h1"]) for i, step in enumerate(steps) if step)
    matrix = f"matrix({wide:.3f} 0 0 {px(_THICK)} {px(left)} {px(top + _THICK / 2)})"
    outline = f"M{px(left)} {px(top)}h{px(room)}V{px(foot)}H{px(left)}z"
    return [
        f'<g class="h" transform="{matrix}">{"".join(fields)}</g>',
        path("axis", [outline, *(f"M{px(x)} {px(foot)}v3" for x, _ in places)]),
        *(text("tx", x, foot + LINE + 2, label) for x, label in places),
    ]

"""Small SVG drawings for the page: intervals against bands and controls, values by part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from reports.results import Measurement, Value

_WIDTH, _ROW, _LABEL, _PAD = 640, 22, 190, 10


def interval(measurement: Measurement) -> str:
    """The value and its controls as points with 95 % intervals, over the shaded band."""
    if measurement.value is None:
        return ""
    rows = [("measured", measurement.value, "value")]
    rows += [(control.name, control.value, "control") for control in measurement.controls]
    if measurement.twin is not None:
        rows.append(("random twins", measurement.twin, "control"))
    scale = _Scale.over(
        [edge for _, v, _ in rows for edge in (v.low, v.value, v.high)]
        + [edge for edge in measurement.band or () if edge is not None]
    )
    height = _ROW * len(rows) + 24
    parts = [_open(height, f"{measurement.title}: value, band and controls")]
    if measurement.band is not None:
        low, high = measurement.band
        left = scale.x(low) if low is not None else _LABEL
        right = scale.x(high) if high is not None else _WIDTH - _PAD
        parts.append(
            f'<rect class="band" x="{left:.1f}" y="2" width="{max(right - left, 1.5):.1f}"'
            f' height="{_ROW * len(rows)}"/>'
        )
    for index, (name, value, kind) in enumerate(rows):
        parts.append(_whisker(name, value, kind, index, scale))
    parts += scale.axis(_ROW * len(rows) + 6)
    return "".join(parts) + "</svg>"


def strip(parts: Mapping[str, float]) -> str:
    """Values by part, in order, as a bar each, from zero or from the smallest if far from it."""
    values = list(parts.values())
    if len(values) < 2:
        return ""
    scale_low, scale_high = min(0.0, *values), max(0.0, *values)
    if scale_high == scale_low:
        return ""
    height, usable = 64, 60
    step = min(14.0, (_WIDTH - 2 * _PAD) / len(values))
    zero = usable * scale_high / (scale_high - scale_low) + 2
    drawn = [_open(height, "values by part")]
    for index, (name, value) in enumerate(parts.items()):
        tall = usable * abs(value) / (scale_high - scale_low)
        top = zero - tall if value >= 0 else zero
        drawn.append(
            f'<rect class="bar" x="{_PAD + index * step:.1f}" y="{top:.1f}"'
            f' width="{step * 0.8:.1f}" height="{max(tall, 0.5):.1f}">'
            f"<title>{escape(name)}: {value:.6g}</title></rect>"
        )
    drawn.append(f'<line class="axis" x1="{_PAD}" x2="{_WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    return "".join(drawn) + "</svg>"


class _Scale:
    """Numbers to horizontal positions, with round ticks."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    @classmethod
    def over(cls, numbers: Sequence[float]) -> _Scale:
        low, high = min(numbers), max(numbers)
        margin = 0.06 * (high - low) or max(abs(high) * 0.05, 1e-6)
        return cls(low - margin, high + margin)

    def x(self, number: float) -> float:
        share = (number - self.low) / (self.high - self.low)
        return _LABEL + share * (_WIDTH - _LABEL - _PAD)

    def axis(self, y: float) -> list[str]:
        step = 10 ** math.floor(math.log10(self.high - self.low))
        while (self.high - self.low) / step < 4:
            step /= 2
        lines = []
        tick = math.ceil(self.low / step) * step
        while tick <= self.high:
            label = f"{0.0 if abs(tick) < step / 1e6 else tick:.4g}"
            lines.append(
                f'<line class="axis" x1="{self.x(tick):.1f}" x2="{self.x(tick):.1f}"'
                f' y1="{y - 4}" y2="{y}"/>'
                f'<text class="tick" x="{self.x(tick):.1f}" y="{y + 12}">{label}</text>'
            )
            tick += step
        return lines


def _whisker(name: str, value: Value, kind: str, index: int, scale: _Scale) -> str:
    y = _ROW * index + _ROW / 2 + 2
    return (
        f'<text class="name" x="0" y="{y + 4:.1f}">{escape(name)}</text>'
        f'<line class="{kind}" x1="{scale.x(value.low):.1f}" x2="{scale.x(value.high):.1f}"'
        f' y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<circle class="{kind}" cx="{scale.x(value.value):.1f}" cy="{y:.1f}" r="4">'
        f"<title>{escape(name)}: {value.value:.6g} [{value.low:.6g}, {value.high:.6g}]</title>"
        "</circle>"
    )


def _open(height: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" height="{height:g}" role="img"'
        f' aria-label="{escape(label, quote=True)}">'
    )

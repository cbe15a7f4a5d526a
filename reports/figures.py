"""Small SVG drawings for the page: intervals against bands and controls, values by part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from reports.exhibits import Figure
from reports.results import Measurement, Value

_WIDTH, _ROW, _LABEL, _PAD = 640, 22, 190, 10


def interval(measurement: Measurement) -> str:
    """The value and its controls as points with 95 % intervals, over the shaded band."""
    if measurement.value is None:
        return ""
    rows = [("measured", measurement.value, "value")]
    rows += [(control.name, control.value, "control") for control in measurement.controls]
    if measurement.random is not None and measurement.random not in measurement.controls:
        rows.append((measurement.random.name, measurement.random.value, "control"))
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


def figure(drawn: Figure) -> str:
    """Lines over numbers or labels, or a heat map whose rows are the series."""
    return _heatmap(drawn) if drawn.kind == "heatmap" else _lines(drawn)


def _lines(drawn: Figure) -> str:
    x = [float(v) if isinstance(v, (int, float)) else i for i, v in enumerate(drawn.x)]
    shown = [v for values in drawn.series.values() for v in values if v is not None]
    for name, spread in drawn.spread.items():
        middle = [v for v in drawn.series[name] if v is not None]
        shown += [a + b for a, b in zip(middle, spread, strict=False)]
        shown += [a - b for a, b in zip(middle, spread, strict=False)]
    if not shown or not x:
        return ""
    scale = _Scale.over([*x, *drawn.marks.values()])
    low, high = min(shown), max(shown)
    span = (high - low) or max(abs(high), 1e-6)
    plot, top = 150, 24 + 16 * len(drawn.series)

    def y(value: float) -> float:
        return top + plot * (1 - (value - low) / span)

    parts = [_open(top + plot + 26, drawn.title), _heading(drawn.title)]
    for name, place in drawn.marks.items():
        at = f"{scale.x(place):.1f}"
        parts.append(
            f'<line class="mark" x1="{at}" x2="{at}" y1="{top}" y2="{top + plot}">'
            f"<title>{escape(name)}: {place:.6g}</title></line>"
        )
    for index, (name, values) in enumerate(drawn.series.items()):
        points = [(scale.x(a), y(b), b) for a, b in zip(x, values, strict=False) if b is not None]
        style = f"s{index % 6}"
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b, _ in points)
        parts.append(f'<polyline class="{style}" points="{line}"/>')
        parts += [
            f'<line class="{style}" x1="{a:.1f}" x2="{a:.1f}"'
            f' y1="{y(value - half):.1f}" y2="{y(value + half):.1f}"/>'
            for (a, _, value), half in zip(points, drawn.spread.get(name, ()), strict=False)
        ]
        parts += [
            f'<circle class="dot {style}" cx="{a:.1f}" cy="{b:.1f}" r="3">'
            f"<title>{escape(name)}: {value:.6g}</title></circle>"
            for a, b, value in points
        ]
        legend = 30 + 16 * index
        parts.append(
            f'<line class="{style}" x1="{_LABEL}" x2="{_LABEL + 18}" y1="{legend}" y2="{legend}"/>'
            f'<text x="{_LABEL + 24}" y="{legend + 4}">{escape(name)}</text>'
        )
    parts += [
        f'<text x="0" y="{y(edge) + 4:.1f}">{edge:.4g}</text>'
        for edge in dict.fromkeys((high, low))
    ]
    parts += _labelled(drawn, scale, x, top + plot + 8)
    return "".join(parts) + "</svg>"


def _labelled(drawn: Figure, scale: _Scale, x: list[float], y: float) -> list[str]:
    if all(isinstance(v, (int, float)) for v in drawn.x):
        return scale.axis(y)
    return [
        f'<text class="tick" x="{scale.x(place):.1f}" y="{y + 8}">{escape(str(label))}</text>'
        for place, label in zip(x, drawn.x, strict=True)
    ]


def _heatmap(drawn: Figure) -> str:
    shown = [abs(v) for values in drawn.series.values() for v in values if v is not None]
    if not shown:
        return ""
    largest = max(shown) or 1.0
    wide = min(26.0, (_WIDTH - _LABEL - _PAD) / max(1, len(drawn.x)))
    tall = 18.0
    parts = [_open(30 + tall * len(drawn.series), drawn.title), _heading(drawn.title)]
    for row, (name, values) in enumerate(drawn.series.items()):
        top = 24 + tall * row
        parts.append(f'<text x="0" y="{top + 13:.1f}">{escape(name)}</text>')
        for column, (label, value) in enumerate(zip(drawn.x, values, strict=False)):
            if value is None:
                continue
            colour = "--measured" if value >= 0 else "--moved"
            parts.append(
                f'<rect class="cell" x="{_LABEL + column * wide:.1f}" y="{top:.1f}"'
                f' width="{wide:.1f}" height="{tall:.1f}"'
                f' style="fill: var({colour}); fill-opacity: {abs(value) / largest:.3f}">'
                f"<title>{escape(name)}, {escape(str(label))}: {value:.6g}</title></rect>"
            )
    return "".join(parts) + "</svg>"


def _heading(title: str) -> str:
    return f'<text x="0" y="14">{escape(title)}</text>'


class _Scale:
    """Numbers to horizontal positions, with round ticks."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    @classmethod
    def over(cls, numbers: Sequence[float]) -> _Scale:
        low, high = min(numbers), max(numbers)
        # Never so little that a tick's step is lost in the rounding of its place.
        margin = max(0.06 * (high - low), 1e-9 * max(abs(low), abs(high))) or 1e-6
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

"""The figures of a benchmark as a picture: SVG, which any browser shows and any editor changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from falconry.bench.measure import Measurement

# Okabe and Ito's colours, which people who confuse red and green can tell apart: https://jfly.uni-koeln.de/color/
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")
_WIDTH, _HEIGHT = 360, 220  # of one panel's axes, in pixels
_LEFT, _TOP, _GAP, _FOOT = 56, 40, 76, 44
_LINE = 20  # height of a line of the legend


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of the picture: titles of the three panels, and what stands below them."""

    together: str
    each: str
    first: str
    users: str


@dataclass(frozen=True, slots=True)
class Line:
    """One model, and what the legend says of it. `limit`: tokens a second that one user can get at most, if known."""

    legend: str
    measurements: Sequence[Measurement]
    limit: float | None


def draw(lines: Sequence[Line], texts: Texts) -> str:
    """An SVG document with three panels over the number of users: speed of all, of each, and the first token."""
    panels: list[tuple[str, Callable[[Measurement], float | None], bool]] = [
        (texts.together, lambda measured: measured.together, False),
        (texts.each, lambda measured: measured.speed, True),
        (texts.first, lambda measured: measured.first, False),
    ]
    users = sorted({measured.users for line in lines for measured in line.measurements})
    places = {count: _LEFT + _WIDTH * (index + 0.5) / len(users) for index, count in enumerate(users)}
    width = len(panels) * (_WIDTH + _GAP) + _LEFT - _GAP // 2
    height = _TOP + _HEIGHT + _FOOT + _LINE * len(lines)
    body = [
        _panel(title, value, lines, places, texts, shift=index * (_WIDTH + _GAP), limited=limited)
        for index, (title, value, limited) in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join([*body, *_legend(lines)])
        + "\n</svg>\n"
    )


def _panel(
    title: str,
    value: Callable[[Measurement], float | None],
    lines: Sequence[Line],
    places: Mapping[int, float],
    texts: Texts,
    *,
    shift: int,
    limited: bool,
) -> str:
    limits = [line.limit for line in lines if limited and line.limit]
    found = [number for line in lines for measured in line.measurements if (number := value(measured)) is not None]
    top = _round_up(max([*found, *limits], default=1.0))

    def y(number: float) -> float:
        return _TOP + _HEIGHT * (1 - number / top)

    parts = [f'<g transform="translate({shift} 0)">', _text(_LEFT, _TOP - 16, title, weight="bold")]
    for step in range(5):
        number = top * step / 4
        parts.append(f'<path d="M{_LEFT} {y(number):.1f}h{_WIDTH}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 6, y(number) + 4, f"{number:g}", anchor="end"))
    for count, x in places.items():
        parts.append(_text(x, _TOP + _HEIGHT + 16, f"{count}", anchor="middle"))
    parts.append(_text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 32, texts.users, anchor="middle"))
    for index, line in enumerate(lines):
        colour = _COLOURS[index % len(_COLOURS)]
        points = [(places[m.users], y(number)) for m in line.measurements if (number := value(m)) is not None]
        track = " ".join(f"{x:.1f},{height:.1f}" for x, height in points)
        parts.append(f'<polyline points="{track}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{height:.1f}" r="3.5" fill="{colour}"/>' for x, height in points]
        if limited and line.limit:
            parts.append(f'<path d="M{_LEFT} {y(line.limit):.1f}h{_WIDTH}" stroke="{colour}" stroke-dasharray="5 4"/>')
    return "\n".join([*parts, "</g>"])


def _legend(lines: Sequence[Line]) -> list[str]:
    parts = []
    for index, line in enumerate(lines):
        y = _TOP + _HEIGHT + _FOOT + _LINE * index + 6
        colour = _COLOURS[index % len(_COLOURS)]
        parts.append(f'<rect x="{_LEFT}" y="{y - 8}" width="14" height="4" fill="{colour}"/>')
        parts.append(_text(_LEFT + 22, y, line.legend))
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'


def _round_up(number: float) -> float:
    """The next number of one, two or five tens, so that the axis has plain steps."""
    scale = 10.0 ** (len(f"{number:.0f}") - 1) if number >= 1 else 10.0 ** -len(f"{1 / max(number, 1e-6):.0f}")
    return next((step * scale for step in (1, 2, 4, 5, 8, 10) if step * scale >= number), 20 * scale)

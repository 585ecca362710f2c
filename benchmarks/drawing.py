"""Drawing: bars and curves as SVG that needs nothing beside itself, in light and in dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Ticks: TypeAlias = "Sequence[tuple[float, str]]"
WIDTH: Final = 760
TOP: Final = 58  # below the heading
ROW: Final = 24
BAR: Final = 15
FOOT: Final = 34
STYLE: Final = """
    text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1c2430 }
    .heading { font-weight: 700; font-size: 15px }
    .small { fill: #5b6778; font-size: 12px }
    .strong { font-weight: 700 }
    .ground { fill: #ffffff }
    .grid { stroke: #dfe5ec; stroke-width: 1 }
    .bar { fill: #9fb0c6 }
    .ours { fill: #1f6feb }
    .hand { fill: #7fb48d }
    .curve { fill: none; stroke: #8696ab; stroke-width: 2 }
    .curve.mine { stroke: #1f6feb; stroke-width: 2.5 }
    .dot { fill: #8696ab }
    .dot.mine { fill: #1f6feb }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .small { fill: #9aa7b8 }
      .ground { fill: #0f141b }
      .grid { stroke: #273140 }
      .bar { fill: #55657c }
      .ours { fill: #4c93f5 }
      .hand { fill: #4d8a5e }
      .curve { stroke: #76869c }
      .curve.mine { stroke: #6cb0ff }
      .dot { fill: #76869c }
      .dot.mine { fill: #6cb0ff }
    }
"""


class Bar(NamedTuple):
    """One bar: how it is called, how long it is, what is written at its end, how it is coloured."""

    label: str
    length: float  # a share of the room that there is
    text: str
    kind: str = "bar"


class Panel(NamedTuple):
    """Bars below each other, under a word; ticks are shares of the room and what stands there."""

    word: str
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]


class Curve(NamedTuple):
    """A curve through points, named at its end."""

    label: str
    points: Sequence[tuple[float, float]]
    kind: str = ""


def svg(title: str, description: str, height: float, elements: Iterable[str]) -> str:
    """A picture with a heading. Title and description are for who does not see it."""
    drawn = "\n".join(f"  {element}" for element in elements)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}"'
        f' viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="title desc">\n'
        f'  <title id="title">{escape(title)}</title>\n  <desc id="desc">{escape(description)}</desc>\n'
        f'  <style>{STYLE}  </style>\n  <rect class="ground" width="100%" height="100%" rx="6"/>\n'
        f"  {text(20, 28, title, 'heading')}\n{drawn}\n</svg>\n"
    )


def panels(title: str, description: str, names: float, side_by_side: Sequence[Panel]) -> str:
    """Panels of bars, side by side, that share the names of their rows on the left, which take so much room."""
    room = (WIDTH - names - 20) / len(side_by_side)
    rows = len(side_by_side[0].bars)
    elements = [
        text(names - 10, TOP + 11 + row * ROW + 12, bar.label, "strong" if bar.kind == "ours" else "", "end")
        for row, bar in enumerate(side_by_side[0].bars)
    ]
    for place, panel in enumerate(side_by_side):
        elements += _panel(panel, names + place * room, room - 60)
    return svg(title, description, TOP + rows * ROW + FOOT, elements)


def _panel(panel: Panel, left: float, room: float) -> Iterator[str]:
    bottom = TOP + len(panel.bars) * ROW + 8
    yield text(left, TOP - 6, panel.word, "small")
    for share, word in panel.ticks:
        x = left + share * room
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP + 4}" x2="{x:.1f}" y2="{bottom}"/>'
        yield text(x, bottom + 15, word, "small", "middle")
    for row, bar in enumerate(panel.bars):
        y = TOP + 11 + row * ROW
        width = max(bar.length * room, 1.5)
        yield f'<rect class="{bar.kind}" x="{left:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        yield text(left + width + 6, y + 12, bar.text, "strong" if bar.kind == "ours" else "")


def curves(
    title: str, description: str, words: tuple[str, str], ticks: tuple[Ticks, Ticks], drawn: Sequence[Curve]
) -> str:
    """Curves in one frame. `words` say what the two axes are, `ticks` where and what is written along them."""
    left, right, top, bottom = 60, WIDTH - 215, TOP + 14, 380
    most_x, most_y = (max(at for at, _ in of_axis) for of_axis in ticks)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x / most_x * (right - left), bottom - y / most_y * (bottom - top)

    elements = [text(left, TOP, words[1], "small"), text(right, bottom + 36, words[0], "small", "end")]
    for at, word in ticks[1]:
        y = place(0, at)[1]
        elements.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        elements.append(text(left - 8, y + 4, word, "small", "end"))
    elements += [text(place(at, 0)[0], bottom + 18, word, "small", "middle") for at, word in ticks[0]]
    ends = apart([place(*curve.points[-1])[1] for curve in drawn], 17)
    for curve, end in zip(drawn, ends, strict=True):
        elements += _curve(curve, [place(*point) for point in curve.points], right + 10, end)
    return svg(title, description, bottom + 52, elements)


def _curve(curve: Curve, points: Sequence[tuple[float, float]], x: float, y: float) -> Iterator[str]:
    through = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
    yield f'<polyline class="curve {curve.kind}" points="{through}"/>'
    for across, down in points:
        yield f'<circle class="dot {curve.kind}" cx="{across:.1f}" cy="{down:.1f}" r="3"/>'
    yield text(x, y + 4, curve.label, "strong" if curve.kind else "")


def apart(wanted: Sequence[float], distance: float) -> list[float]:
    """Places near those that are wanted, at least so far from each other; the lowest stays where it is."""
    placed = [0.0] * len(wanted)
    below = float("inf")
    for index in sorted(range(len(wanted)), key=lambda index: -wanted[index]):
        below = placed[index] = min(wanted[index], below - distance)
    return placed


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Words in the picture."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'

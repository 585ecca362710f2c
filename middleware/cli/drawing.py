"""Draws the chain, as SVG or for Graphviz: a box for each layer, requests on the left and responses on the right."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import Final, NamedTuple

from middleware.stack.builder import Stack
from middleware.stack.printed import places

_COLUMNS: Final = 80  # characters in a line
_CHARACTER: Final = 7.3  # pixels, of a monospaced font of 12
_LINE: Final = 18
_GAP: Final = 40  # between two boxes, where the arrows are
_MARGIN: Final = 20
_INDENT: Final = 10

_STYLE: Final = """
    text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1c2430 }
    .name { font-weight: 700; font-size: 14px }
    .kind { fill: #5b6778 }
    .ground { fill: #ffffff }
    .box { fill: #f3f6fa; stroke: #9fb0c6 }
    .app { fill: #e7f4ea; stroke: #7fb48d }
    .request { stroke: #1f6feb; fill: #1f6feb }
    .response { stroke: #b3541e; fill: #b3541e }
    text.request, text.response { stroke: none; font-weight: 700 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .kind { fill: #9aa7b8 }
      .ground { fill: #0f141b }
      .box { fill: #18202b; stroke: #44546a }
      .app { fill: #14271b; stroke: #3f7a50 }
      .request { stroke: #6cb0ff; fill: #6cb0ff }
      .response { stroke: #f0a06a; fill: #f0a06a }
    }
"""

# Escapes within a string of Graphviz.
_ESCAPES: Final = {ord("\\"): "\\\\", ord('"'): '\\"'}


class _Box(NamedTuple):
    """One layer, or the application."""

    name: str
    lines: Sequence[tuple[str, str]]  # label and text
    kind: str = "box"

    @property
    def height(self) -> int:
        return _LINE * (len(self.lines) + 1) + 2 * _INDENT


def svg(stack: Stack) -> str:
    """Return the chain as a self-contained SVG, in the light or dark colours that the reader prefers."""
    boxes = _boxes(stack)
    columns = max(len(f"{kind:<9} {text}") for box in boxes for kind, text in (*box.lines, ("", " " * 40)))
    width = round(columns * _CHARACTER) + 2 * _INDENT
    height = sum(box.height + _GAP for box in boxes) + 2 * _MARGIN
    whole = width + 2 * _MARGIN
    title = escape(f"Stack, outermost first: {', '.join((*stack.names, 'the application'))}")
    drawn = "\n".join(_drawn(boxes, width))
    return _ascii(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{height}" viewBox="0 0 {whole} {height}"'
        f' role="img">\n  <title>{title}</title>\n  <style>{_STYLE}  </style>\n'
        f'  <rect class="ground" width="100%" height="100%"/>\n{drawn}\n</svg>'
    )


def dot(stack: Stack) -> str:
    """Return the chain as input for Graphviz: `show --format dot ... | dot -Tpng`."""
    lines = ['  node [shape=box, fontname="monospace"];', '  client [label="client", shape=plaintext];']
    boxes = _boxes(stack)
    for index, box in enumerate(boxes, 1):
        rows = [box.name, *(f"{kind:<9} {text}" for kind, text in box.lines)]
        # Graphviz resolves character references, and sets a line that ends in \\l to the left.
        label = "".join(f"{row.replace('&', '&amp;').translate(_ESCAPES)}\\l" for row in rows)
        lines.append(f'  n{index} [label="{label}"];')
    for outer, inner in pairwise(["client", *(f"n{index}" for index in range(1, len(boxes) + 1))]):
        lines.append(f'  {outer} -> {inner} [color="#1f6feb"];')
        lines.append(f'  {inner} -> {outer} [color="#b3541e"];')
    return _ascii("digraph stack {\n" + "\n".join(lines) + "\n}")


def _boxes(stack: Stack) -> list[_Box]:
    """A box for each layer, its text folded, and one for the application."""
    boxes = []
    all_reasons = places(tuple(stack), stack.names)
    for number, (name, layer, reasons) in enumerate(zip(stack.names, stack, all_reasons, strict=True), 1):
        told = [("written", repr(layer)), *layer.describe(), *(("stands", reason) for reason in reasons)]
        lines = [
            (kind if row == 0 else "", text)
            for kind, whole in told
            for row, text in enumerate(wrap(whole, _COLUMNS, subsequent_indent="  "))
        ]
        boxes.append(_Box(f"{number}  {name}", lines))
    return [*boxes, _Box("the application", (), "app")]


def _drawn(boxes: Sequence[_Box], width: int) -> Iterator[str]:
    y = _MARGIN
    down, up = _MARGIN + 2 * _INDENT, _MARGIN + width - 2 * _INDENT
    yield f'  <text class="request" x="{down + _INDENT}" y="{y + 24}">request</text>'
    yield f'  <text class="response" x="{up - _INDENT}" y="{y + 24}" text-anchor="end">response</text>'
    x = _MARGIN + _INDENT
    for box in boxes:
        yield _arrow("request", down, y, 1)
        yield _arrow("response", up, y + _GAP, -1)
        y += _GAP
        yield f'  <rect class="{box.kind}" x="{_MARGIN}" y="{y}" width="{width}" height="{box.height}" rx="6"/>'
        line = y + _INDENT + 14
        yield f'  <text class="name" x="{x}" y="{line}">{escape(box.name)}</text>'
        for kind, text in box.lines:
            line += _LINE
            if kind:
                yield f'  <text class="kind" x="{x}" y="{line}">{escape(kind)}</text>'
            yield f'  <text x="{x + round(10 * _CHARACTER)}" y="{line}">{escape(text)}</text>'
        y += box.height


def _arrow(kind: str, x: int, y: int, way: int) -> str:
    """An arrow through a gap, down (1) or up (-1)."""
    start, end, wings = y + 4 * way, y + (_GAP - 4) * way, y + (_GAP - 12) * way
    return (
        f'  <line class="{kind}" x1="{x}" y1="{start}" x2="{x}" y2="{wings}" stroke-width="2"/>\n'
        f'  <polygon class="{kind}" points="{x - 5},{wings} {x + 5},{wings} {x},{end}"/>'
    )


def _ascii(text: str) -> str:
    """Replace non-ASCII characters by references, which XML and Graphviz resolve in any encoding."""
    return text.encode("ascii", "xmlcharrefreplace").decode()

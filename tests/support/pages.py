"""Pages in Markdown: their blocks of code, their links, and the anchors to which links lead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# A block says its language, and the file that it is, if it is one: ```python title="wsgi.py"
BLOCK = re.compile(r'^```([a-z]+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
# A line of a reference page that stands for a signature and a docstring, and what is set for it.
DIRECTIVE = re.compile(r"^::: ([\w.]+)\n((?: {4}.*\n)*)", re.MULTILINE)
IMAGE = re.compile(r'<(?:img|source)\b[^>]* (?:src|srcset)="([^"]+)"')


class Block(NamedTuple):
    """A block of code."""

    language: str
    title: str
    text: str
    line: int  # of the page, before the first of the block


class Typed(NamedTuple):
    """A command as it is typed, and what the page says that comes of it; None: nothing is said."""

    command: str
    shown: str | None
    line: int


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [
        Block(found[1], found[2] or "", found[3], page.count("\n", 0, found.start(3))) for found in BLOCK.finditer(page)
    ]


def typed(block: Block) -> Iterator[Typed]:
    """The commands of a block: of a `console` those after $, each with what it prints; of `sh` every line."""
    pattern = r"^\$ (.*(?:(?<=\\)\n.*)*)\n((?:(?!\$ ).*\n)*)" if block.language == "console" else r"^(.+)\n()"
    for found in re.finditer(pattern, block.text, re.MULTILINE):
        line = block.line + block.text.count("\n", 0, found.start()) + 1
        yield Typed(found[1], found[2] if block.language == "console" else None, line)


def links(page: str) -> list[str]:
    """Where the links and images of a page lead."""
    prose = FENCED.sub("", page)
    return LINK.findall(prose) + IMAGE.findall(prose)


def directives(page: str) -> dict[str, str]:
    """The names whose docstrings a page shows, each with its settings."""
    return dict(DIRECTIVE.findall(FENCED.sub("", page)))


def anchors(page: str) -> set[str]:
    """The anchors that a forge gives to the headings of a page, and the site to the names on it."""
    found: list[str] = []
    for heading in HEADING.findall(FENCED.sub("", page)):
        name = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        again = sum(other == name or re.fullmatch(rf"{re.escape(name)}-\d+", other) is not None for other in found)
        found.append(f"{name}-{again}" if again else name)
    return {*found, *directives(page)}

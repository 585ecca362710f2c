"""Parameters: `name=value` pairs behind a value, as Content-Type and Content-Disposition have them.

Read as Werkzeug reads them, in one pass: a part that is no parameter is skipped, a quoted string that is not closed
ends the list. Continuations and charsets (RFC 2231 3 and 4) are joined and decoded; browsers write a quote within a
quoted string as %22 (HTML Standard, "multipart/form-data"), other clients as a quoted-pair (RFC 9110 5.6.4).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARSETS: Final = frozenset(("ascii", "us-ascii", "utf-8", "iso-8859-1"))  # the ones that Werkzeug decodes
_CHARACTERS: Final = r"\w!#$%&'*+\-.^`|~"
_NAME: Final = re.compile(rf"([{_CHARACTERS}]+)=", re.ASCII)
# A token; a quoted string; or the start of one that is not closed.
_VALUE: Final = re.compile(rf'([{_CHARACTERS}]+)|("(?:[^"\\]|\\.)*")|(")', re.ASCII | re.DOTALL)
_NEXT: Final = re.compile(r";[ \t]*")
_EXTENDED: Final = re.compile(rf"([{_CHARACTERS}]*?)'[{_CHARACTERS}]*?'(.+)", re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def parameters(field: str) -> dict[str, str]:
    """The parameters of a field value by name, in lower case."""
    found: dict[str, str] = {}
    continued: dict[str, list[str]] = {}
    charsets: dict[str, str] = {}
    for marked, value in _pairs(field.partition(";")[2].strip(" \t")):
        extended = marked.endswith("*")
        name, continuation = _continued(marked.removesuffix("*"))
        if extended:
            text, charsets[name] = _decoded(value, charsets.get(name, "") if continuation else "")
        else:
            text = _unquoted(value)
        if continuation:
            found.pop(name, None)
            continued.setdefault(name, []).append(text)
        else:
            continued.pop(name, None)
            charsets.pop(name, None)
            found[name] = text
    return found | {name: "".join(texts) for name, texts in continued.items()}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Names as they are marked, and values as they are quoted."""
    place = 0
    while place < len(text):
        name = _NAME.match(text, place)
        if name:
            place = name.end()
            value = _VALUE.match(text, place)
            if value and value[3]:
                return
            if value:
                yield name[1].lower(), value[0]
                place = value.end()
        following = _NEXT.search(text, place)
        if following is None:
            return
        place = following.end()


def _continued(name: str) -> tuple[str, bool]:
    """The name without its number (RFC 2231 3), and whether it has one."""
    start, star, number = name.rpartition("*")
    return (start, True) if star and number.isdigit() else (name, False)


def _decoded(value: str, charset: str) -> tuple[str, str]:
    """An extended value (RFC 2231 4) as text, and its charset; `charset` is that of what it continues."""
    extended = _EXTENDED.fullmatch(value)
    if extended:
        charset, value = extended[1].lower() or charset, extended[2]
    return (unquote(value, encoding=charset) if charset in CHARSETS else value), charset


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        value = _ESCAPED.sub(r"\1", value[1:-1])
    return value.replace("%22", '"')

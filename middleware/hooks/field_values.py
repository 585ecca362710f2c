"""Values of fields, as Werkzeug reads them in requests, in responses and in the parts of forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

CHARSETS: Final = frozenset(("ascii", "us-ascii", "utf-8", "iso-8859-1"))  # the charsets that Werkzeug decodes
_CHARACTERS: Final = r"\w!#$%&'*+\-.^`|~"
_NAME: Final = re.compile(rf"([{_CHARACTERS}]+)=", re.ASCII)
# A token; a quoted string; or the start of an unterminated one.
_VALUE: Final = re.compile(rf'([{_CHARACTERS}]+)|("(?:[^"\\]|\\.)*")|(")', re.ASCII | re.DOTALL)
_NEXT: Final = re.compile(r";[ \t]*")
_EXTENDED: Final = re.compile(rf"([{_CHARACTERS}]*?)'[{_CHARACTERS}]*?'(.+)", re.ASCII)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def lenient(attribute: Any) -> Any:
    """A property like `attribute`, except that reading a malformed field returns None, as in Flask."""

    def get(self: Any) -> Any:
        try:
            return attribute.fget(self)
        except (ValueError, OverflowError):
            return None

    return property(get, attribute.fset, attribute.fdel, attribute.__doc__)


def parameters(field: str) -> dict[str, str]:
    """The parameters of a field value such as Content-Disposition, by lower-case name.

    A part that is not a parameter is skipped; an unterminated quoted string ends the list. Continuations and charsets
    (RFC 2231 3 and 4) are joined and decoded. Browsers write a quote within a quoted string as %22 (HTML Standard,
    "multipart/form-data"), other clients as a quoted-pair (RFC 9110 5.6.4).
    """
    found: dict[str, str] = {}
    continued: dict[str, list[str]] = {}
    charsets: dict[str, str] = {}
    for marked, value in _pairs(field.partition(";")[2].strip(" \t")):
        start, star, number = marked.removesuffix("*").rpartition("*")
        continuation = bool(star) and number.isdigit()  # RFC 2231 3
        name = start if continuation else marked.removesuffix("*")
        if marked.endswith("*"):
            text, charsets[name] = _extended(value, charsets.get(name, "") if continuation else "")
        else:
            plain = _ESCAPE.sub(r"\1", value[1:-1]) if value.startswith('"') else value
            text = plain.replace("%22", '"')
        if continuation:
            found.pop(name, None)
            continued.setdefault(name, []).append(text)
        else:
            continued.pop(name, None)
            charsets.pop(name, None)
            found[name] = text
    return found | {name: "".join(texts) for name, texts in continued.items()}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """The names with their asterisks and the values with their quotes, in one pass."""
    position = 0
    while position < len(text):
        name = _NAME.match(text, position)
        if name:
            position = name.end()
            value = _VALUE.match(text, position)
            if value and value[3]:
                return
            if value:
                yield name[1].lower(), value[0]
                position = value.end()
        following = _NEXT.search(text, position)
        if following is None:
            return
        position = following.end()


def _extended(value: str, charset: str) -> tuple[str, str]:
    """An extended value (RFC 2231 4) as text, and its charset; `charset` is that of the part it continues."""
    extended = _EXTENDED.fullmatch(value)
    if extended:
        charset, value = extended[1].lower() or charset, extended[2]
    return (unquote(value, encoding=charset) if charset in CHARSETS else value), charset

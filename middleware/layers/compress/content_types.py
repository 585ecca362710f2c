"""Media types (RFC 9110 8.3.1): which are worth compressing, by a list of types, ranges and suffixes.

Names are compared without regard to case, parameters are not looked at, and what is no media type is not compressed.
Nor is text/event-stream, whatever is listed: what reads events waits for each of them.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from middleware.http.remembered import Remembered
from middleware.layers.compress.compressible import TYPES
from middleware.wsgi.options import several

# What Compress encodes unless it is told otherwise: types, ranges and suffixes, as a frozenset.
DEFAULT: Final[frozenset[str]] = TYPES
_NAME: Final = r"[a-z0-9][a-z0-9!#$&^_.+\-]{0,126}"  # RFC 6838 4.2
_MEDIA_TYPE: Final = re.compile(rf"(?P<type>{_NAME})/{_NAME}")
# RFC 9110 12.5.1, media-range; RFC 6838 4.2.8, structured syntax suffix
_ENTRY: Final = re.compile(rf"{_NAME}/(?:{_NAME}|\*)|\*/\*|\+[a-z0-9!#$&^_.\-]{{1,126}}")
_RULE: Final = 'types without parameters ("text/html"), ranges ("text/*", "*/*") and suffixes ("+json")'
_NEVER: Final = "text/event-stream"


def compressible(content_type: str, listed: frozenset[str]) -> bool:
    """Whether a Content-Type is one of those listed, which `content_types` has checked, or are the DEFAULT.

    `text/html` lists that type, `text/*` all of a kind, `*/*` all there are, and `+json` all with that suffix.
    """
    return _MATCHERS[listed][content_type]


def matches(listed: frozenset[str]) -> Remembered[str, bool]:
    """`compressible` for this list, as a mapping: one look-up is all it takes."""
    return _MATCHERS[listed]


def _matcher(listed: frozenset[str]) -> Remembered[str, bool]:
    return Remembered(partial(_matches, listed))


def _matches(listed: frozenset[str], content_type: str) -> bool:
    name = content_type.partition(";")[0].strip(" \t").lower()
    found = _MEDIA_TYPE.fullmatch(name)
    if found is None or name == _NEVER:
        return False
    return not listed.isdisjoint((name, f"{found['type']}/*", f"+{name.rpartition('+')[2]}", "*/*"))


_MATCHERS: Final = Remembered(_matcher, longest=10_000)


def content_types(value: object) -> frozenset[str]:
    """What an option lists, in lower case: an iterable of entries, or a single one; ValueError if one is none."""
    return frozenset(map(_entry, several(value)))


def content_types_fault(value: object) -> str | None:
    """Why an option does not list content types, or None if it does. An iterator is read to its end by that."""
    try:
        content_types(value)
    except ValueError as error:
        return str(error)
    return None


def _entry(entry: object) -> str:
    lowered = entry.lower() if isinstance(entry, str) else ""
    if _ENTRY.fullmatch(lowered) is None:
        raise ValueError(f"{_RULE}, not {entry!r}")
    return lowered

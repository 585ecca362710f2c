"""The HTML that is added, in the encoding of a page."""

import codecs
import re
from itertools import pairwise
from typing import Final

from middleware.http.remembered import Remembered
from middleware.layers.inject.tags import Finder

# ISO 2022 decodes these too, but as other characters after an escape sequence.
_ASCII: Final = bytes(range(128))
_SCRIPT: Final = re.compile(r"<script(?=[\t\n\f\r />])", re.IGNORECASE)
# Elements in which character references are ordinary text (HTML 13.1.2, 13.2.5)
_LITERAL: Final = frozenset(
    ["script", "escaped", "double", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "plaintext", "cdata"]
)
_TYPE: Final = re.compile(r"[ \t]*text/html[ \t]*(?:;|\Z)", re.IGNORECASE)
# RFC 9110 5.6.6; of several charsets the first counts (WHATWG MIME Sniffing 4.4)
_PARAMETER: Final = re.compile(r""";[ \t]*([^\s;="]+)=("(?:[^"\\]|\\.)*"|[^\s;"]*)""")


def page_encoding(content_type: str) -> str | None:
    """The codec of a text/html, or None for another type, or an encoding that is not a superset of ASCII.

    A page that does not name its encoding is treated as ASCII, because other characters can be character references.
    """
    return _ENCODINGS[content_type]


def _page_encoding(content_type: str) -> str | None:
    if _TYPE.match(content_type) is None:
        return None
    parameters = ((found[1].lower(), found[2].strip('"')) for found in _PARAMETER.finditer(content_type))
    charset = next((value for name, value in parameters if name == "charset"), "ascii")
    try:
        codec = codecs.lookup(charset).name
        superset = not codec.startswith("iso2022") and _ASCII.decode(codec) == _ASCII.decode("ascii")
    except (LookupError, ValueError):  # unknown, no encoding of text, or not of these bytes
        return None
    return codec if superset else None


_ENCODINGS: Final = Remembered(_page_encoding)


def encoded(html: str, codec: str, *, nonce: bool) -> tuple[bytes, ...] | None:
    """The HTML, split after the name of every script tag, where an attribute with the nonce goes; whole without it.

    Characters that the encoding lacks are character references. None where one is in a script, a style or other text
    that has no references.
    """
    try:
        html.encode(codec)
    except UnicodeEncodeError:
        if not _has_references(html, codec):
            return None
    finder, at, places = Finder(), 0, [0]
    for found in _SCRIPT.finditer(html if nonce else ""):
        finder.feed(html[at : found.end()].encode("utf-8", "replace"))
        at = found.end()
        if finder.state == "data" and finder.kept.lower() == b"<script":
            places.append(at)
    places.append(len(html))
    return tuple(html[start:end].encode(codec, "xmlcharrefreplace") for start, end in pairwise(places))


def _has_references(html: str, codec: str) -> bool:
    """Whether every character that the encoding lacks stands where a reference is decoded."""
    finder, at = Finder(), 0
    for place, character in enumerate(html):
        if not character.isascii() and character.encode(codec, "ignore") == b"":
            finder.feed(html[at:place].encode("utf-8", "replace"))
            if finder.state in _LITERAL:
                return False
            at = place
    return True

"""Encodes the HTML that is added for the encoding of a page. Part of InjectHTML."""

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


@Remembered
def page_encoding(content_type: str) -> str | None:
    """The codec of a text/html, or None for another type, or an encoding that is not a superset of ASCII.

    A page that does not name its encoding is treated as ASCII, because other characters can be character references.
    """
    if _TYPE.match(content_type) is None:
        return None
    parameters = ((found[1].lower(), found[2].strip('"')) for found in _PARAMETER.finditer(content_type))
    charset = next((value for name, value in parameters if name == "charset"), "ascii")
    try:
        codec = codecs.lookup(charset).name.removesuffix("-sig")  # utf-8-sig adds a byte order mark to each text
        text = _ASCII.decode("ascii")
        both_ways = _ASCII.decode(codec) == text and text.encode(codec, "replace") == _ASCII
    except (LookupError, ValueError):  # unknown, not a text encoding, or unable to decode ASCII
        return None
    return codec if both_ways and not codec.startswith("iso2022") else None


def encoded(html: str, codec: str, *, nonce: bool) -> tuple[bytes, ...] | None:
    """Return the encoded HTML, split after each `<script`, where a nonce attribute is inserted; whole without `nonce`.

    Characters that the encoding lacks become character references. Returns None if one is in a script, a style or other
    text in which references are not decoded.
    """
    text = _with_references(html, codec)
    if text is None:
        return None
    finder, at, places = Finder(), 0, [0]
    for found in _SCRIPT.finditer(text if nonce else ""):
        finder.feed(text[at : found.end()].encode("utf-8"))
        at = found.end()
        if finder.state == "data" and finder.kept.lower() == b"<script":
            places.append(at)
    places.append(len(text))
    return tuple(text[start:end].encode(codec) for start, end in pairwise(places))


def _with_references(html: str, codec: str) -> str | None:
    """The HTML with a reference for each character that the encoding lacks; None where one would not be decoded.

    A character that is decoded as another one is lacking too: Python encodes U+00A5 in shift_jis and euc_jp as 5C.
    """

    def lacks(text: str) -> bool:
        return text.encode(codec, "replace").decode(codec, "replace") != text

    if not lacks(html):
        return html
    lacking = set(filter(lacks, set(html)))
    finder, at = Finder(), 0
    for place, character in enumerate(html):
        if character in lacking:
            finder.feed(html[at:place].encode("utf-8", "replace"))
            if finder.state in _LITERAL:
                return None
            at = place
    return html.translate({ord(character): f"&#{ord(character)};" for character in lacking})

"""The media types that Compress encodes: lists of types, ranges and suffixes, and the default list (RFC 9110 8.3.1).

Types are compared without regard to case and parameters. An invalid media type is never encoded, and neither is
text/event-stream, because its clients wait for every event.
"""

import re
from functools import partial
from typing import Final

from middleware.http.remembered import Remembered
from middleware.wsgi.options import several

_NAME: Final = r"[a-z0-9][a-z0-9!#$&^_.+\-]{0,126}"  # RFC 6838 4.2
_MEDIA_TYPE: Final = re.compile(rf"(?P<type>{_NAME})/{_NAME}")
# RFC 9110 12.5.1, media-range; RFC 6838 4.2.8, structured syntax suffix
_ENTRY: Final = re.compile(rf"{_NAME}/(?:{_NAME}|\*)|\*/\*|\+[a-z0-9!#$&^_.\-]{{1,126}}")
_RULE: Final = 'types without parameters ("text/html"), ranges ("text/*", "*/*") and suffixes ("+json")'
_NEVER: Final = "text/event-stream"


def compressible(content_type: str, listed: frozenset[str]) -> bool:
    """Whether a list, which `content_types` returned or which is DEFAULT, contains a Content-Type.

    `text/html` lists that type, `text/*` all types of text, `*/*` every type, and `+json` every type with that suffix.
    """
    name = content_type.partition(";")[0].strip(" \t").lower()
    found = _MEDIA_TYPE.fullmatch(name)
    if found is None or name == _NEVER:
        return False
    return not listed.isdisjoint((name, f"{found['type']}/*", f"+{name.rpartition('+')[2]}", "*/*"))


# List -> (Content-Type -> whether the list contains it)
_MATCHERS: Final[Remembered[frozenset[str], Remembered[str, bool]]] = Remembered(
    lambda listed: Remembered(partial(compressible, listed=listed)), longest=10_000
)


def matches(listed: frozenset[str]) -> Remembered[str, bool]:
    """Return `compressible` for one list as a mapping, which takes a single look-up."""
    return _MATCHERS[listed]


def content_types(value: object) -> frozenset[str]:
    """Return the entries of an option, one or several, in lower case; ValueError if one is wrong."""
    entries = []
    for entry in several(value):
        entries.append(entry.lower() if isinstance(entry, str) else "")
        if _ENTRY.fullmatch(entries[-1]) is None:
            raise ValueError(f"{_RULE}, not {entry!r}")
    return frozenset(entries)


def content_types_fault(value: object) -> str | None:
    """The rule that an option breaks, or None. Reads an iterator to its end."""
    try:
        content_types(value)
    except ValueError as error:
        return str(error)
    return None


# -- the default list, written by .ci/compressible.py, which has the reasons -------------------------------------------

# Text, and the types that mime-db 1.54.0 of 2025-03-17 marks as compressible, without disk images and
# application/octet-stream, whose content can be anything.
DEFAULT: Final[frozenset[str]] = frozenset(
    (
        "+json",
        "+json-seq",
        "+xml",
        "+yaml",
        "application/dart",
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/json-seq",
        "application/jsonl",
        "application/postscript",
        "application/rtf",
        "application/tar",
        "application/toml",
        "application/vnd.dart",
        "application/vnd.ms-fontobject",
        "application/vnd.ms-opentype",
        "application/wasm",
        "application/x-httpd-php",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-ns-proxy-autoconfig",
        "application/x-sh",
        "application/x-tar",
        "application/x-virtualbox-ovf",
        "application/x-virtualbox-vbox",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/xml-dtd",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.adobe.photoshop",
        "image/vnd.microsoft.icon",
        "image/vnd.ms-dds",
        "image/x-icon",
        "image/x-ms-bmp",
        "message/rfc822",
        "model/gltf-binary",
        "text/*",
        "x-shader/x-fragment",
        "x-shader/x-vertex",
    )
)

"""Locations of redirects, and the request targets that they are made of (RFC 9110 10.2.2, RFC 9112 3.2).

A Location is read as browsers read it (URL Standard 4.4): text that they would take for another host is refused.
"""

import re
from typing import Final
from urllib.parse import quote

from middleware.http.authorities import DEFAULT_PORTS, Authority, authority

# RFC 3986 3.3: pchar, and the slash between segments. A percent sign of a decoded path stands for itself.
_PCHAR: Final = "/:@!$&'()*+,;=~"
_VISIBLE: Final = re.compile(r"[!-~]+")
# RFC 9112 3.2: a target has no fragment.
_TARGET: Final = re.compile(r'/[!"$-~]*')
_QUERY: Final = re.compile(r'[!"$-~]*')
_ABSOLUTE_FORM: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*")
# To browsers a backslash is a slash (URL Standard 4.4): here it is part of an authority, and no authority has one.
_URL: Final = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?:[/?#].*)?", re.IGNORECASE)
_OWN_HOST: Final = re.compile(r"/(?![/\\])")
REDIRECTS: Final = (301, 302, 303, 307, 308)


def is_target(text: str) -> bool:
    """Whether this is a path with or without a query, as in a request line: %x21-7E, without a fragment."""
    return _TARGET.fullmatch(text) is not None


def is_query(text: str) -> bool:
    """Whether this can follow the question mark of a URL: %x21-7E, without a fragment."""
    return _QUERY.fullmatch(text) is not None


def origin_form(target: str) -> str:
    """The path and query of a target: an absolute-form loses its scheme and authority (RFC 9112 3.2.2)."""
    found = _ABSOLUTE_FORM.match(target)
    if found is None:
        return target
    rest = target[found.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def encoded(path: str) -> str:
    """A path of an environ, percent-encoded except pchar (RFC 3986 3.3). UnicodeEncodeError outside latin-1."""
    return quote(path.encode("latin-1"), safe=_PCHAR)


def with_query(location: str, query: str) -> str:
    """The location with a query added, before its fragment and after a query of its own."""
    if not query:
        return location
    url, sharp, fragment = location.partition("#")
    return f"{url}{'&' if '?' in url else '?'}{query}{sharp}{fragment}"


def leads_to(location: str) -> tuple[str, Authority] | None:
    """The scheme and authority of an absolute http or https URL, as browsers read it; None for other or unsafe text."""
    found = _URL.fullmatch(location) if _VISIBLE.fullmatch(location) else None
    place = authority(found["authority"]) if found else None
    if found is None or place is None:
        return None
    scheme = found["scheme"].lower()
    return scheme, place._replace(port=DEFAULT_PORTS[scheme] if place.port is None else place.port)


def location_fault(location: object) -> str | None:
    """The rule that a Location breaks, or None for a path of the requested host and for an http or https URL."""
    if not isinstance(location, str):
        return "a URL is a str"
    if _VISIBLE.fullmatch(location) is None:
        return "a URL holds printable ASCII only; percent-encode the rest (RFC 3986 2.1)"
    if _OWN_HOST.match(location) or leads_to(location) is not None:
        return None
    return "a path that begins with one slash, or an http or https URL with a host and without a user"

"""Who may read what: the server's side of the CORS protocol as pure functions (Fetch 3.3).

Which origins are granted, `origins.matcher` says. Here is what a preflight asks for, whether that is granted, and the
lines that tell a browser. Whatever is sent back was found to be a token, or to be an origin, first.
"""

from __future__ import annotations

from itertools import filterfalse
from typing import TYPE_CHECKING, Final, NamedTuple

from middleware.http.fields import is_token
from middleware.http.lists import members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from middleware.http.fields import Line

ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS: Final = "Access-Control-Allow-Credentials"
ALLOW_METHODS: Final = "Access-Control-Allow-Methods"
ALLOW_HEADERS: Final = "Access-Control-Allow-Headers"
ALLOW_PRIVATE_NETWORK: Final = "Access-Control-Allow-Private-Network"
EXPOSE_HEADERS: Final = "Access-Control-Expose-Headers"
MAX_AGE: Final = "Access-Control-Max-Age"
FIELDS: Final = (
    *(ALLOW_ORIGIN, ALLOW_CREDENTIALS, EXPOSE_HEADERS),
    *(ALLOW_METHODS, ALLOW_HEADERS, ALLOW_PRIVATE_NETWORK, MAX_AGE),  # of a preflight only
)
# What a page sends without asking, whatever the value (Fetch 2.2.2); Content-Type and Range depend on theirs.
SAFE_HEADERS: Final = frozenset(("accept", "accept-language", "content-language"))
# Fetch 2.2.6: what no page gets to see.
UNEXPOSABLE: Final = frozenset(("set-cookie", "set-cookie2"))


class Grant(NamedTuple):
    """What granted origins may do.

    Attributes:
        methods: tuple of methods, compared byte for byte (Fetch 4.8, CORS-preflight fetch). "*" among them: any.
        headers: frozenset of header names in lower case. "*" among them: any, Authorization as well.
        credentials: bool. Whether cookies, TLS certificates and HTTP authentication may go along.
        exposed: tuple of header names.
        max_age: int or None. Seconds for which a browser may remember a preflight.
        private_network: bool. Whether public sites may ask a server in a private network.
    """

    methods: tuple[str, ...]
    headers: frozenset[str]
    credentials: bool
    exposed: tuple[str, ...]
    max_age: int | None
    private_network: bool


class Preflight(NamedTuple):
    """What a preflight asks for (Fetch 4.8), not checked yet.

    Attributes:
        method: str. Access-Control-Request-Method.
        headers: list of str. Access-Control-Request-Headers, as they were written.
        private_network: bool. Whether Access-Control-Request-Private-Network is "true".
    """

    method: str
    headers: list[str]
    private_network: bool


def preflight(method: str, headers: str, private_network: str) -> Preflight:
    """Read the values of the three request fields; empty members and whitespace do not count (RFC 9110 5.6.1)."""
    return Preflight(method, members([headers]), private_network == "true")


def refusal(grant: Grant, asked: Preflight) -> str | None:
    """Why a granted origin may not do what it asks for, in one line that repeats nothing but tokens; None if it may."""
    return _method_refusal(grant, asked.method) or _headers_refusal(grant, asked.headers)


def _method_refusal(grant: Grant, method: str) -> str | None:
    if not is_token(method):
        return "Access-Control-Request-Method is not a method"
    listed = "*" in grant.methods or method in grant.methods
    return None if listed else f"the method {method} is not listed in allow_methods"


def _headers_refusal(grant: Grant, names: list[str]) -> str | None:
    if not all(map(is_token, names)):
        return "Access-Control-Request-Headers is not a list of header names"
    if "*" in grant.headers:
        return None
    allowed = grant.headers | SAFE_HEADERS
    refused = ", ".join(filterfalse(lambda name: name.lower() in allowed, names))
    return f"not listed in allow_headers: {refused}" if refused else None


def origin_lines(grant: Grant, origin: str) -> list[Line]:
    """What says that this origin ("*": every) may read a response (Fetch 4.10, CORS check)."""
    lines = [(ALLOW_ORIGIN, origin)]
    return [*lines, (ALLOW_CREDENTIALS, "true")] if grant.credentials else lines


def response_lines(grant: Grant, origin: str) -> list[Line]:
    """What is sent to a granted origin with the response to an actual request."""
    lines = origin_lines(grant, origin)
    return [*lines, (EXPOSE_HEADERS, ", ".join(grant.exposed))] if grant.exposed else lines


def preflight_lines(grant: Grant, origin: str, asked: Preflight) -> list[Line]:
    """What is sent to a granted origin in answer to a preflight for which there is no refusal."""
    methods = [asked.method] if "*" in grant.methods else grant.methods
    optional: Iterable[tuple[object, str, str]] = (
        (asked.headers, ALLOW_HEADERS, ", ".join(asked.headers)),
        (grant.max_age is not None, MAX_AGE, str(grant.max_age)),
        (grant.private_network and asked.private_network, ALLOW_PRIVATE_NETWORK, "true"),
    )
    lines = [*origin_lines(grant, origin), (ALLOW_METHODS, ", ".join(methods))]
    return lines + [(name, value) for wanted, name, value in optional if wanted]

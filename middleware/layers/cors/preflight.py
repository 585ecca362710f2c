"""The server's side of the CORS protocol, as pure functions: parses preflights and makes the headers of responses.

`origins.matcher` decides which origins are allowed. Every request value in an answer has been validated as a token or
an origin. Source: Fetch 3.3.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from middleware.http.fields import Line, is_token
from middleware.http.lists import members

ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS: Final = "Access-Control-Allow-Credentials"
ALLOW_METHODS: Final = "Access-Control-Allow-Methods"
ALLOW_HEADERS: Final = "Access-Control-Allow-Headers"
ALLOW_PRIVATE_NETWORK: Final = "Access-Control-Allow-Private-Network"
EXPOSE_HEADERS: Final = "Access-Control-Expose-Headers"
MAX_AGE: Final = "Access-Control-Max-Age"
FIELDS: Final = (
    *(ALLOW_ORIGIN, ALLOW_CREDENTIALS, EXPOSE_HEADERS),
    *(ALLOW_METHODS, ALLOW_HEADERS, ALLOW_PRIVATE_NETWORK, MAX_AGE),  # in the answer to a preflight only
)
# Headers that a page may send without a preflight, regardless of their value (Fetch 2.2.2). Content-Type and Range
# depend on theirs.
SAFE_HEADERS: Final = frozenset(("accept", "accept-language", "content-language"))
# Fetch 2.2.6: headers that no page can read.
UNEXPOSABLE: Final = frozenset(("set-cookie", "set-cookie2"))


class Grant(NamedTuple):
    """The permissions of an allowed origin.

    Attributes:
        methods: tuple of methods, compared byte for byte (Fetch 4.8, CORS-preflight fetch). "*" is any method.
        headers: frozenset of header names in lower case. "*" is any header, Authorization too.
        credentials: bool. Whether requests may carry cookies, TLS certificates and HTTP authentication.
        exposed: tuple of header names.
        max_age: int or None. Seconds for which browsers may cache the answer to a preflight.
        private_network: bool. Whether public sites may send requests to a server in a private network.
    """

    methods: tuple[str, ...]
    headers: frozenset[str]
    credentials: bool
    exposed: tuple[str, ...]
    max_age: int | None
    private_network: bool


class Preflight(NamedTuple):
    """The request of a preflight (Fetch 4.8), not validated yet.

    Attributes:
        method: str. Access-Control-Request-Method.
        headers: list of str. Access-Control-Request-Headers, as received.
        private_network: bool. Whether Access-Control-Request-Private-Network is "true".
    """

    method: str
    headers: list[str]
    private_network: bool


def preflight(method: str, headers: str, private_network: str) -> Preflight:
    """Parse the values of the three request headers. Empty members and whitespace are ignored (RFC 9110 5.6.1)."""
    return Preflight(method, members([headers]), private_network == "true")


def refusal(grant: Grant, asked: Preflight) -> str | None:
    """Return the reason why a preflight of an allowed origin is refused, or None. The text repeats tokens only."""
    if not is_token(asked.method):
        return "Access-Control-Request-Method is not a method"
    if {"*", asked.method}.isdisjoint(grant.methods):
        return f"the method {asked.method} is not listed in allow_methods"
    if not all(map(is_token, asked.headers)):
        return "Access-Control-Request-Headers is not a list of header names"
    if "*" in grant.headers:
        return None
    allowed = grant.headers | SAFE_HEADERS
    refused = ", ".join(name for name in asked.headers if name.lower() not in allowed)
    return f"not listed in allow_headers: {refused}" if refused else None


def origin_lines(grant: Grant, origin: str) -> list[Line]:
    """Return the headers that let this origin read a response, or every origin by "*" (Fetch 4.10, CORS check)."""
    lines = [(ALLOW_ORIGIN, origin)]
    return [*lines, (ALLOW_CREDENTIALS, "true")] if grant.credentials else lines


def response_lines(grant: Grant, origin: str) -> list[Line]:
    """Return the headers of a response to an allowed origin."""
    lines = origin_lines(grant, origin)
    return [*lines, (EXPOSE_HEADERS, ", ".join(grant.exposed))] if grant.exposed else lines


def preflight_lines(grant: Grant, origin: str, asked: Preflight) -> list[Line]:
    """Return the headers of the answer to a preflight that is not refused."""
    methods = [asked.method] if "*" in grant.methods else grant.methods
    optional: Iterable[tuple[object, str, str]] = (
        (asked.headers, ALLOW_HEADERS, ", ".join(asked.headers)),
        (grant.max_age is not None, MAX_AGE, str(grant.max_age)),
        (grant.private_network and asked.private_network, ALLOW_PRIVATE_NETWORK, "true"),
    )
    lines = [*origin_lines(grant, origin), (ALLOW_METHODS, ", ".join(methods))]
    return lines + [(name, value) for wanted, name, value in optional if wanted]

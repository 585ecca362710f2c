"""The browser's side of CORS, as the Fetch standard writes it: what a page may send unasked, and what it gets to read.

Written from the standard and from nothing of ours, so that what a response means can be told from outside.
"""

from __future__ import annotations

import re

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
OWS = "\t "
HTTP_WHITESPACE = "\t\n\r "
SAFE_METHODS = ("GET", "HEAD", "POST")  # Fetch 2.2.1
SAFE_RESPONSE_HEADERS = {  # Fetch 2.2.6
    *("cache-control", "content-language", "content-length", "content-type"),
    *("expires", "last-modified", "pragma"),
}
UNSAFE_BYTE = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')  # Fetch 2.2.2
LANGUAGE = re.compile(r"[0-9A-Za-z *,\-.;=]*")
SAFE_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


def combined(values: list[str]) -> str | None:
    """The value of a header that stands on any number of lines (Fetch 2.2.2, get)."""
    return ", ".join(value.strip(HTTP_WHITESPACE) for value in values) if values else None


def listed(values: list[str]) -> list[str] | None:
    """The tokens of a list header; None if it is none (Fetch 2.2.2, extract header list values)."""
    found = [part.strip(OWS) for value in values for part in value.split(",")]
    tokens = [part for part in found if part]
    return tokens if all(map(TOKEN.fullmatch, tokens)) else None


def cors_check(origin: str, acao: list[str], acac: list[str] = (), *, credentials: bool = False) -> bool:
    """Fetch 4.10."""
    allowed = combined(acao)
    if allowed is None:
        return False
    if not credentials and allowed == "*":
        return True
    return allowed == origin and (not credentials or combined(acac) == "true")


def preflight_allows(*, origin, method, headers, status, acao, acac=(), acam=(), acah=(), credentials=False) -> bool:
    """Whether the request goes out after this answer (Fetch 4.8, CORS-preflight fetch, step 7)."""
    if not cors_check(origin, acao, acac, credentials=credentials) or not 200 <= status <= 299:
        return False
    methods, names = listed(acam), listed(acah)
    if methods is None or names is None:
        return False
    if not (method in methods or method in SAFE_METHODS or ("*" in methods and not credentials)):
        return False
    names = {name.lower() for name in names}
    any_name = "*" in names and not credentials
    if any(name.lower() == "authorization" and "authorization" not in names for name in headers):
        return False
    return all(any_name or name.lower() in names for name in headers)


def exposes(header: str, aceh: list[str], *, credentials: bool = False) -> bool:
    """Whether the page gets to see this response header (Fetch 2.2.6)."""
    name = header.lower()
    if name in ("set-cookie", "set-cookie2"):
        return False
    shown = {shown.lower() for shown in listed(aceh) or ()}
    return name in SAFE_RESPONSE_HEADERS or name in shown or (not credentials and "*" in shown)


def needs_preflight(header: str, value: str) -> bool:
    """Whether this request header is not safelisted (Fetch 2.2.2)."""
    test = SAFELIST.get(header.lower())
    return test is None or len(value) > 128 or not test(value)


def _plain(value: str) -> bool:
    return UNSAFE_BYTE.search(value) is None


def _type(value: str) -> bool:
    return _plain(value) and value.partition(";")[0].strip(HTTP_WHITESPACE).lower() in SAFE_TYPES


def _range(value: str) -> bool:
    found = RANGE.fullmatch(value)
    return found is not None and (not found[2] or int(found[1]) <= int(found[2]))


SAFELIST = {
    "accept": _plain,
    "accept-language": LANGUAGE.fullmatch,
    "content-language": LANGUAGE.fullmatch,
    "content-type": _type,
    "range": _range,
}

"""Origins as they are serialized (HTML 7.1.1, RFC 6454 6.2): which text is one, how it is spelled, which are meant.

An origin is compared byte for byte (Fetch 4.10, CORS check), so there is one right spelling of each, and nothing here
mends what a client sends. Only `spelling` mends, for the message to the person who configures.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import filterfalse
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST: Final = 320  # a scheme, "://", a host name of 253 (RFC 1035 2.3.4), a port
_LABEL: Final = r"[a-z0-9_\-]{1,63}"
# RFC 3986 3.1 and 3.2.2, and only what the URL Standard's serializer writes: lower case, no leading zero in a port.
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]*)://"
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:]+\])"
    r"(?::(?P<port>0|[1-9][0-9]{0,4}))?"
)
# RFC 3986 3: what somebody may have meant as an origin.
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<host>\[[^/?#\]]*\]|[^/?#:@\[\]]+)(?::(?P<port>[0-9]{0,9}))?(?:[/?#].*)?",
    re.DOTALL,
)
# URL Standard 4.2: a special scheme has a port that is not written.
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_RULE: Final = "an origin is scheme://host[:port] as browsers send it"
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")  # URL Standard 3.5: what ends in a number is an IPv4 address
_ZEROS: Final = re.compile(r"\b0(?::0)+\b")
_ANY: Final = "://*."
_WILDCARD: Final = re.compile(r"[^:]*://\*\.[^.:/]")


def is_origin(text: str) -> bool:
    """Whether this is the serialization of an origin that is not opaque: no path, no user, no default port."""
    found = _ORIGIN.fullmatch(text) if len(text) <= LONGEST else None
    return found is not None and _is_written(found["scheme"], int(found["port"] or -1))


def _is_written(scheme: str, port: int) -> bool:
    """Whether a port is one, and not the one that goes without saying."""
    return port <= 0xFFFF and port != _DEFAULT_PORTS.get(scheme)


def spelling(text: str) -> str | None:
    """How a browser serializes the origin of this URL; None if it has none, or it cannot be told."""
    found = _URL.fullmatch(text)
    return _spelled(found["scheme"].lower(), found["host"], int(found["port"] or -1)) if found else None


def _spelled(scheme: str, host: str, port: int) -> str | None:
    shown = "" if port in (-1, _DEFAULT_PORTS.get(scheme)) else f":{port}"
    spelled = f"{scheme}://{_host(host)}{shown}"
    return spelled if is_origin(spelled) else None


def _host(host: str) -> str:
    """The host as the URL Standard serializes it (3.5), empty if it is none."""
    try:
        return f"[{_ipv6(host[1:-1])}]" if host.startswith("[") else _name(host)
    except AddressValueError:
        return ""


def _name(host: str) -> str:
    name = ".".join(map(_label, host.split(".")))
    return str(IPv4Address(name)) if _NUMBER.fullmatch(name.removesuffix(".").rpartition(".")[2]) else name


def _ipv6(text: str) -> str:
    """The address in RFC 5952 form, without a dotted end (URL Standard 3.5)."""
    groups = f"{int(IPv6Address(text)):032x}"
    pieces = ":".join(f"{int(groups[at : at + 4], 16):x}" for at in range(0, 32, 4))
    run = max(_ZEROS.finditer(pieces), key=lambda zeros: len(zeros[0]), default=None)
    if run is None:
        return pieces
    return f"{pieces[: run.start()].rstrip(':')}::{pieces[run.end() :].lstrip(':')}"


def _label(label: str) -> str:
    """A label of a host name in lower case, and in punycode if it is not ASCII (RFC 5890 2.3.2.1)."""
    lowered = normalize("NFC", label.lower())
    return lowered if lowered.isascii() else f"xn--{lowered.encode('punycode').decode('ascii')}"


def origin_fault(text: str) -> str | None:
    """Why nobody sends this as an Origin, with the right spelling if there is one; None if somebody may."""
    right = spelling(text)
    if right is None and text.lower().startswith("file:"):
        return f'{_RULE}; pages from files have the origin "null"'
    if right is None:
        return f'{_RULE}, such as "https://app.example"'
    return None if right == text else f'{_RULE}: write "{right}"'


def wildcard_fault(text: str) -> str | None:
    """The same for a pattern, whose wildcard stands for the labels before a host name."""
    if text.count("*") != 1 or not _WILDCARD.match(text):
        return f'{_RULE}; a wildcard is all of its first label, as in "https://*.app.example"'
    fault = origin_fault(text.replace(_ANY, "://wildcard.", 1))
    return fault and fault.replace("://wildcard.", _ANY)


def matcher(origins: Iterable[str | re.Pattern[str]]) -> Callable[[str], bool]:
    """Whether an origin is one of these: byte for byte, or a pattern matches all of it; "null" only by its name.

    A pattern is asked about serialized origins only: what hides a line end, a user or a path in it never gets there.
    """
    given = tuple(origins)
    exact = frozenset(filter(_is_exact, given))
    patterns = tuple(map(_pattern, filterfalse(_is_exact, given)))

    def matches(origin: str) -> bool:
        return origin in exact or (is_origin(origin) and any(pattern.fullmatch(origin) for pattern in patterns))

    return matches


def _is_exact(origin: str | re.Pattern[str]) -> bool:
    return isinstance(origin, str) and "*" not in origin


def _pattern(origin: str | re.Pattern[str]) -> re.Pattern[str]:
    """A pattern for one or more labels where the wildcard stands."""
    if not isinstance(origin, str):
        return origin
    scheme, _, rest = origin.partition(_ANY)
    return re.compile(rf"{re.escape(scheme)}://(?:{_LABEL}\.)+{re.escape(rest)}")

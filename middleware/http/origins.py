"""Serialized origins (HTML 7.1.1, RFC 6454 6.2): their syntax, their spelling, and lists of them with wildcards.

An origin is compared byte for byte (Fetch 4.10, CORS check), so each has one right spelling, and values that clients
send are not corrected. Only `spelling` corrects, for error messages about options.

The host of a special scheme (URL Standard 4.2: http, https, ws, wss, ftp, file) is a domain name or an address. The
host of any other scheme is opaque (URL Standard 3.5): its case counts, and it has no default port.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import AddressValueError, IPv4Address
from itertools import filterfalse
from typing import Final
from unicodedata import normalize

from middleware.http.authorities import ipv6

LONGEST: Final = 320  # a scheme, "://", a host name of 253 (RFC 1035 2.3.4), a port
_LABEL: Final = r"[a-z0-9_\-]{1,63}"
_ADDRESS: Final = r"\[[0-9a-f:]+\]"
# URL Standard 3.5: what the opaque-host parser leaves, printable ASCII without the forbidden host code points. Nor is
# there a comma, by which servers join several Origin lines (RFC 9110 5.3).
_OPAQUE: Final = r"[!\"$-+\-.0-9;=A-Z_`a-z{}~]"
# RFC 3986 3.1 and 3.2.2, and only what the URL Standard's serializer writes: no leading zero in a port. The origin of a
# file is opaque (URL Standard 4.7).
_ORIGIN: Final = re.compile(
    rf"(?!file:)(?P<scheme>[a-z][a-z0-9+.\-]*)://(?P<host>{_OPAQUE}+|{_ADDRESS})(?::(?P<port>0|[1-9][0-9]{{0,4}}))?"
)
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|{_ADDRESS}")
# RFC 3986 3: a URL in place of an origin.
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<host>\[[^/?#\]]*\]|[^/?#:@\[\]]+)(?::(?P<port>[0-9]{0,9}))?(?:[/?#].*)?",
    re.DOTALL,
)
# URL Standard 4.2: a special scheme has a port that is not written.
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_SPECIAL: Final = _DEFAULT_PORTS.keys() | {"file"}
_RULE: Final = "an origin is scheme://host[:port] as browsers send it"
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")  # URL Standard 3.5: an IPv4 address ends in a number
_PORT: Final = "0*(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{0,4})"
_ANY: Final = "://*."
_WILDCARD: Final = re.compile(r"[^:]*://\*\.[^.:/]")

# The first pattern that matches explains why there is no right spelling.
_MISTAKES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), reason)
    for pattern, reason in (
        (r"file:", 'and pages from files have the origin "null": write "null"'),
        (r"(?:data|about|javascript):", 'and pages of this scheme have the origin "null", or that of their opener'),
        (r"null\Z", 'and an opaque origin is spelled "null": write "null"'),
        (r"(?![a-z][a-z0-9+.\-]*://)", 'such as "https://app.example"; this has no scheme'),
        (rf".{{{LONGEST + 1}}}", f"and has at most {LONGEST} characters"),
        (r"[^/]*//[^/?#]*@", 'such as "https://app.example"; this names a user'),
        (r"[^/]*//(?:[:/?#]|\Z)", 'such as "https://app.example"; this has no host'),
        (rf"[^/]*//(?:\[[^\]]*\]|[^/?#:\[]*):(?!{_PORT}(?:[/?#]|\Z))", "whose port is a number from 0 to 65535"),
        (r"[^/]*//\[", "whose host in brackets is an IPv6 address (RFC 4291 2.2)"),
        (
            r"(?:https?|wss?|ftp):",
            'such as "https://app.example"; a host is an address, or labels of letters, digits, - and _',
        ),
        (r"", r"whose host has no space and none of , # / : < > ? @ [ \ ] ^ | (URL Standard 3.5)"),
    )
)


def is_origin(text: str) -> bool:
    """Whether this is the serialization of an origin that is not opaque: no path, no user, no default port."""
    found = _ORIGIN.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        return False
    scheme, port = found["scheme"], int(found["port"] or -1)
    if port > 0xFFFF or port == _DEFAULT_PORTS.get(scheme):
        return False
    return scheme not in _SPECIAL or _DOMAIN.fullmatch(found["host"]) is not None


def spelling(text: str) -> str | None:
    """The origin of a URL as browsers serialize it; None if it has none, or is not a URL."""
    found = _URL.fullmatch(text.removeprefix("blob:"))  # URL Standard 4.7: a blob has the origin of the URL in its path
    if found is None:
        return None
    scheme, port = found["scheme"].lower(), int(found["port"] or -1)
    shown = "" if port in (-1, _DEFAULT_PORTS.get(scheme)) else f":{port}"
    spelled = f"{scheme}://{_host(scheme, found['host'])}{shown}"
    return spelled if is_origin(spelled) else None


def _host(scheme: str, host: str) -> str:
    """The host as the URL Standard serializes it (3.5), empty if it is malformed."""
    try:
        if host.startswith("["):
            return f"[{ipv6(host[1:-1])}]"
        if scheme not in _SPECIAL:  # opaque: percent-encoded beyond ASCII, its case stays (1.3)
            return "".join(chr(byte) if byte < 0x7F else f"%{byte:02X}" for byte in host.encode(errors="replace"))
        labels = [normalize("NFC", label.lower()) for label in host.split(".")]
        # RFC 5890 2.3.2.1: A-labels
        name = ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)
        return str(IPv4Address(name)) if _NUMBER.fullmatch(name.removesuffix(".").rpartition(".")[2]) else name
    except AddressValueError:
        return ""


def origin_fault(text: str) -> str | None:
    """The rule that an Origin breaks, with the right spelling if there is one; None if a browser may send it."""
    right = spelling(text)
    if right is not None:
        return None if right == text else f'{_RULE}: write "{right}"'
    return f"{_RULE}, {next(reason for mistake, reason in _MISTAKES if mistake.match(text))}"


def wildcard_fault(text: str) -> str | None:
    """The rule that an origin with a wildcard for the labels before a host name breaks, or None."""
    if text.count("*") != 1 or not _WILDCARD.match(text):
        return f'{_RULE}; a wildcard is all of its first label, as in "https://*.app.example"'
    fault = origin_fault(text.replace(_ANY, "://wildcard.", 1))
    return fault and fault.replace("://wildcard.", _ANY)


def listed_fault(text: str) -> str | None:
    """The fault of a member of a list of origins: an origin, or a wildcard."""
    return wildcard_fault(text) if "*" in text else origin_fault(text)


def matcher(origins: Iterable[str | re.Pattern[str]]) -> Callable[[str], bool]:
    """A predicate: whether an origin is one of these, byte for byte, or a pattern matches all of it.

    Patterns are matched with serialized origins only, so that a line end, a user, a path or "null" never matches one. A
    wildcard stands for one or more labels.
    """
    given = tuple(origins)
    exact = frozenset(origin for origin in given if isinstance(origin, str) and "*" not in origin)
    patterns = []
    for origin in filterfalse(exact.__contains__, given):
        if isinstance(origin, str):
            scheme, _, rest = origin.partition(_ANY)
            label = _LABEL if scheme in _SPECIAL else rf"(?:(?!\.){_OPAQUE})+"
            patterns.append(re.compile(rf"{re.escape(scheme)}://(?:{label}\.)+{re.escape(rest)}"))
        else:
            patterns.append(origin)
    if not patterns:
        return exact.__contains__

    def matches(origin: str) -> bool:
        return origin in exact or (is_origin(origin) and any(pattern.fullmatch(origin) for pattern in patterns))

    return matches

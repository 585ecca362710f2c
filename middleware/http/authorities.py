"""Authorities: host[:port] as a request has it, and the patterns that cover a host (RFC 9110 4.2, 7.2).

`authority` is strict and serves decisions about access: text with more than one reading is None. `host_name` is lenient
and serves conditions, which must recognize a host in every spelling in ASCII.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple

from middleware.http.remembered import Remembered

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ZEROS: Final = re.compile(r"\b0(?::0)+\b")
# RFC 3986 3.2.2 without percent-encoding and sub-delims, which no host name has (RFC 1123 2.1); "_" is in use. At most
# 253 characters, and a final dot (RFC 1035 2.3.4).
_LABEL: Final = r"[0-9A-Za-z_\-]+"
_NAME: Final = rf"(?![^:]{{255}}){_LABEL}(?:\.{_LABEL})*"
# RFC 3986 3.2.3: a port is digits, perhaps none.
_PORT: Final = r"(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4})?"
_AUTHORITY: Final = re.compile(rf"(?:(?P<name>{_NAME})\.?|\[(?P<ipv6>[0-9A-Fa-f:.]{{2,45}})])(?::(?P<port>{_PORT}))?")


class Authority(NamedTuple):
    """A host in lower case, without a final dot, an IPv6 address in brackets; and a port, None if there is none."""

    host: str
    port: int | None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


@Remembered
def authority(text: str) -> Authority | None:
    """Parse host[:port]; None for any other text, such as one with a user, a path, a space or a list."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    port = int(found["port"]) if found["port"] else None
    if found["name"]:
        return Authority(found["name"].lower(), port)
    try:
        return Authority(f"[{ipv6(found['ipv6'])}]", port)
    except AddressValueError:
        return None


def ipv6(text: str) -> str:
    """The address in RFC 5952 form, without a dotted end (URL Standard 3.5). AddressValueError for other text."""
    groups = f"{int(IPv6Address(text)):032x}"
    pieces = ":".join(f"{int(groups[at : at + 4], 16):x}" for at in range(0, 32, 4))
    run = max(_ZEROS.finditer(pieces), key=lambda zeros: len(zeros[0]), default=None)
    if run is None:
        return pieces
    return f"{pieces[: run.start()].rstrip(':')}::{pieces[run.end() :].lstrip(':')}"


def host_name(text: str) -> str:
    """The host of an authority in lower case, without port and empty labels."""
    text = text.strip(" \t").lower()
    if text.startswith("["):
        address = text[1:].partition("]")[0]
        try:
            return f"[{ipv6(address)}]"
        except AddressValueError:
            return f"[{address}]"
    return ".".join(filter(None, text.partition(":")[0].split(".")))


def covered(name: str, pattern: str) -> bool:
    """Whether a pattern is this host, or begins with "*." and covers it, or covers all hosts of another pattern."""
    return pattern == name or (pattern.startswith("*.") and name.endswith(pattern[1:]) and name != pattern[1:])

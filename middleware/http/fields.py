"""Header fields: names, values, and the lines of one response (RFC 9110 section 5).

Everything that decides whether a field may be sent, and everything that looks fields up without regard to case, lives
here.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, overload

from middleware.http.lists import merge
from middleware.http.remembered import LONGEST, Remembered, keep

Line: TypeAlias = tuple[str, str]

# RFC 9110 5.6.2: token = 1*tchar
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 5.5: field-content is VCHAR, SP, HTAB and obs-text; PEP 3333 forbids text outside latin-1.
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# RFC 9110 7.6.1 and PEP 3333 "Other HTTP Features": fields of a single connection, which the server controls.
HOP_BY_HOP: Final = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)
# Digests of the content in one coding: RFC 1864; RFC 9530 2 and 3, and RFC 3230 before it
DIGESTS: Final = frozenset(("content-md5", "content-digest", "repr-digest", "digest"))
# Fields by which an application has the front-end server send another body: Apache and others (mod_xsendfile), nginx
# and Caddy, lighttpd, LiteSpeed, Perlbal, H2O and mod_reproxy
HANDED_OVER: Final = frozenset(
    (
        "x-accel-redirect",
        "x-lighttpd-send-file",
        "x-lighttpd-send-tempfile",
        "x-litespeed-location",
        "x-reproxy-file",
        "x-reproxy-service",
        "x-reproxy-url",
        "x-sendfile",
        "x-sendfile-temporary",
        "x-sendfile2",
    )
)
# RFC 3875 4.1.2 and 4.1.3: the fields of a request whose keys in environ have no prefix.
UNPREFIXED: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")
# Content that is elsewhere or a part of a whole (RFC 9110 14.4), or that a signature may cover (RFC 9421 2)
UNALTERABLE: Final = HANDED_OVER | {"content-range", "signature-input"}
_DIGITS: Final = 18  # 64 bits: a longer number is not a valid length
_folded: Final[dict[str, str]] = {}  # names as written -> in lower case, for the names seen so far
_values: Final[dict[str, str]] = {}  # values that may be sent -> without surrounding whitespace


def is_token(text: object) -> bool:
    """Whether `text` is a token (RFC 9110 5.6.2): a field name, a method, a coding, a metric name."""
    return isinstance(text, str) and TOKEN.fullmatch(text) is not None


def name_fault(name: object) -> str | None:
    """Why a layer may not send a field of this name, or None if it may (RFC 9110 5.1, 7.6.1)."""
    if not isinstance(name, str):
        return "a field name is a str (PEP 3333)"
    if TOKEN.fullmatch(name) is None:
        return "a field name is a token: letters, digits and !#$%&'*+-.^_`|~ (RFC 9110 5.1)"
    if name.lower() in HOP_BY_HOP:
        return "hop-by-hop fields belong to the server (RFC 9110 7.6.1, PEP 3333)"
    return None


def option_name_fault(name: object) -> str | None:
    """Why an option may not name this field, to be set or removed, or None if it may (RFC 9110 5.1, 7.6.1, 8.6)."""
    framing = isinstance(name, str) and name.lower() == "content-length"
    return "the server frames the response by it (RFC 9110 8.6)" if framing else name_fault(name)


def value_fault(value: object) -> str | None:
    """The reason why this is not a field value, or None if it is one (RFC 9110 5.5)."""
    if not isinstance(value, str):
        return "a field value is a str (PEP 3333)"
    if _VALUE.fullmatch(value) is None:
        if any(ord(character) > 0xFF for character in value):
            return "a field value holds latin-1 characters only (PEP 3333)"
        return "a field value holds no CR, LF, NUL or other control character (RFC 9110 5.5)"
    return None


def plain(value: Any) -> Any:
    """Return a str without its subclass, whose `str()` may be another text, as for a member of a str Enum."""
    return str.__str__(value) if isinstance(value, str) else value


@Remembered
def sendable_name(name: str) -> str:
    """The name in lower case; ValueError or TypeError if it must not be sent."""
    fault = name_fault(name)
    if fault is not None:
        raise (ValueError if isinstance(name, str) else TypeError)(f"header name {name!r}: {fault}")
    return name.lower()


def sendable_value(name: str, value: str) -> str:
    """The value without surrounding whitespace; ValueError or TypeError if it must not be sent (RFC 9110 5.5)."""
    known = _values.get(value) if type(value) is str else None
    if known is not None:
        return known
    if isinstance(value, str) and value.isascii() and value.isprintable():
        stripped = value.strip(" ")
        _keep(_values, value, stripped)
        return stripped
    fault = value_fault(value)
    if fault is not None:
        raise (ValueError if isinstance(value, str) else TypeError)(f"header {name}: {fault}; got {value!r}")
    return value.strip(" \t")


def check_line(line: object) -> None:
    """Raise ValueError or TypeError for a header line that may not be sent (RFC 9110 5.1 and 5.5, PEP 3333)."""
    if not isinstance(line, tuple) or len(line) != 2:
        raise TypeError(f"a header line is a tuple of name and value (PEP 3333); got {line!r}")
    sendable_name(line[0])
    sendable_value(*line)


def environ_key(name: str) -> str:
    """The key of a request header in environ (PEP 3333 "environ Variables", RFC 3875 4.1.18)."""
    key = name.upper().replace("-", "_")
    return key if key in UNPREFIXED else f"HTTP_{key}"


def content_length(value: str) -> int | None:
    """The number of bytes that a Content-Length declares, or None if it is invalid (RFC 9110 8.6)."""
    return int(value) if value.isdecimal() and len(value) <= _DIGITS else None


class Fields:
    """The header lines of one response, in the application's order; names are compared without regard to case.

    Added lines are checked: a name that is not a token, a hop-by-hop name, CR, LF, NUL or text outside latin-1 is a
    ValueError; any type other than str is a TypeError. Lines that the application sent are passed on unchanged (RFC
    9110 5.1 to 5.5).

    Attributes:
        lines: list of (name, value), as they are sent.
        index: the names in lower case, or None until they are needed. Code that writes `lines` must update or reset it.
    """

    __slots__ = ("index", "lines")

    lines: list[Line]
    index: set[str] | None

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.lines = list(lines)
        self.index = None

    def names(self) -> set[str]:
        """The field names that are present, in lower case."""
        index = self.index
        if index is None:
            try:
                index = {_folded[name] for name, _ in self.lines}
            except KeyError:  # a name that is seen for the first time
                index = {_fold(name) for name, _ in self.lines}
            self.index = index
        return index

    def folded(self) -> dict[str, str]:
        """The values by name in lower case; several lines of a name count as one list (RFC 9110 5.3)."""
        several: dict[str, list[str]] = {}
        for name, value in self.lines:
            several.setdefault(_folded.get(name) or _fold(name), []).append(value)
        return {name: values[0] if len(values) == 1 else ", ".join(values) for name, values in several.items()}

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.names()

    def __repr__(self) -> str:
        return f"Fields({self.lines!r})"

    def get_all(self, name: str) -> list[str]:
        """The values of every line of that name, in order."""
        folded = name.lower()
        return [value for key, value in self.lines if key.lower() == folded]

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first line of that name, or `default`."""
        folded = name.lower()
        if self.index is None or folded in self.index:
            for key, value in self.lines:
                if key.lower() == folded:
                    return value
        return default

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        """Replace every line of the name by one."""
        folded = sendable_name[name]  # saves the call for a known name
        known = _values.get(value) if type(value) is str else None
        value = sendable_value(name, value) if known is None else known
        index = self.names() if (index := self.index) is None else index
        if folded in index:
            self._drop(folded)
        index.add(folded)
        self.lines.append((name if type(name) is str else plain(name), value))

    def __delitem__(self, name: str) -> None:
        """Drop every line of the name; a no-op if there is none."""
        folded = name.lower()
        index = self.names()
        if folded in index:
            self._drop(folded)
            index.remove(folded)

    def add(self, name: str, value: str) -> None:
        """Add one line beside those that are present."""
        folded = sendable_name(name)
        self.lines.append((plain(name), sendable_value(name, value)))
        if self.index is not None:
            self.index.add(folded)

    def append(self, line: Line) -> None:
        """Add one line that is known to be valid."""
        self.lines.append(line)
        self.index = None

    def put(self, name: str, value: str) -> None:
        """Replace every line of the name by one, in the position of the first."""
        folded = sendable_name[name]
        line = plain(name), sendable_value(name, value)
        names = self.names()
        if folded in names:
            first, *others = [position for position, (key, _) in enumerate(self.lines) if key.lower() == folded]
            self.lines[first] = line
            for position in reversed(others):
                del self.lines[position]
        else:
            self.lines.append(line)
            names.add(folded)

    def become(self, lines: Iterable[Line]) -> None:
        """Replace all lines by others, which are known to be valid."""
        self.lines[:] = lines
        self.index = None

    def exposed(self) -> list[Line]:
        """The list of lines itself, for code that may edit it at once."""
        self.index = None
        return self.lines

    def setdefault(self, name: str, value: str) -> str:
        """The value of the name, set to `value` if there was none."""
        sendable_name(name)
        present = self.get(name)
        if present is not None:
            return present
        self[name] = value
        return self[name]

    def vary(self, *names: str) -> None:
        """Name the request fields by which this response was selected, in one Vary line (RFC 9110 12.5.5).

        Without any name, no line is added.
        """
        for name in names:
            if name != "*":
                sendable_name(name)
        if merged := merge(self.get_all("Vary"), names):
            self["Vary"] = merged

    def _drop(self, folded: str) -> None:
        self.lines = [line for line in self.lines if line[0].lower() != folded]


def _fold(name: str) -> str:
    lower = name.lower()
    _keep(_folded, name, lower)
    return lower


def _keep(kept: dict[str, str], text: str, found: str) -> None:
    """Remember a name or a value, within bounds, since it may come from a request."""
    if len(text) <= LONGEST:
        keep(kept, text, found)

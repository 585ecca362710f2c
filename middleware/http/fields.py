"""Header fields: names, values, and the lines of one response (RFC 9110 section 5).

Everything that decides whether a field may be sent, and everything that looks fields up without regard to case, lives
here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, overload

from middleware.http.vary import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Line: TypeAlias = tuple[str, str]
Edit: TypeAlias = "Callable[[object, Fields], None]"  # the first argument, an environ, is not looked at

# RFC 9110 5.6.2: token = 1*tchar
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 5.5: field-content is VCHAR, SP, HTAB and obs-text; whatever lies outside latin-1 PEP 3333 forbids.
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# RFC 9110 7.6.1 and PEP 3333 "Other HTTP Features": one connection's business, which is the server's.
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
_CHECKED_LIMIT: Final = 1024
_checked: dict[str, str] = {}


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


def value_fault(value: object) -> str | None:
    """Why this is no field value, or None if it is one (RFC 9110 5.5)."""
    if not isinstance(value, str):
        return "a field value is a str (PEP 3333)"
    if _VALUE.fullmatch(value) is None:
        if any(ord(character) > 0xFF for character in value):
            return "a field value holds latin-1 characters only (PEP 3333)"
        return "a field value holds no CR, LF, NUL or other control character (RFC 9110 5.5)"
    return None


def sendable_name(name: str) -> str:
    """The name in lower case, once it is known that it may be sent; ValueError or TypeError otherwise."""
    folded = _checked.get(name)
    if folded is not None:
        return folded
    fault = name_fault(name)
    if fault is not None:
        raise (ValueError if isinstance(name, str) else TypeError)(f"header name {name!r}: {fault}")
    folded = name.lower()
    if len(_checked) < _CHECKED_LIMIT:  # names may come from a request: the cache must not grow with them
        _checked[name] = folded
    return folded


def sendable_value(name: str, value: str) -> str:
    """The value without surrounding whitespace, once it is known that it may be sent (RFC 9110 5.5)."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value.strip(" ")
    fault = value_fault(value)
    if fault is not None:
        raise (ValueError if isinstance(value, str) else TypeError)(f"header {name}: {fault}; got {value!r}")
    return value.strip(" \t")


class Fields:
    """The header lines of one response, in the application's order; names are compared without regard to case.

    What is put in is checked: a name that is no token, a hop-by-hop name, CR, LF, NUL or text outside latin-1 is a
    ValueError, anything but str a TypeError. What the application sent is handed on as it is (RFC 9110 5.1 to 5.5).

    Attributes:
        lines: list of (name, value). What is sent.
        folded: the names in lower case, once they were made. None: nobody has looked yet; False: one has, without
            making them. Who writes to `lines` keeps it right.
    """

    __slots__ = ("folded", "lines")

    lines: list[Line]
    folded: set[str] | Literal[False] | None

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.lines = list(lines)
        self.folded = None

    def names(self) -> set[str]:
        """The field names there are, in lower case."""
        folded = self.folded
        if not folded:
            folded = self.folded = {name.lower() for name, _ in self.lines}
        return folded

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
        folded = _checked.get(name) or sendable_name(name)
        value = sendable_value(name, value)
        names = self.folded or self.names()
        if folded in names:
            self._drop(folded)
        names.add(folded)
        self.lines.append((name, value))

    def __delitem__(self, name: str) -> None:
        """Drop every line of the name; nothing happens if there is none."""
        folded = name.lower()
        names = self.names()
        if folded in names:
            self._drop(folded)
            names.discard(folded)

    def add(self, name: str, value: str) -> None:
        """Add one line beside those that there are."""
        folded = sendable_name(name)
        self.lines.append((name, sendable_value(name, value)))
        if self.folded:
            self.folded.add(folded)

    def setdefault(self, name: str, value: str) -> str:
        """The value of the name, after it was set if there was none."""
        sendable_name(name)
        present = self.get(name)
        if present is not None:
            return present
        self[name] = value
        return self[name]

    def vary(self, *names: str) -> None:
        """Name request fields that this response was selected by, in one Vary line (RFC 9110 12.5.5)."""
        for name in names:
            if name != "*":
                sendable_name(name)
        self["Vary"] = merge(self.get_all("Vary"), names)

    def _drop(self, folded: str) -> None:
        self.lines = [line for line in self.lines if line[0].lower() != folded]


class Block:
    """Lines known before any request, with their names folded once. Who makes the block has checked them."""

    __slots__ = ("lengths", "lines", "names")

    def __init__(self, lines: Iterable[Line]) -> None:
        self.lines = tuple(lines)
        self.names = frozenset(name.lower() for name, _ in self.lines)
        self.lengths = frozenset(map(len, self.names))

    def __bool__(self) -> bool:
        return bool(self.lines)


def adding(block: Block) -> Edit:
    """Send these lines beside those that there are."""

    def add(_: object, fields: Fields) -> None:
        fields.lines += block.lines
        if fields.folded:
            fields.folded |= block.names

    return add


def removing(names: frozenset[str]) -> Edit:
    """Drop every line of these names, which are in lower case."""

    def remove(_: object, fields: Fields) -> None:
        folded = fields.folded or fields.names()
        if not folded.isdisjoint(names):
            fields.lines = [line for line in fields.lines if line[0].lower() not in names]
            folded -= names

    return remove


def setting(block: Block, *, default: bool) -> Edit:
    """Send these lines instead of any of the same names; by `default`, only those whose names are not there yet."""
    lines, names, lengths = block.lines, block.names, block.lengths
    merge_in = _default if default else _replace
    if len(lines) == 1:
        return _setting_one(block, merge_in)

    def edit(_: object, fields: Fields) -> None:
        if fields.folded is not None:
            merge_in(fields, block)
            return
        fields.folded = False  # the first to ask only looks: folding every name pays from the second on
        for name, _ in fields.lines:
            if len(name) in lengths and name.lower() in names:  # most are told apart by their length
                merge_in(fields, block)
                return
        fields.lines.extend(lines)

    return edit


def _setting_one(block: Block, merge_in: Callable[[Fields, Block], None]) -> Edit:
    """The same for a single line, in half the time."""
    [line], [folded] = block.lines, block.names
    length = len(folded)

    def edit(_: object, fields: Fields) -> None:
        if fields.folded is not None:
            merge_in(fields, block)
            return
        fields.folded = False
        for name, _ in fields.lines:
            if len(name) == length and name.lower() == folded:
                merge_in(fields, block)
                return
        fields.lines.append(line)

    return edit


def _replace(fields: Fields, block: Block) -> None:
    folded = fields.folded or fields.names()
    if not folded.isdisjoint(block.names):
        fields.lines = [line for line in fields.lines if line[0].lower() not in block.names]
    fields.lines += block.lines
    folded |= block.names


def _default(fields: Fields, block: Block) -> None:
    folded = fields.folded or fields.names()
    if folded.isdisjoint(block.names):
        fields.lines += block.lines
    else:
        fields.lines += [line for line in block.lines if line[0].lower() not in folded]
    folded |= block.names

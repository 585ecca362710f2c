"""Structured fields: items, inner lists and dictionaries as text (RFC 9651 section 4.1)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

_LARGEST: Final = 999_999_999_999_999
_KEY: Final = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_STRING: Final = re.compile(r"[\x20-\x7e]*")
_ESCAPED: Final = re.compile(r'([\\"])')


class Token(str):
    """A token (RFC 9651 3.3.4), sent without quotes. Any other str is a String, sent with quotes."""

    __slots__ = ()


Bare: TypeAlias = bool | int | str
Member: TypeAlias = "Bare | tuple[Bare, ...]"


def key(name: object) -> str:
    """The key of a member or a parameter (RFC 9651 4.1.1.3). ValueError for any other value."""
    if isinstance(name, str) and _KEY.fullmatch(name):
        return name
    raise ValueError(
        f"a key is lower case letters, digits and _-.*, and begins with a letter or * (RFC 9651), not {name!r}"
    )


def bare(value: object) -> str:
    """A bare item (RFC 9651 4.1.3.1). ValueError if it cannot be sent."""
    if isinstance(value, bool):
        return f"?{value:d}"
    if isinstance(value, int):
        if abs(value) > _LARGEST:
            raise ValueError(f"an integer has at most 15 digits (RFC 9651 3.3.1), not {value!r}")
        return str(int(value))
    if isinstance(value, Token):
        return _checked(
            _TOKEN, value, "a token begins with a letter or * and holds token characters, : and / (RFC 9651)"
        )
    if isinstance(value, str):
        _checked(_STRING, value, "a string holds printable ASCII (RFC 9651)")
        return '"' + _ESCAPED.sub(r"\\\1", value) + '"'
    raise ValueError(f"an item is a bool, an int, a str or a Token (RFC 9651), not {value!r}")


def item(value: Bare, parameters: Mapping[str, Bare] | None = None) -> str:
    """An item with its parameters (RFC 9651 4.1.1.2, 4.1.3)."""
    named = (parameters or {}).items()
    return bare(value) + "".join(f";{key(name)}" + ("" if it is True else f"={bare(it)}") for name, it in named)


def inner_list(items: Iterable[Bare]) -> str:
    """Items in parentheses (RFC 9651 4.1.1.1)."""
    return f"({' '.join(map(bare, items))})"


def dictionary(members: Mapping[str, Member]) -> str:
    """Members in their order (RFC 9651 4.1.2); a tuple is an inner list."""
    found = []
    for name, value in members.items():
        member = key(name)
        if value is not True:
            member += f"={inner_list(value) if isinstance(value, tuple) else bare(value)}"
        found.append(member)
    return ", ".join(found)


def _checked(pattern: re.Pattern[str], text: str, rule: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(f"{rule}, not {text!r}")
    return str(text)

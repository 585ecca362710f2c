"""Header values that are edited in place: lists of tokens, and Cache-Control. Each writes itself back on a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableSet
from typing import Any, Final

_MEMBER: Final = re.compile(r'(?:[^,"]|"[^"]*"?)+')  # a comma within quotes separates nothing
_FLAGS: Final = (
    "immutable",
    "must_revalidate",
    "must_understand",
    "no_store",
    "no_transform",
    "proxy_revalidate",
    "public",
)
_VALUES: Final = ("max_age", "no_cache", "private", "s_maxage", "stale_if_error", "stale_while_revalidate")


class HeaderSet(MutableSet[str]):
    """The members of a field such as Vary, compared without regard to case, in order."""

    def __init__(self, members: Iterable[str] = (), changed: Callable[[str], None] | None = None) -> None:
        self._members = {member.lower(): member for member in members}
        self._changed = changed or (lambda _: None)

    def __contains__(self, member: object) -> bool:
        return isinstance(member, str) and member.lower() in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def add(self, value: str) -> None:
        """Name one more."""
        self.update((value,))

    def update(self, values: Iterable[str]) -> None:
        """Name more; one that is named already stays as it is spelled."""
        for value in values:
            self._members.setdefault(value.lower(), value)
        self._changed(str(self))

    def discard(self, value: str) -> None:
        """Leave one out; nothing happens if it is not there."""
        self._members.pop(value.lower(), None)
        self._changed(str(self))

    def remove(self, value: str) -> None:
        """Leave one out. KeyError if it is not there."""
        if value not in self:
            raise KeyError(value)
        self.discard(value)

    def clear(self) -> None:
        """Leave all out."""
        self._members.clear()
        self._changed("")

    def __str__(self) -> str:
        return ", ".join(self)

    to_header = __str__

    def __repr__(self) -> str:
        return f"HeaderSet({[*self]!r})"


class CacheControl:
    """The directives of Cache-Control as attributes: flags are True or False, values int, str, True or None.

    An unknown name is an AttributeError (RFC 9111 5.2.2, RFC 8246, RFC 5861).
    """

    def __init__(self, text: str, changed: Callable[[str], None]) -> None:
        directives: dict[str, str | None] = {}
        for member in _MEMBER.findall(text):
            name, equals, value = member.partition("=")
            directives[name.strip().lower()] = value.strip().strip('"') if equals else None
        vars(self).update(_directives=directives, _changed=changed)

    def __getattr__(self, name: str) -> Any:
        if name in _FLAGS:
            return _directive(name) in self._directives
        if name not in _VALUES:
            raise AttributeError(_no_directive(name))
        value = self._directives.get(_directive(name), False)
        return None if value is False else True if value is None else int(value) if value.isdecimal() else value

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _FLAGS and name not in _VALUES:
            raise AttributeError(_no_directive(name))
        if value is None or value is False:
            self._directives.pop(_directive(name), None)
        else:
            self._directives[_directive(name)] = None if value is True else str(value)
        self._changed(str(self))

    def __delattr__(self, name: str) -> None:
        setattr(self, name, None)

    def __str__(self) -> str:
        given = self._directives.items()
        return ", ".join(name if value is None else f"{name}={_word(value)}" for name, value in given)

    to_header = __str__

    def __repr__(self) -> str:
        return f"<CacheControl {self}>"


def _directive(name: str) -> str:
    return name.replace("_", "-")


def _no_directive(name: str) -> str:
    return f"Cache-Control has no {name!r}; there are {', '.join((*_FLAGS, *_VALUES))}"


def _word(value: str) -> str:
    return value if value.replace("-", "").isalnum() else f'"{value}"'

"""The header fields of a response, as hooks edit them: all lines by name, and the values of some in place.

An object for one value (HeaderSet, CacheControl) writes itself back to the headers on every change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSet
from typing import Any, Final, TypeAlias

from middleware.hooks.cookies import seconds
from middleware.http.fields import Fields, Line, is_token
from middleware.http.lists import quoted_string

Pairs: TypeAlias = "Mapping[str, Any] | Iterable[tuple[str, Any]]"
_MISSING: Final = object()
_DIRECTIVE: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')  # a comma within quotes does not separate
_ESCAPE: Final = re.compile(r"\\(.)")
_FLAGS: Final = (
    "immutable",
    "must_revalidate",
    "must_understand",
    "no_store",
    "no_transform",
    "proxy_revalidate",
    "public",
)
_DELTAS: Final = ("max_age", "s_maxage", "stale_if_error", "stale_while_revalidate")  # RFC 9111 1.2.2
_VALUES: Final = (*_DELTAS, "no_cache", "private")


class ResponseHeaders(Fields):  # noqa: PLW1641 - a mutable object has no hash
    """Header lines under Werkzeug's names and rules, kept as a list of (name, value).

    Getting a name returns the first of its lines; setting it leaves one line, in the position of the first; deleting a
    missing name is a no-op. Values become str. Setting a line that must not be sent is a ValueError: CR, LF and NUL,
    text outside latin-1, names that are not tokens, hop-by-hop names (RFC 9110 5.5, PEP 3333).
    """

    __slots__ = ()

    def __setitem__(self, name: str, value: object) -> None:
        """Replace all lines of the name by one."""
        self.put(name, value if type(value) is str else str(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResponseHeaders) and [*other] == [*self]

    def get(self, name: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:  # noqa: A002 - Werkzeug's signature
        """The first value, converted by `type`; `default` if there is none, or `type` raises ValueError."""
        value = super().get(name)
        return default if value is None else _converted(value, default, type)

    def getlist(self, name: str, type: Callable[[str], Any] | None = None) -> list[Any]:  # noqa: A002 - Werkzeug's signature
        """All values, converted by `type`, except those for which it raises ValueError."""
        converted = [_converted(value, _MISSING, type) for value in self.get_all(name)]
        return [value for value in converted if value is not _MISSING]

    getall = getlist  # WebOb's name

    def set(self, name: str, value: object, **parameters: object) -> None:
        """Replace all lines of the name by one. Parameters are appended to the value: `filename="a.txt"`."""
        self[name] = _with_parameters(value, parameters)

    def add(self, name: str, value: object, **parameters: object) -> None:
        """Add a line and keep the others of the name."""
        super().add(name, _with_parameters(value, parameters))

    def setdefault(self, name: str, value: object) -> str:
        """The value of the name, set first if it is missing."""
        if name not in self:
            self[name] = value
        return self[name]

    def setlist(self, name: str, values: Iterable[object]) -> None:
        """Replace all lines of the name by one for each value."""
        del self[name]
        for value in values:
            self.add(name, value)

    def remove(self, name: str) -> None:
        """Remove all lines of the name."""
        del self[name]

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        """Remove all lines of the name and return the first value, or `default`. KeyError without either."""
        value = self[name] if default is _MISSING else self.get(name, default)
        del self[name]
        return value

    def extend(self, *given: Pairs, **more: object) -> None:
        """Add lines."""
        for source in _sources(given, more):
            for name, value in source:
                for each in _several(value):
                    self.add(name, each)

    def update(self, *given: Pairs, **more: object) -> None:
        """Replace all lines of the given names."""
        for source in _sources(given, more):
            for name, value in source:
                self.setlist(name, _several(value))

    def clear(self) -> None:
        """Remove all lines."""
        self.become(())

    def keys(self) -> list[str]:
        """The name of each line."""
        return [name for name, _ in self]

    def values(self) -> list[str]:
        """The value of each line."""
        return [value for _, value in self]

    def items(self) -> list[Line]:
        """A copy of the lines."""
        return [*self]

    to_wsgi_list = items

    def copy(self) -> ResponseHeaders:
        """A copy that can be changed."""
        return ResponseHeaders(self)


def _sources(given: Iterable[Pairs], more: Mapping[str, object]) -> Iterable[Iterable[tuple[str, object]]]:
    """Iterables of names and values. Underscores in keywords are hyphens."""
    for source in (*given, {name.replace("_", "-"): value for name, value in more.items()}):
        yield source.items() if isinstance(source, (Mapping, ResponseHeaders)) else source


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple, set)) else (value,)


def _with_parameters(value: object, parameters: Mapping[str, object]) -> str:
    """A value followed by its parameters (RFC 9110 5.6.6)."""
    given = {name.strip("_").replace("_", "-"): str(text) for name, text in parameters.items() if text is not None}
    pieces = [str(value)]
    pieces += (f"{name}={_quoted(text)}" for name, text in given.items())
    return "; ".join(pieces)


def _quoted(text: str) -> str:
    """The text as a token, or else as a quoted-string."""
    return text if is_token(text) else quoted_string(text)


def _converted(value: str, default: Any, convert: Callable[[str], Any] | None) -> Any:
    try:
        return value if convert is None else convert(value)
    except ValueError:
        return default


class HeaderSet(MutableSet[str]):
    """The members of a list field such as Vary, in order, compared case-insensitively."""

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
        """Add a member."""
        self.update((value,))

    def update(self, values: Iterable[str]) -> None:
        """Add members. Those already present keep their spelling."""
        for value in values:
            self._members.setdefault(value.lower(), value)
        self._changed(str(self))

    def discard(self, value: str) -> None:
        """Remove a member if it is present."""
        self._members.pop(value.lower(), None)
        self._changed(str(self))

    def remove(self, value: str) -> None:
        """Remove a member. KeyError if it is missing."""
        if value not in self:
            raise KeyError(value)
        self.discard(value)

    def clear(self) -> None:
        """Remove all members."""
        self._members.clear()
        self._changed("")

    def __str__(self) -> str:
        return ", ".join(self)

    to_header = __str__

    def __repr__(self) -> str:
        return f"HeaderSet({[*self]!r})"


class CacheControl:
    """The directives of Cache-Control as attributes: flags are True or False; values are int, str, True or None.

    Durations are in whole seconds and may be set as a timedelta. Without directives the object is false. An unknown
    name is an AttributeError (RFC 9111 5.2.2, RFC 8246, RFC 5861).
    """

    def __init__(self, text: str, changed: Callable[[str], None]) -> None:
        directives: dict[str, str | None] = {}
        for member in _DIRECTIVE.findall(text):
            name, equals, value = member.partition("=")
            if name.strip():
                text = value.strip().removeprefix('"').removesuffix('"')
                directives[name.strip().lower()] = _ESCAPE.sub(r"\1", text) if equals else None
        vars(self).update(_directives=directives, _changed=changed)

    def __getattr__(self, name: str) -> Any:
        directive = _directive(name)
        if name in _FLAGS:
            return directive in self._directives
        value = self._directives.get(directive, False)
        return None if value is False else True if value is None else int(value) if value.isdecimal() else value

    def __setattr__(self, name: str, value: Any) -> None:
        directive = _directive(name)
        if value is None or value is False:
            self._directives.pop(directive, None)
        else:
            kept = seconds(value) if name in _DELTAS and value is not True else value
            self._directives[directive] = None if kept is True else str(kept)
        self._changed(str(self))

    def __delattr__(self, name: str) -> None:
        setattr(self, name, None)

    def __len__(self) -> int:
        return len(self._directives)

    def __str__(self) -> str:
        pieces = []
        for name, value in self._directives.items():
            pieces.append(name if value is None else f"{name}={_quoted(value)}")
        return ", ".join(pieces)

    to_header = __str__

    def __repr__(self) -> str:
        return f"<CacheControl {self}>"


def _directive(name: str) -> str:
    """The directive of an attribute. AttributeError if there is none."""
    if name not in _FLAGS and name not in _VALUES:
        raise AttributeError(f"Cache-Control has no {name!r}; there are {', '.join((*_FLAGS, *_VALUES))}")
    return name.replace("_", "-")

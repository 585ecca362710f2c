"""ResponseHeaders: the header lines of a response as Flask's hooks know them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from middleware.http.fields import TOKEN, Fields, Line, sendable_name, sendable_value

Pairs: TypeAlias = "Mapping[str, Any] | Iterable[tuple[str, Any]]"
_MISSING: Final = object()


class ResponseHeaders(Fields):  # noqa: PLW1641 - what can be edited has no hash
    """Header lines by Werkzeug's names and rules, kept as a list of (name, value).

    The first of several lines of a name is the one that is got; setting a name leaves one line, in the place of the
    first; deleting what is not there does nothing; values become str. What may not be sent is a ValueError when it is
    set: CR, LF and NUL, text outside latin-1, names that are no token, hop-by-hop names (RFC 9110 5.5, PEP 3333).
    """

    __slots__ = ()

    def __setitem__(self, name: str, value: object) -> None:
        """Have one line of the name."""
        folded = sendable_name(name)
        line = name, sendable_value(name, value if type(value) is str else str(value))
        names = self.names()
        if folded in names:
            self._put(folded, line)
        else:
            self.lines.append(line)
        names.add(folded)

    def _put(self, folded: str, line: Line) -> None:
        """Put the line in the place of the first of its name."""
        places = [place for place, (name, _) in enumerate(self.lines) if name.lower() == folded]
        self.lines[places[0]] = line
        for place in reversed(places[1:]):
            del self.lines[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResponseHeaders) and other.lines == self.lines

    def get(self, name: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:  # noqa: A002
        """The first value, made something of by `type`; `default` if there is none, or `type` raises ValueError."""
        value = super().get(name)
        return default if value is None else _made(value, default, type)

    def getlist(self, name: str, type: Callable[[str], Any] | None = None) -> list[Any]:  # noqa: A002
        """All values, made something of by `type`; those of which it raises ValueError are left out."""
        made = [_made(value, _MISSING, type) for value in self.get_all(name)]
        return [value for value in made if value is not _MISSING]

    getall = getlist  # WebOb's name

    def set(self, name: str, value: object, **parameters: object) -> None:
        """Have one line of the name; parameters go into the value: `filename="a.txt"`."""
        self[name] = _with(value, parameters)

    def add(self, name: str, value: object, **parameters: object) -> None:
        """Add a line beside those that there are."""
        super().add(name, _with(value, parameters))

    def setdefault(self, name: str, value: object) -> str:
        """The value of the name, after it was set if there was none."""
        if name not in self:
            self[name] = value
        return self[name]

    def setlist(self, name: str, values: Iterable[object]) -> None:
        """Have these lines of the name."""
        del self[name]
        for value in values:
            self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop every line of the name."""
        del self[name]

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        """Drop every line of the name; the first value, or `default`. KeyError without either."""
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
        """Have these lines, and no others of their names."""
        for source in _sources(given, more):
            for name, value in source:
                self.setlist(name, _several(value))

    def clear(self) -> None:
        """Drop all lines."""
        self.lines.clear()
        self.index = None

    def keys(self) -> list[str]:
        """The name of each line."""
        return [name for name, _ in self.lines]

    def values(self) -> list[str]:
        """The value of each line."""
        return [value for _, value in self.lines]

    def items(self) -> list[Line]:
        """The lines."""
        return [*self.lines]

    to_wsgi_list = items

    def copy(self) -> ResponseHeaders:
        """The same lines, to be changed."""
        return ResponseHeaders(self.lines)


def _sources(given: Iterable[Pairs], more: Mapping[str, object]) -> Iterable[Iterable[tuple[str, object]]]:
    """Pairs of names and values."""
    for source in (*given, {name.replace("_", "-"): value for name, value in more.items()}):
        yield source.items() if isinstance(source, (Mapping, ResponseHeaders)) else source


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple, set)) else (value,)


def _with(value: object, parameters: Mapping[str, object]) -> str:
    """The value and its parameters (RFC 9110 5.6.6)."""
    given = {name.strip("_").replace("_", "-"): str(text) for name, text in parameters.items() if text is not None}
    return "; ".join((str(value), *(f"{name}={_quoted(text)}" for name, text in given.items())))


def _quoted(text: str) -> str:
    if TOKEN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _made(value: str, default: Any, made: Callable[[str], Any] | None) -> Any:
    try:
        return value if made is None else made(value)
    except ValueError:
        return default

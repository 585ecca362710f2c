"""The header fields of a request, and the credentials in one of them, under Werkzeug's names."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from webob.headers import EnvironHeaders

from middleware.wsgi.types import Environ

_Mapping: Any = MutableMapping  # Any, because its types are for mappings
# A name with a quoted or plain value or without one, up to the next comma; or anything else up to there. The lookaheads
# keep it linear: there is one way to read a run of blanks.
_PARAMETER: Final = re.compile(
    r'[ \t]*([^\s,="]+)(?:[ \t]*=[ \t]*(?![ \t])(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?[ \t]*(?:,|\Z)|[^,]*(?:,|\Z)'
)
_ESCAPE: Final = re.compile(r"\\(.)")


class RequestHeaders:  # noqa: PLW1641 - it changes
    """The fields of a request, kept in the environ, which has one value for each name.

    Iteration yields pairs, as in Flask. The class is therefore not a Mapping, which would yield names. Fields can be
    set and deleted, as in WebOb.
    """

    def __init__(self, environ: Environ) -> None:
        self.environ = environ
        self._fields: Any = EnvironHeaders(environ)

    def __getitem__(self, name: str) -> str:
        value: str = self._fields[name]
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self._fields[name] = value

    def __delitem__(self, name: str) -> None:
        del self._fields[name]

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (RequestHeaders, Mapping)) and dict(self.items()) == dict(other.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.items()!r})"

    def keys(self) -> list[str]:
        """The names. An empty CONTENT_TYPE or CONTENT_LENGTH is not a field (RFC 3875 4.1.2, 4.1.3)."""
        absent = [key for key in ("Content-Type", "Content-Length") if not self.get(key)]
        return [name for name in self._fields if name not in absent and "_" not in name]

    def values(self) -> list[str]:
        """The values."""
        return [self[name] for name in self.keys()]

    def items(self) -> list[tuple[str, str]]:
        """The names with their values."""
        return [(name, self[name]) for name in self.keys()]

    to_wsgi_list = items
    pop, setdefault, update = _Mapping.pop, _Mapping.setdefault, _Mapping.update

    def popitem(self) -> tuple[str, str]:
        """Remove a field; return its name and value. KeyError if there is none."""
        if not self:
            raise KeyError("there is no field")
        name = self.keys()[0]
        return name, self.pop(name)

    def get(self, name: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:  # noqa: A002 - Werkzeug's signature
        """The value, converted by `type`; `default` if there is none, or `type` raises ValueError."""
        return next(iter(self.getlist(name, type)), default)

    def getlist(self, name: str, type: Callable[[str], Any] | None = None) -> list[Any]:  # noqa: A002 - Werkzeug's signature
        """The value in a list, converted by `type`; empty if there is none, or `type` raises ValueError."""
        try:
            value = self[name]
            return [value if type is None else type(value)]
        except (KeyError, ValueError):
            return []

    get_all = getlist

    def clear(self) -> None:
        """Remove all fields."""
        for name in self.keys():
            del self[name]


class Authorization:
    """The credentials of Authorization (RFC 9110 11.6.2).

    Each parameter is an attribute and an item too, None if it is missing.

    Attributes:
        type: str. The scheme in lower case: "basic", "bearer", "digest".
        parameters: dict. Those of schemes that have parameters; username and password of Basic.
        token: str or None. The credentials of schemes without parameters, such as Bearer.
    """

    def __init__(self, auth_type: str, data: dict[str, str | None] | None = None, token: str | None = None) -> None:
        self.type = auth_type
        self.parameters = data or {}
        self.token = token

    @classmethod
    def from_header(cls, value: str) -> Authorization | None:
        """The credentials in a field; None if it is empty, or if Basic credentials are malformed."""
        scheme, _, rest = value.partition(" ")
        kind, rest = scheme.lower(), rest.strip(" \t")
        if not scheme:
            return None
        if kind == "basic":
            try:
                username, colon, password = b64decode(rest, validate=True).decode().partition(":")
            except ValueError:
                return None
            return cls(kind, {"username": username, "password": password}) if colon else None
        if "=" not in rest.rstrip("="):  # a token may be padded (RFC 9110 11.2, token68)
            return cls(kind, token=rest)
        found = [each for each in _PARAMETER.finditer(rest) if each[1]]
        return cls(kind, {each[1]: each[3] if each[2] is None else _ESCAPE.sub(r"\1", each[2]) for each in found})

    def get(self, key: str, default: str | None = None) -> str | None:
        """The parameter, or `default`."""
        return self.parameters.get(key, default)

    __getitem__ = get
    __iter__ = None  # otherwise every int would be an item

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((self.type, self.token))

    def __contains__(self, key: object) -> bool:
        return key in self.parameters

    def __getattr__(self, name: str) -> str | None:
        if name.startswith("__"):  # looked up by protocols, such as that of copy
            raise AttributeError(name)
        return self.get(name)

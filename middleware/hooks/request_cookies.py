"""Cookies: those of a request, read as Werkzeug reads them, so that a hook finds in Cookie what a view in Flask does.

Each is up to a semicolon. One without a value has an empty one; what cannot be a cookie is left out, and the rest
stays; within quotes a backslash escapes a character, or a byte of UTF-8 by its three octal digits. What is not escaped
is taken as latin-1, like all of an environ (PEP 3333).
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Final

from middleware.hooks.cookies import dumped
from middleware.hooks.values import MultiDict
from middleware.http.fields import is_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from middleware.wsgi.types import Environ

# A name and a value, with quotes or without; or what is neither, up to the next semicolon.
_MEMBER: Final = re.compile(
    r'[ \t]*([^ \t=";]+)(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^ \t";]*))?[ \t]*(?:;|\Z)|[^;]*(?:;|\Z)'
)
_ESCAPED: Final = re.compile(rb"\\([0-3][0-7]{2}|.)")


class Cookies(MultiDict[str], MutableMapping[str, str]):
    """The cookies of a request, by name: the first of several. Changed, in the environ too.

    Errors: a name that is not there is a KeyError that is also a 400 response; a name that is no token, or a value that
    is no str, is a TypeError when it is set, as with WebOb.
    """

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._read()

    def _read(self) -> None:
        members = _members(self._environ.get("HTTP_COOKIE", ""))
        super().__init__((name, _unquoted(value or "")) for name, value, _ in members if name)

    def __setitem__(self, name: str, value: str) -> None:
        if not is_token(name):
            raise TypeError(f"the name of a cookie is a token (RFC 6265 4.1.1), not {name!r}")
        self._put(name, dumped(name, value, path=None))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._put(name)

    def _put(self, name: str, *cookies: str) -> None:
        """Have this in the place of the first cookie of the name, or last; the others of the name go."""
        members = [(known, text) for known, _, text in _members(self._environ.get("HTTP_COOKIE", "")) if text]
        place = next((place for place, (known, _) in enumerate(members) if known == name), len(members))
        kept = [[text for known, text in part if known != name] for part in (members[:place], members[place:])]
        self._environ["HTTP_COOKIE"] = "; ".join((*kept[0], *cookies, *kept[1]))
        self._read()

    def clear(self) -> None:
        """Leave all out."""
        self._environ["HTTP_COOKIE"] = ""
        self._read()


def _members(field: str) -> Iterator[tuple[str | None, str | None, str]]:
    """Name, value and text of each; no name where it is no cookie."""
    return ((member[1], member[2], member[0].strip(" \t;")) for member in _MEMBER.finditer(field))


def _unquoted(value: str) -> str:
    """The value without its quotes; what is no UTF-8 is replaced, so that no client makes it fail."""
    if not value.startswith('"'):
        return value
    return _ESCAPED.sub(_byte, value[1:-1].encode()).decode(errors="replace")


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 8),)) if len(escape[1]) > 1 else escape[1]

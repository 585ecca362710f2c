"""Values: what a client sent as names and values, some names several times; under Werkzeug's names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from middleware.hooks.errors import ERRORS

T = TypeVar("T")
_BadRequest: Any = ERRORS[400]


class BadRequestKeyError(_BadRequest, KeyError):
    """A name that the request lacks: a 400, if nobody catches it."""


class MultiDict(Mapping[str, T], Generic[T]):
    """Names and values in order. The first of several values of a name is the one that is got.

    Errors: a name that is not there is a KeyError that is also a 400 response.
    """

    def __init__(self, pairs: Iterable[tuple[str, T]] = ()) -> None:
        self._lists: dict[str, list[T]] = {}
        for name, value in pairs:
            self._lists.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> T:
        if name not in self._lists:
            raise BadRequestKeyError
        return self._lists[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, name: str, default: Any = None, type: Callable[[T], Any] | None = None) -> Any:  # noqa: A002
        """The first value, made something of by `type`; `default` if there is none, or `type` cannot."""
        return next(iter(self.getlist(name, type)[:1] if name in self._lists else ()), default)

    def getlist(self, name: str, type: Callable[[T], Any] | None = None) -> list[Any]:  # noqa: A002
        """All values, made something of by `type`; those of which it cannot are left out."""
        values: list[Any] = self._lists.get(name, [])
        if type is None:
            return [*values]
        return [made for value in values for made in _made(type, value)]

    getall = getlist  # WebOb's name

    def lists(self) -> Iterable[tuple[str, list[T]]]:
        """Every name with all of its values."""
        return [(name, [*values]) for name, values in self._lists.items()]

    def to_dict(self, flat: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - Werkzeug's signature
        """A dict of first values, or of lists."""
        return {name: values[0] if flat else values for name, values in self.lists()}

    def items(self, multi: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Every name with its first value; by `multi`, with each."""
        return [(name, value) for name, values in self._lists.items() for value in (values if multi else values[:1])]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.items(multi=True)!r})"


def _made(made: Callable[[T], Any], value: T) -> list[Any]:
    try:
        return [made(value)]
    except (ValueError, TypeError):
        return []

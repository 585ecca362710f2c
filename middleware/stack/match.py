"""Predicates: which requests a layer takes part in, by path, method, host and header; combined by `&`, `|` and `~`.

Everything that asks an environ a yes-or-no question lives here, and so does the question whether two predicates can
both say yes, which the order rules ask.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any, Final, TypeVar

from middleware.http.fields import is_token
from middleware.http.paths import below, resolved, segments
from middleware.wsgi.errors import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Environ = dict[str, Any]
T = TypeVar("T")
_HOST: Final = re.compile(r"(?:\*\.)?[^*/@:\s\[\].][^*/@:\s\[\]]*|\[[0-9A-Fa-f:.]+\]")


class Predicate:
    """A question to an environ. Any callable environ -> bool will do for `when`; these can be combined and compared."""

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        raise NotImplementedError

    def excludes(self, other: Predicate) -> bool:  # noqa: ARG002 - what a predicate does that knows nothing
        """Whether it is certain that no request satisfies both."""
        return False

    def implied_by(self, other: Predicate) -> bool:
        """Whether it is certain that a request that satisfies the other satisfies this."""
        return self == other

    def __and__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Both(self, _predicate(other))

    def __rand__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Both(_predicate(other), self)

    def __or__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Either(self, _predicate(other))

    def __ror__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Either(_predicate(other), self)

    def __invert__(self) -> Predicate:
        return _Not(self)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(repr(self))


def disjoint(one: Callable[[Environ], bool] | None, other: Callable[[Environ], bool] | None) -> bool:
    """Whether it is certain that no request satisfies both conditions. None is satisfied by every request."""
    if one is None or other is None:
        return False
    first, second = _predicate(one), _predicate(other)
    return first.excludes(second) or second.excludes(first)


class _Asked(Predicate):
    """Somebody's own callable."""

    def __init__(self, function: Callable[[Environ], bool]) -> None:
        self.function = function

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        return bool(self.function(environ))

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


def _predicate(asked: Callable[[Environ], bool]) -> Predicate:
    if isinstance(asked, Predicate):
        return asked
    if not callable(asked):
        raise TypeError(f"a predicate is a callable environ -> bool; got {asked!r}")
    return _Asked(asked)


class _Both(Predicate):
    def __init__(self, one: Predicate, other: Predicate) -> None:
        self.one, self.other = one, other

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        return self.one(environ) and self.other(environ)

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        return disjoint(self.one, other) or disjoint(self.other, other)

    def __repr__(self) -> str:
        return f"({self.one!r} & {self.other!r})"


class _Either(Predicate):
    def __init__(self, one: Predicate, other: Predicate) -> None:
        self.one, self.other = one, other

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        return self.one(environ) or self.other(environ)

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        return disjoint(self.one, other) and disjoint(self.other, other)

    def __repr__(self) -> str:
        return f"({self.one!r} | {self.other!r})"


class _Not(Predicate):
    def __init__(self, negated: Predicate) -> None:
        self.negated = negated

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        return not self.negated(environ)

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        return self.negated.implied_by(other)

    def __invert__(self) -> Predicate:
        return self.negated

    def __repr__(self) -> str:
        return f"~{self.negated!r}"


def _overlap(some: Iterable[T], others: Iterable[T], within: Callable[[T, T], bool]) -> bool:
    """Whether one of some lies within one of the others, or the other way round."""
    return any(within(one, other) or within(other, one) for one, other in product(some, others))


def _within(some: Iterable[T], others: Sequence[T], within: Callable[[T, T], bool]) -> bool:
    """Whether each of some lies within one of the others."""
    return all(any(within(one, other) for other in others) for one in some)


class path(Predicate):  # noqa: N801 - used like a function
    """Whether the path is one of these or lies below one: `path("/api")` holds for /api and /api/x, not for /apix.

    The path is SCRIPT_NAME and PATH_INFO as the server decoded them, dot segments resolved first (RFC 3986 5.2.4), so
    that /public/../api is what the application may make of it.
    Options: prefixes: str, one or more. Paths as people read them, decoded, with a leading slash. Required.
    Errors: ConfigError for a prefix without a leading slash, or with a query.
    """

    def __init__(self, *prefixes: str) -> None:
        problems = Problems("match.path")
        problems.check(prefixes, "prefixes", "at least one", prefixes)
        for prefix in prefixes:
            problems.check(
                isinstance(prefix, str) and prefix.startswith("/") and "?" not in prefix,
                "prefixes",
                "a path as the user sees it decoded, with a leading slash and without a query",
                prefix,
            )
        problems.done()
        self.prefixes = prefixes
        self.segments = tuple(segments(resolved(prefix)) for prefix in prefixes)

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        # PEP 3333: environ strings hold the bytes as latin-1
        raw = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        asked = segments(resolved(raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")))
        return any(below(asked, prefix) for prefix in self.segments)

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        return isinstance(other, path) and not _overlap(self.segments, other.segments, below)

    def implied_by(self, other: Predicate) -> bool:
        """As said above."""
        return isinstance(other, path) and _within(other.segments, self.segments, below)

    def __repr__(self) -> str:
        return f"path({', '.join(map(repr, self.prefixes))})"


class method(Predicate):  # noqa: N801 - used like a function
    """Whether the method is one of these.

    Options: names: str, one or more. Methods, whose case counts (RFC 9110 9.1). Required.
    Errors: ConfigError for what is no token.
    """

    def __init__(self, *names: str) -> None:
        problems = Problems("match.method")
        problems.check(names, "names", "at least one", names)
        for name in names:
            problems.check(is_token(name), "names", "a token such as GET (RFC 9110 9.1)", name)
        problems.done()
        self.names = names

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        return environ.get("REQUEST_METHOD") in self.names

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        return isinstance(other, method) and set(self.names).isdisjoint(other.names)

    def implied_by(self, other: Predicate) -> bool:
        """As said above."""
        return isinstance(other, method) and set(self.names).issuperset(other.names)

    def __repr__(self) -> str:
        return f"method({', '.join(map(repr, self.names))})"


class host(Predicate):  # noqa: N801 - used like a function
    """Whether the host, without its port, is one of these; "*.example.com" stands for one or more labels before it.

    The host is the request's Host, or SERVER_NAME without one; it is what the client says.
    Options: names: str, one or more. Host names, whose case does not count (RFC 9110 4.2.3). Required.
    Errors: ConfigError for anything but a host name, with a port too.
    """

    def __init__(self, *names: str) -> None:
        problems = Problems("match.host")
        problems.check(names, "names", "at least one", names)
        for name in names:
            rule = "a host name without scheme, port or path; a wildcard only as its first label"
            problems.check(isinstance(name, str) and _HOST.fullmatch(name), "names", rule, name)
        problems.done()
        self.names = tuple(name.lower() for name in names)

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        asked = (environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")).lower()
        name = asked.partition("]")[0] + "]" if asked.startswith("[") else asked.partition(":")[0].removesuffix(".")
        return any(_covered(name, pattern) for pattern in self.names)

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        return isinstance(other, host) and not _overlap(self.names, other.names, _covered)

    def implied_by(self, other: Predicate) -> bool:
        """As said above."""
        return isinstance(other, host) and _within(other.names, self.names, _covered)

    def __repr__(self) -> str:
        return f"host({', '.join(map(repr, self.names))})"


def _covered(name: str, pattern: str) -> bool:
    """Whether the pattern covers a name, or every name that another pattern covers."""
    return pattern == name or (pattern.startswith("*.") and name.endswith(pattern[1:]) and name != pattern[1:])


class header(Predicate):  # noqa: N801 - used like a function
    """Whether the request has this field, or has it with exactly this value.

    Options:
        name: str, a token. The field, in any case. Required.
        value: str or None. What it has to be, case and all; None takes any. Default None.
    Errors: ConfigError for a name that is no token, and for a value that is no str.
    """

    def __init__(self, name: str, value: str | None = None) -> None:
        problems = Problems("match.header")
        problems.check(is_token(name), "name", "a token (RFC 9110 5.1)", name)
        problems.check(value is None or isinstance(value, str), "value", "a str or None", value)
        problems.done()
        self.name, self.value = name.lower(), value
        key = name.upper().replace("-", "_")
        self._key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"

    def __call__(self, environ: Environ) -> bool:
        """Answer it."""
        present = environ.get(self._key)
        return present is not None and (self.value is None or present.strip(" \t") == self.value)

    def excludes(self, other: Predicate) -> bool:
        """As said above."""
        if not isinstance(other, header) or other.name != self.name:
            return False
        return None not in (self.value, other.value) and self.value != other.value

    def implied_by(self, other: Predicate) -> bool:
        """As said above."""
        return self == other or (isinstance(other, header) and other.name == self.name and self.value is None)

    def __repr__(self) -> str:
        return f"header({self.name!r})" if self.value is None else f"header({self.name!r}, {self.value!r})"

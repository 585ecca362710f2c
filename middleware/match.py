"""Predicates for `when`: conditions on path, method, host and header of a request, combined by `&`, `|` and `~`.

A predicate has two answers, because frameworks may read one path or host in several ways. A call returns True if the
predicate holds *possibly*, for at least one reading. `certainly(environ)` returns True if it holds for all readings.
`&`, `|` and `~` combine both answers: `~p` holds possibly where `p` does not hold certainly, and certainly where `p`
does not hold possibly.

A layer takes part if its condition holds possibly, so that a guard sees every request that the framework may route to
the guarded path. A layer that grants something (`Effects(grants=True)`, such as CORS) takes part if its condition holds
certainly.

A condition on a header field makes responses depend on it. The field is added to the Vary of all responses that the
layer may have changed, whether the condition held or not. Path, method and host need no Vary, because caches already
distinguish responses by them. A plain callable may name its fields in an attribute `request_fields`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any, Final, TypeVar

from middleware.http.authorities import covered, host_name
from middleware.http.fields import environ_key, is_token
from middleware.http.paths import below, normal, prefix_fault, readings
from middleware.wsgi.conditions import request_field
from middleware.wsgi.options import Problems, each
from middleware.wsgi.refused import check_predicate

Environ = dict[str, Any]
T = TypeVar("T")
__all__ = ["Predicate", "header", "host", "method", "path"]
_HOST: Final = re.compile(r"(?:\*\.)?[^*/@:\s\[\].][^*/@:\s\[\]]*|\[[0-9A-Fa-f:.]+\]")


class Predicate:
    """A condition on an environ. `when` takes any callable environ -> bool; predicates can be combined and compared.

    A subclass overrides `__call__`, and `certainly` if requests can be read in several ways.

    Attributes:
        request_fields: frozenset of str. The request header fields that the answer depends on, for Vary. Default none.
        pure: bool. Whether a call takes no time and looks at nothing that a layer may have prepared, so that it may
            come early. A subclass does not inherit it. Default False.
    """

    request_fields: frozenset[str] = frozenset()
    pure: bool = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.pure = cls.__dict__.get("pure", False)

    def __call__(self, environ: Environ) -> bool:
        """Whether the predicate holds possibly."""
        raise NotImplementedError

    def certainly(self, environ: Environ) -> bool:
        """Whether the predicate holds certainly. The default is the answer of a call."""
        return self(environ)

    def varies(self, environ: Environ) -> bool:  # noqa: ARG002 - the default
        """Whether the answer depends on `request_fields` for the URL and method of this request."""
        return bool(self.request_fields)

    def excludes(self, other: Predicate) -> bool:  # noqa: ARG002 - the default
        """Whether no request satisfies both predicates, if it has a single reading."""
        return False

    def implied_by(self, other: Predicate) -> bool:
        """Whether each request that satisfies `other` satisfies this predicate, if it has a single reading."""
        return self == other

    def __and__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Both(self, other)

    def __rand__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Both(other, self)

    def __or__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Either(self, other)

    def __ror__(self, other: Callable[[Environ], bool]) -> Predicate:
        return _Either(other, self)

    def __invert__(self) -> Predicate:
        return _Not(self)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(repr(self))


def disjoint(one: Callable[[Environ], bool] | None, other: Callable[[Environ], bool] | None) -> bool:
    """Whether no request satisfies both conditions, if it has a single reading. None holds for every request."""
    if one is None or other is None:
        return False
    first, second = _predicate(one), _predicate(other)
    return first.excludes(second) or second.excludes(first)


class _Asked(Predicate):
    """A plain callable, which holds certainly if it holds."""

    def __init__(self, function: Callable[[Environ], bool]) -> None:
        self.function = function
        self.request_fields = frozenset(each(getattr(function, "request_fields", ())))

    def __call__(self, environ: Environ) -> bool:
        """Whether the callable returns a true value."""
        return bool(self.function(environ))

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", repr(self.function))


def _predicate(asked: Callable[[Environ], bool]) -> Predicate:
    check_predicate("match", asked)
    return asked if isinstance(asked, Predicate) else _Asked(asked)


class _Pair(Predicate):
    def __init__(self, one: Callable[[Environ], bool], other: Callable[[Environ], bool]) -> None:
        self.one, self.other = _predicate(one), _predicate(other)
        self.request_fields = self.one.request_fields | self.other.request_fields
        self.pure = self.one.pure and self.other.pure

    def varies(self, environ: Environ) -> bool:
        """Whether a part varies, and no part that does not vary decides alone."""
        fixed = [part for part in (self.one, self.other) if not part.varies(environ)]
        return len(fixed) < 2 and not any(self._decided(part, environ) for part in fixed)

    @abstractmethod
    def _decided(self, part: Predicate, environ: Environ) -> bool:
        """Whether the answer of this part alone decides the answer of the pair."""


class _Both(_Pair):
    def __call__(self, environ: Environ) -> bool:
        """Whether both hold possibly."""
        return self.one(environ) and self.other(environ)

    def certainly(self, environ: Environ) -> bool:
        """Whether both hold certainly."""
        return self.one.certainly(environ) and self.other.certainly(environ)

    def _decided(self, part: Predicate, environ: Environ) -> bool:
        return not part(environ)

    def excludes(self, other: Predicate) -> bool:
        """Whether one of the two excludes the other predicate."""
        return disjoint(self.one, other) or disjoint(self.other, other)

    def __repr__(self) -> str:
        return f"({self.one!r} & {self.other!r})"


class _Either(_Pair):
    def __call__(self, environ: Environ) -> bool:
        """Whether one of them holds possibly."""
        return self.one(environ) or self.other(environ)

    def certainly(self, environ: Environ) -> bool:
        """Whether one of them holds certainly."""
        return self.one.certainly(environ) or self.other.certainly(environ)

    def _decided(self, part: Predicate, environ: Environ) -> bool:
        return part.certainly(environ)

    def excludes(self, other: Predicate) -> bool:
        """Whether both exclude the other predicate."""
        return disjoint(self.one, other) and disjoint(self.other, other)

    def __repr__(self) -> str:
        return f"({self.one!r} | {self.other!r})"


class _Not(Predicate):
    def __init__(self, negated: Predicate) -> None:
        self.negated = _predicate(negated)
        self.request_fields, self.pure = self.negated.request_fields, self.negated.pure

    def __call__(self, environ: Environ) -> bool:
        """Whether the negated predicate does not hold certainly."""
        return not self.negated.certainly(environ)

    def certainly(self, environ: Environ) -> bool:
        """Whether the negated predicate does not hold possibly."""
        return not self.negated(environ)

    def varies(self, environ: Environ) -> bool:
        """Whether the negated predicate varies."""
        return self.negated.varies(environ)

    def excludes(self, other: Predicate) -> bool:
        """Whether `other` implies the negated predicate."""
        return self.negated.implied_by(other)

    def __invert__(self) -> Predicate:
        return self.negated

    def __repr__(self) -> str:
        return f"~{self.negated!r}"


def _overlap(some: Iterable[T], others: Iterable[T], within: Callable[[T, T], bool]) -> bool:
    """Whether any of `some` is within any of `others`, or contains one."""
    return any(within(one, other) or within(other, one) for one, other in product(some, others))


def _within(some: Iterable[T], others: Sequence[T], within: Callable[[T, T], bool]) -> bool:
    """Whether each of `some` is within one of `others`."""
    return all(any(within(one, other) for other in others) for one in some)


class path(Predicate):  # noqa: N801 - used like a function
    """Whether the path is one of these or lies below one: `path("/api")` holds for /api and /api/x, not for /apix.

    The path is SCRIPT_NAME and PATH_INFO at the time of the call. The predicate holds possibly if one reading of the
    path is below a prefix, and certainly if all readings are. The readings are the path unchanged; with dot segments
    resolved (RFC 3986 5.2.4); with runs of slashes merged and a leading slash added; without undecodable bytes; without
    a final line end; without "@@" before a segment, as Pyramid reads it; and combinations of these. An application may
    be mounted at any segment boundary and read the rest by itself, so each beginning followed by each reading of the
    rest is a reading too. Therefore `path` is fit for guards: it holds possibly for //admin and /public/../admin, and
    `~path("/health")` does for /health/../admin. A path over 2,048 characters or 128 segments, or with a segment that
    CherryPy reads as `__self__` or `__class__`, is possibly below every prefix and certainly below none. The work is
    linear in the length of the path.

    The predicate does not know the routes of a framework: a route above the prefix that leads to a guarded view, a view
    at two paths, case-insensitive routes, and CherryPy, which reads punctuation in a segment as `_` and finds handlers
    by any attribute. Nor does it read request fields that lead elsewhere: X-Vhm-Root (Pyramid's traversal),
    X-Forwarded-Host (CherryPy's VirtualHost), Destination (WebDAV), SCRIPT_NAME (gunicorn, from a trusted proxy).

    Options: prefixes: str, one or more. Paths as people read them, decoded, with a leading slash. Required.
    Errors: ConfigError for a prefix without a leading slash, or with a query, a wildcard (`/api/*`) or a parameter.
    """

    pure = True

    def __init__(self, *prefixes: str) -> None:
        problems = Problems("match.path")
        problems.check(prefixes, "prefixes", "at least one", prefixes)
        for prefix in prefixes:
            problems.add_fault("prefixes", prefix_fault(prefix), prefix)
        problems.done()
        self.prefixes = prefixes
        self.segments = tuple(map(normal, prefixes))

    def __call__(self, environ: Environ) -> bool:
        """Whether one reading of the path is below one of the prefixes."""
        asked = readings(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""))
        return any(map(asked.possibly, self.segments))

    def certainly(self, environ: Environ) -> bool:
        """Whether all readings of the path are below one of the prefixes."""
        asked = readings(environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""))
        return any(map(asked.certainly, self.segments))

    def excludes(self, other: Predicate) -> bool:
        """Whether no prefix of one is below a prefix of the other."""
        return isinstance(other, path) and not _overlap(self.segments, other.segments, below)

    def implied_by(self, other: Predicate) -> bool:
        """Whether each prefix of `other` is below one of these."""
        return isinstance(other, path) and _within(other.segments, self.segments, below)

    def __repr__(self) -> str:
        return f"path({', '.join(map(repr, self.prefixes))})"


class method(Predicate):  # noqa: N801 - used like a function
    """Whether the method is one of these. Case is ignored, because frameworks treat `post` as POST.

    GET does not include HEAD, which frameworks give to the view of GET: a guard names both.

    Options: names: str, one or more. Methods, in any case. Required.
    Errors: ConfigError for a name that is not a token.
    """

    pure = True

    def __init__(self, *names: str) -> None:
        problems = Problems("match.method")
        problems.check(names, "names", "at least one", names)
        for name in names:
            problems.check(is_token(name), "names", "a token such as GET (RFC 9110 9.1)", name)
        problems.done()
        self.names = tuple(name.upper() for name in names)

    def __call__(self, environ: Environ) -> bool:
        """Whether the method of the request is among the names."""
        return environ.get("REQUEST_METHOD", "").upper() in self.names

    def excludes(self, other: Predicate) -> bool:
        """Whether the two have no method in common."""
        return isinstance(other, method) and set(self.names).isdisjoint(other.names)

    def implied_by(self, other: Predicate) -> bool:
        """Whether the methods of `other` are among these."""
        return isinstance(other, method) and set(self.names).issuperset(other.names)

    def __repr__(self) -> str:
        return f"method({', '.join(map(repr, self.names))})"


class host(Predicate):  # noqa: N801 - used like a function
    """Whether the host, without its port, is one of these. "*.example.com" matches one or more labels before the dot.

    The host is the Host field of the request, which the client chooses, or SERVER_NAME without one. X-Forwarded-Host,
    by which CherryPy's VirtualHost chooses an application, is not read. Case, port, a final dot and empty labels are
    ignored: .Example.com.:80 is example.com. A host beyond ASCII, which no browser sends, is possibly every host and
    certainly none, because frameworks may fold it (RFC 3491), as Werkzeug before 3.1.7 does.

    Options: names: str, one or more. Host names, in any case (RFC 9110 4.2.3). Required.
    Errors: ConfigError for a value that is not a host name, such as one with a port.
    """

    pure = True

    def __init__(self, *names: str) -> None:
        problems = Problems("match.host")
        problems.check(names, "names", "at least one", names)
        for name in names:
            rule = "a host name without scheme, port or path; a wildcard only as its first label"
            problems.check(isinstance(name, str) and _HOST.fullmatch(name), "names", rule, name)
        problems.done()
        self.names = tuple(map(host_name, names))

    def __call__(self, environ: Environ) -> bool:
        """Whether one of the names covers the host of the request, or may do so."""
        asked = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
        return not asked.isascii() or self._covers(asked)

    def certainly(self, environ: Environ) -> bool:
        """Whether one of the names covers the host of the request."""
        asked = environ.get("HTTP_HOST") or environ.get("SERVER_NAME", "")
        return asked.isascii() and self._covers(asked)

    def _covers(self, asked: str) -> bool:
        name = host_name(asked)
        return any(covered(name, pattern) for pattern in self.names)

    def excludes(self, other: Predicate) -> bool:
        """Whether no host matches both."""
        return isinstance(other, host) and not _overlap(self.names, other.names, covered)

    def implied_by(self, other: Predicate) -> bool:
        """Whether these patterns cover all names of `other`."""
        return isinstance(other, host) and _within(other.names, self.names, covered)

    def __repr__(self) -> str:
        return f"host({', '.join(map(repr, self.names))})"


class header(Predicate):  # noqa: N801 - used like a function
    """Whether the request has this field, or has it with exactly this value.

    Responses of a layer with such a condition depend on the field, so it is added to their Vary. An empty Content-Type
    or Content-Length counts as none, because some servers leave it empty where there is none (PEP 3333).

    Options:
        name: str, a token. The field name, in any case. Required.
        value: str or None. The value, compared with its case; None matches any value. Default None.
    Errors: ConfigError for a name that is not a token, or a value that is not a str.
    """

    pure = True

    def __init__(self, name: str, value: str | None = None) -> None:
        problems = Problems("match.header")
        problems.check(is_token(name), "name", "a token (RFC 9110 5.1)", name)
        problems.check(value is None or isinstance(value, str), "value", "a str or None", value)
        problems.done()
        self.name, self.value = name.lower(), value
        self.request_fields = frozenset({"-".join(part.capitalize() for part in name.split("-"))})
        self._key = environ_key(name)

    def __call__(self, environ: Environ) -> bool:
        """Whether the request has the field."""
        present = request_field(environ, self._key)
        if present is None:
            return False
        return self.value is None or present.strip(" \t") == self.value

    def excludes(self, other: Predicate) -> bool:
        """Whether both require different values of one field."""
        if not isinstance(other, header) or other.name != self.name:
            return False
        return None not in (self.value, other.value) and self.value != other.value

    def implied_by(self, other: Predicate) -> bool:
        """Whether both are on one field, and this predicate allows the value of `other`."""
        return self == other or (isinstance(other, header) and other.name == self.name and self.value is None)

    def __repr__(self) -> str:
        return f"header({self.name!r})" if self.value is None else f"header({self.name!r}, {self.value!r})"

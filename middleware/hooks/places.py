"""Places: where a scope is. Prefix, pattern, predicate, route; each says whether a request is there.

A path is PATH_INFO as the server decoded it, dot segments resolved (RFC 3986 5.2.4), so that no other spelling of a
path gets past the hooks of a scope. It is seen from where the hooked application is mounted, like `request.path`, and
within a scope with a prefix, a pattern or a template, from where that ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from middleware.http.fields import is_token
from middleware.http.paths import resolved, segments
from middleware.wsgi.errors import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.wsgi.types import Environ, Predicate

_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z_0-9]*)(?::([a-z]+))?\}")
_KINDS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "str": (r"[^/]+", str),
    "int": (r"[0-9]+", int),
    "path": (r".+", str),
}


class Match(NamedTuple):
    """A request is there. What is left of its path, and what was found in it."""

    rest: str
    found: dict[str, Any]


class Place(Protocol):
    """Where a scope is. Of several places of a kind, some kinds count only where `rank` is highest."""

    rank: int = 0

    def match(self, environ: Environ, path: str) -> Match | None:
        """Whether a request is there, and what follows."""


class Prefix(Place):
    """The path is this one, or goes on from it at a segment boundary."""

    def __init__(self, prefix: str) -> None:
        self.prefix = "/".join(("", *segments(resolved(prefix))))
        self.rank = len(self.prefix)

    def match(self, environ: Environ, path: str) -> Match | None:  # noqa: ARG002
        """As said above."""
        rest = path[self.rank :]
        return Match(rest, {}) if path.startswith(self.prefix) and rest[:1] in ("", "/") else None


class Asked(Place):
    """A predicate says so."""

    def __init__(self, predicate: Predicate) -> None:
        self.predicate = predicate

    def match(self, environ: Environ, path: str) -> Match | None:
        """As said above."""
        return Match(path, {}) if self.predicate(environ) else None


EVERYWHERE: Final = Asked(lambda _: True)


class Pattern(Asked):
    """The pattern matches the path, or the beginning of it up to a segment boundary. Named groups are view_args."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern

    def match(self, environ: Environ, path: str) -> Match | None:  # noqa: ARG002
        """As said above."""
        found = self.pattern.fullmatch(path) or self.pattern.match(path)
        if found is None:
            return None
        rest = path[found.end() :]
        bounded = rest[:1] in ("", "/") or found[0].endswith("/")
        return Match(rest, found.groupdict()) if bounded else None


class Route(Place):
    """The path fits a template such as /users/{id}, and the method is one of these; None: any."""

    def __init__(self, template: str, methods: Iterable[str] | None) -> None:
        self.methods = None if methods is None else frozenset(methods)
        if self.methods is not None and "GET" in self.methods:
            self.methods |= {"HEAD"}
        pattern, self.kinds = _compiled(template)
        self.pattern = re.compile(pattern, re.DOTALL)
        self.rank = len(_PARAMETER.sub("", template))

    def match(self, environ: Environ, path: str) -> Match | None:
        """As said above."""
        if self.methods is not None and environ.get("REQUEST_METHOD") not in self.methods:
            return None
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return Match("", {name: self.kinds[name](text) for name, text in found.groupdict().items()})


Where: TypeAlias = "str | re.Pattern[str] | Predicate"


def place(where: Where, dialect: str) -> Place:
    """The place of `hooks.scope(where)`. ConfigError for what is none."""
    problems = Problems(f"{dialect}.scope")
    if isinstance(where, str):
        rule = "a path as the user sees it decoded, with a leading slash and without a query"
        problems.check(where.startswith("/") and "?" not in where, "where", rule, where)
        problems.done()
        return Prefix(where)
    if isinstance(where, re.Pattern):
        problems.check(isinstance(where.pattern, str), "where", "a pattern of str", where)
        problems.done()
        return Pattern(where)
    rule = "a prefix such as '/admin', a re.Pattern, or a predicate environ -> bool"
    problems.check(callable(where), "where", rule, where)
    problems.done()
    return Asked(where)


def route(template: str, methods: Iterable[str] | None, dialect: str) -> Route:
    """The place of `hooks.route(template, methods)`. ConfigError for what is none."""
    problems = Problems(f"{dialect}.route")
    listed = methods if methods is None else [methods] if isinstance(methods, str) else list(methods)
    for method in listed or ():
        problems.check(is_token(method), "methods", "tokens such as GET (RFC 9110 9.1)", method)
    right = isinstance(template, str) and template.startswith("/")
    if problems.check(right, "template", "a path with a leading slash, such as /users/{id}", template):
        problems.add_fault("template", _template_fault(template), template)
    problems.done()
    return Route(template, listed)


def _template_fault(template: str) -> str | None:
    parameters = _PARAMETER.findall(template)
    names = [name for name, _ in parameters]
    if len(set(names)) < len(names):
        return "names a parameter once"
    if not {kind or "str" for _, kind in parameters} <= set(_KINDS):
        return f"a parameter is {{name}} or {{name:kind}}, of the kinds {', '.join(_KINDS)}"
    return "braces only around parameters" if set(_PARAMETER.sub("", template)) & set("{}") else None


def _compiled(template: str) -> tuple[str, dict[str, Callable[[str], object]]]:
    """The pattern of a template, and what makes a value of each parameter."""
    pieces: list[str] = []
    kinds: dict[str, Callable[[str], object]] = {}
    end = 0
    for parameter in _PARAMETER.finditer(template):
        name, kind = parameter[1], parameter[2] or "str"
        pieces += re.escape(template[end : parameter.start()]), f"(?P<{name}>{_KINDS[kind][0]})"
        kinds[name] = _KINDS[kind][1]
        end = parameter.end()
    return "".join((*pieces, re.escape(template[end:]))), kinds

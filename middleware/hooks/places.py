"""Places: where a scope is. Prefix, pattern, predicate, route; each says whether a request is there.

A request is at a place if one reading of its path is (middleware.http.paths): as it stands, with dot segments resolved,
with runs of slashes as one, and so on, so that no spelling of a path gets past the hooks of a scope. The path is
PATH_INFO, seen from where the hooked application is mounted, like `request.path`, and within a scope with a prefix, a
pattern or a template, from where that ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from middleware.http.fields import is_token
from middleware.http.paths import is_too_long, normal
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from middleware.wsgi.types import Environ, Predicate

_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z_0-9]*)(?::([a-z]+))?\}")
_KINDS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "str": (r"[^/]+", str),
    "int": (r"[0-9]+", int),
    "path": (r".+", str),
}
_GLOBAL_FLAGS: Final = re.compile(r"\A(?:\(\?[aiLmsux]+\))+")


class Match(NamedTuple):
    """A request is there. What may be left of its path, and what was found in it."""

    rests: Iterable[str]
    found: dict[str, Any]


class Place(Protocol):
    """Where a scope is. Of several places of a kind, some kinds count only where `rank` is highest."""

    rank: int = 0

    def open_to(self, environ: Environ) -> bool:  # noqa: ARG002
        """Whether a request may be there, whatever its path."""
        return True

    def match(self, path: str) -> Match | None:
        """Whether a request that is `open_to` is there by this reading of its path, and what follows."""


class Prefix(Place):
    """The path is this one, or goes on from it at a segment boundary."""

    def __init__(self, prefix: str) -> None:
        self.prefix = "".join(f"/{segment}" for segment in normal(prefix))
        self.rank = len(self.prefix)

    def match(self, path: str) -> Match | None:
        """Whether the path begins with the prefix, up to a boundary."""
        rest = path[self.rank :]
        return Match((rest,), {}) if path.startswith(self.prefix) and rest[:1] in {"", "/"} else None


class Asked(Place):
    """A predicate says so."""

    def __init__(self, predicate: Predicate) -> None:
        self.predicate = predicate

    def open_to(self, environ: Environ) -> bool:
        """Whether the predicate holds, for a predicate of `match` possibly."""
        return self.predicate(environ)

    def match(self, path: str) -> Match | None:
        """The whole path is left."""
        return Match((path,), {})


EVERYWHERE: Final = Asked(lambda _: True)


class Pattern(Place):
    """The pattern matches the path, or a beginning of it up to a segment boundary. Named groups are view_args.

    Its `.` matches line ends, which are characters of a path like others.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        flags = (pattern.flags | re.DOTALL) & ~re.DEBUG
        self.pattern = re.compile(pattern.pattern, flags)
        # The end is part of the pattern, so that all of its alternatives are tried. With re.VERBOSE it may end in a
        # comment; global flags are among `flags`, and stand at the beginning only.
        source = _GLOBAL_FLAGS.sub("", pattern.pattern)
        line_end = "\n" if flags & re.VERBOSE else ""
        self.bounded = re.compile(f"(?:{source}{line_end})(?:(?=/)|(?<=/)|\\Z)", flags)

    def match(self, path: str) -> Match | None:
        """Whether the pattern reaches a boundary, and what follows each that it reaches."""
        found = self.bounded.match(path)
        return None if found is None else Match(self._rests(path, found.end()), found.groupdict())

    def _rests(self, path: str, reached: int) -> Iterator[str]:
        yield _rooted(path[reached:])
        if is_too_long(path):  # what lies within is doubted
            return
        for slash in (place for place, character in enumerate(path) if character == "/"):
            for end in (slash, slash + 1):
                if end != reached and self.pattern.fullmatch(path, 0, end):
                    yield _rooted(path[end:])


def _rooted(rest: str) -> str:
    """What follows a beginning that may have taken the slash between the two."""
    return f"/{rest}" if rest and rest[0] != "/" else rest


class Route(Place):
    """The path fits a template such as /users/{id}, and the method is one of these; None: any."""

    def __init__(self, template: str, methods: Iterable[str] | None) -> None:
        self.methods = None if methods is None else frozenset(method.upper() for method in methods)
        if self.methods is not None and "GET" in self.methods:
            self.methods |= {"HEAD"}
        pattern, self.kinds = _compiled(template)
        self.pattern = re.compile(pattern, re.DOTALL)
        self.rank = len(_PARAMETER.sub("", template))

    def open_to(self, environ: Environ) -> bool:
        """Whether the method, in upper case, is one of these."""
        return self.methods is None or environ.get("REQUEST_METHOD", "").upper() in self.methods

    def match(self, path: str) -> Match | None:
        """Whether the path fits the template, and each parameter its kind."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        try:
            return Match(("",), {name: self.kinds[name](text) for name, text in found.groupdict().items()})
        except ValueError:  # more digits than int() takes
            return None


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

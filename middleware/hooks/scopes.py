"""Scopes and routes: which requests they take, which of their functions run, and in which order.

A request belongs to a scope if one reading of its path does (middleware.http.paths): as received, with dot segments
resolved, with runs of slashes merged, and so on, so that no spelling of a path bypasses the hooks of a scope. The path
is PATH_INFO, relative to the mount point of the hooked application, like `request.path`. Within a prefix, a pattern or
a route, it is relative to the end of that match.

The scopes of a request, outermost first: the root; at each depth, the prefix scope with the longest prefix; then the
pattern and predicate scopes that match, in the order in which they were made, each followed by its inner scopes; then
the route with the most literal characters. A path with several readings belongs to the scopes of each. The parameters
of a scope come from the first reading that matches, beginning with the path as received. Scopes are known before the
application runs, so a prefix also covers paths without a route; blueprints of Flask do not.

- before: outermost scope first, in the order of registration.
- after: innermost scope first, the last registered first. With `after_order="registration"`, the first registered in a
  scope comes first. The after hooks of ContextHooks run in the order of the before hooks.
- teardown: innermost scope first, the last registered first.
- errorhandlers: a handler for the code comes before one for the class; then the innermost scope; then the nearest class
  in the MRO of the exception.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Final, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from middleware.hooks.async_hooks import synchronous
from middleware.hooks.http_errors import code_of, handler_key, lineage
from middleware.hooks.request_forms import Limits
from middleware.hooks.templates import Template, template_fault
from middleware.http.fields import is_token
from middleware.http.paths import is_too_long, normal, prefix_fault, readings
from middleware.wsgi.options import Problems, each
from middleware.wsgi.refused import predicate_fault
from middleware.wsgi.types import Environ, Predicate

Hook: TypeAlias = Callable[..., Any]
Handlers: TypeAlias = dict[int | None, dict[type, Hook]]
Where: TypeAlias = "str | re.Pattern[str] | Predicate"
Level = TypeVar("Level")
F = TypeVar("F", bound=Callable[..., Any])

_GLOBAL_FLAGS: Final = re.compile(r"\A(?:\(\?[aiLmsux]+\))+")


# -- one scope ---------------------------------------------------------------------------------------------------------


class Match(NamedTuple):
    """A scope's match of a path: the possible rests of the path, and the parameters."""

    rests: Iterable[str]
    found: dict[str, Any]


class Place(Protocol):
    """The condition of a scope. Of matching prefixes, and of matching routes, those of the highest `rank` count."""

    rank: int = 0

    def open_to(self, environ: Environ) -> bool:  # noqa: ARG002 - the default
        """Whether the request can match, apart from its path."""
        return True

    def match(self, path: str) -> Match | None:
        """The match of one reading of the path, for a request that is `open_to`."""


class Prefix(Place):
    """The path is the prefix, or continues it at a segment boundary."""

    def __init__(self, prefix: str) -> None:
        self.prefix = "".join(f"/{segment}" for segment in normal(prefix))
        self.rank = len(self.prefix)

    def match(self, path: str) -> Match | None:
        """The rest of the path after the prefix."""
        rest = path[self.rank :]
        return Match((rest,), {}) if path.startswith(self.prefix) and rest[:1] in {"", "/"} else None


class Asked(Place):
    """A predicate holds."""

    def __init__(self, predicate: Predicate) -> None:
        self.predicate = predicate

    def open_to(self, environ: Environ) -> bool:
        """Whether the predicate holds; for one of `middleware.match`, holding possibly is enough."""
        return self.predicate(environ)

    def match(self, path: str) -> Match | None:
        """The whole path."""
        return Match((path,), {})


class Pattern(Place):
    """The pattern matches the path up to a segment boundary. Its named groups are parameters.

    `.` matches line ends, which are ordinary characters of a path.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        flags = (pattern.flags | re.DOTALL) & ~re.DEBUG
        self.pattern = re.compile(pattern.pattern, flags)
        # The boundary is part of the pattern, so that all alternatives are tried. With re.VERBOSE, a line end closes a
        # comment. Global flags are removed, because they may stand only at the start and are already in `flags`.
        source = _GLOBAL_FLAGS.sub("", pattern.pattern)
        line_end = "\n" if flags & re.VERBOSE else ""
        self.bounded = re.compile(f"(?:{source}{line_end})(?:(?=/)|(?<=/)|\\Z)", flags)

    def match(self, path: str) -> Match | None:
        """The rest of the path after each boundary that the pattern reaches."""
        found = self.bounded.match(path)
        return None if found is None else Match(self._rests(path, found.end()), found.groupdict())

    def _rests(self, path: str, reached: int) -> Iterator[str]:
        yield _rooted(path[reached:])
        if is_too_long(path):  # inner scopes then count as matched
            return
        for slash in (index for index, character in enumerate(path) if character == "/"):
            for end in (slash, slash + 1):
                if end != reached and self.pattern.fullmatch(path, 0, end):
                    yield _rooted(path[end:])


def _rooted(rest: str) -> str:
    """The rest of a path with a leading slash, which the match may have included."""
    return f"/{rest}" if rest and rest[0] != "/" else rest


class Route(Place):
    """The path fits a template such as /users/{id}, and the method is one of those given; None is any."""

    def __init__(self, template: str, methods: Iterable[str] | None) -> None:
        self.methods = None if methods is None else frozenset(method.upper() for method in methods)
        if self.methods is not None and "GET" in self.methods:
            self.methods |= {"HEAD"}
        self.template = Template(template)
        self.rank = self.template.rank

    def open_to(self, environ: Environ) -> bool:
        """Whether the method, in upper case, is one of those given."""
        return self.methods is None or environ.get("REQUEST_METHOD", "").upper() in self.methods

    def match(self, path: str) -> Match | None:
        """The converted parameters. Nothing is left of the path."""
        found = self.template.match(path)
        return None if found is None else Match(("",), found)


class Scope:
    """The functions of one scope, and the scopes within it.

    Attributes:
        closed: bool. Of a root scope: whether registration has ended.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.closed = False
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.teardown: list[Hook] = []
        self.handlers: Handlers = {}
        self.within: list[Scope] = []

    def handle(self, key: object, function: Hook) -> None:
        """Register an errorhandler. It replaces the one of the same code and class."""
        code, kind = handler_key(key)
        if not callable(function):
            raise TypeError(f"errorhandler takes a function, not {function!r}")
        self.handlers.setdefault(code, {})[kind] = synchronous(function)


# -- the functions of one request --------------------------------------------------------------------------------------


class HookPlan(NamedTuple):
    """The functions that run for one request, in order."""

    before: tuple[Hook, ...] = ()
    after: tuple[Hook, ...] = ()
    teardown: tuple[Hook, ...] = ()
    handlers: tuple[Handlers, ...] = ()  # innermost scope first

    def handler(self, error: BaseException, codes: Iterable[int | None] | None = None) -> Hook | None:
        """The errorhandler for an exception, or None. `codes` restricts the codes under which it is registered."""
        code = code_of(error)
        kind: type = type(error)
        for slot in codes or ((None,) if code is None else (code, None)):
            for handlers in self.handlers:
                registered = handlers.get(slot, {})
                found = next((registered[base] for base in lineage(kind) if base in registered), None)
                if found is not None:
                    return found
        return None


_AFTER_ORDERS: Final[dict[str, Callable[[Sequence[Scope]], Iterable[list[Hook]]]]] = {
    "reverse": lambda scopes: (scope.after[::-1] for scope in reversed(scopes)),
    "registration": lambda scopes: (scope.after for scope in reversed(scopes)),
    "outward": lambda scopes: (scope.after for scope in scopes),
}


class Registry:
    """The scopes of one Hooks or ContextHooks object, shared by all of its copies.

    Copies with other options have a registry of their own, which shares the scopes.

    Attributes:
        scopes: all of them, the root first.
        common: the functions of the root scope, which run for every request; set by `close`.
        limits: of request bodies.
    """

    def __init__(self, after_order: str, limits: Limits) -> None:
        self.limits = limits
        self.root = Scope(Asked(lambda _: True))
        self.common = HookPlan()
        self.scopes = [self.root]
        self._after_order = _AFTER_ORDERS[after_order]
        self._plan = lru_cache(maxsize=256)(self._planned)

    def share(self, other: "Registry") -> None:
        """Share the scopes of another registry."""
        self.root, self.scopes = other.root, other.scopes

    def add(self, scope: Scope, to: Scope) -> None:
        """Add a scope within another."""
        to.within.append(scope)
        self.scopes.append(scope)

    def check_open(self, what: str) -> None:
        """Raise AssertionError, as Flask does, after the first request. `what` names the method that was called."""
        if self.root.closed:
            raise AssertionError(
                f"{what} was called after the first request, which did not see the function; register functions before"
            )

    def close(self) -> None:
        """End registration, at the first request."""
        self.root.closed = True
        self.common = self._plan((self.root,))

    @property
    def predicates(self) -> list[Predicate]:
        """The predicates of all scopes."""
        return [scope.place.predicate for scope in self.scopes if isinstance(scope.place, Asked)]

    @property
    def tears_down(self) -> bool:
        """Whether any scope has a teardown hook."""
        return any(scope.teardown for scope in self.scopes)

    @property
    def size(self) -> int:
        """The number of functions and of scopes within the root."""
        handlers = sum(len(handlers) for scope in self.scopes for handlers in scope.handlers.values())
        return len(self.scopes) - 1 + handlers + sum(map(self.count, ("before", "after", "teardown")))

    def count(self, kind: str) -> int:
        """The number of hooks of a kind: "before", "after" or "teardown"."""
        return sum(len(getattr(scope, kind)) for scope in self.scopes)

    def plan_for(self, environ: Environ, path: str) -> tuple[HookPlan, dict[str, Any] | None]:
        """The functions for a request whose received PATH_INFO is `path`, and the parameters; None without scopes."""
        if len(self.scopes) == 1:
            return self.common, None
        paths, complete, read = readings("", path).written()
        possible = () if complete and read else (Prefix,) if complete else _ALL_KINDS
        scopes, view_args = [self.root], {}
        for scope, found in _matching(self.root, environ, paths, possible):
            scopes.append(scope)
            view_args.update(found)
        return self._plan(tuple(scopes)), view_args

    def _planned(self, scopes: Sequence[Scope]) -> HookPlan:
        inward = tuple(reversed(scopes))
        return HookPlan(
            tuple(chain.from_iterable(scope.before for scope in scopes)),
            tuple(chain.from_iterable(self._after_order(scopes))),
            tuple(chain.from_iterable(scope.teardown[::-1] for scope in inward)),
            tuple(scope.handlers for scope in inward if scope.handlers),
        )


_ALL_KINDS: Final = (Prefix, Pattern, Route)  # of scopes that depend on the path
_TURNS: Final = {Prefix: 0, Asked: 1, Pattern: 1, Route: 2}  # the order of scopes at one depth


def _turn(scope: Scope) -> int:
    return _TURNS[type(scope.place)]


def _matching(
    scope: Scope, environ: Environ, paths: Iterable[str], possible: tuple[type[Place], ...]
) -> Iterator[tuple[Scope, dict[str, Any]]]:
    """The scopes within this one that the request belongs to, outermost first, and their parameters.

    Options:
        paths: the rest of the path, for each reading.
        possible: the kinds of scopes that count as matched without a matching path, because not every reading is known.
    """
    within = list(filter(lambda inner: inner.place.open_to(environ), scope.within))
    met = {inner: Match((), {}) for inner in within if isinstance(inner.place, possible)}
    for inner, match in chain.from_iterable(_best(within, path) for path in paths):
        rests, found = met.get(inner, ((), {}))
        met[inner] = Match(chain(rests, match.rests), found or match.found)
    for inner in sorted(filter(met.__contains__, within), key=_turn):
        yield inner, met[inner].found
        if inner.within:
            # Only one end of a pattern's match is known if the path is not fully read.
            kinds = _ALL_KINDS if possible and isinstance(inner.place, Pattern) else possible
            yield from _matching(inner, environ, dict.fromkeys(met[inner].rests), kinds)


def _best(scopes: Iterable[Scope], path: str) -> Iterator[tuple[Scope, Match]]:
    """Of the matches of one path, the longest prefix, the most literal route, and all others."""
    found = [(scope, match) for scope in scopes if (match := scope.place.match(path)) is not None]
    for turn in sorted({_turn(scope) for scope, _ in found}):
        alike = [each for each in found if _turn(each[0]) == turn]
        best = max(scope.place.rank for scope, _ in alike)
        yield from (each for each in alike if each[0].place.rank == best)


# -- registration ------------------------------------------------------------------------------------------------------


class Decorators(Generic[Level]):
    """Base of everything that hooks are registered on: the layer, its scopes and its routes."""

    _owner: ClassVar[str] = "Hooks"  # for messages

    def __init__(self, registry: Registry, scope: Scope) -> None:
        self._registry = registry
        self._scope = scope

    @abstractmethod
    def _level(self, scope: Scope) -> Level:
        """An object with the decorators of a scope."""

    def scope(self, where: Where) -> Level:
        """A scope within this one, with the same decorators, for some requests.

        Options:
            where: str, re.Pattern, or predicate environ -> bool. A prefix such as "/admin" covers that path and all
                below it. A pattern matches the path up to any segment boundary that it can reach; its named groups are
                in request.view_args, and "." matches line ends. Within a prefix, a pattern or a route, the path is
                relative to the end of that match. Required.

        Of several prefixes that cover a path, only the longest counts, as with blueprints. A scope that is part of
        another is made with `scope` of that other: `hooks.scope("/admin").scope("/api")` has the hooks of both.

        A request belongs to the scope if one reading of its path does (middleware.match.path): //admin belongs to
        "/admin".

        Errors: ConfigError for any other value.
        """
        problems = Problems(f"{self._owner}.scope")
        if isinstance(where, str):
            problems.add_fault("where", prefix_fault(where), where)
        elif isinstance(where, re.Pattern):
            problems.check(isinstance(where.pattern, str), "where", "a pattern of str", where)
        else:
            rule = "a prefix such as '/admin', a re.Pattern, or a predicate environ -> bool"
            problems.add_fault("where", predicate_fault(where, rule), where)
        problems.done()
        kind: Any = Prefix if isinstance(where, str) else Pattern if isinstance(where, re.Pattern) else Asked
        return self._within("scope", kind(where))

    def route(self, template: str, *, methods: Iterable[str] | None = None) -> Level:
        """A scope for one route: the paths that fit a template such as /users/{id} or /files/{name:path}.

        Options:
            template: str. A path with parameters, which are in request.view_args: {name} is a segment, {name:int} a
                number, {name:path} one or more segments. Required.
            methods: iterable of str, or None. The methods, in any case; GET includes HEAD. Default None: any method.

        A request belongs to the route if one reading of its path fits, as in `scope`. The parameters come from the
        first that does.

        Errors: ConfigError for a template without a leading slash, with a query, or with a parameter of another form,
        such as Flask's <int:id>, and for methods that are not tokens.
        """
        problems = Problems(f"{self._owner}.route")
        rule = "tokens such as GET (RFC 9110 9.1)"
        listed = None if methods is None else each(methods)
        problems.check(listed != (), "methods", f"{rule}, at least one", methods)
        for method in listed or ():
            problems.check(is_token(method), "methods", rule, method)
        is_path = isinstance(template, str) and template.startswith("/") and "?" not in template
        rule = "a path with a leading slash and without a query, such as /users/{id}"
        if problems.check(is_path, "template", rule, template):
            problems.add_fault("template", template_fault(template), template)
        problems.done()
        return self._within("route", Route(template, listed))

    def _within(self, what: str, place: Place) -> Level:
        self._registry.check_open(what)
        scope = Scope(place)
        self._registry.add(scope, self._scope)
        return self._level(scope)

    def _add(self, what: str, hooks: list[Callable[..., Any]], function: F) -> F:
        self._registry.check_open(what)
        if not callable(function):
            raise TypeError(f"{what} takes a function, not {function!r}")
        hooks.append(synchronous(function))
        return function


def qualified_name(function: object) -> str:
    """The module and name of a function, for messages."""
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"

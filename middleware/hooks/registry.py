"""Registry: which functions there are, in which scopes; which of them take part in a request, and in which order.

Scopes of a request, outermost first: the root, then, at each depth, the prefix scope with the longest prefix, the
pattern and predicate scopes that match, in the order in which they were made, each followed by what lies within it; a
route comes after its sister scopes, and of several the one with the most literal segments. Where a path can be read in
several ways, these are the scopes of each reading (middleware.http.paths); what they find in the path comes from the
first reading that they fit, the path as it stands before the others.

Scopes are known before the application runs, so that they take part under their prefix where it has no route as well;
blueprints in Flask do not.

before: outermost scope first, in the order of registration. after and teardown: innermost scope first, the last
registered first (`after_order="registration"`: within a scope, the first registered first; those of ContextHooks in the
order of the before hooks). errorhandlers: a handler
for the code of the error comes before one for its class; within that, the innermost scope; within that, the nearest
class of the error's MRO.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from middleware.hooks.awaited import called
from middleware.hooks.errors import code_of, lineage, slot_of
from middleware.hooks.places import EVERYWHERE, Asked, Match, Pattern, Prefix, Route
from middleware.http.paths import readings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.hooks.context import Context
    from middleware.hooks.forms import Limits
    from middleware.hooks.places import Place
    from middleware.wsgi.types import Environ, Predicate

    Hook: TypeAlias = Callable[..., Any]
    Handlers: TypeAlias = dict[int | None, dict[type, Hook]]


class Scope:
    """The hooks of one place: all requests, or those that a prefix, a pattern, a predicate or a route takes in."""

    def __init__(self, place: Place = EVERYWHERE) -> None:
        self.place = place
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.teardown: list[Hook] = []
        self.handlers: Handlers = {}
        self.within: list[Scope] = []

    def handle(self, key: object, function: Hook) -> None:
        """Register a handler; one for the same code and class takes the place of that before."""
        code, kind = slot_of(key)
        self.handlers.setdefault(code, {})[kind] = called(function)


class Plan(NamedTuple):
    """The hooks of one request, in the order in which they run."""

    before: tuple[Hook, ...]
    after: tuple[Hook, ...]
    teardown: tuple[Hook, ...]
    handlers: tuple[Handlers, ...]  # innermost scope first

    def handler(self, error: BaseException, codes: Iterable[int | None] | None = None) -> Hook | None:
        """The errorhandler for this error, or None. `codes`: look under these codes only."""
        code = code_of(error)
        for slot in codes or ((None,) if code is None else (code, None)):
            for handlers in self.handlers:
                found = _nearest(handlers.get(slot), type(error))
                if found is not None:
                    return found
        return None


def _nearest(handlers: dict[type, Hook] | None, kind: type) -> Hook | None:
    if not handlers:
        return None
    return next((handlers[base] for base in lineage(kind) if base in handlers), None)


_KINDS: Final = (Prefix, Pattern, Route)  # that a path decides about
_TURNS: Final = {Prefix: 0, Asked: 1, Pattern: 1, Route: 2}  # in which sister scopes take part


class Registry:
    """The scopes of one Hooks or ContextHooks object, which all of its copies share."""

    def __init__(self, after_order: str, limits: Limits) -> None:
        self.limits = limits
        self.root = Scope()
        self._scopes = [self.root]
        self._after_order = _AFTER_ORDERS[after_order]
        self._common: Plan | None = None
        self._plan = lru_cache(maxsize=256)(self._made)

    def add(self, scope: Scope, to: Scope) -> None:
        """Have a scope within another."""
        to.within.append(scope)
        self._scopes.append(scope)

    def open_for(self, what: str) -> None:
        """Refuse what comes too late: AssertionError, as in Flask."""
        if self._common is not None:
            raise AssertionError(
                f"{what} was called after the first request: not every request would see it alike; register before that"
            )

    def close(self) -> None:
        """Take no more: a request is there."""
        self._common = self._common or self._made((self.root,))

    @property
    def predicates(self) -> list[Predicate]:
        """Those that scopes have for conditions."""
        return [scope.place.predicate for scope in self._scopes if isinstance(scope.place, Asked)]

    @property
    def tears_down(self) -> bool:
        """Whether there is a teardown hook anywhere."""
        return any(scope.teardown for scope in self._scopes)

    def count(self, kind: str) -> int:
        """How many hooks of a kind there are."""
        return sum(len(getattr(scope, kind)) for scope in self._scopes)

    def plan_for(self, context: Context) -> Plan:
        """The hooks for a request; what scopes find in its path goes to `view_args`."""
        plan = context.plan = cast("Plan", self._common)
        if len(self._scopes) == 1:
            return plan
        context.view_args = {}
        paths, complete, read = readings("", context.path[1]).written()
        doubted = () if complete and read else (Prefix,) if complete else _KINDS
        found = _matching(self.root, context.environ, paths, doubted)
        scopes = [self.root]
        for scope, view_args in found:
            scopes.append(scope)
            context.view_args.update(view_args)
        return self._plan(tuple(scopes))

    def _made(self, scopes: Sequence[Scope]) -> Plan:
        inward = tuple(reversed(scopes))
        return Plan(
            _each(scope.before for scope in scopes),
            _each(self._after_order(scopes)),
            _each(scope.teardown[::-1] for scope in inward),
            tuple(scope.handlers for scope in inward if scope.handlers),
        )


_AFTER_ORDERS: Final[dict[str, Callable[[Sequence[Scope]], Iterable[list[Hook]]]]] = {
    "reverse": lambda scopes: (scope.after[::-1] for scope in reversed(scopes)),
    "registration": lambda scopes: (scope.after for scope in reversed(scopes)),
    "outward": lambda scopes: (scope.after for scope in scopes),
}


def _each(lists: Iterable[list[Hook]]) -> tuple[Hook, ...]:
    return tuple(chain.from_iterable(lists))


def named(function: object) -> str:
    """A function as people find it."""
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"


def _matching(
    scope: Scope, environ: Environ, paths: Iterable[str], doubted: tuple[type[Place], ...]
) -> Iterator[tuple[Scope, dict[str, Any]]]:
    """The scopes within this one that take part, outermost first, and what they find: by the first path that fits.

    Options:
        paths: what may be left of the path, one for each reading.
        doubted: the kinds of places that the request may be at without such a path, as far as they are open to it.
    """
    within = list(filter(lambda inner: inner.place.open_to(environ), scope.within))
    met = {inner: Match((), {}) for inner in within if isinstance(inner.place, doubted)}
    for inner, match in chain.from_iterable(_chosen(_found(within, path)) for path in paths):
        rests, found = met.get(inner, ((), {}))
        met[inner] = Match(chain(rests, match.rests), found or match.found)
    for inner in sorted(filter(met.__contains__, within), key=_turn):
        yield inner, met[inner].found
        if inner.within:
            yield from _matching(inner, environ, dict.fromkeys(met[inner].rests), _doubted(inner, doubted))


def _doubted(scope: Scope, doubted: tuple[type[Place], ...]) -> tuple[type[Place], ...]:
    """The kinds that are doubted within a scope: where a path is not read, one end of a pattern is known, of many."""
    return _KINDS if doubted and isinstance(scope.place, Pattern) else doubted


def _found(scopes: Iterable[Scope], path: str) -> list[tuple[Scope, Match]]:
    return [(scope, match) for scope in scopes if (match := scope.place.match(path)) is not None]


def _chosen(found: Sequence[tuple[Scope, Match]]) -> Iterator[tuple[Scope, Match]]:
    """The scopes that a path belongs to: of prefixes the longest, of routes the most literal, of the others all."""
    for turn in sorted({_turn(scope) for scope, _ in found}):
        alike = [each for each in found if _turn(each[0]) == turn]
        best = max(scope.place.rank for scope, _ in alike)
        yield from (each for each in alike if each[0].place.rank == best)


def _turn(scope: Scope) -> int:
    return _TURNS[type(scope.place)]

"""Levels: all requests, those of a scope, those of a route; whatever dialect the hooks are registered in."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from middleware.hooks import places
from middleware.hooks.awaited import called
from middleware.hooks.registry import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.hooks.places import Where
    from middleware.hooks.registry import Registry

Level = TypeVar("Level")
F = TypeVar("F", bound="Callable[..., Any]")


class Levels(Generic[Level]):
    """Where hooks are registered. Scopes and routes lie within each other."""

    _dialect: ClassVar[str] = "Hooks"
    _registry: Registry
    _scope: Scope

    @abstractmethod
    def _level(self, scope: Scope) -> Level:
        """What registers hooks in a scope."""

    def scope(self, where: Where) -> Level:
        """A scope within this one, with the same decorators, for some requests.

        Options:
            where: str, re.Pattern, or predicate environ -> bool. A prefix, "/admin", is that path and all below it. A
                pattern matches the path up to any segment boundary that it can reach; its named groups are in
                request.view_args, and "." matches line ends. Within a prefix, a pattern or a route's template, the path
                goes on from there. Required.

        A request is in the scope if one reading of its path is (middleware.match.path): //admin is in that of /admin.

        Errors: ConfigError for anything else.
        """
        return self._within("scope", places.place(where, self._dialect))

    def route(self, template: str, *, methods: Iterable[str] | None = None) -> Level:
        """A scope for one route: those paths that a template such as /users/{id} or /files/{name:path} fits.

        Options:
            template: str. A path whose parameters are {name} for a segment, {name:int} and {name:path}; they are in
                request.view_args. Required.
            methods: iterable of str, or None. Methods, in any case, GET with HEAD; None is any. Default None.

        A request is in it if one reading of its path is, as with `scope`; the parameters come from the first that fits.

        Errors: ConfigError for a template without a leading slash, and for methods that are no tokens.
        """
        return self._within("route", places.route(template, methods, self._dialect))

    def _within(self, what: str, place: places.Place) -> Level:
        self._registry.open_for(what)
        scope = Scope(place)
        self._registry.add(scope, self._scope)
        return self._level(scope)

    def _add(self, what: str, hooks: list[Callable[..., Any]], function: F) -> F:
        self._registry.open_for(what)
        if not callable(function):
            raise TypeError(f"{what} takes a function, not {function!r}")
        hooks.append(called(function))
        return function

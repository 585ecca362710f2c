"""Registering: the decorators, the same for all requests and for those of a scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from middleware.hooks.levels import Levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.hooks.registry import Registry, Scope

F = TypeVar("F", bound="Callable[..., Any]")


class Registering(Levels["HookScope"]):
    """The decorators of Flask; each returns its function unchanged. `async def` functions will do."""

    def before_request(self, function: F) -> F:
        """Call `function()` before the application. If it returns something, that is the response."""
        return self._add("before_request", self._scope.before, function)

    def after_request(self, function: F) -> F:
        """Call `function(response)` with every response; it returns that, or another."""
        return self._add("after_request", self._scope.after, function)

    def teardown_request(self, function: F) -> F:
        """Call `function(error)` when a request is over, with the exception that nobody handled, or None."""
        return self._add("teardown_request", self._scope.teardown, function)

    def errorhandler(self, code_or_exception: int | type[Exception]) -> Callable[[F], F]:
        """Have the decorated function called with exceptions of this code or class; it returns the response."""

        def decorate(function: F) -> F:
            self.register_error_handler(code_or_exception, function)
            return function

        return decorate

    def register_error_handler(self, code_or_exception: int | type[Exception], function: Callable[..., Any]) -> None:
        """Do what `errorhandler` does, without a decorator.

        Errors: ValueError for a code that is no error's and a class that is no Exception; TypeError for all else.
        """
        self._registry.open_for("errorhandler")
        self._scope.handle(code_or_exception, function)

    def before_app_request(self, function: F) -> F:
        """Register a before_request hook for all requests."""
        return self._add("before_app_request", self._registry.root.before, function)

    def after_app_request(self, function: F) -> F:
        """Register an after_request hook for all requests."""
        return self._add("after_app_request", self._registry.root.after, function)

    def teardown_app_request(self, function: F) -> F:
        """Register a teardown_request hook for all requests."""
        return self._add("teardown_app_request", self._registry.root.teardown, function)

    def app_errorhandler(self, code_or_exception: int | type[Exception]) -> Callable[[F], F]:
        """Register an errorhandler for all requests."""

        def decorate(function: F) -> F:
            self._registry.open_for("app_errorhandler")
            self._registry.root.handle(code_or_exception, function)
            return function

        return decorate

    def _level(self, scope: Scope) -> HookScope:
        return HookScope(self._registry, scope)


class HookScope(Registering):
    """Hooks for the requests of one scope, and of the scopes within it: what a blueprint is in Flask.

    What `scope` and `route` return. It has the decorators of `Hooks`, and `scope` and `route` itself.
    """

    def __init__(self, registry: Registry, scope: Scope) -> None:
        self._registry = registry
        self._scope = scope

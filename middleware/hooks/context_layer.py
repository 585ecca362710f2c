"""ContextHooks: Kyoukai's request hooks around any WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from middleware.hooks.contextual import ContextDispatcher
from middleware.hooks.crossing import Policy
from middleware.hooks.entrance import Hooked
from middleware.hooks.forms import Limits
from middleware.hooks.levels import F, Levels
from middleware.hooks.registry import Registry
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from middleware.hooks.registry import Scope
    from middleware.wsgi.types import Application


class ContextRegistering(Levels["ContextScope"]):
    """The decorators of Kyoukai; each returns its function unchanged. `async def` functions will do."""

    _dialect: ClassVar[str] = "ContextHooks"

    def before_request(self, function: F) -> F:
        """Call `function(ctx)` before the application. It returns the context to go on with, or None for the same."""
        return self._add("before_request", self._scope.before, function)

    def after_request(self, function: F) -> F:
        """Call `function(ctx, response)` after it. It returns the response to go on with, or None for the same."""
        return self._add("after_request", self._scope.after, function)

    def add_hook(self, kind: Literal["pre", "post"], function: F) -> F:
        """Do what `before_request` ("pre") or `after_request` ("post") does. ConfigError for another kind."""
        problems = Problems(f"{self._dialect}.add_hook")
        problems.check(kind in ("pre", "post"), "kind", '"pre" or "post"', kind)
        problems.done()
        return self.before_request(function) if kind == "pre" else self.after_request(function)

    def _level(self, scope: Scope) -> ContextScope:
        return ContextScope(self._registry, scope)


class ContextScope(ContextRegistering):
    """Hooks for the requests of one scope or route, and of the scopes within it.

    What `scope` and `route` return. It has the decorators of `ContextHooks`, and `scope` and `route` itself.
    """

    def __init__(self, registry: Registry, scope: Scope) -> None:
        self._registry = registry
        self._scope = scope


class ContextHooks(ContextRegistering, Hooked):
    """Runs functions before and after each request that get its context, as Kyoukai's hooks do.

    Register by `@hooks.before_request` and `@hooks.after_request`, or `hooks.add_hook("pre", function)` and "post", for
    all requests, in a `scope` or for a `route`, before the first request. Both kinds run from the outermost level to
    the route, in the order added. None keeps the context, or the response; anything else takes its place. Only `abort`
    stops. Any failure is a 500, which no after_request hook sees. Copies share what is registered. Without hooks it
    answers nothing but errors.

    Stands where Hooks does: inside layers whose headers belong on every response, and outside of what the hooks shall
    see. Does nothing to a body that no hook touches.

    Options:
        propagate_exceptions: bool. Whether an exception that stands for no response is raised instead of becoming a
            500. Default False.
        max_content_length: int in bytes, or None. A body over this size is a 413 where a hook reads it. Default None:
            no limit.
        max_form_memory_size: int in bytes, or None. A field of a multipart form over this size is a 413 where a hook
            reads the form; files are kept on disk. Default 500,000.
        max_form_parts: int, or None. A multipart form of more parts is a 413 where a hook reads it. Default 1,000.

    Errors: ConfigError for other values; AssertionError for a function registered after the first request.
    Source: Kyoukai 2.2, "Request Hooks".
    """

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        propagate_exceptions: bool = False,
        max_content_length: int | None = None,
        max_form_memory_size: int | None = 500_000,
        max_form_parts: int | None = 1000,
    ) -> None:
        super().__init__(app)
        problems = Problems("ContextHooks")
        rule = "True or False"
        problems.check(isinstance(propagate_exceptions, bool), "propagate_exceptions", rule, propagate_exceptions)
        limits = Limits(max_content_length, max_form_memory_size, max_form_parts).check(problems)
        problems.done()
        self.propagate_exceptions = propagate_exceptions
        self.max_content_length, self.max_form_memory_size, self.max_form_parts = limits
        self._registry = Registry("outward", limits)
        self._scope = self._registry.root

    def dispatcher(self, app: Application) -> ContextDispatcher:
        """What runs the hooks around `app`."""
        return ContextDispatcher(app, self._registry, Policy(self.propagate_exceptions))

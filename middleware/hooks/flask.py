"""Hooks: Flask's request hooks around any WSGI application.

The order of one request:

    before_request hooks, the application, errorhandlers, after_this_request functions, after_request hooks, the server,
    teardown_request hooks

- The first before_request hook that returns a value other than None answers. The hooks after it and the application are
  skipped.
- Exceptions of hooks and of the application reach the errorhandlers. Without a handler, an exception that is a response
  is sent as it is; any other becomes a 500, or is raised if errors are propagated.
- after_request hooks see every response: of the application, a hook, or an errorhandler. If one raises, the response
  becomes a 500, which all of them see again. If one raises for the 500, that is logged and the others are skipped.
- An exception of an errorhandler becomes a 500. An exception of the handler for a 500 is raised to the server.
- Neither handlers nor after_request hooks see a BaseException that is not an Exception, or an error after the head was
  sent.
- teardown_request hooks always run, exactly once, with the unhandled exception or that of the body.

Deviations from Flask: an after_request hook that returns no response is a TypeError that names the hook, and so a 500.
All teardown hooks run, even if one raises, and the first exception is raised. A response that is not sent is
closed. `g` and `request` are bound while the body is iterated. An application that answers errors by itself can report
the exception, by environ["middleware.exception"] or exc_info: it then reaches handlers and teardown, and without a
handler the application's response is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, ClassVar, Literal

from middleware.hooks.context import bound
from middleware.hooks.cycle import Cycle, Dispatcher, HookLayer, ReplyPolicy, logger
from middleware.hooks.http_errors import ERRORS, InternalServerError, handler_key, is_response, reaches_no_handler
from middleware.hooks.request_forms import Limits
from middleware.hooks.response_conversion import answered, converted
from middleware.hooks.response_object import Response
from middleware.hooks.scopes import Decorators, F, Registry, Scope, qualified_name
from middleware.hooks.teardown import tear_down
from middleware.wsgi.answer import NOTES, note
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.options import Problems
from middleware.wsgi.types import Application, Environ


class FlaskDispatcher(Dispatcher[Cycle]):
    """One application inside Flask's hooks."""

    layer_name: ClassVar[str] = "Hooks"
    cycle_class = Cycle

    def _reply(self, cycle: Cycle) -> Response | Cycle:
        try:
            try:
                value = self._answer(cycle)
            except Exception as error:  # noqa: BLE001 - handlers may be for any
                value = self._handled(cycle, error)
            if value is cycle:
                value = self._reported(cycle)
            return cycle if cycle.passed else self._finalized(cycle, value)
        except Exception as error:  # noqa: BLE001 - answered
            return self._failed(cycle, error)
        finally:
            value = None  # break the reference cycle of an error with this frame

    def _answer(self, cycle: Cycle) -> Any:
        """The value of the first before_request hook that answers, or else the cycle, after the application ran."""
        cycle.plan, cycle.view_args = self.registry.plan_for(cycle.environ, cycle.path[1])
        for hook in cycle.plan.before:
            value = hook()
            if value is not None:
                if NOTES in cycle.environ:
                    note(cycle.environ, f"the before_request hook {qualified_name(hook)} answered")
                cycle.author = hook
                return value
        self._call(cycle)
        return cycle

    def _handled(self, cycle: Cycle, error: Exception) -> Any:
        """The value of the errorhandler, or the error itself if it is a response. Any other error is raised."""
        handler = None
        if not cycle.passed and not reaches_no_handler(error):
            handler = cycle.plan.handler(error)
        if handler is not None:
            return _result(cycle, handler, error)
        if cycle.passed or not is_response(error):
            try:
                raise error
            finally:
                del error  # break the traceback reference cycle
        note(cycle.environ, "the exception {} is the response", type(error).__name__)
        return error

    def _reported(self, cycle: Cycle) -> Any:
        """The value of a handler for the error that the application answered by itself, or else the cycle."""
        reported = cycle.environ.get(EXCEPTION) or cycle.given_error
        if cycle.passed:
            return cycle
        if not isinstance(reported, Exception):
            return self._by_status(cycle) if self._policy.statuses else cycle
        handler = cycle.plan.handler(reported)
        if handler is not None:
            cycle.environ.pop(EXCEPTION, None)
            return _result(cycle, handler, reported)
        self._note(cycle, reported)
        error = InternalServerError(response=self._view(cycle), original_exception=reported)
        handler = cycle.plan.handler(error)
        return cycle if handler is None else _result(cycle, handler, error)

    def _by_status(self, cycle: Cycle) -> Any:
        """The value of the handler for the status of the application's response, or else the cycle."""
        code = int(cycle.status[:3])
        if code not in ERRORS:
            return cycle
        error = ERRORS[code](response=self._view(cycle))
        handler = cycle.plan.handler(error, (code,))
        return cycle if handler is None else _result(cycle, handler, error)

    def _finalized(self, cycle: Cycle, value: Any, *, unreadable: bool = False) -> Response | Cycle:
        """The response after the after_request hooks."""
        own = value is cycle
        if own and not (cycle.plan.after or cycle.after_this):
            return cycle
        if own:
            return self._after(cycle, self._view(cycle, unreadable=unreadable))
        return self._after(cycle, converted(value, f"{qualified_name(cycle.author)} returned", cycle.discard))

    def _unreadable_reply(self, cycle: Cycle) -> Response | Cycle:
        return self._finalized(cycle, cycle, unreadable=True)

    def _after(self, cycle: Cycle, response: Response) -> Response:
        """The response after the after_request hooks."""
        cycle.made = (response,)
        for hook in chain(cycle.after_this, cycle.plan.after):  # a hook may append to after_this
            result: Any = hook(response)
            if result is response:
                continue
            if not isinstance(result, Response):
                if not callable(result):
                    kind, name = type(result).__name__, qualified_name(hook)
                    raise TypeError(f"the after_request hook {name} returned {kind}: it has to return a response")
                result = answered(result)
            cycle.made = (*cycle.made, result)
            response = result
        return cycle.chosen(response)

    def _internal_error(self, cycle: Cycle, error: InternalServerError) -> Response | Cycle:
        handler = cycle.plan.handler(error)
        value = error if handler is None else _result(cycle, handler, error)
        response = converted(value, f"{qualified_name(cycle.author)} returned", cycle.discard)
        try:
            return self._after(cycle, response)
        except Exception:  # noqa: BLE001 - logged
            logger.exception(
                "An after_request hook failed on the response to an error, which is sent without it",
                extra=cycle.logged,
            )
            return cycle.chosen(response)


def _result(cycle: Cycle, handler: Callable[[Exception], Any], error: Exception) -> Any:
    if NOTES in cycle.environ:
        note(cycle.environ, f"the errorhandler {qualified_name(handler)} answered {type(error).__name__}")
    cycle.author = handler
    return handler(error)


class FlaskDecorators(Decorators["HookScope"]):
    """The decorators of Flask. Each returns its function unchanged and accepts `async def` functions."""

    def before_request(self, function: F) -> F:
        """Call `function()` before the application. A value other than None is the response."""
        return self._add("before_request", self._scope.before, function)

    def after_request(self, function: F) -> F:
        """Call `function(response)` with every response. It returns that response or another."""
        return self._add("after_request", self._scope.after, function)

    def teardown_request(self, function: F) -> F:
        """Call `function(error)` at the end of a request, with the unhandled exception or None."""
        return self._add("teardown_request", self._scope.teardown, function)

    def errorhandler(self, code_or_exception: int | type[Exception]) -> Callable[[F], F]:
        """Call the decorated function with exceptions of this code or class. It returns the response."""
        handler_key(code_or_exception)  # raises for @errorhandler without parentheses

        def decorate(function: F) -> F:
            self.register_error_handler(code_or_exception, function)
            return function

        return decorate

    def register_error_handler(self, code_or_exception: int | type[Exception], function: Callable[..., Any]) -> None:
        """Register an errorhandler without a decorator.

        Errors: ValueError for a code that is not an error's and a class that is not an Exception; TypeError for
        anything else.
        """
        self._registry.check_open("errorhandler")
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
        handler_key(code_or_exception)

        def decorate(function: F) -> F:
            self._registry.check_open("app_errorhandler")
            self._registry.root.handle(code_or_exception, function)
            return function

        return decorate

    def _level(self, scope: Scope) -> HookScope:
        return HookScope(self._registry, scope)


class HookScope(FlaskDecorators):
    """Hooks for the requests of one scope, and of the scopes within it: the counterpart of a blueprint in Flask.

    Returned by `scope` and `route`. It has the decorators of `Hooks`, and `scope` and `route` itself.
    """


class Hooks(FlaskDecorators, HookLayer):
    """Runs functions before and after each request, for its errors and at its end, as Flask's hooks do.

    Register functions with `@hooks.before_request`, `@hooks.after_request`, `@hooks.teardown_request` and
    `@hooks.errorhandler(404)`, for all requests or in a scope, before the first request. Copies (`wrap`, `named`,
    `when`, `with_options`, in a stack) share the registered functions. Without registered functions, Hooks only
    answers errors.

    Stands inside layers whose headers must be on every response, and outside everything whose responses the hooks must
    see. It answers the errors of inner layers and the application; inner layers do not see those responses. Does
    nothing to a body that no hook touches.

    An application that turns errors into responses hides them from errorhandlers. It can raise them instead (Flask:
    PROPAGATE_EXCEPTIONS, Django: DEBUG_PROPAGATE_EXCEPTIONS, Bottle: catchall=False), or put the exception into
    environ["middleware.exception"] and answer by itself.

    Options:
        after_order: "reverse" or "registration". The order of the after_request hooks of a scope: the last registered
            first, as in Flask, or the first registered first. Default "reverse".
        teardown: "close" or "flask". When teardown_request hooks run: when the body is closed, with the exception that
            it raised, if any; or before the body is iterated. Default "close".
        propagate_exceptions: bool. Whether an exception without an errorhandler is raised instead of becoming a 500.
            Default False.
        statuses: bool. Whether errorhandlers for codes also get responses of the application with these codes. Default
            False: exceptions only, as in Flask.
        max_content_length: int in bytes, or None. A larger body is a 413 when a hook reads it, so the application is
            not called. It does not limit what the application reads. Default None: no limit.
        max_form_memory_size: int in bytes, or None. A larger field of a multipart form is a 413 when a hook reads the
            form; files are kept on disk. Default 500,000.
        max_form_parts: int, or None. A multipart form with more parts is a 413 when a hook reads it. Default 1,000.

    Errors: ConfigError for other values; AssertionError for a function registered after the first request.
    Source: Flask 3.1.
    """

    _counted: ClassVar[tuple[str, ...]] = ("before", "after", "teardown")

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        after_order: Literal["reverse", "registration"] = "reverse",
        teardown: Literal["close", "flask"] = "close",
        propagate_exceptions: bool = False,
        statuses: bool = False,
        max_content_length: int | None = None,
        max_form_memory_size: int | None = 500_000,
        max_form_parts: int | None = 1000,
    ) -> None:
        HookLayer.__init__(self, app)
        problems = Problems("Hooks")
        orders, moments = ("reverse", "registration"), ("close", "flask")
        problems.check(after_order in orders, "after_order", '"reverse" or "registration"', after_order)
        problems.check(teardown in moments, "teardown", '"close" or "flask"', teardown)
        for option, value in (("propagate_exceptions", propagate_exceptions), ("statuses", statuses)):
            problems.check(isinstance(value, bool), option, "True or False", value)
        limits = Limits(max_content_length, max_form_memory_size, max_form_parts).check(problems)
        problems.done()
        self.after_order, self.teardown = after_order, teardown
        self.propagate_exceptions, self.statuses = propagate_exceptions, statuses
        self.max_content_length, self.max_form_memory_size, self.max_form_parts = limits
        self._late = teardown == "close"
        registry = Registry(after_order, limits)
        FlaskDecorators.__init__(self, registry, registry.root)

    def dispatcher(self, app: Application) -> FlaskDispatcher:
        """The application inside the hooks."""
        return FlaskDispatcher(app, self._registry, ReplyPolicy(self.propagate_exceptions, self.statuses))

    @contextmanager
    def request_context(self, environ: Environ) -> Iterator[None]:
        """Bind a request without running it, for scripts and tests. Teardown hooks run at the end of the block."""
        self._registry.close()
        cycle = Cycle(environ, lambda *_: lambda _: None)
        cycle.registry, cycle.roots = self._registry, (self._registry.root,)
        cycle.plan, cycle.view_args = self._registry.plan_for(environ, cycle.path[1])
        try:
            with bound(cycle):
                yield
        except BaseException as error:
            tear_down(cycle, error)
            raise
        tear_down(cycle, None)

"""ContextHooks: Kyoukai's request hooks around any WSGI application.

The order of one request:

    before_request hooks, the application, after_request hooks, the server

- A before_request hook gets the context, `ctx`; an after_request hook gets the context and the response. A return value
  replaces the context or the response; None keeps it. The application finds the context in
  environ["middleware.context"].
- No return value skips anything. To stop, a hook raises, as `abort` does.
- After an exception, the remaining hooks are skipped, after_request hooks too. An exception that is a response is sent.
  Any other is logged and becomes a 500.
- After_request hooks get the response before it is final. `response.response` is the stream or list that the
  application returned, or the object in environ["middleware.result"]; what the application returned is then closed
  unread. A hook may return such an object as well. An object that is left after the last hook becomes the body by the
  rules of `make_response`: JSON for a dict or a list, text for a str.

Differences that follow from an application with unknown routes: a 404 or 405 of the application is an ordinary
response, which hooks see; the hooks of a scope see it for every path of the scope. An error that the application
answers by itself is an ordinary response too, unless the application reports the exception by
environ["middleware.exception"] or exc_info: then its response is sent, and no hook sees it. A response that is already
being sent by write() can be given other fields, but no object. A hook that returns something other than a context or a
response fails at once, with a message that names the hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from middleware.hooks.context import Context
from middleware.hooks.cycle import Cycle, Dispatcher, HookLayer, ReplyPolicy
from middleware.hooks.http_errors import InternalServerError, is_response
from middleware.hooks.request import Request
from middleware.hooks.request_forms import Limits
from middleware.hooks.response_conversion import converted, tuple_parts
from middleware.hooks.response_object import Response, body_of
from middleware.hooks.response_sending import Stream
from middleware.hooks.scopes import Decorators, F, Registry, Scope, qualified_name
from middleware.wsgi.answer import note
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.options import Problems
from middleware.wsgi.types import Application, Environ

CONTEXT: Final = "middleware.context"
RESULT: Final = "middleware.result"
_OBJECTS: Final = (dict, str, bytes, bytearray)  # any other iterable is a body


class HTTPRequestContext:
    """The context of a request, shared by its hooks and the application. It accepts any attribute.

    Attributes:
        request: the request.
    """

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def environ(self) -> Environ:
        """The environ of the request."""
        environ: Environ = self.request.environ
        return environ

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that scopes and routes found in the path."""
        return self.request.view_args

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the context has no {name!r} in this request")

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None: ...


class ObjectResponse(Response):
    """The response of ContextHooks, whose body may be an object until the last hook has run, or the data is read."""

    _unconverted: bool = False  # the body is an object
    _source: str = "response.response was set to"

    def _replace(self, body: Any) -> None:
        if isinstance(body, _OBJECTS):
            self.hold(body, self._source)
        else:
            self._unconverted = False
            super()._replace(body)

    @property
    def is_sequence(self) -> bool:
        """Whether the body is a list or a tuple, which can be read without consuming a stream."""
        return not self._unconverted and isinstance(self._app_iter, (list, tuple))

    def hold(self, value: Any, source: str) -> ObjectResponse:
        """Use an object as the body. `source` begins the message of an error: "the hook f returned"."""
        data = value.encode() if isinstance(value, str) else value
        self._drop_coding([bytes(data)] if isinstance(data, (bytes, bytearray)) else None)
        del self.headers["Content-Length"]
        if isinstance(value, (dict, list)) and not self.is_json:
            self.content_type = "application/json"
        self._put(value)
        self._unconverted, self._source = True, source
        return self

    def set_data(self, data: bytes | bytearray | str) -> None:
        """Replace the body and set Content-Length."""
        self._unconverted = False
        super().set_data(data)

    data = body = property(Response.get_data, set_data)

    def make_sequence(self) -> None:
        """Convert an object to bytes, or read a streamed body into a list and close it."""
        self.convert()
        super().make_sequence()

    def convert(self) -> ObjectResponse:
        """Convert an object to bytes. TypeError if `make_response` would not accept it."""
        if self._unconverted:
            made = converted(self._app_iter, self._source)
            self._unconverted, self._app_iter = False, body_of(made)
            self.closers += made.closers
            self.content_type = self.content_type or made.content_type
        return self


def _with_object(
    value: Any,
    source: str,
    response: ObjectResponse | None = None,
    discard: Callable[[Response], object] = lambda _: None,
) -> Response:
    """A response with an object as its body.

    Options:
        value: the object, or a tuple with status and headers. A response is returned unchanged.
        source: str. Begins the message of an error: "the hook f returned".
        response: keeps its head, unless the value has one. Default None: a new response.
        discard: called with a response whose status or headers are invalid in the value. Default: it is left alone.
    """
    body, status, headers = tuple_parts(value, source) if isinstance(value, tuple) else (value, None, None)
    if response is None and not isinstance(body, (*_OBJECTS, list)):
        return converted(value, source, discard)
    whole = ObjectResponse() if response is None else response
    whole.hold(body, source)
    if status is not None:
        whole.status = status
    whole.headers.update(headers or ())
    return whole


class ContextCycle(Cycle):
    """The state of one request, with its context."""

    ctx: Any = None
    outer: Any = None  # the context of outer hooks

    def stand_within(self, outer: Context) -> None:
        """Share `g` and `after_this_request` with outer hooks, because these hooks use neither."""
        super().stand_within(outer)
        self._names = outer.namespace
        self.after_this = outer.after_this = [*outer.after_this]

    def enter(self, ctx: Any) -> None:
        """Put the context into the environ."""
        self.outer = self.environ.get(CONTEXT)
        self.ctx = self.environ[CONTEXT] = ctx

    def leave(self) -> None:
        """Remove the context from the environ. Breaks a reference cycle: the context has the environ."""
        if self.ctx is not None:
            self.environ[CONTEXT] = self.outer
        if self.outer is None:
            self.environ.pop(CONTEXT, None)

    def drop(self) -> None:
        """Close the application's body, which is not sent."""
        self.leave()
        super().drop()


class ContextDispatcher(Dispatcher[ContextCycle]):
    """One application inside Kyoukai's hooks."""

    layer_name: ClassVar[str] = "ContextHooks"
    cycle_class = ContextCycle
    view_class: ClassVar[type[ObjectResponse]] = ObjectResponse

    def _reply(self, cycle: ContextCycle) -> Response | ContextCycle:
        try:
            cycle.environ.pop(RESULT, None)
            self._before(cycle)
            self._call(cycle)
            if cycle.passed or self._reported(cycle):
                return cycle
            return self._finalized(cycle)
        except Exception as error:  # noqa: BLE001 - answered
            return self._failed(cycle, error)

    def _before(self, cycle: ContextCycle) -> None:
        cycle.plan, cycle.view_args = self.registry.plan_for(cycle.environ, cycle.path[1])
        ctx: Any = HTTPRequestContext(cycle.request)
        for hook in cycle.plan.before:
            cycle.author = hook
            result = hook(ctx)
            if result is None:
                continue
            if getattr(result, "request", None) is None:
                raise TypeError(
                    f"the before_request hook {qualified_name(hook)} returned {type(result).__name__}: it returns None "
                    "or a context, which has a request; to answer, call abort"
                )
            ctx = result
        cycle.author = None
        cycle.enter(ctx)

    def _reported(self, cycle: ContextCycle) -> bool:
        """Whether the application has reported an error that it answered by itself."""
        reported = cycle.environ.get(EXCEPTION) or cycle.given_error
        if isinstance(reported, Exception):
            self._note(cycle, reported)
        return isinstance(reported, Exception)

    def _finalized(self, cycle: ContextCycle, *, unreadable: bool = False) -> Response | ContextCycle:
        """The response after the after_request hooks."""
        has_result = RESULT in cycle.environ
        result = cycle.environ.pop(RESULT, None)
        if not (has_result or cycle.plan.after):
            return cycle
        response: Any = self._view(cycle, unreadable=unreadable)
        if has_result and not unreadable:
            response = _with_object(result, f'environ["{RESULT}"] was', response)
        return self._after(cycle, response)

    def _unreadable_reply(self, cycle: ContextCycle) -> Response | ContextCycle:
        return self._finalized(cycle, unreadable=True)

    def _after(self, cycle: ContextCycle, response: Response) -> Response:
        """The response after the after_request hooks."""
        cycle.made = (response,)
        for hook in cycle.plan.after:
            cycle.author = hook
            result = hook(cycle.ctx, response)
            if result is not None and result is not response:
                response = _with_object(result, f"the hook {qualified_name(hook)} returned", discard=cycle.discard)
                cycle.made = (*cycle.made, response)
        cycle.author = None
        if isinstance(response, ObjectResponse):
            response.convert()
        return cycle.chosen(response)

    def _failed(self, cycle: ContextCycle, error: Exception) -> Response | ContextCycle:
        if is_response(error) and not cycle.passed:
            note(cycle.environ, "the exception {} is the response", type(error).__name__)
            try:
                return cycle.chosen(converted(error, "an exception was"))
            except Exception as failure:  # noqa: BLE001 - a 500 as well
                error = failure
        try:
            return super()._failed(cycle, error)
        finally:
            del error  # break the traceback reference cycle

    def _failure_text(self, cycle: ContextCycle) -> str:
        return "The application failed" if cycle.author is None else f"The hook {qualified_name(cycle.author)} failed"

    def _internal_error(self, cycle: ContextCycle, error: InternalServerError) -> Response:  # noqa: ARG002 - the signature of the base
        return converted(error, "")

    def _sent(self, cycle: ContextCycle, reply: Response | ContextCycle) -> Iterable[bytes]:
        body = super()._sent(cycle, reply)
        if isinstance(body, Stream):
            return body.closing((cycle.leave,))
        cycle.leave()
        return body


class ContextDecorators(Decorators["ContextScope"]):
    """The decorators of Kyoukai. Each returns its function unchanged and accepts `async def` functions."""

    _owner: ClassVar[str] = "ContextHooks"

    def before_request(self, function: F) -> F:
        """Call `function(ctx)` before the application. It returns another context, or None to keep `ctx`."""
        return self._add("before_request", self._scope.before, function)

    def after_request(self, function: F) -> F:
        """Call `function(ctx, response)` after the application. It returns another, or None to keep `response`."""
        return self._add("after_request", self._scope.after, function)

    def add_hook(self, kind: Literal["pre", "post"], function: F) -> F:
        """Register a before_request hook ("pre") or an after_request hook ("post"). ConfigError for another kind."""
        problems = Problems(f"{self._owner}.add_hook")
        problems.check(kind in ("pre", "post"), "kind", '"pre" or "post"', kind)
        problems.done()
        return self.before_request(function) if kind == "pre" else self.after_request(function)

    def _level(self, scope: Scope) -> ContextScope:
        return ContextScope(self._registry, scope)


class ContextScope(ContextDecorators):
    """Hooks for the requests of one scope or route, and of the scopes within it.

    Returned by `scope` and `route`. It has the decorators of `ContextHooks`, and `scope` and `route` itself.
    """


class ContextHooks(ContextDecorators, HookLayer):
    """Runs functions with a shared context before and after each request, as Kyoukai's hooks do.

    Register functions with `@hooks.before_request` and `@hooks.after_request`, or `hooks.add_hook("pre", function)` and
    "post", for all requests, in a `scope` or for a `route`, before the first request. Both kinds run from the outermost
    scope to the route, in the order added. A function that returns None keeps the context or the response; any other
    value replaces it. Only `abort` stops a request early. Any failure is a 500, which no after_request hook sees.
    Copies (`wrap`, `named`, `when`, `with_options`, in a stack) share the registered functions. Without registered
    functions, ContextHooks only answers errors.

    Stands where Hooks does: inside layers whose headers must be on every response, and outside everything whose
    responses the hooks must see. Does nothing to a body that no hook touches.

    Options:
        propagate_exceptions: bool. Whether an exception that is not a response is raised instead of becoming a 500.
            Default False.
        max_content_length: int in bytes, or None. A larger body is a 413 when a hook reads it. Default None: no limit.
        max_form_memory_size: int in bytes, or None. A larger field of a multipart form is a 413 when a hook reads the
            form; files are kept on disk. Default 500,000.
        max_form_parts: int, or None. A multipart form with more parts is a 413 when a hook reads it. Default 1,000.

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
        HookLayer.__init__(self, app)
        problems = Problems("ContextHooks")
        rule = "True or False"
        problems.check(isinstance(propagate_exceptions, bool), "propagate_exceptions", rule, propagate_exceptions)
        limits = Limits(max_content_length, max_form_memory_size, max_form_parts).check(problems)
        problems.done()
        self.propagate_exceptions = propagate_exceptions
        self.max_content_length, self.max_form_memory_size, self.max_form_parts = limits
        registry = Registry("outward", limits)
        ContextDecorators.__init__(self, registry, registry.root)

    def dispatcher(self, app: Application) -> ContextDispatcher:
        """The application inside the hooks."""
        return ContextDispatcher(app, self._registry, ReplyPolicy(self.propagate_exceptions))

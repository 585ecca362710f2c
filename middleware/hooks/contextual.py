"""Contextual: the way of a request through the hooks of ContextHooks, in Kyoukai's order.

    before_request hooks, the application, after_request hooks, the server

- A before_request hook gets the context, `ctx`; an after_request hook gets that and the response. What they return
  takes the place of what they were given; None keeps it. The application finds the context in
  environ["middleware.context"].
- Nothing is skipped by what a hook returns: to stop, it raises, as `abort` does.
- Whoever raises, the hooks that would follow are left out, after_request hooks too. An exception that stands for a
  response is that response; every other is logged, and a 500.
- After_request hooks get the response wrapped, not final: `response.response` is the stream or list that the
  application returned; or, if it has put one into environ["middleware.result"], the object itself, and then what it
  returned is closed unread. A hook may return such an object as well. One that is still there after the last hook
  becomes the body as `make_response` would make it one: of a dict JSON, of a str text.

What is different around an application whose routes nobody knows: a 404 or 405 of its own is a response like any other,
and hooks see it, those of a scope under its whole path. An error that it answers by itself is one too, unless it tells
of it, by environ["middleware.exception"] or by exc_info: then its page is sent, and no hook sees it. A response that is
out already, by write(), can be given other fields, and no other object. What a hook returns instead of a context or a
response is refused at once, and not where it first does harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from middleware.hooks.convert import converted
from middleware.hooks.crossing import Crossing, Passage, logger
from middleware.hooks.errors import InternalServerError, is_response
from middleware.hooks.registry import named
from middleware.hooks.streaming import Stream
from middleware.hooks.wrapped import Wrapped, wrapped
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import log_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.hooks.request import Request
    from middleware.hooks.response import Response
    from middleware.wsgi.types import Environ, StartResponse

CONTEXT: Final = "middleware.context"
RESULT: Final = "middleware.result"


class HTTPRequestContext:
    """What the hooks of a request hand each other, and the application: set on it whatever you like.

    Attributes:
        request: the request.
    """

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def environ(self) -> Environ:
        """That of the request."""
        environ: Environ = self.request.environ
        return environ

    @property
    def params(self) -> dict[str, Any]:
        """What the scopes and routes found in the path."""
        return self.request.view_args

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the context has no {name!r} in this request")

    if TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None: ...


class Contextual(Passage):
    """A request on its way, with its context."""

    ctx: Any = None
    around: Any = None  # the context of hooks further out

    def enter(self, ctx: Any) -> None:
        """Show the application the context."""
        self.around = self.environ.get(CONTEXT)
        self.ctx = self.environ[CONTEXT] = ctx

    def leave(self) -> None:
        """Take it out of the environ, which it holds."""
        if self.ctx is not None:
            self.environ[CONTEXT] = self.around
        if self.around is None:
            self.environ.pop(CONTEXT, None)

    def drop(self) -> None:
        """Nobody gets the response."""
        self.leave()
        super().drop()


class ContextDispatcher(Crossing[Contextual]):
    """One application inside hooks that get a context."""

    kind: ClassVar[type[Wrapped]] = Wrapped

    def _passage(self, environ: Environ, start_response: StartResponse) -> Contextual:
        return Contextual(environ, start_response)

    def _reply(self, passage: Contextual) -> Response | Contextual:
        try:
            passage.environ.pop(RESULT, None)
            self._before(passage)
            self._call(passage)
            if passage.passed or self._told(passage):
                return passage
            return self._finalized(passage)
        except Exception as error:  # noqa: BLE001 - whatever it is, it has a response
            return self._failed(passage, error)

    def _before(self, passage: Contextual) -> None:
        passage.plan = self.registry.plan_for(passage)
        ctx: Any = HTTPRequestContext(passage.request)
        for hook in passage.plan.before:
            passage.author = hook
            ctx = _next(hook, hook(ctx), ctx)
        passage.author = None
        passage.enter(ctx)

    def _told(self, passage: Contextual) -> bool:
        """Whether the application has answered an error by itself, and says so."""
        told = passage.environ.get(EXCEPTION) or passage.given_error
        if isinstance(told, Exception):
            self._note(passage, told)
        return isinstance(told, Exception)

    def _finalized(self, passage: Contextual, *, gone: bool = False) -> Response | Contextual:
        handed = RESULT in passage.environ
        result = passage.environ.pop(RESULT, None)
        if not (handed or passage.plan.after):
            return passage
        response: Response = self._view(passage, gone=gone)
        if handed and not gone:
            response = wrapped(result, f'environ["{RESULT}"] was', response)
        response = self._after(passage, response)
        return response.settle() if isinstance(response, Wrapped) else response

    def _gone(self, passage: Contextual) -> Response | Contextual:
        return self._finalized(passage, gone=True)

    def _after(self, passage: Contextual, response: Response) -> Response:
        for hook in passage.plan.after:
            passage.author = hook
            result = hook(passage.ctx, response)
            if result is not None and result is not response:
                response = wrapped(result, f"the hook {named(hook)} returned").taking_over(response)
        passage.author = None
        return response

    def _failed(self, passage: Contextual, error: Exception) -> Response:
        if is_response(error) and not passage.passed:
            try:
                return converted(error, "an exception was")
            except Exception as worse:  # noqa: BLE001 - a 500 as well
                error = worse
        passage.failed = True
        self._note(passage, error)
        if passage.passed or self._policy.propagate:
            try:
                raise error
            finally:
                del error  # break the traceback reference cycle
        who = "The application" if passage.author is None else f"The hook {named(passage.author)}"
        method = passage.environ.get("REQUEST_METHOD")
        logger.error(
            "%s failed on %s [%s]",
            who,
            escaped(passage.path[1]),
            escaped(method),
            exc_info=error,
            extra=log_extra(passage.environ, "ContextHooks"),
        )
        return converted(InternalServerError(original_exception=error), "")

    def _sent(self, passage: Contextual, reply: Response | Contextual) -> Iterable[bytes]:
        body = super()._sent(passage, reply)
        if isinstance(body, Stream):
            return body.closing((passage.leave,))
        passage.leave()
        return body


def _next(hook: Callable[..., Any], result: Any, ctx: Any) -> Any:
    """The context after a before_request hook."""
    if result is None:
        return ctx
    if getattr(result, "request", None) is None:
        kind = type(result).__name__
        raise TypeError(
            f"the before_request hook {named(hook)} returned {kind}: it returns None or a context, which has a "
            "request; to answer, call abort"
        )
    return result

"""Dispatch: the way of a request through the hooks, in Flask's order.

    before_request hooks, the application, errorhandlers, after_this_request functions, after_request hooks, the server,
    teardown_request hooks

What follows from what:

- The first before_request hook that returns something but None answers; the others, and the application, are skipped.
- Exceptions of hooks and of the application reach the errorhandlers. One that stands for a response, and that no
  handler is for, is that response; every other becomes a 500, or goes on if errors are propagated.
- after_request hooks see every response: the application's, a hook's, an errorhandler's. If one raises, the response is
  a 500, which all of them see again; if one raises then, that is logged and the rest are left out.
- What an errorhandler raises becomes a 500 too. What the handler of a 500 raises is the server's.
- Neither handlers nor after_request hooks see a BaseException that is no Exception, or an error after the head is out.
- teardown_request hooks are called in any case, once, and get the exception that no handler took, or what the body
  raised.

Deviations from Flask: an after_request hook that returns no response is a TypeError that names it, and so a 500; of
teardown hooks all run, whatever they raise, and the first error is raised; a response that is not sent is closed; `g`
and `request` are bound while the body is iterated; around an application that answers errors by itself, handlers and
teardown get those that it tells of, by environ["middleware.exception"] or by exc_info, and where no handler is for one
its own page is sent.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from middleware.hooks.convert import answered, converted
from middleware.hooks.crossing import Crossing, Passage, logger
from middleware.hooks.errors import ERRORS, InternalServerError, is_response, stands_for_no_error
from middleware.hooks.registry import named
from middleware.hooks.response import Response
from middleware.wsgi.errors import EXCEPTION
from middleware.wsgi.escaped import escaped
from middleware.wsgi.identity import log_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.wsgi.types import Environ, StartResponse


class Dispatcher(Crossing[Passage]):
    """One application inside hooks of Flask's."""

    def _passage(self, environ: Environ, start_response: StartResponse) -> Passage:
        return Passage(environ, start_response)

    # -- the pipeline --------------------------------------------------------------------------------------------

    def _reply(self, passage: Passage) -> Response | Passage:
        """What is sent. The passage itself stands for the application's own response, which nobody looked at."""
        try:
            try:
                value = self._answer(passage)
            except Exception as error:  # noqa: BLE001 - whatever there is a handler for
                value = self._handled(passage, error)
            if value is passage:
                value = self._told(passage)
            return passage if passage.passed else self._finalized(passage, value)
        except Exception as error:  # noqa: BLE001
            return self._failed(passage, error)
        finally:
            value = None  # if it is an error, its traceback leads back to this frame

    def _answer(self, passage: Passage) -> Any:
        """What the first before_request hook that answers returns; else the passage, through the application."""
        passage.plan = self.registry.plan_for(passage)
        for hook in passage.plan.before:
            value = hook()
            if value is not None:
                passage.author = hook
                return value
        self._call(passage)
        return passage

    def _handled(self, passage: Passage, error: Exception) -> Any:
        """What the errorhandler for it returns, or the error itself if it is a response; else it is raised."""
        handler = None
        if not passage.passed and not stands_for_no_error(error):
            handler = passage.plan.handler(error)
        if handler is not None:
            return _by(passage, handler, error)
        if passage.passed or not is_response(error):
            try:
                raise error
            finally:
                del error  # break the traceback reference cycle
        return error

    def _told(self, passage: Passage) -> Any:
        """What handlers make of an error that the application has answered by itself, if it told of one."""
        told = passage.environ.get(EXCEPTION) or passage.given_error
        if passage.passed:
            return passage
        if isinstance(told, Exception):
            return self._reported(passage, told)
        return self._by_status(passage) if self._policy.statuses else passage

    def _by_status(self, passage: Passage) -> Any:
        """What the handler for its code makes of the application's response."""
        code = int(passage.status[:3])
        if code not in ERRORS:
            return passage
        error = ERRORS[code](response=self._view(passage))
        handler = passage.plan.handler(error, (code,))
        return passage if handler is None else _by(passage, handler, error)

    def _reported(self, passage: Passage, told: Exception) -> Any:
        handler = passage.plan.handler(told)
        if handler is not None:
            passage.environ.pop(EXCEPTION, None)
            return _by(passage, handler, told)
        self._note(passage, told)
        error = InternalServerError(response=self._view(passage), original_exception=told)
        handler = passage.plan.handler(error)
        return passage if handler is None else _by(passage, handler, error)

    def _finalized(self, passage: Passage, value: Any, *, gone: bool = False) -> Response | Passage:
        """The response, once the after_request hooks have seen it."""
        own = value is passage
        if own and not (passage.plan.after or passage.after_this):
            return passage
        response = self._view(passage, gone=gone) if own else converted(value, f"{named(passage.author)} returned")
        return self._after(passage, response)

    def _gone(self, passage: Passage) -> Response | Passage:
        return self._finalized(passage, passage, gone=True)

    def _after(self, passage: Passage, response: Response) -> Response:
        for hook in chain(passage.after_this, passage.plan.after):  # after_this may grow on the way
            result = hook(response)
            if result is not response:
                response = _accepted(hook, result).taking_over(response)
        return response

    def _failed(self, passage: Passage, error: Exception) -> Response | Passage:
        """A 500 for what nobody has handled."""
        passage.failed = True
        self._note(passage, error)
        if passage.passed or self._policy.propagate:
            try:
                raise error
            finally:
                del error  # break the traceback reference cycle
        method = passage.environ.get("REQUEST_METHOD")
        extra = log_extra(passage.environ, "Hooks")
        logger.error("Exception on %s [%s]", escaped(passage.path[1]), escaped(method), exc_info=error, extra=extra)
        wrapped = InternalServerError(original_exception=error)
        handler = passage.plan.handler(wrapped)
        value = wrapped if handler is None else _by(passage, handler, wrapped)
        response = converted(value, f"{named(passage.author)} returned")
        try:
            return self._after(passage, response)
        except Exception:  # noqa: BLE001 - logged
            logger.exception(
                "An after_request hook failed on the response to an error, which goes out as it was", extra=extra
            )
            return response


def _by(passage: Passage, handler: Callable[[Exception], Any], error: Exception) -> Any:
    passage.author = handler
    return handler(error)


def _accepted(hook: Callable[..., Any], result: Any) -> Response:
    """What an after_request hook returned, as a response."""
    if isinstance(result, Response):
        return result
    if callable(result):
        return answered(result)
    kind = type(result).__name__
    raise TypeError(f"the after_request hook {named(hook)} returned {kind}: it has to return a response")

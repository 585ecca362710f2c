"""Teardown: the hooks that run at the end of a request, once, when its body is closed or before it is iterated."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from middleware.hooks.context import CURRENT, Context
from middleware.hooks.scopes import qualified_name
from middleware.wsgi.errors import forget
from middleware.wsgi.held import close_iterable
from middleware.wsgi.identity import log_extra
from middleware.wsgi.takeover import ends_takeover
from middleware.wsgi.types import Application, Environ, StartResponse

logger = logging.getLogger("middleware.hooks")
_KEY: Final = "middleware.hooks"


class _Pending:
    """The contexts whose teardown is pending, by dispatcher.

    One opaque object in the environ, because tools that walk an environ could not sort or serialize its content.
    """

    __slots__ = ("contexts",)

    def __init__(self) -> None:
        self.contexts: dict[object, Context] = {}


def expect_teardown(environ: Environ) -> None:
    """Prepare the environ for teardown, before the pipeline saves the keys of layers, which may be cleared."""
    environ.setdefault(_KEY, _Pending())


def await_end(owner: object, context: Context) -> None:
    """Keep the context of a request for `end_request`."""
    kept: _Pending = context.environ[_KEY]
    kept.contexts[owner] = context


def end_request(owner: object, environ: Environ, error: BaseException | None) -> None:
    """Run the teardown hooks of one dispatcher, at the end of a request."""
    kept: _Pending = environ[_KEY]
    context = kept.contexts.pop(owner)
    if not kept.contexts:
        del environ[_KEY]
    try:
        tear_down(context, error)
    finally:
        del error
        server: Any = context.server
        forget(environ, server.__self__.server)  # of the pass that called this function


def tear_down(context: Context, error: BaseException | None) -> None:
    """Call every teardown hook with the unhandled error. Log every exception they raise, and raise one of them.

    That is the first one that is not an Exception, such as a KeyboardInterrupt, or else the first.
    """
    unhandled, context.error = context.error or error, None
    first = error = None
    token = CURRENT.set(context)
    try:
        for hook in context.plan.teardown:
            try:
                hook(unhandled)
            except BaseException as failure:  # noqa: PERF203 - the other hooks run too
                extra = log_extra(context.environ, "Hooks")
                logger.exception("The teardown_request hook %s failed", qualified_name(hook), extra=extra)
                outranks = first is None or isinstance(first, Exception) > isinstance(failure, Exception)
                first = failure if outranks else first
        if first is not None:
            raise first
    finally:
        CURRENT.reset(token)
        del unhandled, first  # break the traceback reference cycle


def early(app: Application, owner: object) -> Application:
    """The application with teardown before its body is iterated, as in Flask."""

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        expect_teardown(environ)
        kept = environ[_KEY]
        try:
            body = app(environ, start_response)
        except BaseException as error:
            environ[_KEY] = kept  # the application may have cleared the environ
            with suppress(BaseException):  # logged; the first error is raised
                end_request(owner, environ, None if ends_takeover(environ, error) else error)
            raise
        environ[_KEY] = kept
        try:
            end_request(owner, environ, None)
        except BaseException:
            close_iterable(body)
            raise
        return body

    return run

"""Teardown: the end of a request, once, whoever brings it about."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from middleware.hooks.context import bound
from middleware.hooks.registry import named
from middleware.wsgi.errors import forget
from middleware.wsgi.held import close
from middleware.wsgi.takeover import ends_takeover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.hooks.context import Context
    from middleware.wsgi.types import Application, Environ, StartResponse

_KEY: Final = "middleware.hooks"
logger = logging.getLogger("middleware.hooks")


class _Open:
    """The contexts whose end is still to come, by the hooked applications that the request is in.

    One opaque object, because tools walk an environ, and could neither sort nor serialize what is in it.
    """

    __slots__ = ("contexts",)

    def __init__(self) -> None:
        self.contexts: dict[object, Context] = {}


def keep(owner: object, environ: Environ, context: Context) -> None:
    """Keep the context of a request for its end."""
    kept: _Open = environ.setdefault(_KEY, _Open())
    kept.contexts[owner] = context


def tear_down(owner: object, environ: Environ, error: BaseException | None) -> None:
    """End the request of this hooked application."""
    kept: _Open = environ[_KEY]
    context = kept.contexts.pop(owner)
    if not kept.contexts:
        del environ[_KEY]
    try:
        end(context, error)
    finally:
        del error
        server: Any = context.server
        forget(environ, server.__self__.server)  # of the pass that has just called this


def end(context: Context, error: BaseException | None) -> None:
    """Call every teardown_request hook with the error that nobody took; log what they raise, raise the first of it."""
    told, context.error = context.error or error, None
    first = error = None
    try:
        with bound(context):
            for hook in context.plan.teardown:
                first = _failure(hook, told, first)
        if first is not None:
            raise first
    finally:
        del told, first  # break the traceback reference cycle


def _failure(
    hook: Callable[..., object], told: BaseException | None, first: BaseException | None
) -> BaseException | None:
    """The first failure, once this hook has been called too."""
    try:
        hook(told)
    except BaseException as failure:
        logger.exception("The teardown_request hook %s failed", named(hook))
        return first or failure
    return first


def early(app: Application, owner: object) -> Application:
    """The application with its teardown before the body is iterated, which is Flask's moment."""

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            body = app(environ, start_response)
        except BaseException as error:
            with suppress(BaseException):  # logged; the first error is the one to be raised
                tear_down(owner, environ, None if ends_takeover(environ, error) else error)
            raise
        try:
            tear_down(owner, environ, None)
        except BaseException:
            close(body)
            raise
        return body

    return run

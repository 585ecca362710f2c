"""How an exchange ends: answered after an error, given up, or closed. Everybody is told, whatever anybody raises."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from middleware.wsgi.escaped import escaped
from middleware.wsgi.exchange import PASSED, SENT, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from middleware.wsgi.plan import Layer
    from middleware.wsgi.types import Environ

EXCEPTION: Final = "middleware.exception"
BYTES_SENT: Final = "middleware.bytes_sent"
_INTERNAL_SERVER_ERROR: Final = (
    "500 Internal Server Error",
    (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "22")),
    [b"Internal Server Error\n"],
)
logger = logging.getLogger("middleware")


def answer_error(exchange: Exchange, error: BaseException) -> None:
    """Answer an error by a response; where that is not wanted or too late, everything is over, and it is raised."""
    try:
        if not respond(exchange, error):
            raise error  # noqa: TRY301 - what is raised in respond ends the same way
    except BaseException:
        del error  # it leads back to this frame
        _abandon(exchange)
        raise


def respond(exchange: Exchange, error: BaseException) -> bool:
    """Answer an error with a plain 500 that every layer sees, if that is wanted and there is still time."""
    exchange.prepare()
    exchange.error = error
    if not exchange.plan.respond or exchange.phase == SENT or not isinstance(error, Exception):
        return False
    environ = exchange.environ
    method, path = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
    logger.error("Exception on %s %s", escaped(method), escaped(path), exc_info=error)
    environ[EXCEPTION] = error
    _drop_source(exchange)
    exchange.reset(*_INTERNAL_SERVER_ERROR)
    exchange.transforms = ()
    if exchange.phase == PASSED:  # not with a first head: it replaces none, and uWSGI then drops the body
        exchange.exc_info = (type(error), error, error.__traceback__)
    unmet = [layer.on_response for layer in exchange.plan.unmet if layer.on_response and _holds(layer, environ)]
    exchange.begin_again((*unmet, *exchange.plan.responders))
    return True


def close(exchange: Exchange) -> None:
    """Close the application's iterable, then tell every layer, then raise the first error (PEP 3333 "close()")."""
    environ = exchange.environ
    source, exchange.source, exchange.body = exchange.source, None, None
    environ[BYTES_SENT] = exchange.sent
    failure = _attempt(_close, source)
    told = exchange.error or environ.get(EXCEPTION) or failure
    for on_close in exchange.plan.closers:
        failed = _attempt(on_close, environ, told)
        failure = failure or failed
    exchange.error = None
    if failure is not None:
        try:
            raise failure
        finally:
            failure = failed = told = None  # they lead back to this frame


def _attempt(function: Callable[..., object], *arguments: object) -> BaseException | None:
    """Call it; return what it raises, so that others can be told before it is raised."""
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001 - close() raises it
        return error
    return None


def _holds(layer: Layer, environ: Environ) -> bool:
    try:
        return layer.condition is None or bool(layer.condition(environ))
    except Exception:
        logger.exception("A condition failed on an error response: %r", layer.condition)
        return False


def _drop_source(exchange: Exchange) -> None:
    """Close an iterable of the application that nobody will see."""
    source, exchange.source = exchange.source, None
    try:
        _close(source)
    except Exception:
        logger.exception("close() failed after an error")


def _abandon(exchange: Exchange) -> None:
    """End an exchange of which the server gets nothing to close: an exception is on its way to it."""
    _drop_source(exchange)
    try:
        close(exchange)
    except Exception:
        logger.exception("on_close failed after an error")


def _close(iterable: object) -> None:
    closing: Callable[[], object] | None = getattr(iterable, "close", None)
    if closing is not None:
        closing()

"""Errors: ends an exchange, which is answered after an error, abandoned, or closed, and calls every on_close."""

import logging
from dataclasses import replace
from traceback import walk_tb
from typing import Any, Final

from middleware.wsgi.answer import answer
from middleware.wsgi.escaped import escaped
from middleware.wsgi.exchange import PASSED, SENT
from middleware.wsgi.held import Held, release
from middleware.wsgi.identity import log_extra
from middleware.wsgi.input import BodyError
from middleware.wsgi.layered import Layered
from middleware.wsgi.plan import Layer
from middleware.wsgi.takeover import ends_takeover
from middleware.wsgi.types import Application, Environ

EXCEPTION: Final = "middleware.exception"
BYTES_SENT: Final = "middleware.bytes_sent"
STATUS: Final = "middleware.status"
# Environ keys by which a debugger or a test client requests exceptions, see asks_to_raise.
RAISING: Final = ("werkzeug.debug.preserve_context", "paste.throw_errors", "wsgi.handleErrors")
_INTERNAL_SERVER_ERROR: Final = answer(500, "Internal Server Error")
logger = logging.getLogger("middleware")


def answer_error(exchange: Layered, error: BaseException) -> None:
    """Answer an error by a response; if that is not wanted or too late, end the exchange and raise the error."""
    try:
        if ends_takeover(exchange.environ, error):
            exchange.prepare()
            exchange.sent = None
            raise error  # noqa: TRY301 - the server expects it, and on_close gets no error
        if not respond(exchange, error):
            raise error  # noqa: TRY301 - an exception raised by respond is handled below too
    except BaseException as raised:
        del error  # Break the traceback reference cycle.
        _abandon(exchange)
        _let_go(exchange.environ, raised)
        raise


def respond(exchange: Layered, error: BaseException) -> bool:
    """Answer an error with a plain 500 that every layer sees, if errors are answered and no content has been sent.

    A BodyError is the client's fault: it is itself the answer, it is logged in one line, and no on_close gets it.
    """
    exchange.enter()
    exchange.error = error
    if not exchange.plan.respond or exchange.state is SENT or not isinstance(error, Exception):
        return False
    environ = exchange.environ
    came = environ if exchange.kept is None else exchange.kept
    answering = _logged(exchange, error, came)
    _drop_source(exchange)
    if isinstance(error, BodyError):
        exchange.error = None
    else:
        environ[EXCEPTION] = error  # not earlier: closing an inner pass releases the exception there
    exchange.move("another head")
    exchange.body = answering(came, exchange.reset)  # type: ignore[arg-type] # it calls no write()
    exchange.transforms, exchange.declared, exchange.rest, exchange.undo = (), None, None, None
    if exchange.state is PASSED:  # not with a first head, because uWSGI would drop the body
        exchange.exc_info = (type(error), error, error.__traceback__)
    plan = exchange.plan
    unmet = [layer.on_response for layer in plan.unmet if layer.on_response and _holds(layer, environ)]
    # A second error is answered without the layers that rewrite the body, because it may be theirs.
    exchange.plan = plan.without_rewriters()
    try:
        exchange.begin_again((*unmet, *plan.responders))
    finally:
        del error, answering  # Break the traceback reference cycle: a server that has sent its head raises it again.
    return True


def _logged(exchange: Layered, error: Exception, came: Environ) -> Application:
    """Log an error, with the request as the application received it; return the application that answers it."""
    layer, place = None, ""
    for frame, _ in walk_tb(error.__traceback__):
        method = frame.f_code.co_name
        if method in ("on_request", "on_response"):  # f_locals keeps its values alive, so read no other
            within: Any = frame.f_locals.get("self")
            if hasattr(within, "effects"):
                layer, place = within.name, f" in {within.name}.{method}"
    extra = {**log_extra(came, layer), "method": escaped(exchange.method)}
    path = extra["path"]
    if isinstance(error, BodyError):
        logger.info("Refused %s %s%s: %s", escaped(exchange.method), path, place, escaped(error), extra=extra)
        return error
    logger.error("Exception on %s %s%s", escaped(exchange.method), path, place, exc_info=error, extra=extra)
    return _INTERNAL_SERVER_ERROR


def asks_to_raise(environ: Environ) -> bool:
    """Whether a debugger or a test client wants exceptions: of Werkzeug and Flask, Paste and WebTest, or Zope."""
    debugged = "werkzeug.debug.preserve_context" in environ
    return debugged or bool(environ.get("paste.throw_errors")) or not environ.get("wsgi.handleErrors", True)


def close(exchange: Layered, sent: int | None, error: BaseException | None, source: object) -> None:
    """Close the application's iterable, then call every on_close, then raise the first error (PEP 3333 "close()")."""
    failure = None if source is None else _failure_to_close(exchange, source, error)
    exchange.restore()
    environ = exchange.environ
    environ[BYTES_SENT] = sent  # not earlier: closing an inner pipeline sets its own value
    if exchange.state in (PASSED, SENT):  # any other status may be malformed
        environ[STATUS] = exchange.status_code
    else:
        environ.pop(STATUS, None)  # of an inner pass, or of an earlier request
    told: BaseException | None = environ.get(EXCEPTION, failure) if error is None else error
    for on_close in exchange.plan.closers:
        try:
            on_close(environ, told)
        except BaseException as raised:  # noqa: BLE001, PERF203 - raised below, after every on_close
            failure = raised if failure is None else _graver(environ, failure, raised)
    exchange.exc_info = exchange.kept = None
    if failure is not None or EXCEPTION in environ:
        try:
            _let_go(environ, failure)
            forget(environ, exchange.server)
            if failure is not None:
                raise failure
        finally:
            failure = told = error = None  # break the traceback reference cycle


def _graver(environ: Environ, first: BaseException, second: BaseException) -> BaseException:
    """Return the error that is raised, and log the other. An exception that is not an Exception is never swallowed."""
    raised, other = sorted((first, second), key=lambda error: isinstance(error, Exception))
    logger.error("on_close failed after an error", exc_info=other, extra=log_extra(environ))
    return raised


def leave(exchange: Layered) -> None:
    """Call every on_close, once, after an application that took the connection over has finished with it."""
    try:
        close(exchange, None, None, None)  # bytes are not counted, and the server closes the iterable
    except Exception:
        logger.exception("on_close failed after a connection was taken over", extra=log_extra(exchange.environ))
    finally:
        exchange.plan = replace(exchange.plan, closers=())


def _failure_to_close(exchange: Layered, source: object, error: BaseException | None) -> BaseException | None:
    """Close an iterable; return the exception that this raises, which is raised again after every on_close."""
    exchange.restore()  # and again afterwards, because close() may clear environ too
    try:
        release(exchange, source, error)
    except BaseException as raised:  # noqa: BLE001 - close() raises it
        return raised
    return None


def forget(environ: Environ, server: object) -> None:
    """Break the reference cycle of an environ and the exception in it, whose frames hold that environ.

    The exception stays, without its traceback and, if it is an AttributeError, without its `obj`. A no-op while an
    outer pass has yet to call its on_close methods, which may report the traceback.
    """
    if EXCEPTION not in environ:
        return
    while isinstance(outer := getattr(server, "__self__", None), (Layered, Held)):
        if isinstance(outer, Layered) and outer.plan.closers:
            return
        server = outer.server
    for error in _behind(environ[EXCEPTION]):
        error.__traceback__ = None
        if isinstance(error, AttributeError):
            error.obj = None


def _let_go(environ: Environ, raised: BaseException | None) -> None:
    """Remove the exception from environ if the server gets it, or one that it caused, with its traceback."""
    kept = environ.get(EXCEPTION)
    if kept is not None and any(error is kept for error in _behind(raised)):
        del environ[EXCEPTION]


def _behind(error: object) -> list[BaseException]:
    """Return an exception with its causes, contexts and the members of its groups."""
    found: dict[int, BaseException] = {}
    ahead = [error]
    while ahead:
        error = ahead.pop()
        if isinstance(error, BaseException) and id(error) not in found:
            found[id(error)] = error
            grouped = getattr(error, "exceptions", ())
            ahead += [error.__cause__, error.__context__, *(grouped if isinstance(grouped, tuple) else ())]
    return [*found.values()]


def _holds(layer: Layer, environ: Environ) -> bool:
    try:
        return layer.condition is None or bool(layer.condition(environ))
    except Exception:
        logger.exception("A condition failed on an error response: %r", layer.condition, extra=log_extra(environ))
        return False


def _drop_source(exchange: Layered) -> None:
    """Close the application's iterable, which is not sent."""
    source, exchange.source = exchange.source, None
    try:
        release(exchange, source)
    except Exception:
        logger.exception("close() failed after an error", extra=log_extra(exchange.environ))


def _abandon(exchange: Layered) -> None:
    """End an exchange whose iterable the server never gets, because an exception is raised to the server."""
    source, exchange.source = exchange.source, None
    error, exchange.error, exchange.body = exchange.error, None, None
    try:
        close(exchange, exchange.sent, error, source)
    except Exception:
        logger.exception("on_close failed after an error", extra=log_extra(exchange.environ))
    finally:
        error = None  # break the traceback reference cycle

"""Convert: what a hook may return, as a response. Everything that Flask takes from a view (and its words for it)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from json import dumps
from typing import TYPE_CHECKING, Any
from uuid import UUID

import webob
from webob import exc

from middleware.hooks.context import current
from middleware.hooks.cookies import http_date
from middleware.hooks.errors import HTTPException
from middleware.hooks.response import Response
from middleware.wsgi.held import Begun, Held

if TYPE_CHECKING:
    from middleware.wsgi.types import Application

_TAKEN = "a response, str, bytes, dict, list, iterator, WSGI application, or a tuple of one with status and headers"


def make_response(*args: Any) -> Response:
    """Make a response of what a hook may return: `make_response("no", 403)`, `make_response({"a": 1})`.

    Errors: TypeError for what cannot be made one.
    """
    if not args:
        return Response()
    return converted(args[0] if len(args) == 1 else args, "make_response was given")


def converted(value: Any, source: str) -> Response:
    """The response that a value stands for. `source`: who gave it, for the message of the TypeError."""
    value, status, headers = parts(value, source) if isinstance(value, tuple) else (value, None, None)
    if isinstance(value, (str, bytes, bytearray, Iterator)):
        return Response(value, status, headers)
    response = _whole(value, status, source)
    if status is not None:
        response.status = status
    if headers:
        response.headers.update(headers)
    return response


def parts(value: tuple[Any, ...], source: str) -> tuple[Any, Any, Any]:
    """Body, status and headers of a tuple."""
    if len(value) == 3:
        return value
    if len(value) != 2:
        raise TypeError(f"{source} a tuple of {len(value)}: it is (body, status, headers), or two of them")
    body, other = value
    headers = isinstance(other, (dict, list, tuple)) or hasattr(other, "items")
    return (body, None, other) if headers else (body, other, None)


def _whole(value: Any, status: object, source: str) -> Response:
    if isinstance(value, Response):
        return value
    if isinstance(value, (dict, list)):
        return jsonify(value)
    if callable(value):
        return answered(value)
    beside = " and a status" if status is not None else ""
    raise TypeError(f"{source} {type(value).__name__}{beside}, which is no response: {_TAKEN}")


def answered(app: Application) -> Response:
    """The response of a WSGI application to the request that is bound."""
    if isinstance(app, HTTPException):
        return converted(app.get_response(), "abort was given")
    if isinstance(app, webob.Response) and not isinstance(app, exc.WSGIHTTPException):
        return Response.of(app.status, [*app.headerlist], app.app_iter, passthrough=False)
    location = app.location if isinstance(app, webob.Response) else None
    response = _called(app)
    if location is not None:
        response.location = location  # called, WebOb's makes it absolute
    return response


def _called(app: Application) -> Response:
    written: list[bytes] = []
    environ = current("a WSGI application as a response").environ
    held = Held(environ, lambda *_: written.append)
    held.call(app)
    body = held.body or ()
    whole = Begun(chain(written, body), body) if written else body
    return Response.of(held.status, held.lines, whole, passthrough=False)


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """A JSON response: of one argument, of several as a list, or of keywords as an object. Keys are sorted.

    Errors: TypeError for both kinds at once, and for what JSON has no form of.
    """
    if args and kwargs:
        raise TypeError("jsonify takes arguments or keywords, not both")
    value = args[0] if len(args) == 1 else args or kwargs or None
    text = dumps(value, default=_plain, sort_keys=True, separators=(",", ":"))
    return Response(f"{text}\n", mimetype="application/json")


def _plain(value: object) -> object:
    """What stands in JSON for a value that it has no form of."""
    if isinstance(value, date):
        return http_date(value if isinstance(value, datetime) else datetime(*value.timetuple()[:3]))  # noqa: DTZ001
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    raise TypeError(f"{type(value).__name__} has no form in JSON")

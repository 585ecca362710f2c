"""Responses from values: everything that Flask accepts as the return value of a view."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass
from datetime import date
from decimal import Decimal
from json import dumps
from typing import Any
from uuid import UUID

import webob

from middleware.hooks.context import answer_of
from middleware.hooks.cookies import written_date
from middleware.hooks.http_errors import HTTPException
from middleware.hooks.response_object import Response
from middleware.wsgi.types import Application

_ACCEPTED = "a response, str, bytes, dict, list, iterator, WSGI application, or a tuple of one with status and headers"


def make_response(*args: Any) -> Response:
    """Make a response from any value that a hook may return: `make_response("no", 403)`, `make_response({"a": 1})`.

    Errors: TypeError for any other value.
    """
    if not args:
        return Response()
    return converted(args[0] if len(args) == 1 else args, "make_response was given")


def converted(value: Any, source: str, discard: Callable[[Response], object] = lambda _: None) -> Response:
    """The response for a value.

    Options:
        value: the value, or a tuple of one with status and headers. Required.
        source: str. Begins the message of the TypeError: "make_response was given". Required.
        discard: called with the response if its status or headers are invalid. Default: it is left alone.
    """
    value, status, headers = tuple_parts(value, source) if isinstance(value, tuple) else (value, None, None)
    if isinstance(value, (str, bytes, bytearray, Iterator)):
        return Response(value, status, headers)
    if isinstance(value, Response):
        response = value
    elif isinstance(value, (dict, list)):
        response = jsonify(value)
    elif callable(value):
        response = answered(value)
    else:
        beside = " and a status" if status is not None else ""
        raise TypeError(f"{source} {type(value).__name__}{beside}, which is no response: {_ACCEPTED}")
    try:
        if status is not None:
            response.status = status
        response.headers.update(headers or ())
    except Exception:
        discard(response)
        raise
    return response


def tuple_parts(value: tuple[Any, ...], source: str) -> tuple[Any, Any, Any]:
    """The body, status and headers of a tuple."""
    if len(value) == 3:
        return value
    if len(value) != 2:
        raise TypeError(f"{source} a tuple of {len(value)}: it is (body, status, headers), or two of them")
    body, other = value
    headers = isinstance(other, (dict, list, tuple)) or hasattr(other, "items")
    return (body, None, other) if headers else (body, other, None)


def answered(app: Application) -> Response:
    """The response of a WSGI application to the bound request."""
    if isinstance(app, HTTPException):
        return converted(app.get_response(), "abort was given")
    if isinstance(app, webob.Response) and type(app).__call__ is webob.Response.__call__:
        response = Response.of(app.status, [*app.headerlist], app.app_iter, passthrough=False)
        response.conditional_response = app.conditional_response
        return response
    location = app.location if isinstance(app, webob.Response) else None
    response = Response.of(*answer_of(app), passthrough=False)
    if location is not None:
        response.location = location  # WebOb's applications make it absolute
    return response


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """A JSON response of one value, of several values as an array, or of keywords as an object. Keys are sorted.

    Errors: TypeError for arguments together with keywords, and for a value that JSON cannot represent.
    """
    if args and kwargs:
        raise TypeError("jsonify takes arguments or keywords, not both")
    value = args[0] if len(args) == 1 else args or kwargs or None
    text = dumps(value, default=_json_default, sort_keys=True, separators=(",", ":"))
    return Response(f"{text}\n", mimetype="application/json")


def _json_default(value: object) -> object:
    """A JSON value for an object of another type, as in Flask."""
    if isinstance(value, date):
        return written_date(value)
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    raise TypeError(f"{type(value).__name__} has no form in JSON")

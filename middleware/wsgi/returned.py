"""Returned: what the methods of a layer return, as the pipeline takes it. Errors name layer, method and value."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, cast

from middleware.http.fields import Line, check_line
from middleware.http.status import status_fault, status_line
from middleware.wsgi.response import Transform
from middleware.wsgi.types import Application, Environ, StartResponse

_ANSWERS = "None, a WSGI application, or (status, body) or (status, body, headers)"


def json_response(data: object, status: int = 200, headers: Iterable[Line] = ()) -> Application:
    """A WSGI application that responds with data as JSON, for an on_request to return.

    Options:
        data: what json.dumps takes. Required.
        status: int. Default 200.
        headers: mapping, or pairs of name and value. Lines beside Content-Type and Content-Length. Default none.

    Errors: ValueError or TypeError for a status or a line that may not be sent, and for what is no JSON.
    Source: RFC 8259.
    """
    body = json.dumps(data).encode("ascii")
    return _responding(_status(status), body, "application/json", headers)


def as_application(answer: Any, on_request: Callable[..., object]) -> Application:
    """What an on_request returned, as a WSGI application."""
    if callable(answer):
        return cast("Application", answer)
    if isinstance(answer, tuple) and len(answer) in (2, 3) and isinstance(answer[1], (str, bytes)):
        status, body, *headers = answer
        text = isinstance(body, str)
        content_type = "text/plain; charset=utf-8" if text else "application/octet-stream"
        content = body.encode("utf-8") if text else body
        try:
            return _responding(_status(status), content, content_type, *headers)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{_named(on_request)}: {error}") from None
    raise TypeError(f"{_named(on_request)} returned {answer!r}: it returns {_ANSWERS}")


def as_transform(transform: Any, on_response: Callable[..., object]) -> Transform:
    """What an on_response returned, as a transform."""
    if hasattr(transform, "feed") and hasattr(transform, "finish"):
        return cast("Transform", transform)
    raise TypeError(
        f"{_named(on_response)} returned {transform!r}: it edits the response, and returns None or a transform of the "
        "body, which has feed(chunk) and finish()"
    )


def _status(status: object) -> str:
    line = status_line(status) if type(status) is int and 100 <= status <= 999 else status
    if (fault := status_fault(line)) is not None:
        raise ValueError(fault)
    return cast("str", line)


def _responding(status: str, body: bytes, content_type: str, headers: Any = ()) -> Application:
    given = [*(headers.items() if hasattr(headers, "items") else headers)]
    for line in given:
        check_line(line)
    names = {name.lower() for name, _ in given}
    fields = [("Content-Type", content_type)] if "content-type" not in names else []
    fields += [("Content-Length", str(len(body)))] if "content-length" not in names else []

    def respond(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [*fields, *given])
        return [body]

    return respond


def _named(method: Callable[..., object]) -> str:
    """A method of a layer, under the name of the layer."""
    layer = getattr(method, "__self__", None)
    name = getattr(method, "__name__", repr(method))
    return f"{getattr(layer, 'name', type(layer).__name__)}.{name}"

"""Returned: the values that methods of a layer return, checked. Errors name the layer, the method and the value."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from middleware.http.fields import Line, check_line
from middleware.http.status import status_fault, status_line
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ, StartResponse

Answer: TypeAlias = (
    "Application | tuple[int | str, str | bytes] | tuple[int | str, str | bytes, Mapping[str, str] | Iterable[Line]]"
)
_ANSWERS = "None, a WSGI application, (status, body), (status, body, headers) or json_response(data)"


def json_response(data: object, status: int = 200, headers: Mapping[str, str] | Iterable[Line] = ()) -> Application:
    """A WSGI application that responds with data as JSON, for an on_request to return.

    Options:
        data: any value that json.dumps takes. The content. Required.
        status: int, or str such as "403 Forbidden". The status of the response. Default 200.
        headers: mapping, or pairs of name and value. Lines beside Content-Type and Content-Length. Default none.

    Errors: ValueError or TypeError for a status or a line that may not be sent, and for what is no JSON.
    Source: RFC 8259.
    """
    body = json.dumps(data, allow_nan=False).encode("ascii")
    return _responding(_status(status), body, "application/json", headers)


def as_application(answer: Any, on_request: Callable[..., object]) -> Application:
    """What an on_request returned, as a WSGI application."""
    if callable(answer):
        application: Application = answer
        return application
    if isinstance(answer, tuple) and len(answer) in (2, 3) and isinstance(answer[1], (str, bytes)):
        status, body, *headers = answer
        try:
            content = body.encode("utf-8") if isinstance(body, str) else body
            content_type = "text/plain; charset=utf-8" if content is not body else "application/octet-stream"
            return _responding(_status(status), content, content_type, *headers)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{_named(on_request)}: {error}") from None
    if inspect.iscoroutine(answer):
        answer.close()  # otherwise Python warns that it was never awaited
    raise TypeError(f"{_named(on_request)} returned {answer!r}: it returns {_ANSWERS}")


def as_transform(transform: Any, on_response: Callable[..., object]) -> Transform:
    """What an on_response returned, as a transform."""
    if hasattr(transform, "feed") and hasattr(transform, "finish") and not isinstance(transform, Response):
        found: Transform = transform
        return found
    raise TypeError(
        f"{_named(on_response)} returned {transform!r}: it edits the response, and returns None or a transform of the "
        "body, which has feed(chunk) and finish()"
    )


def _status(status: object) -> str:
    line = status_line(int(status)) if isinstance(status, int) and 100 <= status <= 999 else status
    if (fault := status_fault(line)) is not None:
        raise ValueError(fault)
    return cast("str", line)


def _responding(status: str, body: bytes, content_type: str, headers: Any = ()) -> Application:
    if not hasattr(headers, "__iter__"):
        raise TypeError(f"headers are a mapping, or pairs of name and value; got {headers!r}")
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


def undeclared(on_response: Callable[..., object]) -> TypeError:
    """The error for an on_response that has assigned response.body, which its effects do not say."""
    rule = "it returns a transform, or its effects declare rewrites_body=True (or encodes_body=True)"
    return TypeError(f"{_named(on_response)} assigned response.body: {rule}")


def _named(method: Callable[..., object]) -> str:
    """A method of a layer, under the name of the layer."""
    layer = getattr(method, "__self__", None)
    name = getattr(method, "__name__", repr(method))
    return f"{getattr(layer, 'name', type(layer).__name__)}.{name}"

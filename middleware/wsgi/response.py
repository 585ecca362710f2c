"""Response and Transform: a response as layers see it, and the change to its body that a layer may return."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from middleware.http.fields import Fields
from middleware.http.status import ORDINARY, status_line


class Transform(Protocol):
    """Changes the body of one response, chunk by chunk. Each response has a transform of its own, which may keep state.

    A sized body (list or tuple) passes through as a whole before the head is sent, so that Content-Length is right; a
    stream passes through chunk by chunk, and then has no Content-Length.

    A transform may have `undo(response)`. It is called in place of `finish` for a stream that ends without content,
    before the head is sent, and restores the fields that the layer has changed because of the content.
    """

    def feed(self, chunk: bytes) -> bytes:
        """Take one chunk that is not empty; return the output that is ready, which may be empty."""

    def finish(self) -> bytes:
        """Return the remaining output. Called once, after the last chunk, and not if the body failed."""


class Response(Fields):
    """The head of a response as layers see it, and its body if that is available.

    `response.headers` is the response itself, which is a Fields. That saves an object on every request.

    Attributes:
        status: str, "200 OK". May be assigned.
        method: str. The method of the request as received, even if the application has changed environ.
        body: the iterable that the application returned; an empty iterator if the content is sent by write(). None in a
            Response that is not on its way to a server. A list or a tuple is a sized body, which may be read, and
            replaced together with Content-Length. Anything else is a stream, which only a Transform may change.
    """

    __slots__ = ("body", "method", "status")

    body: Iterable[bytes] | None
    method: str
    status: str

    def __init__(
        self,
        status: str = "200 OK",
        headers: Iterable[tuple[str, str]] = (),
        body: Iterable[bytes] | None = None,
        *,
        method: str = "GET",
    ) -> None:
        super().__init__(headers)
        self.status = status
        self.body = body
        self.method = method

    @property
    def headers(self) -> Fields:
        """The field lines, to be edited in place."""
        return self

    @property
    def status_code(self) -> int:
        """The three digits of the status. Assigning a code also sets its registered reason phrase."""
        return ORDINARY.get(self.status) or int(self.status[:3])

    @status_code.setter
    def status_code(self, code: int) -> None:
        self.status = status_line(code)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status}>"


def as_transform(transform: Any, on_response: Callable[..., object]) -> Transform:
    """Return the transform that an on_response returned; TypeError for any other object."""
    if hasattr(transform, "feed") and hasattr(transform, "finish") and not isinstance(transform, (Response, type)):
        return cast("Transform", transform)
    rule = "it edits the response, and returns None or a transform of the body, which has feed(chunk) and finish()"
    raise TypeError(f"{method_name(on_response)} returned {transform!r}: {rule}")


def undeclared(on_response: Callable[..., object]) -> TypeError:
    """The error for an on_response that has assigned response.body without declaring it in its effects."""
    rule = "it returns a transform, or its effects declare rewrites_body=True (or encodes_body=True)"
    return TypeError(f"{method_name(on_response)} assigned response.body: {rule}")


def method_name(method: Callable[..., object]) -> str:
    """A method of a layer, under the name of the layer."""
    layer = getattr(method, "__self__", None)
    name = getattr(method, "__name__", repr(method))
    return f"{getattr(layer, 'name', type(layer).__name__)}.{name}"

"""Response and Transform: what a layer gets to see of a response, and what it may hand back."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from middleware.http.fields import Fields
from middleware.http.status import ORDINARY, status_line


class Transform(Protocol):
    """What turns the body of one response into another, chunk by chunk. One response, one transform: it may keep state.

    A sized body (list or tuple) passes through as a whole before the header goes out, so that Content-Length is right;
    a stream passes through chunk by chunk, and then has no Content-Length.

    A transform may have `undo(response)`. It is called in place of `finish` for a stream that ends without a chunk of
    content, before the head goes out, and takes back what the layer has said of the content in the head.
    """

    def feed(self, chunk: bytes) -> bytes:
        """Take one chunk that is not empty; return what can go out now, perhaps nothing."""

    def finish(self) -> bytes:
        """Return what is left, once, after the last chunk. Not called when the body failed."""


class Response(Fields):
    """The head of a response while the layers look at it, and its body as far as it is known.

    A head is its field lines and a status, and is kept as that: `response.headers` is the response itself, seen as
    Fields. One object less on every request.

    Attributes:
        status: str, "200 OK". May be assigned.
        method: str. The method of the request as it came in, whatever the application does to environ.
        body: the iterable that the application returned, or None while there is none yet: the head waits for it only
            where a layer declares that it rewrites or encodes the body. A list or a tuple is a sized body: it may be
            looked at, and replaced together with Content-Length. Anything else is a stream, which only a Transform may
            touch; so is what goes through write().
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
    """What an on_response returned, as a transform."""
    if hasattr(transform, "feed") and hasattr(transform, "finish") and not isinstance(transform, (Response, type)):
        return cast("Transform", transform)
    rule = "it edits the response, and returns None or a transform of the body, which has feed(chunk) and finish()"
    raise TypeError(f"{method_name(on_response)} returned {transform!r}: {rule}")


def undeclared(on_response: Callable[..., object]) -> TypeError:
    """The error for an on_response that has assigned response.body, which its effects do not say."""
    rule = "it returns a transform, or its effects declare rewrites_body=True (or encodes_body=True)"
    return TypeError(f"{method_name(on_response)} assigned response.body: {rule}")


def method_name(method: Callable[..., object]) -> str:
    """A method of a layer, under the name of the layer."""
    layer = getattr(method, "__self__", None)
    name = getattr(method, "__name__", repr(method))
    return f"{getattr(layer, 'name', type(layer).__name__)}.{name}"

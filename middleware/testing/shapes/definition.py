"""Shape: an application of the matrix, and the response that a client should get from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, TypeAlias

from middleware.wsgi.types import Application, Environ, StartResponse, Write

TEXT: Final = [("Content-Type", "text/plain")]
Fails: TypeAlias = Literal["", "early", "late", "close"]


class Failure(Exception):  # noqa: N818 - raised on purpose, so not an error of the kit
    """The exception that the applications raise."""


class CountedBody:
    """An iterator that counts the calls to it.

    Options:
        chunks: iterable of bytes. The content. Required.
        fails_at: int or None. The index of the chunk at which it raises. Default None.
        fails_to_close: bool. Raise in close(). Default False.
        ends_once: bool. Raise AssertionError if resumed after its end. Default False.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        fails_at: int | None = None,
        fails_to_close: bool = False,
        ends_once: bool = False,
    ) -> None:
        self.chunks, self.fails_at, self.fails_to_close = list(chunks), fails_at, fails_to_close
        self.ends_once = ends_once
        self.pulled = self.ended = self.closed = 0

    def __iter__(self) -> CountedBody:
        return self

    def __next__(self) -> bytes:
        """The next chunk, counted."""
        if self.pulled == self.fails_at:
            self.pulled += 1
            raise Failure("in the body")
        if self.pulled >= len(self.chunks):
            self._end()
        self.pulled += 1
        return self.chunks[self.pulled - 1]

    def _end(self) -> NoReturn:
        self.ended += 1
        if self.ends_once and self.ended > 1:
            raise AssertionError("asked again after its end")
        raise StopIteration

    def close(self) -> None:
        """Count the call."""
        self.closed += 1
        if self.fails_to_close:
            raise Failure("in close()")


Made: TypeAlias = "tuple[Application, CountedBody | None]"


@dataclass
class Shape:
    """An application, created for each request, and the response that a client should get from it.

    Attributes:
        name: str. Its name in reports and in `skip`.
        make: callable () -> the application, and its CountedBody if it returns one.
        says: str. A description.
        body: bytes. The content that a client should get.
        unsent: bytes. Content that the application returns although the response has none: the server drops it.
        status: str. The status line.
        fails: "early" before any content, "late" after some, "close" in close(), or "" for no failure.
        method: str. The method of the request.
        lint: bool. False if the application breaks PEP 3333.
    """

    name: str
    make: Callable[[], Made]
    says: str = ""
    body: bytes = b"onetwo"
    unsent: bytes = b""
    status: str = "200 OK"
    fails: Fails = ""
    method: str = "GET"
    lint: bool = True

    @property
    def content_law(self) -> str:
        """The law that wrong content breaks."""
        if self.unsent or self.method == "HEAD" or self.status[:3] == "204":
            return "no-content"
        return "write" if "writ" in self.name else "body"


def registering(shapes: list[Shape]) -> Callable[..., Callable[[Callable[[], Made]], Callable[[], Made]]]:
    """A decorator that adds a function to the list as a Shape of its name and docstring, with the expected response."""

    def shape(**expected: Any) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
        def register(make: Callable[[], Made]) -> Callable[[], Made]:
            says = (make.__doc__ or "").rstrip(".")
            shapes.append(Shape(make.__name__.replace("_", "-"), make, says, **expected))
            return make

        return register

    return shape


def returning(result: Any, status: str = "200 OK", headers: Iterable[tuple[str, str]] = TEXT) -> Made:
    """An application that starts the response and returns `result`."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        returned: Iterable[bytes] = result
        return returned

    return app, result if isinstance(result, CountedBody) else None


def begin(start_response: StartResponse, status: str = "200 OK") -> Write:
    """Start an ordinary response."""
    return start_response(status, list(TEXT))

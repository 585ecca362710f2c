"""What an application of the matrix is: a shape that PEP 3333 allows, and what a client has to get from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.wsgi.types import Application, Environ, StartResponse, Write

TEXT: Final = [("Content-Type", "text/plain")]
Fails: TypeAlias = Literal["", "early", "late", "close"]


class Failure(Exception):  # noqa: N818 - it is what fails, on purpose
    """What the applications here raise."""


class Body:
    """An iterator that counts what is done to it; if wished it fails at a chunk, after its end, or in close()."""

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

    def __iter__(self) -> Body:
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
        """Count."""
        self.closed += 1
        if self.fails_to_close:
            raise Failure("in close()")


class ByIndex:
    """An iterable with only __getitem__."""

    def __getitem__(self, index: int) -> bytes:
        return [b"one", b"two"][index]


Made: TypeAlias = "tuple[Application, Body | None]"


@dataclass
class Shape:
    """An application, made anew for each request, and what a client has to get from it.

    Attributes:
        name: how a report, and `skip`, name it.
        make: () -> the application, and its Body if it returns one.
        says: what it does, in words.
        body: bytes. The content that a client gets.
        unsent: bytes. What it gives beside that, though the response has no content: a server drops it.
        status: str.
        fails: "early": before any content; "late": after some; "close": in close(); "": not at all.
        method: str, of the request.
        lint: bool. Whether PEP 3333 allows what it does.
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


def registering(shapes: list[Shape]) -> Callable[..., Callable[[Callable[[], Made]], Callable[[], Made]]]:
    """A decorator with which functions become shapes of that list: their name and docstring, and what is expected."""

    def shape(**expected: Any) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
        def register(make: Callable[[], Made]) -> Callable[[], Made]:
            says = (make.__doc__ or "").rstrip(".")
            shapes.append(Shape(make.__name__.replace("_", "-"), make, says, **expected))
            return make

        return register

    return shape


def returning(result: Any, status: str = "200 OK", headers: Iterable[tuple[str, str]] = TEXT) -> Made:
    """An application that starts and returns that."""

    def app(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        returned: Iterable[bytes] = result
        return returned

    return app, result if isinstance(result, Body) else None


def begin(start_response: StartResponse, status: str = "200 OK") -> Write:
    """Start an ordinary response."""
    return start_response(status, list(TEXT))

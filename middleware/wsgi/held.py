"""Held: one call of an application whose head is held back, so that somebody can decide about it with the body in hand.

The other way to look at a response beside the pipeline: for who may put another response in its place. Who calls the
application passes the head on when it has returned; where that is too late, because it calls write() or replaces a head
that has not been sent (PEP 3333 "Error Handling"), `settle` is asked.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from middleware.wsgi.takeover import TakenOver, leaves_nothing, may_be_taken_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from middleware.wsgi.types import Application, Environ, ExcInfo, StartResponse, Write


class Settled(NamedTuple):
    """What the server is to get. A body of None stands for that of the application."""

    status: str
    lines: list[tuple[str, str]]
    body: Iterable[bytes] | None


class Held:
    """One call of an application, and what has become of it. A subclass says by `settle` what the server gets.

    Attributes:
        environ: that of the request.
        server: the start_response that was given.
        status, lines: the head that the application gave last; an empty status until it has given one.
        body: what it returned, once it has.
        given_error: the exception that it gave with its head (PEP 3333, exc_info), or None.
        passed: bool. The server has the head.
        instead: the body that is sent instead of what the application writes and returns, or None.
    """

    status: str = ""
    lines: list[tuple[str, str]]
    body: Iterable[bytes] | None = None
    given_error: BaseException | None = None
    passed: bool = False
    instead: Iterable[bytes] | None = None
    _exc_info: ExcInfo | None = None
    _sent: bool = False
    _write: Write

    def __init__(self, environ: Environ, server: StartResponse) -> None:
        self.environ = environ
        self.server = server

    def settle(self) -> Settled:
        """Decide about a head whose body cannot be had: it goes out by write(), or is iterated already."""
        return Settled(self.status, self.lines, None)

    def replaced(self) -> None:
        """Note that there is another head, before the server has got one."""

    def call(self, app: Application) -> None:
        """Call the application, and take as much of its body as it takes to get a head."""
        self.body = body = self._returned(app)
        if body is None or isinstance(body, (bytes, str)):
            raise TypeError(f"a WSGI application returns an iterable of bytes, not {type(body).__name__} (PEP 3333)")
        if not self.status:
            self.body = self._begun(body)

    def _returned(self, app: Application) -> Iterable[bytes]:
        try:
            body = app(self.environ, self.start_response)
        except StopIteration:
            if may_be_taken_over(self.environ):
                raise TakenOver(stopped=True) from None
            raise
        if not self.status and leaves_nothing(self.environ, body):
            raise TakenOver(body)
        return body

    def _begun(self, body: Iterable[bytes]) -> Iterable[bytes]:
        if isinstance(body, (list, tuple)):
            raise RuntimeError("the application returned without calling start_response (PEP 3333)")  # noqa: TRY004
        iterator = iter(body)
        first = [chunk for chunk in (next(iterator, None),) if chunk is not None]
        if not self.status:
            if leaves_nothing(self.environ, first):
                self.body = None
                raise TakenOver(Begun(chain(first, iterator), body))
            happened = "yielded" if first else "ended"
            raise RuntimeError(f"the application {happened} before it called start_response (PEP 3333)")
        return Begun(chain(first, iterator), body)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """Take a head from the application (PEP 3333, the start_response callable)."""
        again = self.status != ""
        try:
            if again:
                self._replace(exc_info)
            if exc_info is not None:
                self.given_error, self._exc_info = exc_info[1], exc_info
        finally:
            exc_info = None  # Break the traceback reference cycle.
        self.status = status
        self.lines = [*headers]  # a copy: PEP 3333 lets the application keep its own
        if self.passed:
            self.pass_on(self.settle())
        elif again:
            self.replaced()
        return self.write

    def _replace(self, exc_info: ExcInfo | None) -> None:
        if exc_info is None:
            raise AssertionError("start_response was called again without exc_info (PEP 3333)")
        if self._sent and exc_info[1] is not None:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # Break the traceback reference cycle.

    def write(self, data: bytes) -> None:
        """Send this before what the iterable has (PEP 3333, the write callable)."""
        if not self.passed:
            self.pass_on(self.settle())
        if data and self.instead is None:
            self._sent = True
            self._write(data)

    def pass_on(self, settled: Settled) -> None:
        """Give the server the head that was settled."""
        self.passed = True
        self.instead = settled.body
        exc_info, self._exc_info, self.given_error = self._exc_info, None, None
        try:
            head = settled.status, settled.lines
            self._write = self.server(*head, exc_info) if exc_info else self.server(*head)
        finally:
            exc_info = None  # Break the traceback reference cycle.

    def sends(self, chunk: bytes) -> None:
        """Note that this goes out: too late for another head, once there is content."""
        self._sent = self._sent or bool(chunk)

    def drop(self) -> None:
        """Close what the application returned, when nobody will get it."""
        body, self.body = self.body, None
        self._exc_info = self.given_error = None  # break the traceback reference cycle
        close(body)


class Begun:
    """An iterable whose first chunk was taken already."""

    __slots__ = ("_body", "_iterator")

    def __init__(self, iterator: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._iterator = iterator
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator

    def close(self) -> None:
        """Close the iterable."""
        close(self._body)


def close(iterable: object) -> None:
    """Close an iterable, if it is to be closed (PEP 3333 "close()")."""
    closing = getattr(iterable, "close", None)
    if closing is not None:
        closing()

"""A response on its way to the server: the final check of its head, and the iterable that the server gets.

Every header line that hooks have added is checked here, because it may have bypassed the checks of ResponseHeaders: set
through WebOb, which accepts control characters, or by a response of another library. Lines that the application sent
are not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final, NoReturn

from middleware.hooks.closing import Closers, ClosingList, close_all
from middleware.hooks.context import CURRENT, Context, bound
from middleware.hooks.response_object import Response, body_of, encoded
from middleware.http.fields import Line, check_line
from middleware.http.status import status_fault
from middleware.wsgi.body import is_file
from middleware.wsgi.errors import forget
from middleware.wsgi.exchange import next_chunk
from middleware.wsgi.held import Begun, close_iterable, release
from middleware.wsgi.types import Environ

_OF_CONTENT: Final = (  # RFC 9110 15.4.5
    "Allow",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Range",
    "Content-Type",
    "Last-Modified",
)


# -- the head ----------------------------------------------------------------------------------------------------------


def check_head(response: Response, context: Context) -> None:
    """Raise ValueError or TypeError if hooks have set a status or added a line that must not be sent."""
    fault = None if response.status == context.status else status_fault(response.status)
    if fault is not None:
        raise ValueError(fault)
    for line in _added(response, context):
        check_line(line)


def remove_faults(response: Response, context: Context) -> None:
    """Remove the lines that `check_head` rejects, and make the response a 500."""
    rejected = set()
    for line in _added(response, context):
        try:
            check_line(line)
        except (ValueError, TypeError):  # noqa: PERF203 - the other lines are checked too
            rejected.add(id(line))
    response.headers.become([line for line in response.headers if id(line) not in rejected])
    response.status = 500


def _added(response: Response, context: Context) -> list[Line]:
    """The lines that are not the application's, which are recognized by identity."""
    status, lines, _ = context.head
    given = {id(line) for line in lines} if status else ()
    return [line for line in response.headers if id(line) not in given]


def complete_head(response: Response, method: str) -> None:
    """Remove the content fields of a 304; set the Content-Length of a sized body.

    An empty body of a HEAD does not show the length of the content (RFC 9110 8.6).
    """
    if response.status_code == 304:
        for name in _OF_CONTENT:
            response.headers.remove(name)
    elif response.is_sequence and "Content-Length" not in response.headers:
        length = sum(map(len, body_of(response)))
        if length or method != "HEAD":
            response.headers["Content-Length"] = str(length)


# -- the body ----------------------------------------------------------------------------------------------------------


class Stream:
    """An iterable that binds the context of a request while it is iterated and closed."""

    __slots__ = ("_body", "_closed", "_closers", "_context", "_iterator")

    def __init__(self, context: Context, body: Iterable[bytes], closers: Closers = ()) -> None:
        self._context = context
        self._body = body
        self._iterator: Iterator[bytes] | None = None
        self._closers = closers
        self._closed = False

    @property
    def unsent_source(self) -> object:
        """The application's iterable without wrappers, see `unsent`."""
        return getattr(self._body, "unsent_source", self._body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """One chunk in, one chunk out (PEP 3333 "Middleware Handling of Block Boundaries")."""
        context = self._context
        token = CURRENT.set(context)
        try:
            chunk = self._step(context)
        finally:
            CURRENT.reset(token)
        context.take(chunk)
        return chunk

    def _step(self, context: Context) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._body)
        known = context.instead
        chunk = next_chunk(self._iterator)
        if context.instead is not known and context.instead is not None:
            # The application replaced its head in this step, and a hook then replaced the body.
            self._iterator = iter(context.instead)
            self.closing((partial(close_iterable, context.instead),))
            chunk = next_chunk(self._iterator)
        if chunk is None:
            raise StopIteration
        return chunk

    def closing(self, closers: Closers) -> Stream:
        """Add functions to be called on close. Returns the stream."""
        self._closers = (*self._closers, *closers)
        return self

    def close(self) -> None:
        """Close the body, then call the closers: each exactly once, even if another raises."""
        if self._closed:
            return
        self._closed = True
        late, self._context.closers = self._context.closers, ()
        with bound(self._context):
            try:
                close_all((getattr(self._body, "close", None), *self._closers, *late))
            finally:
                self._context.body = None  # break the reference cycle: the body is this stream
                forget(self._context.environ, self._context.server)


class Unreadable:
    """Placeholder for a body that hooks cannot read, because it is sent by write() or already being iterated."""

    def __iter__(self) -> NoReturn:
        raise RuntimeError("this body cannot be read: it is already being sent, by write() or as a stream")


def outgoing(context: Context, body: Iterable[bytes], closers: Closers) -> Iterable[bytes]:
    """The iterable for the server: `body` itself if it needs neither the context nor a closer."""
    source = context.body
    if body is not source and hasattr(source, "close"):
        closers = (partial(release, context, source), *closers)
    if isinstance(body, Stream):
        return body.closing(closers)
    if not closers and runs_no_code(context.environ, body):
        return body
    if isinstance(body, (list, tuple)):
        return ClosingList(body, closers)
    return Stream(context, Begun(encoded(body), body), closers)


def runs_no_code(environ: Environ, body: object) -> bool:
    """Whether iterating the body runs no code of the application: a list, a tuple, or the server's file wrapper."""
    return isinstance(body, (list, tuple)) or is_file(environ, body)

"""Held: one call of an application whose head is held back, so that hooks decide on it when the body is available.

The pipeline shows a head to layers; the hooks may put another response in its place. Hooks therefore call the
application themselves, and pass on a head after it has returned. If that is too late, because the application calls
write() or replaces a head that the server has (PEP 3333 "Error Handling"), `decide` is called.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from inspect import GEN_CREATED, getgeneratorstate
from itertools import chain, islice
from types import GeneratorType
from typing import NamedTuple, cast

from middleware.wsgi.exchange import NEW, PASSED, SENT, UNSENT, Exchange, next_chunk
from middleware.wsgi.takeover import TakenOver, leaves_nothing, may_be_taken_over
from middleware.wsgi.types import Application, Environ, StartResponse


class Settled(NamedTuple):
    """A response for the server. If the body is None, the application's body is sent."""

    status: str
    lines: list[tuple[str, str]]
    body: Iterable[bytes] | None


class Held(Exchange):
    """One call of an application, and its result. A subclass overrides `decide` to choose what the server gets.

    Attributes:
        body: the iterable that the application returned, or None before that.
        instead: the body that is sent in place of what the application writes and returns, or None.
    """

    instead: Iterable[bytes] | None = None
    _taken: bool = False  # content has been read, by the server or by a hook

    def __init__(self, environ: Environ, server: StartResponse) -> None:
        self.environ, self.server, self.state = environ, server, NEW
        self.method = environ.get("REQUEST_METHOD", "")
        self.status, self.lines, self.index, self.body, self.exc_info = "", [], None, None, None

    @property
    def head(self) -> Settled:
        """The application's head, to be sent as it is."""
        return Settled(self.status, self.lines, None)

    @property
    def passed(self) -> bool:
        """Whether the server has the head."""
        return self.state in (PASSED, SENT)

    @property
    def final(self) -> bool:
        """Whether it is too late for another head."""
        return self._taken or super().final

    @property
    def given_error(self) -> BaseException | None:
        """The exception that the application gave with its head (PEP 3333, exc_info), until that is passed on."""
        return None if self.exc_info is None else self.exc_info[1]

    def decide(self) -> Settled:
        """Decide on a head whose body cannot be read, because it is sent by write() or is already being iterated."""
        return self.head

    def settle(self) -> None:
        """Pass on the response that `decide` returns."""
        self.send_head(self.decide())

    def send_head(self, settled: Settled) -> None:
        """Give the server the head that was settled."""
        if self.state is NEW:
            self.move("head")  # a hook has answered without the application
        self.status, self.lines, self.instead = settled
        self.pass_on()

    def send(self, data: bytes) -> None:
        """Send a chunk by the server's write(), unless another body is sent in its place."""
        if self.instead is None:
            super().send(data)

    def take(self, chunk: bytes) -> None:
        """Note that this chunk has been read: after content, the head is final."""
        self._taken = self._taken or bool(chunk)

    def call(self, app: Application) -> None:
        """Call the application, and take the first chunk of its body if there is no head yet."""
        self.body = body = self._returned(app)
        if body is None or isinstance(body, (bytes, str)):
            raise TypeError(f"a WSGI application returns an iterable of bytes, not {type(body).__name__} (PEP 3333)")
        if self.state is NEW:
            self.body = self._begun(body)

    def _returned(self, app: Application) -> Iterable[bytes]:
        try:
            body = app(self.environ, self.start)
        except StopIteration:
            if may_be_taken_over(self.environ):
                raise TakenOver(stopped=True) from None
            raise
        if self.state is NEW and leaves_nothing(self.environ, body):
            raise TakenOver(body)
        return body

    def _begun(self, body: Iterable[bytes]) -> Iterable[bytes]:
        if isinstance(body, (list, tuple)):
            self.move("no head")  # raises
        iterator = iter(body)
        first = [chunk for chunk in (next_chunk(iterator),) if chunk is not None]
        if self.state is NEW:
            if leaves_nothing(self.environ, first):
                self.body = None
                raise TakenOver(Begun(chain(first, iterator), body))
            self.move("content without head" if first else "end")  # raises
        return Begun(chain(first, iterator), body)

    def drop(self) -> None:
        """Close the application's body when it is not sent."""
        body, self.body, self.exc_info = self.body, None, None  # break the traceback reference cycle
        release(self, body)


class Begun:
    """An iterable whose first chunk has already been taken."""

    __slots__ = ("_body", "_iterator")

    def __init__(self, iterator: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._iterator = iterator
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._iterator

    def close(self) -> None:
        """Close the iterable."""
        close_iterable(self._body)


def close_iterable(iterable: object) -> None:
    """Close an iterable, if it has close() (PEP 3333 "close()")."""
    closing = getattr(iterable, "close", None)
    if closing is not None:
        closing()


def unsent(iterable: object) -> Iterator[bytes]:
    """Return what has to be iterated of an iterable that is not sent: nothing, unless there is a generator in it.

    The `finally` of a generator runs only if it has begun. Two steps let a generator of one chunk end by itself. They
    are taken through the wrappers of inner passes and hooks, which handle its errors and bind its context.
    """
    source = getattr(iterable, "unsent_source", iterable)
    if isinstance(source, GeneratorType) and getgeneratorstate(source) == GEN_CREATED:
        return islice(cast("Iterable[bytes]", iterable), 2)
    return iter(())


def release(exchange: Exchange, iterable: object, error: BaseException | None = None) -> None:
    """Close an iterable that is not sent, because there is no content or another body in its place.

    What a generator does to the response meanwhile is not sent either. It does not begin after a GeneratorExit: the
    client may have disconnected.
    """
    state, exchange.state = exchange.state, UNSENT
    with suppress(Exception):  # of content that is not sent
        list(() if isinstance(error, GeneratorExit) else unsent(iterable))
    exchange.state = state
    close_iterable(iterable)

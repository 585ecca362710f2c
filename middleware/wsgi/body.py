"""What the server gets to iterate: the application's own iterable wherever that is possible, a Body where it is not."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, cast

from middleware.wsgi.errors import close, leave, respond
from middleware.wsgi.exchange import NEW, PASSED
from middleware.wsgi.takeover import leaves_nothing, may_be_taken_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from middleware.wsgi.exchange import Exchange
    from middleware.wsgi.types import Environ


_AT_HAND: Final[tuple[type, ...]] = (type(iter([])), type(iter(())))  # no code of the application runs for a chunk


class Body:
    """The application's iterable, passed through the transforms one chunk at a time, watched to its end."""

    __slots__ = ("closed", "exchange", "iterator", "over")

    iterator: Iterator[bytes]

    def __init__(self, exchange: Exchange, iterable: Iterable[bytes] | None) -> None:
        self.exchange = exchange
        self.iterator = iter((b"",) if iterable is None else iterable)
        self.over = iterable is None  # nothing to send: closing it early is no failure
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """One chunk in, one value out (PEP 3333 "Middleware Handling of Block Boundaries")."""
        try:
            chunk = self._step()
        except BaseException as error:
            if not respond(self.exchange, error):
                raise
            self.iterator = iter(() if self.exchange.mute else self.exchange.body or ())
            return next(self)
        if chunk is None:
            raise StopIteration
        return chunk

    def _step(self) -> bytes | None:
        chunk = next(self.iterator, None)
        exchange = self.exchange
        if exchange.phase < PASSED:
            chunk = self._begin(chunk)
        if chunk is None:
            return self._finish()
        if exchange.mute:
            self.iterator = iter(())  # what is not sent is not asked for
            return b""
        return exchange.feed(chunk)

    def _begin(self, chunk: bytes | None) -> bytes | None:
        """Begin a response whose head has waited for the first chunk, or came no earlier than with it."""
        if self.exchange.phase == NEW:
            if not chunk and may_be_taken_over(self.exchange.environ):
                self.exchange.sent = None  # no one counts
                return chunk
            happened = "ended" if chunk is None else "yielded"
            raise RuntimeError(f"the application {happened} before it called start_response (PEP 3333)")
        self.exchange.begin()
        return self.exchange.begin_with(chunk)

    def _finish(self) -> bytes | None:
        if self.over:
            return None
        self.over = True
        self.iterator = iter(())  # what has ended is not asked again: it may wait for what never comes
        return None if self.exchange.mute else self.exchange.finish() or None

    def close(self) -> None:
        """Close the application's iterable and tell the layers, once however often it is called."""
        if self.closed:
            return
        self.closed = True
        exchange = self.exchange
        if not self.over and exchange.error is None:
            exchange.error = GeneratorExit("the body was closed before its end")
        close(exchange)


class SizedBody(Body):
    """A list or tuple that is watched to its end: servers ask its length to set Content-Length."""

    __slots__ = ("_length",)

    def __init__(self, exchange: Exchange, iterable: list[bytes] | tuple[bytes, ...] | SizedBody) -> None:
        super().__init__(exchange, iterable)
        self._length = len(iterable)

    def __len__(self) -> int:
        return self._length


def begun(exchange: Exchange, iterable: Iterable[bytes]) -> Body:
    """Take the first chunk of a stream, which its head waits for: some servers want a head when the call returns."""
    iterator = iter(iterable)
    first = next(iterator, None)
    while first == b"" and type(iterator) in _AT_HAND:
        first = next(iterator, None)
    exchange.begin()  # with another head, if the application has replaced it in its first chunk
    first = exchange.begin_with(first)
    return Body(exchange, () if first is None else chain((first,), iterator))  # what has ended is not asked again


def deliver(exchange: Exchange) -> Iterable[bytes]:
    """Choose what the server gets, once the application has returned."""
    body = cast("Iterable[bytes]", exchange.body)
    if exchange.phase == NEW and leaves_nothing(exchange.environ, body):
        leave(exchange)
        return body
    _check(body)
    if exchange.phase == NEW:
        return _late(exchange, body)
    if exchange.mute:
        return _nothing(exchange)
    if exchange.transforms:
        return Body(exchange, body)
    return _sized(exchange, body) if isinstance(body, (list, tuple)) else _untouched(exchange, body)


def _check(body: object) -> None:
    if body is None or isinstance(body, (bytes, str)):
        raise TypeError(f"a WSGI application returns an iterable of bytes, not {type(body).__name__} (PEP 3333)")


def _nothing(exchange: Exchange) -> Iterable[bytes]:
    """No content, in one empty chunk of an iterator: where there is none, or a list, servers add a Content-Length."""
    watched = exchange.plan.closers or exchange.error is not None or hasattr(exchange.source, "close")
    return Body(exchange, None) if watched else iter((b"",))


def _sized(exchange: Exchange, body: list[bytes] | tuple[bytes, ...]) -> Iterable[bytes]:
    source = exchange.source
    replaced = body is not source and type(source) is not list and hasattr(source, "close")
    failed = exchange.error is not None  # released at the end
    return SizedBody(exchange, body) if replaced or failed or exchange.plan.closers else body


def _late(exchange: Exchange, body: Iterable[bytes]) -> Body:
    if isinstance(body, (list, tuple)):
        raise RuntimeError("the application returned without calling start_response (PEP 3333)")  # noqa: TRY004
    return Body(exchange, body)


def _untouched(exchange: Exchange, body: Iterable[bytes]) -> Iterable[bytes]:
    """Hand on a stream as the same object, so that the server's file_wrapper works, unless it has to be watched."""
    plan = exchange.plan
    from_server = is_file(exchange.environ, body)
    if plan.closers and from_server:
        return _watched(exchange, body)
    sized = isinstance(body, SizedBody)  # a list that is watched further in: asked for its chunks it does not fail
    if plan.closers or (plan.respond and not from_server and not sized):
        return SizedBody(exchange, body) if isinstance(body, SizedBody) else Body(exchange, body)
    exchange.transforms = exchange.body = exchange.source = None
    return body


def is_file(environ: Environ, body: object) -> bool:
    """Whether it came from the server's file wrapper (PEP 3333 "Optional Platform-Specific File Handling")."""
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type):
        return isinstance(body, wrapper)
    return wrapper is not None and hasattr(body, "read")


def _watched(exchange: Exchange, body: Iterable[bytes]) -> Iterable[bytes]:
    """The same object with a close() that tells the layers; a Body where the object does not let itself be watched."""
    watcher = Body(exchange, body)
    exchange.source = _Closing(body)
    try:
        body.close = watcher.close  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return watcher
    watcher.over = True  # the server reads the file itself: nobody sees, nobody counts
    watcher.iterator = iter(())
    exchange.transforms = exchange.sent = None
    return body


class _Closing:
    """The close() that an object had before it got another."""

    __slots__ = ("close",)

    def __init__(self, body: object) -> None:
        self.close = getattr(body, "close", lambda: None)

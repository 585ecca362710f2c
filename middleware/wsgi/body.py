"""Body: the iterable that the server gets, which is the application's own object wherever that is possible."""

from collections.abc import Iterable, Iterator
from itertools import chain
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

from middleware.http.fields import content_length
from middleware.wsgi.errors import answer_error, close, leave, respond
from middleware.wsgi.exchange import HELD, NEW, PASSED, next_chunk
from middleware.wsgi.held import unsent
from middleware.wsgi.layered import Layered
from middleware.wsgi.plan import OnResponse
from middleware.wsgi.response import as_transform
from middleware.wsgi.takeover import leaves_nothing, may_be_taken_over
from middleware.wsgi.types import Environ

Sized: TypeAlias = "list[bytes] | tuple[bytes, ...] | Watched"

_AT_HAND: Final[tuple[type, ...]] = (type(iter([])), type(iter(())))  # iterating runs no application code

NOTHING: Final = (b"",)  # for a body without chunks, or a list, servers would add a Content-Length


class Body:
    """A stream, passed through the transforms one chunk at a time, and watched to its end."""

    __slots__ = ("closed", "exchange", "iterator", "over")

    iterator: Iterator[bytes]

    def __init__(self, exchange: Layered, iterable: Iterable[bytes]) -> None:
        self.exchange = exchange
        self.iterator = iter(iterable)
        self.over = exchange.mute  # nothing to send, so closing it early is not a failure
        self.closed = False

    @property
    def unsent_source(self) -> object:
        """The application's iterable without wrappers, see `unsent`."""
        return getattr(self.exchange.source, "unsent_source", self.exchange.source)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """One chunk in, one value out (PEP 3333 "Middleware Handling of Block Boundaries")."""
        try:
            chunk = self._step()
        except BaseException as error:
            if not respond(self.exchange, error):
                if isinstance(error, StopIteration):  # otherwise it would end the body (PEP 479)
                    raise RuntimeError("a layer raised StopIteration") from error
                raise
            self.iterator = iter(() if self.exchange.mute else self.exchange.body or ())
            return next(self)
        if chunk is None:
            raise StopIteration
        return chunk

    def _step(self) -> bytes | None:
        chunk = next_chunk(self.iterator)
        exchange = self.exchange
        if exchange.state is NEW or exchange.state in HELD:
            chunk = self._begin(chunk)
        if chunk is None:
            return self._finish()
        if exchange.mute:
            self.iterator = self.iterator if self.over else iter(())  # do not iterate content that is not sent
            self.over = True
            return b""
        return exchange.feed(chunk)

    def _begin(self, chunk: bytes | None) -> bytes | None:
        """Begin a response whose head was not passed on before its first chunk."""
        exchange = self.exchange
        if exchange.state is NEW:
            if not chunk and may_be_taken_over(exchange.environ):
                exchange.sent = None  # bytes are not counted
                return chunk
            exchange.move("end" if chunk is None else "content without head")  # raises
        exchange.enter()
        exchange.begin()
        return exchange.begin_with(chunk)

    def _finish(self) -> bytes | None:
        if self.over:
            return None
        self.over = True
        self.iterator = iter(())  # an exhausted iterator may block: do not resume it
        return None if self.exchange.mute else self.exchange.finish() or None

    def close(self) -> None:
        """Close the application's iterable and call every on_close, on the first call only."""
        if self.closed:
            return
        self.closed = True
        exchange = self.exchange
        source, exchange.source, exchange.body = exchange.source, None, None
        error, exchange.error = exchange.error, None
        if not self.over and error is None:
            error = GeneratorExit("the body was closed before its end")
        try:
            close(exchange, exchange.sent, error, source)
        finally:
            error = None  # break the traceback reference cycle


class Watched:
    """A sized body, watched to its end. Servers call len() on it to set Content-Length."""

    __slots__ = ("body", "error", "exchange", "over", "sent", "source")

    exchange: Layered | None
    body: Sized
    source: object
    error: BaseException | None
    sent: int
    over: bool

    __init__ = object.__init__  # `watched` sets the attributes, which saves a call

    def __len__(self) -> int:
        return len(self.body)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.body:
            self.sent += len(chunk)
            yield chunk
        self.over = True

    def close(self) -> None:
        """Close the application's iterable and call every on_close, on the first call only."""
        exchange = self.exchange
        if exchange is not None:
            self.exchange = None
            error, self.error = self.error, None
            if error is None and not self.over:
                error = GeneratorExit("the body was closed before its end")
            try:
                close(exchange, self.sent, error, self.source)
            finally:
                error = self.source = None  # break the traceback reference cycle


def watched(exchange: Layered, body: Sized) -> Watched:
    """Watch a sized body."""
    made: Watched = Watched()
    made.exchange, made.body, made.source, exchange.source = exchange, body, exchange.source, None
    made.error, exchange.error = exchange.error, None
    made.sent, made.over = exchange.sent or 0, False
    return made


def deliver(exchange: Layered, body: Iterable[bytes]) -> Iterable[bytes]:
    """Pass on the head, if there is one, after the application has returned. Returns the body for the server."""
    if exchange.state is NEW:  # the head comes with the first chunk
        exchange.prepare()
    else:
        exchange.enter()
    exchange.body = exchange.source = body
    if exchange.state is NEW and leaves_nothing(exchange.environ, body):
        leave(exchange)
        return body
    if body is None or isinstance(body, (bytes, str)):
        raise TypeError(f"a WSGI application returns an iterable of bytes, not {type(body).__name__} (PEP 3333)")
    if exchange.plan.waits and isinstance(body, Watched):
        exchange.body = [*body]  # watched by an inner pipeline; layers that need the body get a list
    return _passed_on(exchange, body)


def resumed(
    exchange: Layered, body: Iterable[bytes], place: int, outer: int, transform: object, *, on_response: OnResponse
) -> Iterable[bytes]:
    """Continue after `place` layers have seen the head, if `on_response` returned a transform or replaced the list.

    `outer`: the number of values in `came` that belong to outer layers.
    """
    shown = exchange.body
    exchange.prepare()
    exchange.came = exchange.came[:outer]
    exchange.enter()
    exchange.source, exchange.body = body, shown
    exchange.left = iter(exchange.plan.responders[place:])
    if transform is not None:
        exchange.attach(as_transform(transform, on_response))
    return _passed_on(exchange, body)


def finished(exchange: Layered, body: list[bytes]) -> Iterable[bytes]:
    """Pass on a head that has been shown to every layer."""
    exchange.prepare()
    exchange.source = exchange.body = body
    exchange.left = iter(())
    return _passed_on(exchange, body)


def muted(exchange: Layered, body: list[bytes]) -> Iterable[bytes]:
    """Pass on an ordinary head in response to HEAD, which every layer has seen and none watches to its end."""
    exchange.index = None
    if exchange.get("Content-Length") is None and any(body):
        exchange.append(("Content-Length", str(sum(map(len, body)))))
    exchange.state = PASSED
    exchange.server(exchange.status, exchange.lines)
    return iter(NOTHING)


def failed(exchange: Layered, error: BaseException) -> Iterable[bytes]:
    """Answer an error, or raise it."""
    try:
        answer_error(exchange, error)
    finally:
        del error  # break the traceback reference cycle
    return _chosen(exchange)


def _passed_on(exchange: Layered, body: Iterable[bytes]) -> Iterable[bytes]:
    if exchange.state in HELD:
        if exchange.plan.ahead and not isinstance(body, (list, tuple)):
            body = _ahead(exchange, body)
        if exchange.state in HELD:
            exchange.begin()
        if exchange.state in HELD:
            iterator = iter(body)  # take the first chunk, because some servers need a head when the call returns
            first = exchange.begin_with(_first(iterator))
            return Body(exchange, () if first is None else chain((first,), iterator))  # or it may block
    return _chosen(exchange)


def _ahead(exchange: Layered, body: Iterable[bytes]) -> Iterable[bytes]:
    """Take the first chunk of a stream. If it has the whole declared length, layers see the body as a list.

    This is common, because frameworks wrap sized bodies in iterators. Code of the stream after its last chunk still
    runs when the server requests the next one.
    """
    if is_file(exchange.environ, body) or not any(wanted(exchange) for wanted in exchange.plan.ahead):
        return body
    iterator = iter(body)
    first = _first(iterator)
    rest = exchange.body = iter(()) if first is None else chain((first,), iterator)
    if first and len(first) == content_length(exchange.get("Content-Length", "")):
        exchange.body, exchange.rest = [first], iterator
    return rest


def _first(iterator: Iterator[bytes]) -> bytes | None:
    """Return the first chunk of a stream, or None. Empty chunks of a list or tuple iterator are skipped."""
    first = next_chunk(iterator)
    while first == b"" and type(iterator) in _AT_HAND:
        first = next_chunk(iterator)
    return first


def _chosen(exchange: Layered) -> Iterable[bytes]:
    """Return the body of a response whose head the server has, or gets with the first chunk."""
    body: Any = exchange.body
    if exchange.state is NEW:
        if isinstance(body, (list, tuple)):
            exchange.move("no head")  # raises
        return Body(exchange, body)
    if exchange.mute:
        ends = exchange.plan.closers or exchange.error is not None or type(exchange.source) is not list
        return Body(exchange, chain(unsent(exchange.source), NOTHING)) if ends else iter(NOTHING)
    if exchange.transforms:
        return Body(exchange, body)
    return _sized(exchange, body) if isinstance(body, (list, tuple)) else _untouched(exchange, body)


def _sized(exchange: Layered, body: list[bytes] | tuple[bytes, ...]) -> Iterable[bytes]:
    if exchange.rest is not None:
        return Body(exchange, chain(body, exchange.rest))
    source = exchange.source
    replaced = body is not source and type(source) is not list and hasattr(source, "close")
    ends = replaced or exchange.error is not None or exchange.plan.closers  # an error is released at the end
    return watched(exchange, body) if ends else body


def _untouched(exchange: Layered, body: Iterable[bytes]) -> Iterable[bytes]:
    """Pass on a stream as the same object, so that the server's file wrapper works, unless it must be watched."""
    plan = exchange.plan
    from_server = is_file(exchange.environ, body)
    if plan.closers and from_server:
        return _closing(exchange, body)
    if isinstance(body, Watched):  # a list that is watched by an inner pipeline: it does not fail when it is iterated
        return watched(exchange, body) if plan.closers else body
    if plan.closers or (plan.respond and not from_server) or body is not exchange.source:
        return Body(exchange, body)
    exchange.transforms = exchange.body = exchange.source = None
    return body


def is_file(environ: Environ, body: object) -> bool:
    """Whether a body is from the server's file wrapper (PEP 3333 "Optional Platform-Specific File Handling")."""
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type):
        return isinstance(body, wrapper)
    return wrapper is not None and hasattr(body, "read")


def _closing(exchange: Layered, body: Iterable[bytes]) -> Iterable[bytes]:
    """Return the file with a close() that ends the exchange, or a Body around it if its close() cannot be replaced."""
    watcher = Body(exchange, body)
    exchange.source = SimpleNamespace(close=getattr(body, "close", None))  # its own close(), before it is replaced
    try:
        body.close = watcher.close  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return watcher
    watcher.over = True  # the server reads the file by itself, so neither its end nor its size is seen
    watcher.iterator = iter(())
    exchange.transforms = exchange.sent = None
    return body

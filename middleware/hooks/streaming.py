"""Streaming: what the server gets to iterate, with the request bound while it does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from middleware.hooks.context import CURRENT, bound
from middleware.hooks.response import encoded
from middleware.wsgi.body import is_file
from middleware.wsgi.errors import forget
from middleware.wsgi.held import Begun, close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.hooks.context import Context
    from middleware.wsgi.types import Environ

    Closers = Sequence[Callable[[], object]]


class Stream:
    """An iterable whose steps, and whose end, take place in the context of a request."""

    __slots__ = ("_body", "_closed", "_closers", "_context", "_iterator")

    def __init__(self, context: Context, body: Iterable[bytes], closers: Closers = ()) -> None:
        self._context = context
        self._body = body
        self._iterator: Iterator[bytes] | None = None
        self._closers = closers
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """One chunk in, one value out (PEP 3333 "Middleware Handling of Block Boundaries")."""
        context = self._context
        token = CURRENT.set(context)
        try:
            chunk = self._step(context)
        finally:
            CURRENT.reset(token)
        context.sends(chunk)
        return chunk

    def _step(self, context: Context) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._body)
        known = context.instead
        chunk = next(self._iterator, None)
        if context.instead is not known and context.instead is not None:
            self._iterator = iter(context.instead)  # the head was replaced in this step, and its body by a hook
            chunk = next(self._iterator, None)
        if chunk is None:
            raise StopIteration
        return chunk

    def closing(self, closers: Closers) -> Stream:
        """Have these called at the end as well."""
        self._closers = (*self._closers, *closers)
        return self

    def close(self) -> None:
        """Close the iterable, then call what waits for that; once, and all of it, whatever raises."""
        if self._closed:
            return
        self._closed = True
        with bound(self._context):
            try:
                _close_all((getattr(self._body, "close", None), *self._closers))
            finally:
                self._context.body = None  # which is this stream
                forget(self._context.environ, self._context.server)


class Sized(list[bytes]):
    """A list that is to be closed."""

    def __init__(self, body: Iterable[bytes], closers: Closers) -> None:
        super().__init__(body)
        self._closers = closers

    def close(self) -> None:
        """Call what waits for that, once."""
        closers, self._closers = self._closers, ()
        _close_all(closers)


class Gone:
    """Stands for a body that goes out by write(), or is iterated already: nobody else may read it."""

    def __iter__(self) -> NoReturn:
        raise RuntimeError("this body is on its way out already, by write() or as a stream: it cannot be read")


def _close_all(closers: Sequence[Callable[[], object] | None]) -> None:
    """Call each, whatever raises. Not by an ExitStack, whose frame holds the exception: a reference cycle."""
    if not closers:
        return
    closing, *rest = closers
    try:
        if closing is not None:
            closing()
    finally:
        _close_all(rest)


def outgoing(context: Context, body: Iterable[bytes], closers: Closers) -> Iterable[bytes]:
    """What the server gets: the same object, if it is sized or the server's own file, and nothing waits for its end."""
    source = context.body
    if body is not source and hasattr(source, "close"):
        closers = (partial(close, source), *closers)
    if isinstance(body, Stream):
        return body.closing(closers)
    if not closers and as_it_is(context.environ, body):
        return body
    if isinstance(body, (list, tuple)):
        return Sized(body, closers)
    return Stream(context, Begun(encoded(body), body), closers)


def as_it_is(environ: Environ, body: object) -> bool:
    """Whether a body is handed on as the same object: nobody runs any code of the application to get it."""
    return isinstance(body, (list, tuple)) or is_file(environ, body)

"""Layered: an exchange whose head is shown to layers, innermost first, before the server gets it.

A head is shown when the body is known: when the application has returned, or when its first content is about to be
sent. Layers edit it, and may return a transform of the body: a sized body passes through it at once and stays sized, a
stream passes through it chunk by chunk.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from traceback import format_exception_only
from typing import Any, Final

from middleware.http.fields import content_length
from middleware.http.status import KNOWN, ORDINARY, status_fault, without_content
from middleware.wsgi.exchange import HELD, NEW, SENT, Exchange
from middleware.wsgi.identity import log_extra
from middleware.wsgi.plan import OnResponse, Plan
from middleware.wsgi.response import Response, Transform, as_transform, undeclared
from middleware.wsgi.types import Environ, StartResponse

MARK: Final = "middleware.marked"  # missing from environ if the application has cleared it
_STREAM: Final = iter(())  # placeholder for a body that is sent by write(), or is unknown
logger = logging.getLogger("middleware")


class Layered(Exchange):
    """One request to an application inside layers, and its response.

    Attributes:
        plan: the layers that take part.
        source: the iterable that the application returned; None once it is closed.
        error: the exception that ended the response, or None.
        mute: whether no content is sent.
        sent: the number of content bytes sent, or None if the server reads a file by itself.
        left: the layers that have not seen the head yet.
        declared: the Content-Length of a stream until its first chunk is there, or None.
        rest: the rest of a stream whose first chunk has the whole declared length, so that layers see it as a list; or
            None.
        transforms: the transforms of a stream, innermost first; None if the body is passed on as it is.
        undo: restores the head of a transformed stream that turns out to be empty, or None.
        kept: a copy of environ from before the application was called, or None if no layer depends on it.
        came: the values kept for layers whose on_request has been postponed, outermost first, see `Plan.entering`.
    """

    __slots__ = (
        "came",
        "declared",
        "error",
        "kept",
        "left",
        "mute",
        "plan",
        "rest",
        "sent",
        "source",
        "transforms",
        "undo",
    )

    plan: Plan
    source: object
    error: BaseException | None
    mute: bool
    sent: int | None
    left: Iterator[OnResponse]
    declared: int | None
    rest: Iterator[bytes] | None
    transforms: tuple[Transform, ...] | None
    undo: Callable[[Response], None] | None
    kept: Environ | None
    came: tuple[Any, ...]

    def prepare(self) -> None:
        """Set the attributes that the fast path of a pipeline does not use."""
        if hasattr(self, "mute"):
            return
        self.mute, self.sent = False, 0
        self.index = self.body = None
        self.source = self.error = self.exc_info = self.declared = self.rest = self.undo = None
        self.left = iter(self.plan.responders)
        self.transforms = ()

    def keep(self) -> None:
        """Save a copy of environ, because the application may clear it."""
        self.environ[MARK] = "yes"
        self.kept = self.environ.copy()

    def restore(self) -> None:
        """Restore the layers' keys of environ, if the application has cleared it."""
        environ, kept = self.environ, self.kept
        if kept is not None and MARK not in environ:
            environ.update({key: kept[key] for key in kept if key not in environ and key.startswith("middleware.")})

    def enter(self) -> None:
        """Store in environ the state of layers whose on_request has been postponed, from the request as received."""
        self.prepare()
        self.restore()
        if self.came:
            came, self.came = self.came, ()
            for enter, value in zip(self.plan.entering, came, strict=False):
                enter(self.environ, value)
            if self.plan.closers:
                self.keep()  # a stream may clear environ later

    # -- called by the application -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Show the head to the layers without the body, which cannot be read, and pass it on."""
        self.enter()
        self.body = _STREAM
        if self.state in HELD:
            self.begin()
            if self.state in HELD:
                self.pass_on()
        else:
            self.transforms = self.transforms and ()  # those of the first head are dropped
            self.begin_again(self.plan.responders)

    def replaced(self) -> None:
        """Prepare to show the new head to every layer."""
        self.prepare()
        self.left = iter(self.plan.responders)
        self.declared, self.undo, self.transforms = None, None, ()

    def send(self, data: bytes) -> None:
        """Send a chunk by the server's write()."""
        self.prepare()
        if not self.mute:
            self._write(self.feed(data))

    # -- the head ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Show the head to the layers that have not seen it, and pass it on.

        The head of a transformed stream may wait for `begin_with`, because the length of the body may still become
        known.
        """
        environ = self.environ
        for on_response in self.left:
            body = self.body
            transform = on_response(environ, self)
            if self.body is not body:
                self._check_rewriter(on_response)
            if transform is not None:
                self.attach(as_transform(transform, on_response))
        if self.declared is None and self.undo is None:
            self.pass_on()

    def _check_rewriter(self, on_response: OnResponse) -> None:
        """Raise TypeError for a layer that has assigned the body without declaring it in its effects."""
        if on_response not in self.plan.rewriters:
            raise undeclared(on_response)

    def begin_with(self, chunk: bytes | None) -> bytes | None:
        """Pass on a head that waits for the first chunk. If that chunk is the whole body, the new length is known.

        This is common, because frameworks wrap sized bodies in iterators.
        """
        if self.state not in HELD:
            return chunk
        self.begin()  # a no-op, unless the application has replaced the head in its first chunk
        if self.state not in HELD:
            return chunk
        if without_content("GET", self.status):  # an outer layer has changed it, such as to 304
            self.transforms = ()
        elif chunk is None and self.undo is not None:
            self.transforms = ()
            self.undo(self)
            self["Content-Length"] = str(self.declared or 0)  # a declared length stays: truncation is visible
        elif chunk and len(chunk) == self.declared:
            chunk = self._ended_with(chunk)
            self.transforms = ()
            self["Content-Length"] = str(len(chunk))
        self.pass_on()
        return chunk

    def begin_again(self, responders: Sequence[OnResponse]) -> None:
        """Show a replaced head, such as that of a 500, to layers. A layer that fails is left out: the head is sent."""
        self.restore()
        for on_response in responders:
            before = self.status, self.lines.copy(), self.body
            try:
                transform = on_response(self.environ, self)
                if self.body is not before[2]:
                    self._check_rewriter(on_response)
                check_status(self.status)
                if transform is None:
                    continue
                if self.transforms is not None:
                    self.attach(as_transform(transform, on_response))
                    continue
            except Exception as error:
                # The error that is answered has been logged.
                if format_exception_only(error) != format_exception_only(self.error):
                    logger.exception("A layer failed and was left out: %r", on_response, extra=log_extra(self.environ))
            self.reset(*before)
        self.pass_on()

    def attach(self, transform: Transform) -> None:
        """Apply a transform to a sized body at once, or to a stream chunk by chunk."""
        body = self.body
        if isinstance(body, (list, tuple)) and not without_content(self.method, self.status):
            self.body = [transform.feed(chunk) if chunk else chunk for chunk in body]
            self.body.append(transform.finish())
            self["Content-Length"] = str(sum(map(len, self.body)))
        else:
            self.undo = None  # of an inner transform: this one may add content
            if not self.transforms and not without_content(self.method, self.status):
                self.declared = content_length(self.get("Content-Length", ""))
                self.undo = getattr(transform, "undo", None)
            self.transforms = (*(self.transforms or ()), transform)
            del self["Content-Length"]

    def pass_on(self) -> None:
        """Pass the head to the server, and decide whether content follows (RFC 9110 6.4.1 and 8.6)."""
        status = self.status
        if status in ORDINARY:
            self.mute = self.method == "HEAD"
        else:
            check_status(status)
            self.mute = without_content(self.method, status)
        if self.mute:
            self._content_length()
        Exchange.pass_on(self)

    def _content_length(self) -> None:
        """Give a HEAD the length of a sized body that is not sent; 1xx and 204 have none (RFC 9110 8.6)."""
        code = self.status[:3]
        if code < "2" or code == "204":
            del self["Content-Length"]
        elif code != "304" and not self.transforms and self.get("Content-Length") is None:
            length = sum(map(len, self.body)) if isinstance(self.body, (list, tuple)) else 0
            if length:
                self.append(("Content-Length", str(length)))

    def reset(self, status: str, headers: Iterable[tuple[str, str]], body: Iterable[bytes] | None = None) -> None:
        """Replace the head and the body."""
        self.status, self.lines, self.index, self.body = status, list(headers), None, body

    # -- the body ------------------------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> bytes:
        """Pass one chunk of a stream through the transforms."""
        for transform in self.transforms or ():
            if chunk:
                chunk = transform.feed(chunk)
        return self._counted(chunk)

    def finish(self) -> bytes:
        """Return the output of the transforms after the last chunk."""
        return self._counted(self._ended_with(b""))

    def _ended_with(self, chunk: bytes) -> bytes:
        """Pass the last chunk, if there is one, and the end through the transforms."""
        for transform in self.transforms or ():
            chunk = (transform.feed(chunk) if chunk else b"") + transform.finish()
        return chunk

    def _counted(self, chunk: bytes) -> bytes:
        if chunk:
            if self.state is not SENT:
                self.move("content")
            self.sent = (self.sent or 0) + len(chunk)
        elif chunk is None:
            raise TypeError("a transform returned None: feed(chunk) and finish() return bytes")
        return chunk


def check_status(status: str) -> None:
    """Raise ValueError for a status that no server may send."""
    if status not in KNOWN and (fault := status_fault(status)) is not None:
        raise ValueError(fault)


def opened(environ: Environ, server: StartResponse, plan: Plan) -> Layered:
    """Return an exchange whose application has not been called."""
    exchange: Layered = Layered()
    exchange.environ, exchange.server, exchange.plan = environ, server, plan
    exchange.method = environ.get("REQUEST_METHOD", "")
    exchange.state, exchange.kept, exchange.came = NEW, None, ()
    return exchange

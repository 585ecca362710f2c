"""Exchange: one request and its response. Everything that happens to the head of a response happens here.

A head is shown to the layers, innermost first, and passed on to the server once. It waits for the body where a layer
wants to see that. Phases: NEW (no head yet), STARTED (the application gave one), PASSED (the server has it, but has
sent nothing as far as we know), SENT (content has gone out: too late for another head); on the shortest way KEPT is
STARTED, and PLAIN is PASSED.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from middleware.http.fields import content_length
from middleware.http.status import ORDINARY, status_fault, without_content
from middleware.wsgi.response import Response, Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from middleware.wsgi.plan import OnResponse, Plan
    from middleware.wsgi.types import Environ, ExcInfo, StartResponse, Write

KEPT, NEW, STARTED, PASSED, SENT, PLAIN = range(-1, 5)
_STREAM: Final = iter(())  # the body of a response whose content goes through write(), or of which nothing is known
logger = logging.getLogger("middleware")


class Exchange(Response):
    """What the layers see as Response, with what the protocol needs to remember for one request.

    Every request makes one. Who makes it sets environ, server, plan and phase; the rest is set by `prepare`,
    which an ordinary response does without.
    """

    __slots__ = (
        "_write",
        "declared",
        "environ",
        "error",
        "exc_info",
        "held",
        "left",
        "mute",
        "phase",
        "plan",
        "sent",
        "server",
        "source",
        "transforms",
        "undo",
    )

    __init__ = object.__init__  # that of Response would take as long as a layer

    environ: Environ
    server: StartResponse
    plan: Plan
    phase: int
    _write: Write

    def prepare(self) -> None:
        """Make ready for whatever may happen."""
        if hasattr(self, "mute"):
            return
        self.phase = STARTED if self.phase == KEPT else min(self.phase, PASSED)
        self.mute = False  # no content goes out
        self.sent: int | None = 0  # bytes of content, as far as they pass through here
        self.body = None
        self.source: object = None  # what the application returned, and wants closed
        self.error: BaseException | None = None
        self.exc_info: ExcInfo | None = None
        self.left: Iterator[OnResponse] = iter(self.plan.responders)  # those that the head has still to be shown to
        self.held: Transform | None = None  # waits for the body
        self.declared: int | None = None  # what a stream says of its length, until its first chunk is there
        self.transforms: tuple[Transform, ...] | None = ()  # None: the body is out of our hands
        self.undo: Callable[[Response], None] | None = None  # what a transform does to a head whose stream is empty

    # -- called by the application -------------------------------------------------------------------------------

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """Be start_response (PEP 3333 "The start_response() Callable"): keep the head until there is a body."""
        if self.phase or exc_info is not None:
            try:
                return self._restart(status, headers, exc_info)
            finally:
                exc_info = None  # Break the traceback reference cycle.
        self.phase = KEPT
        self.status = status
        self.lines = [*headers]  # a copy: PEP 3333 lets the application keep its own
        return self

    def resume(self, body: list[bytes]) -> Iterable[bytes]:
        """Go on with a head that was kept, now that there is a body, and it is a list. PLAIN, if that was all."""
        self.body = body
        environ = self.environ
        for on_response in self.plan.responders:
            transform = on_response(environ, self)
            if transform is not None:
                sized = self.body
                self._hold(transform, on_response)
                return sized
        sized = self.body
        if self.status in ORDINARY:
            self.phase = PLAIN
            server = self.server  # called by a local name, which is quicker than by an attribute
            server(self.status, self.lines)
        else:
            self.prepare()
            self.left = iter(())
        return sized

    def _restart(self, status: str, headers: Iterable[tuple[str, str]], exc_info: ExcInfo | None) -> Write:
        """Replace a head that has not gone out; re-raise if it has (PEP 3333 "Error Handling")."""
        if exc_info is None:
            raise AssertionError("start_response was called again without exc_info (PEP 3333)")
        self.prepare()
        if self.phase == SENT and exc_info[1] is not None:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # Break the traceback reference cycle.
        self.reset(status, headers, self.body)
        self.exc_info, exc_info = exc_info, None
        if self.phase < PASSED:
            self.phase = STARTED
            self.left, self.held = iter(self.plan.responders), None
            self.transforms, self.declared, self.undo = (), None, None
        else:
            self.body = _STREAM
            self.transforms = self.transforms and ()  # those of the first head go with it
            self.begin_again(self.plan.responders)
        return self

    def __call__(self, data: bytes) -> None:
        """Be the write callable: send this before what the iterable has (PEP 3333 "The write() Callable")."""
        self.prepare()
        if self.phase < PASSED:
            self.body = _STREAM
            self.begin()
            if self.phase < PASSED:
                self._pass_on()
        if not self.mute:
            self._write(self.feed(data))

    # -- the head ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Show the head to the layers, now that the body is known or a first chunk goes out, and pass it on.

        A transformed stream may keep the head until `begin_with`: its length may yet be known.
        """
        held, self.held = self.held, None
        if held is not None:
            self._attach(held)
        environ = self.environ
        for on_response in self.left:
            transform = on_response(environ, self)
            if transform is not None:
                self._attach(transform)
        if self.declared is None and self.undo is None:
            self._pass_on()

    def begin_with(self, chunk: bytes | None) -> bytes | None:
        """Pass on a head that waits for the first chunk. If that is all there is, the length is known again.

        So it is with frameworks that wrap a sized body in an iterator of theirs.
        """
        if self.phase >= PASSED:
            return chunk
        if chunk is None and self.undo is not None:
            self._unattach(self.undo)
        elif chunk and len(chunk) == self.declared:
            for transform in self.transforms or ():
                chunk = transform.feed(chunk) + transform.finish()
            self.transforms = ()
            self["Content-Length"] = str(len(chunk))
        self._pass_on()
        return chunk

    def _unattach(self, undo: Callable[[Response], None]) -> None:
        """Take back the transform of a stream that is empty. What it declared goes out, so that a lack is seen."""
        self.transforms = ()
        undo(self)
        self["Content-Length"] = str(self.declared or 0)

    def _hold(self, transform: Transform, on_response: OnResponse) -> None:
        """Let a head wait that a layer wants to transform the body of."""
        self.prepare()
        while next(self.left) is not on_response:  # go past those that have seen the head
            pass
        self.held = transform

    def begin_again(self, responders: Sequence[OnResponse]) -> None:
        """Show a head that stands for an error to the layers; one that fails on it is left out, so that it goes out."""
        for on_response in responders:
            before = self.status, self.lines.copy(), self.body
            try:
                transform = on_response(self.environ, self)
                if transform is None:
                    continue
                if self.transforms is not None:
                    self._attach(transform)
                    continue
            except Exception:
                logger.exception("A layer failed on an error response and was left out: %r", on_response)
            self.reset(*before)
        self._pass_on()

    def _attach(self, transform: Transform) -> None:
        """Let a transform have the body: a sized one at once, so that it stays sized, a stream as it comes."""
        body = self.body
        if isinstance(body, (list, tuple)) and not self._without_content():
            self.body = [transform.feed(chunk) if chunk else chunk for chunk in body]
            self.body.append(transform.finish())
            self["Content-Length"] = str(sum(map(len, self.body)))
        else:
            self.undo = None  # that of an inner transform: this one may add content
            if not self.transforms and not self._without_content():
                self.declared = content_length(self.get("Content-Length", ""))
                self.undo = getattr(transform, "undo", None)
            self.transforms = (*(self.transforms or ()), transform)
            del self["Content-Length"]

    def _pass_on(self) -> Write:
        """Give the head to the server (RFC 9110 6.4.1 and 8.6 say what goes without content)."""
        status = self.status
        method = self.environ.get("REQUEST_METHOD", "")
        if status in ORDINARY:
            self.mute = method == "HEAD"
        elif (fault := status_fault(status)) is not None:
            raise ValueError(fault)
        else:
            self.mute = without_content(method, status)
        if self.mute:
            self._content_length()
        self.phase = PASSED
        exc_info, self.exc_info = self.exc_info, None
        try:
            self._write = self.server(status, self.lines, exc_info) if exc_info else self.server(status, self.lines)
        finally:
            exc_info = None  # Break the traceback reference cycle.
        return self

    def _content_length(self) -> None:
        """Give a HEAD the length of a sized body that is not sent; 1xx and 204 have none (RFC 9110 8.6)."""
        code = self.status[:3]
        if code < "2" or code == "204":
            del self["Content-Length"]
        elif code != "304" and not self.transforms and isinstance(self.body, (list, tuple)) and any(self.body):
            self.setdefault("Content-Length", str(sum(map(len, self.body))))

    def reset(self, status: str, headers: Iterable[tuple[str, str]], body: Iterable[bytes] | None = None) -> None:
        """Start the head over."""
        self.status, self.lines, self.folded, self.body = status, list(headers), None, body

    def _without_content(self) -> bool:
        return without_content(self.environ.get("REQUEST_METHOD", ""), self.status)

    # -- the body ------------------------------------------------------------------------------------------------

    def feed(self, chunk: bytes) -> bytes:
        """Pass one chunk of a stream through the transforms."""
        for transform in self.transforms or ():
            if chunk:
                chunk = transform.feed(chunk)
        if chunk:
            self.phase = SENT
            self.sent = (self.sent or 0) + len(chunk)
        return chunk

    def finish(self) -> bytes:
        """What the transforms have left after the last chunk."""
        tail = b""
        for transform in self.transforms or ():
            tail = (transform.feed(tail) if tail else b"") + transform.finish()
        return tail


class HeadExchange(Exchange):
    """The same for layers that look at heads only: nothing waits for a body."""

    __slots__ = ()

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """The shortest way: an ordinary head goes through the layers and on to the server at once."""
        if self.phase or exc_info is not None:
            try:
                return self._restart(status, headers, exc_info)
            finally:
                exc_info = None  # Break the traceback reference cycle.
        self.phase = STARTED
        self.status = status
        self.lines = [*headers]
        environ = self.environ
        for on_response in self.plan.responders:
            transform = on_response(environ, self)
            if transform is not None:
                self._hold(transform, on_response)
                return self
        if self.status in ORDINARY and self.body is None:  # else it is late: the body is being watched
            self.phase = PLAIN
            server = self.server
            return server(self.status, self.lines)
        self.prepare()
        return self._pass_on()

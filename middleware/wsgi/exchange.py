"""Exchange: one call of an application, and the head of its response (PEP 3333), as a state machine.

    NEW       the application has not called start_response
    GIVEN     the application has called it, and the server does not have the head yet
    REPLACED  as GIVEN, and the last head came with exc_info
    PASSED    the server has the head, and no content has been sent
    SENT      content has been sent, so the head is final
    UNSENT    the body is not sent: for as long as it runs, neither head nor content is passed on

`_NEXT` lists the events that each state allows. Any other event is a violation of PEP 3333, listed in `_VIOLATIONS`.
The pipeline and the hooks share this machine. They differ in how they handle a head before the server gets it.
"""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias, cast

from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ, ExcInfo, StartResponse, Write

State: TypeAlias = Literal["new", "given", "replaced", "passed", "sent", "unsent"]
Event: TypeAlias = Literal["head", "another head", "pass on", "content", "no head", "content without head", "end"]

NEW: Final = "new"
GIVEN: Final = "given"
REPLACED: Final = "replaced"
PASSED: Final = "passed"
SENT: Final = "sent"
UNSENT: Final = "unsent"
HELD: Final[tuple[State, ...]] = (GIVEN, REPLACED)  # there is a head, and the server does not have it

_NEXT: Final[dict[tuple[State, Event], State]] = {
    (NEW, "head"): GIVEN,
    (NEW, "another head"): REPLACED,  # a first head may come with exc_info
    (GIVEN, "another head"): REPLACED,
    (REPLACED, "another head"): REPLACED,
    (PASSED, "another head"): PASSED,  # the server replaces the one that it has
    (GIVEN, "pass on"): PASSED,
    (REPLACED, "pass on"): PASSED,
    (PASSED, "pass on"): PASSED,
    (PASSED, "content"): SENT,
    (SENT, "content"): SENT,
}
_END: Final = object()
# Servers that append a head to the one that it replaces, and where they keep the lines: both would be sent as one.
_APPENDING: Final = {"gunicorn.http.wsgi": attrgetter("headers"), "cheroot.wsgi": attrgetter("req.outheaders")}
_VIOLATIONS: Final[dict[Event, tuple[type[Exception], str]]] = {
    "head": (AssertionError, "start_response was called again without exc_info (PEP 3333)"),
    "no head": (RuntimeError, "the application returned without calling start_response (PEP 3333)"),
    "content without head": (RuntimeError, "the application yielded before it called start_response (PEP 3333)"),
    "end": (RuntimeError, "the application ended before it called start_response (PEP 3333)"),
}


class Exchange(Response):
    """The head of a response, on its way from the application to the server. A subclass overrides `settle`.

    Attributes:
        environ: the environ of the request.
        server: the start_response of the server.
        state: the state of the response, see the module docstring.
        exc_info: the exc_info to pass to the server with the next head, or None (PEP 3333 "Error Handling").
    """

    __slots__ = ("_write", "environ", "exc_info", "server", "state")

    environ: Environ
    server: StartResponse
    state: State
    exc_info: ExcInfo | None
    _write: Write

    __init__ = object.__init__  # the attributes are set by its creator, which saves a call on every request

    @property
    def final(self) -> bool:
        """Whether it is too late for another head."""
        return self.state in (SENT, UNSENT)

    def prepare(self) -> None:
        """Set the attributes that an ordinary response does not need."""

    def settle(self) -> None:
        """Decide on a head that cannot wait for the body, and pass it on."""

    def replaced(self) -> None:
        """Called when the application replaces a head that has not been passed on."""

    def move(self, event: Event) -> None:
        """Enter the next state, or raise the violation of PEP 3333 for an event that is out of order."""
        try:
            self.state = _NEXT[self.state, event]
        except KeyError:
            kind, message = _VIOLATIONS[event]
            raise kind(message) from None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """Implements start_response. Keeps the head until the body is known, or cannot be waited for."""
        if self.state is not NEW or exc_info is not None:
            try:
                return self._start_again(status, headers, exc_info)
            finally:
                exc_info = None  # break the traceback reference cycle
        self.state = GIVEN
        self.status = status
        self.lines = [*headers]  # PEP 3333 lets the application reuse its list
        return self

    def _start_again(self, status: str, headers: Iterable[tuple[str, str]], exc_info: ExcInfo | None) -> Write:
        """Replace a head that is not final; re-raise the exception if it is (PEP 3333 "Error Handling")."""
        if exc_info is None or (self.final and exc_info[1] is None):
            self.move("head")  # raises
        elif self.final and exc_info[1] is not None:
            try:
                raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # break the traceback reference cycle
        first = self.state is NEW
        self.prepare()
        self.move("another head")
        self.status, self.lines, self.index, self.exc_info = status, [*headers], None, exc_info
        exc_info = None  # break the traceback reference cycle
        if self.state is PASSED:
            self.settle()
        elif not first:
            self.replaced()
        return self

    def __bool__(self) -> bool:
        """Always true, as every `write` is: applications may write `start_response(status, headers) and body`."""
        return True

    def __call__(self, data: bytes) -> None:
        """Implements write: sends `data` before what the iterable yields (PEP 3333 "The write() Callable")."""
        if self.state in HELD:
            self.settle()
        self.send(data)

    def send(self, data: bytes) -> None:
        """Send a chunk by the server's write()."""
        if data:
            self.move("content")
            self._write(data)

    def pass_on(self) -> None:
        """Give the head to the server."""
        self.move("pass on")
        exc_info, self.exc_info = self.exc_info, None
        server: Any = getattr(self.server, "__self__", None)
        if exc_info and (appending := _APPENDING.get(type(server).__module__)) is not None:
            appending(server).clear()
            server.response_length = server.remaining_bytes_out = None  # they would cut the body to the first length
        try:
            self._write = self.server(self.status, self.lines, *([exc_info] if exc_info else ()))
        finally:
            exc_info = None  # break the traceback reference cycle


def next_chunk(iterator: Iterator[bytes]) -> bytes | None:
    """Return the next chunk of a body, or None at its end. TypeError if the application yields None."""
    chunk = next(iterator, _END)
    if chunk is None:
        raise TypeError("the application yielded None: a body consists of bytes (PEP 3333)")
    return None if chunk is _END else cast("bytes", chunk)

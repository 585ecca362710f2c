"""Input: the body of a request, counted as it is read, with an end that is known (PEP 3333 "Input and Error Streams").

It is shared by all layers that limit, decode or keep a body. No read requests more from the server than is left of
Content-Length, because some servers would block. A body without a length is read only if the server terminates it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from middleware.wsgi.answer import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.wsgi.types import Environ, StartResponse

PIECE: Final = 64 * 1024
UNKNOWN: Final = -1
_ENDLESS: Final = 1 << 62
_KEPT: Final = "webob.is_body_seekable"  # set if WebOb has read the whole body, which it rewinds for each Request
_LENGTH: Final = re.compile("[0-9]+")
_DIGITS: Final = 18  # a longer number is not a real length, and int() rejects thousands of digits
# Attributes of other files that would bypass the count.
_UNCOUNTED: Final = frozenset(
    ("detach", "getbuffer", "getvalue", "peek", "read1", "readall", "readinto", "readinto1", "seek", "tell", "truncate")
)


class BodyError(OSError):
    """The request body cannot be read any further, for a reason that the response gives to the client.

    The exception is also a response, as the HTTP exceptions of Werkzeug and WebOb are: a WSGI application with a
    `code`.

    Attributes:
        code: int. The status of the response.
    """

    code = 400

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the request with the code and the message."""
        return answer(self.code, str(self))(environ, start_response)


class BodyTooLarge(BodyError):  # noqa: N818 - a public name, as urllib3's and Werkzeug's are
    """Raised by reads of `wsgi.input` past the limit of a `BodyLimit` or a `DecompressRequest`: an OSError.

    Every later read raises it again. A 413 replaces any response of the application whose head has not been sent.
    """

    code = 413


def declared_length(environ: Environ) -> int | None:
    """Return the Content-Length of a request, UNKNOWN without one, or None if it is malformed (RFC 9110 8.6).

    A valid Content-Length beside a Transfer-Encoding, which determines the end of the body (RFC 9112 6.3), is ignored.
    """
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return UNKNOWN
    if _LENGTH.fullmatch(text) is None:
        return None
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return UNKNOWN
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS else 10**_DIGITS


class Outcome:
    """The outcome of reading a body, kept in environ, because tools that walk an environ would iterate over an Input.

    Attributes:
        failed: the class of the BodyError that a read raised, or None. The error itself would create a reference cycle.
        reason: str. The message of that error.
        file: the file of a buffered body, which is closed with the response; None if the body is not buffered.
    """

    failed: type[BodyError] | None = None
    reason: str = ""
    file: Any = None


class Input:
    """A file for `wsgi.input` that counts what is read from another.

    Options:
        stream: the file that is read.
        left: int in bytes. The rest of Content-Length, after which reads return nothing. Not used with `limit`.
        limit: int in bytes, or None. Reading past it raises BodyTooLarge. Default None: `left` ends the body.

    Attributes:
        outcome: the Outcome of reading.
    """

    __slots__ = ("_left", "_limit", "outcome", "stream")

    def __init__(self, stream: Any, left: int, limit: int | None = None) -> None:
        self.stream = stream
        # Reads one byte more than the limit, to distinguish a body that ends there from a longer one.
        self._left = left if limit is None else limit + 1
        self._limit = limit
        self.outcome = Outcome()

    def read(self, size: int | None = -1) -> bytes:
        """Return at most `size` bytes; with -1 or None, all that are left."""
        if size is None or size < 0:
            pieces = []
            while piece := self._take(self.stream.read, PIECE):
                pieces.append(piece)
            return b"".join(pieces)
        return self._take(self.stream.read, size)

    def readline(self, size: int | None = -1) -> bytes:
        """Return a line, or at most `size` bytes of it."""
        return self._take(self.stream.readline, self._left if size is None or size < 0 else size)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Return the lines that are left, or only as many as have at least `hint` bytes together."""
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Input:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the server's file, such as the socket of a connection that is taken over."""
        if name in _UNCOUNTED or name == "stream":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.stream, name)

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        outcome = self.outcome
        if outcome.failed is not None:
            raise outcome.failed(outcome.reason)
        size = min(size, self._left)
        if size <= 0:
            return b""
        try:
            data = read(size)
        except BodyError as error:
            outcome.failed, outcome.reason = type(error), str(error)
            raise
        self._left -= len(data)
        if self._limit is not None and self._left <= 0:
            outcome.failed, outcome.reason = BodyTooLarge, f"the request body is larger than {self._limit} bytes"
            raise BodyTooLarge(outcome.reason)
        return data


def counted(environ: Environ, length: int, limit: int | None) -> Input:
    """Return the body of a request, for the application to read.

    A body of unknown length is empty, unless the server ends it (wsgi.input_terminated).
    """
    stream = environ.get("wsgi.input")
    if stream is None:
        stream = BytesIO()
    if length != UNKNOWN:
        return Input(stream, length)
    if not environ.get("wsgi.input_terminated"):
        return Input(stream, 0)
    return Input(stream, _ENDLESS) if limit is None else Input(stream, 0, limit)


def is_kept(environ: Environ, length: int) -> bool:
    """Whether WebOb has buffered a body of this length, so that no read blocks."""
    return length != UNKNOWN and bool(environ.get(_KEPT))


def put(environ: Environ, body: Any) -> None:
    """Replace the body that the application reads with another, which WebOb must not rewind."""
    environ["wsgi.input"] = body
    environ.pop(_KEPT, None)


def drop(environ: Environ, length: int) -> None:
    """Read and drop an unwanted body, so that a client that sends before it reads sees the answer.

    TCP resets a connection that a server closes with unread bytes (RFC 9112 9.6). More than 64 KiB are left to the
    server: reading a part prevents nothing, and a client that sends less than it declares would block a thread. A
    client that waits for 100 (Continue) has sent nothing yet.
    """
    if length > PIECE or environ.get("HTTP_EXPECT", "").lower() == "100-continue":
        return
    body, left = counted(environ, length, None), PIECE
    with suppress(OSError, ValueError):  # a lost connection no longer matters
        while left > 0 and (data := body.read(left)):
            left -= len(data)

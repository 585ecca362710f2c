"""Input: the body of a request read once, counted, and kept as a file for hooks and the application.

A body shorter than its Content-Length, or whose stream fails, is a ClientDisconnected, one over the limit a 413. What
was read until then is put back before the rest, so that the application finds the body as the hook did.
"""

from __future__ import annotations

import math
import re
from io import BufferedReader, BytesIO, RawIOBase
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Final

from middleware.hooks.errors import ERRORS, abort

if TYPE_CHECKING:
    from middleware.wsgi.types import Environ

_IN_MEMORY: Final = 10 * 1024
_CHUNK: Final = 64 * 1024
_LENGTH: Final = re.compile("[0-9]{1,18}")
_BadRequest: Any = ERRORS[400]


class ClientDisconnected(_BadRequest):
    """A request body that ends before its Content-Length: a 400, under Werkzeug's name."""


class Spool(SpooledTemporaryFile[bytes]):
    """A file in memory, and on disk once it is larger; closed when nothing refers to it any more."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)  # such as `readable`, which Python 3.10 lacks

    def __del__(self) -> None:
        self.close()


class _Joined(RawIOBase):
    """A stream after what was read from it."""

    def __init__(self, read: Any, rest: Any) -> None:
        self._streams = [read, rest]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        for stream in self._streams:
            data = data or stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def keep(environ: Environ, most: int | None) -> Any:
    """Read the body into a file that takes the place of wsgi.input; return that at its start.

    A body of unknown length is read only where the server ends it (wsgi.input_terminated); otherwise it is empty, and
    the environ stays as it is.

    Errors: ClientDisconnected; 413 for a body of more than `most` bytes.
    """
    length, limit = _length(environ), math.inf if most is None else most
    if (length or 0) > limit:
        abort(413)
    if not (environ.get("wsgi.input_terminated") if length is None else length):
        return BytesIO()
    given, kept = environ["wsgi.input"], Spool(_IN_MEMORY)
    try:
        _copy(given, kept, length, limit)
    except Exception:
        kept.seek(0)
        environ["wsgi.input"] = BufferedReader(_Joined(kept, given))
        raise
    if length is None:
        environ["CONTENT_LENGTH"] = str(kept.tell())
    kept.seek(0)
    environ["wsgi.input"] = kept
    return kept


def _length(environ: Environ) -> int | None:
    """Content-Length, 0 if it is none (RFC 9110 8.6); None without, and where Transfer-Encoding replaces it."""
    text = environ.get("CONTENT_LENGTH") or None
    if text is None or environ.get("HTTP_TRANSFER_ENCODING") == "chunked":
        return None
    return int(text) if _LENGTH.fullmatch(text) else 0


def _copy(given: Any, kept: Spool, length: int | None, limit: float) -> None:
    """Copy the body, of unknown length up to its end."""
    left = math.inf if length is None else length
    while left:
        try:
            data = given.read(min(left, _CHUNK))
        except (OSError, ValueError) as error:  # what servers raise for a connection that is lost
            raise ClientDisconnected from error
        if not data:
            break
        left -= len(data)
        kept.write(data)
        if kept.tell() > limit:
            abort(413)
    if length is not None and left:
        raise ClientDisconnected

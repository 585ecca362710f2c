"""Coded: a body that was encoded further in, and what becomes of its fields when a hook puts another in its place.

As in Flask, who reads such a body gets it encoded. In Flask what is set then goes out under the same Content-Encoding,
which no client can read. Here that field goes (RFC 9110 8.4), unless a hook has set it: then it knows the coding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import decompressobj, error

from middleware.http.fields import DIGESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from middleware.hooks.headers import ResponseHeaders
    from middleware.http.fields import Line

# What is told of the bytes of one coding: RFC 9110 8.4 and 8.8.3.3 beside their digests
_OF_CODED: Final = DIGESTS | {"content-encoding", "etag"}
_GZIP: Final = 31  # zlib's number for gzip, and nothing else


class Coded:
    """What a response knows of the coding of its body."""

    headers: ResponseHeaders
    _app_iter: Iterable[bytes]
    _given: Sequence[Line] = ()  # the lines of the application
    _looked: bool = False  # somebody has had the body

    def _another(self, body: Iterable[bytes] | None) -> None:
        """Have the fields tell of this body; None stands for one that is to be made of an object.

        A stream that is made of the one that was there keeps the coding: what becomes of its chunks nobody knows.

        Errors: RuntimeError for an edit of encoded bytes that leaves none of that coding.
        """
        coding = self._coding()
        if not coding:
            return
        if self._looked and body is not None:
            if not isinstance(body, (list, tuple)) or self._is_coded(b"".join(body), coding):
                return
            if any(body):
                raise RuntimeError(_said(coding))
        for name in _OF_CODED:
            self.headers.remove(name)

    def _coding(self) -> str:
        """The coding that the application has given, if no hook has set or deleted it since."""
        lines = [line for line in self.headers.lines if line[0].lower() == "content-encoding"]
        return ", ".join(line[1] for line in lines if any(line is given for given in self._given))

    def _is_coded(self, data: bytes, coding: str) -> bool:
        """Whether data is as encoded as the body that it replaces: it is the same, or gzip as that was."""
        before = self._app_iter
        same = isinstance(before, (list, tuple)) and data == b"".join(before)
        return same or (coding.strip().lower() == "gzip" and _is_gzip(data))


def _is_gzip(data: bytes) -> bool:
    """Whether it is gzip to its end (RFC 1952)."""
    decoder = decompressobj(_GZIP)
    try:
        decoder.decompress(data)
    except error:
        return False
    return decoder.eof and not decoder.unused_data


def _said(coding: str) -> str:
    return (
        f"the body that was read is encoded in {coding}, and what is set in its place is not: stand the hooks inside "
        "of what encodes it; a hook that does that itself sets or deletes response.headers['Content-Encoding'] before"
    )

"""The content codings from the client's side, by the packages that define them, and by nothing of ours."""

from __future__ import annotations

import zlib

import brotli
import zstandard

CODINGS = ("gzip", "br", "zstd")


class Decoder:
    """Decodes a body as it comes.

    Attributes:
        complete: bool, whether the body has ended as the coding says that a body ends.
    """

    def __init__(self, coding: str | None) -> None:
        self._feed, self._ended = MADE[coding]()

    def feed(self, data: bytes) -> bytes:
        """What can be told from what has come so far, beyond what was told before."""
        return self._feed(data)

    @property
    def complete(self) -> bool:
        return self._ended()


def _gzip():
    made = zlib.decompressobj(16 + zlib.MAX_WBITS)
    return made.decompress, lambda: made.eof


def _br():
    made = brotli.Decompressor()
    return made.process, made.is_finished


def _zstd():
    made = zstandard.ZstdDecompressor().decompressobj()
    return made.decompress, lambda: made.eof


def _identity():
    return bytes, lambda: True


MADE = {"gzip": _gzip, "br": _br, "zstd": _zstd, None: _identity}


def decoded(coding: str | None, data: bytes) -> bytes:
    """A whole body."""
    decoder = Decoder(coding)
    text = decoder.feed(data)
    assert decoder.complete
    return text

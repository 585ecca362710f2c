"""Content codings as a client takes them off: chunk by chunk, by other code than what puts them on."""

from __future__ import annotations

import sys
import zlib

import brotli

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
else:
    import zstandard

    def ZstdDecompressor():  # noqa: N802 - the name of the class in newer Pythons
        return zstandard.ZstdDecompressor().decompressobj()


class Identity:
    eof = True

    def decompress(self, data: bytes) -> bytes:
        return data


class Brotli:
    def __init__(self):
        self._decoder = brotli.Decompressor()

    def decompress(self, data: bytes) -> bytes:
        return self._decoder.process(data)

    @property
    def eof(self) -> bool:
        return self._decoder.is_finished()


DECODERS = {
    None: Identity,
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "br": Brotli,
    "zstd": ZstdDecompressor,
}


def decode(data: bytes, coding: str | None) -> tuple[bytes, bool]:
    """What a client has of a body so far, and whether that is all of it."""
    decoder = DECODERS[coding]()
    content = decoder.decompress(data) if data else b""
    assert not getattr(decoder, "unused_data", b""), "something comes after the end"
    return content, decoder.eof


def content(answer) -> bytes:
    """The content of an answer, which has to be whole unless it failed or is none."""
    found, whole = decode(answer.body, answer.get("Content-Encoding"))
    assert whole or answer.error or not answer.body
    return found

"""brotli: with the windows that cost least, never above 22 bits (RFC 7932)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from middleware.layers.compress.codecs.codec import Backend, Codec, Encoder, window

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMALLEST: Final = 10
_LARGEST: Final = 22  # of the 24 that RFC 7932 9.1 allows: 4 MiB reach as far as text repeats itself
# From this level up, a window above 16 bits has tables that take 0.8 ms to clear for the smallest body. Below it, the
# largest is the fastest, by a third: with less, glibc returns the memory of every body and fetches it anew.
_FITTED: Final = 9
_STREAMED: Final = 16  # half the memory at level 5, a fifteenth at 9


class Brotli(Codec):
    """The br coding. Padding is a metadata block (RFC 7932 9.2), which decoders skip."""

    coding: ClassVar[str] = "br"
    backends: ClassVar[Mapping[str, Backend]] = {
        # Faster than zlib at 4, and 4 % smaller; 5 takes 1.7 times as long for 5 % less.
        "brotli": Backend("brotli", range(12), 4, "pip install 'wsgi-middleware-stack[brotli]'"),
    }

    def encode(self, data: bytes) -> bytes:
        """One brotli stream."""
        stream = self._stream(_LARGEST if self.level < _FITTED else window(len(data), _SMALLEST, _LARGEST))
        return b"".join((self._metadata(stream), stream.process(data), stream.finish()))

    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """One brotli stream; a flush ends with an empty metadata block, at the end of a byte."""
        stream = self._stream(window(size, _SMALLEST, _STREAMED))
        head = self._metadata(stream)
        return Encoder(stream.process, stream.flush if flush else bytes, stream.finish, head)

    def _stream(self, bits: int) -> Any:
        return self._module.Compressor(quality=self.level, lgwin=bits)

    def _metadata(self, stream: Any) -> bytes:
        """The head of the stream, flushed to the end of a byte, and a metadata block behind it; nothing unpadded.

        From the lowest bit: not the last block; no nibbles, so metadata; reserved; how many bytes tell its length; its
        length less one; zeros to the end of the byte.
        """
        filler = self._filler()
        if not filler:
            return b""
        told = max((filler - 1).bit_length() + 7 >> 3, 1)
        block: bytes = (0b0_11_0 | told << 4 | filler - 1 << 6).to_bytes(told + 1, "little")
        return bytes(stream.flush()) + block + bytes(filler)

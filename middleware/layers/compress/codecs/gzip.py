"""The gzip content coding (RFC 1951, 1952): one member without name and time, made by the fastest library."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from struct import Struct
from typing import Any, ClassVar, Final

from middleware.layers.compress.codecs.codec import RESERVED, Backend, Codec, Encoder, window

# Deflate, no flags, no time, no extra flags, unknown system (RFC 1952 2.3.1). Libraries differ in the last two.
_HEADER: Final = b"\x1f\x8b\x08\x00\0\0\0\0\x00\xff"
# A header with the FNAME flag; the file name follows.
_NAMED: Final = b"\x1f\x8b\x08\x08\0\0\0\0\x00\xff"
_TRAILER: Final = Struct("<LL")
_WRAP: Final = 0xFFFFFFFF  # the trailer has the size modulo 2**32
_METHOD: Final = 8
_LARGEST: Final = 15  # the window of deflate, 32 KiB
_ZLIB_AT_ONCE: Final = sys.version_info >= (3, 11)  # zlib.compress takes wbits
_SMALLEST: Final = 9
_GZIP: Final = 16  # added to wbits: zlib writes header and trailer; negative wbits are raw deflate
_SMALL_BODY: Final = 4096  # bytes, for which a window of 8 KiB and 8192 hashes are enough
_FOR_SMALL: Final = (13 + _GZIP, 6)  # zlib's wbits and memLevel for a small body: 64 KiB, of which most is not touched
_FREED: Final = 1 << 19
# The bit length of a size -> wbits of the window that holds it: `window` as a table, since the sizes are too many to
# cache.
_FITTED: Final = tuple(min(max(bits, _SMALLEST), _LARGEST) + _GZIP for bits in range(64))


class GzipCodec(Codec):
    """The gzip content coding. Padding is a file name in the header, which HTTP clients ignore."""

    coding: ClassVar[str] = "gzip"
    backends: ClassVar[Mapping[str, Backend]] = {
        # At its best level, 8 times as fast as zlib at 6 with 7 % more bytes, 18 % for repetitive text.
        "isal": Backend("isal.isal_zlib", range(4), 3, "pip install 'wsgi-middleware-stack[isal]'"),
        # As small as zlib at 6 in less than half its time.
        "zlib-ng": Backend("zlib_ng.zlib_ng", range(10), 5, "pip install zlib-ng"),
        # Two thirds of the time of 6 for 3 % more bytes; 4 takes half the time for 7 %.
        "zlib": Backend("zlib", range(10), 5, "Python is built without it"),
    }

    def __init__(self, level: int | None = None, padding: int = 0, backend: str = "auto") -> None:
        super().__init__(level, padding, backend)
        self._isal = self.backend == "isal"
        compress, level = self._module.compress, self.level
        if self.backend == "zlib":
            self._member = _by_zlib(self._module, level)
        else:  # in one call with the smallest window: faster, except with zlib
            self._member = lambda data: compress(data, level, _FITTED[(len(data) + RESERVED).bit_length()])

    def whole(self) -> Callable[[bytes], bytes]:
        """Return the function of the library itself if there is no padding."""
        return self.encode if self.padding else self._member

    def encode(self, data: bytes) -> bytes:
        """Encode a whole body as one member. Without padding, the header is the library's own."""
        member = self._member(data)
        return self._header() + member[len(_HEADER) :] if self.padding else member

    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """Return the encoder of one member. A sync flush ends with an empty stored block (RFC 1951 3.2.4)."""
        if self._isal:
            bits, memory = _LARGEST, 5  # 290 KiB instead of the 420 of memLevel 8, at the same speed
        else:
            bits = window(size, _SMALLEST, _LARGEST)
            memory = min(bits - 6, 8)  # 256 KiB from a window of 32 KiB on, and less for small bodies
        stream = self._module.compressobj(self.level, _METHOD, -bits, memory)
        return _Member(stream, self._module, self._header(), flush=flush)

    def _header(self) -> bytes:
        filler = self._filler() if self.padding else 0
        return _NAMED + b"x" * (filler - 1) + b"\0" if filler else _HEADER


class _Member(Encoder):
    """The encoder of one gzip member, which computes size and CRC of its content."""

    __slots__ = ("_crc", "_size", "_sum")

    def __init__(self, stream: Any, module: Any, header: bytes, *, flush: bool) -> None:
        mode = module.Z_SYNC_FLUSH
        sync = (lambda: bytes(stream.flush(mode))) if flush else bytes
        super().__init__(stream.compress, sync, stream.flush, header)
        self._crc, self._sum, self._size = module.crc32, 0, 0

    def feed(self, chunk: bytes) -> bytes:
        """Encode one chunk; return the output that is ready."""
        self._sum = self._crc(chunk, self._sum)
        self._size += len(chunk)
        return super().feed(chunk)

    def finish(self) -> bytes:
        """Return the remaining output and the trailer."""
        return super().finish() + _TRAILER.pack(self._sum, self._size & _WRAP)


def _by_zlib(module: Any, level: int) -> Callable[[bytes], bytes]:
    """Return a function that makes a member by zlib: small bodies get 64 KiB of memory, others 272 in one call.

    By default, glibc returns the 272 KiB to the system after each body and maps them again for the next, which takes as
    long as the encoding of a small body. It keeps up to twice the largest block freed so far (mallopt(3),
    M_MMAP_THRESHOLD), so one block is freed here. Other allocators are not affected.
    """
    bytes(_FREED)
    # One call, because the Python code after a codec is slower than before it: the codec has evicted the CPU caches.
    at_once: Callable[[bytes], bytes] | None = None
    if _ZLIB_AT_ONCE:
        at_once = partial(module.compress, level=level, wbits=_LARGEST + _GZIP)
    stream_of = module.compressobj
    bits, memory = _FOR_SMALL

    def member(data: bytes) -> bytes:
        if len(data) <= _SMALL_BODY:
            stream = stream_of(level, _METHOD, bits, memory)
        elif at_once is None:
            stream = stream_of(level, _METHOD, _LARGEST + _GZIP)
        else:
            return at_once(data)
        made: bytes = stream.compress(data) + stream.flush()
        return made

    return member

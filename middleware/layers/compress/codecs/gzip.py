"""gzip: deflate by the fastest library there is, in one member without name and time (RFC 1951, 1952)."""

from __future__ import annotations

import sys
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, Final

from middleware.layers.compress.codecs.codec import RESERVED, Backend, Codec, Encoder, window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Deflate, no flags, no time, no hint, no operating system (RFC 1952 2.3.1). Libraries differ in the last two.
_HEADER: Final = b"\x1f\x8b\x08\x00\0\0\0\0\x00\xff"
_NAMED: Final = b"\x1f\x8b\x08\x08\0\0\0\0\x00\xff"
_TRAILER: Final = Struct("<LL")
_WRAP: Final = 0xFFFFFFFF  # the size is told modulo 2**32
_METHOD: Final = 8
_LARGEST: Final = 15  # the window of deflate, 32 KiB
_ZLIB_AT_ONCE: Final = sys.version_info >= (3, 11)
_SMALLEST: Final = 9
_GZIP: Final = 16  # added to a window: with header and trailer. With a minus before it: without (zlib)
_LITTLE: Final = 4096  # bytes, as many as a window of 8 KiB holds and 8192 hashes tell apart
_FOR_LITTLE: Final = (13 + _GZIP, 6)  # wbits and memLevel of zlib for that: 64 KiB, most of which stays untouched
_FREED: Final = 1 << 19
# The bits of a size -> the window that holds it, as wbits: what `window` says, of which sizes are too many to remember.
_FITTED: Final = tuple(min(max(bits, _SMALLEST), _LARGEST) + _GZIP for bits in range(64))


class Gzip(Codec):
    """The gzip coding. Padding is a file name in the header, which no decoder of HTTP looks at."""

    coding: ClassVar[str] = "gzip"
    backends: ClassVar[Mapping[str, Backend]] = {
        # Its smallest, and still 8 times as fast as zlib at 6, for 7 % more bytes, 18 % where much repeats.
        "isal": Backend("isal.isal_zlib", range(4), 3, "pip install 'wsgi-middleware-stack[isal]'"),
        # As small as zlib at 6 in less than half its time.
        "zlib-ng": Backend("zlib_ng.zlib_ng", range(10), 5, "pip install zlib-ng"),
        # Two thirds of the time of 6 for 3 % more bytes; 4 takes half the time for 7 %.
        "zlib": Backend("zlib", range(10), 5, "Python is built without it"),
    }

    def __init__(self, level: int | None = None, padding: int = 0, backend: str = "auto") -> None:
        super().__init__(level, padding, backend)
        self._isal = self.backend == "isal"
        self._member = (_by_zlib if self.backend == "zlib" else _fitted)(self._module, self.level)

    def whole(self) -> Callable[[bytes], bytes]:
        """The library itself, where nothing is padded."""
        return self.encode if self.padding else self._member

    def encode(self, data: bytes) -> bytes:
        """One member: header, deflated data, CRC and size. Its header is the library's own, unless it is padded."""
        member = self._member(data)
        return self._header() + member[len(_HEADER) :] if self.padding else member

    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """One member; a sync flush ends with an empty stored block (RFC 1951 3.2.4)."""
        # At 5 instead of 8, isal keeps 290 KiB instead of 420, and is no slower.
        bits, memory = (_LARGEST, 5) if self._isal else _memory(size)
        stream = self._module.compressobj(self.level, _METHOD, -bits, memory)
        return _Member(stream, self._module, self._header(), flush=flush)

    def _header(self) -> bytes:
        filler = self._filler() if self.padding else 0
        return _NAMED + b"x" * (filler - 1) + b"\0" if filler else _HEADER


class _Member(Encoder):
    """A gzip member in the making: it counts what goes in."""

    __slots__ = ("_crc", "_size", "_sum")

    def __init__(self, stream: Any, module: Any, header: bytes, *, flush: bool) -> None:
        super().__init__(
            stream.compress, _syncing(stream, module.Z_SYNC_FLUSH) if flush else bytes, stream.flush, header
        )
        self._crc, self._sum, self._size = module.crc32, 0, 0

    def feed(self, chunk: bytes) -> bytes:
        """Take one chunk; return what can go out now."""
        self._sum = self._crc(chunk, self._sum)
        self._size += len(chunk)
        return super().feed(chunk)

    def finish(self) -> bytes:
        """Return what is left, and the trailer."""
        return super().finish() + _TRAILER.pack(self._sum, self._size & _WRAP)


def _syncing(stream: Any, mode: int) -> Callable[[], bytes]:
    return lambda: bytes(stream.flush(mode))


def _memory(size: int | None) -> tuple[int, int]:
    """A window and a memLevel that go with a size: 256 KiB for all from 32 KiB up, and little for little bodies."""
    bits = window(size, _SMALLEST, _LARGEST)
    return bits, min(bits - 6, 8)


def _fitted(module: Any, level: int) -> Callable[[bytes], bytes]:
    """A member in one call, with a window that holds the data and no more, which is quicker but for zlib."""
    compress = module.compress
    return lambda data: compress(data, level, _FITTED[(len(data) + RESERVED).bit_length()])


def _by_zlib(module: Any, level: int) -> Callable[[bytes], bytes]:
    """The same by zlib: in one call, but for little data, which needs 64 of the 272 KiB that it takes by itself.

    Those glibc would return to the system after each body, and fetch anew for the next in as much time as a small one
    takes. It keeps twice as much as the largest block that was freed so far (mallopt(3), M_MMAP_THRESHOLD): any
    response of half a MiB would do the same, but later. Other allocators do not mind.
    """
    bytes(_FREED)
    at_once, stream_of = (_at_once if _ZLIB_AT_ONCE else _in_parts)(module, level), module.compressobj
    bits, memory = _FOR_LITTLE

    def member(data: bytes) -> bytes:
        if len(data) > _LITTLE:
            return at_once(data)
        stream = stream_of(level, _METHOD, bits, memory)
        return stream.compress(data) + stream.flush()  # type: ignore[no-any-return]

    return member


def _at_once(module: Any, level: int) -> Callable[[bytes], bytes]:
    """A member in one call: what Python does after a codec takes longer than before it, with its caches gone."""
    return partial(module.compress, level=level, wbits=_LARGEST + _GZIP)


def _in_parts(module: Any, level: int) -> Callable[[bytes], bytes]:
    """The same where the call does not know of headers."""

    def member(data: bytes) -> bytes:
        stream = module.compressobj(level, _METHOD, _LARGEST + _GZIP)
        return bytes(stream.compress(data) + stream.flush())

    return member

"""Decodes content codings piece by piece, with the packages that are installed.

Each decoder reads as much as it needs from its source: the server's file, or another decoder. No decoder holds more
than a piece of output, a piece of input, and the window of its coding: 32 KiB for gzip, at most 16 MiB for br, and 8
MiB for zstd.
"""

import zlib
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

from middleware.wsgi.input import PIECE, BodyError

More = Callable[[], bytes]
READ: Final = 16 * 1024  # bytes that a decoder reads at a time; every gzip member copies the unused rest
_WINDOW: Final = 1 << 23  # of zstd: the largest that an HTTP decoder must support (RFC 9659 3)


class BrokenBody(BodyError):  # noqa: N818 - as BodyTooLarge
    """Raised by reads of a body that does not match its Content-Encoding: an OSError, and a 400."""


class Decoder(Protocol):
    """A source of decoded bytes."""

    def read(self) -> bytes:
        """Return decoded bytes, at most about a piece, or b"" at the end."""


Make = Callable[[More], Decoder]


class _Gzip:
    """Decodes members of gzip, one after the other (RFC 1952 2.2)."""

    def __init__(self, more: More) -> None:
        self._more = more
        self._rest = b""
        self._member: Any = None

    def read(self) -> bytes:
        while data := self._rest or self._more():
            if self._member is None:
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            decoded = self._decoded(data)
            if decoded:
                return decoded
        return self._end()

    def _decoded(self, data: bytes) -> bytes:
        member = self._member
        try:
            decoded: bytes = member.decompress(data, PIECE)
        except zlib.error as error:
            raise BrokenBody("the body is not gzip") from error
        if member.eof:
            self._rest, self._member = member.unused_data, None
        else:
            self._rest = member.unconsumed_tail
        return decoded

    def _end(self) -> bytes:
        decoded = self._decoded(b"") if self._member is not None else b""  # output beyond one piece
        if not decoded and self._member is not None:
            raise BrokenBody("the body ends within its gzip")
        return decoded


class _Brotli:
    """Decodes one stream of br (RFC 7932)."""

    def __init__(self, more: More) -> None:
        self._more = more
        self._stream = import_module("brotli").Decompressor()
        self._error = import_module("brotli").error
        self._begun = False

    def read(self) -> bytes:
        while not self._stream.is_finished():
            wants = self._stream.can_accept_more_data()
            data = self._more() if wants else b""
            self._begun = self._begun or data != b""
            decoded = self._decoded(data)  # there may be output without more input
            if decoded:
                return decoded
            if wants and not data:
                return self._end()
        if self._more():
            raise BrokenBody("the body continues after the end of its br")
        return b""

    def _decoded(self, data: bytes) -> bytes:
        try:
            # the library may return half a piece more
            decoded: bytes = self._stream.process(data, output_buffer_limit=PIECE // 2)
        except self._error as error:
            raise BrokenBody("the body is not br") from error
        return decoded

    def _end(self) -> bytes:
        if self._begun:
            raise BrokenBody("the body ends within its br")
        return b""


class _Zstd:
    """Decodes frames of zstd, one after the other, with Python's own module (RFC 8878 3.1)."""

    def __init__(self, more: More) -> None:
        self._more = more
        self._rest = b""
        self._frame: Any = None
        self._module = import_module("compression.zstd")

    def read(self) -> bytes:
        while True:
            wants = self._frame is None or self._frame.needs_input
            data = (self._rest or self._more()) if wants else b""
            if wants and not data:
                return self._end()
            decoded = self._decoded(data)
            if decoded:
                return decoded

    def _decoded(self, data: bytes) -> bytes:
        module = self._module
        if self._frame is None:
            limit = {module.DecompressionParameter.window_log_max: _WINDOW.bit_length() - 1}
            self._frame = module.ZstdDecompressor(options=limit)
        try:
            decoded: bytes = self._frame.decompress(data, PIECE)
        except module.ZstdError as error:
            raise BrokenBody("the body is not zstd, or its window is larger than 8 MiB") from error
        self._rest = b""
        if self._frame.eof:
            self._rest, self._frame = self._frame.unused_data, None
        return decoded

    def _end(self) -> bytes:
        if self._frame is not None:
            raise BrokenBody("the body ends within its zstd")
        return b""


class _Zstandard:
    """Decodes frames of zstd with the package zstandard. `Frames` detects a body that ends within a frame."""

    def __init__(self, more: More) -> None:
        module = import_module("zstandard")
        self._error = module.ZstdError
        self._frames = Frames()
        self._more = more
        stream = module.ZstdDecompressor(max_window_size=_WINDOW)
        self._stream = stream.stream_reader(_Source(self._next), read_size=READ, read_across_frames=True)

    def read(self) -> bytes:
        try:
            decoded: bytes = self._stream.read(PIECE)
        except self._error as error:
            raise BrokenBody("the body is not zstd, or its window is larger than 8 MiB") from error
        if not decoded and not self._frames.between:
            raise BrokenBody("the body ends within its zstd")
        return decoded

    def _next(self, _size: int) -> bytes:
        data = self._more()
        self._frames.feed(data)
        return data


class _Source(NamedTuple):
    """The file that zstandard reads."""

    read: Callable[[int], bytes]


class Frames:
    """Follows the frames of a zstd body, to detect whether it ends between two (RFC 8878 3.1.1)."""

    def __init__(self) -> None:
        self._steps = _frames()
        self._step = next(self._steps)
        self._kept = b""

    @property
    def between(self) -> bool:
        """Whether the data so far consists of whole frames."""
        return self._step == 0

    def feed(self, data: bytes) -> None:
        """Follow the next piece of the body."""
        place = 0
        while place < len(data):
            self._step = self._step or self._steps.send(b"")
            taken = data[place : place + abs(self._step)]
            place += len(taken)
            if self._step > 0:
                self._kept += taken
                self._step -= len(taken)
            else:
                self._step += len(taken)
            if not self._step:
                self._step, self._kept = self._steps.send(self._kept), b""


def _frames() -> Generator[int, bytes, None]:
    """Yield the sizes of the parts of frames: positive to read, negative to skip, 0 between frames."""
    while True:
        yield 0
        magic = yield 4
        if magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:  # RFC 8878 3.1.2
            size = int.from_bytes((yield 4), "little")
            yield from _over(size)
            continue
        flags = (yield 1)[0]
        single, checksum = flags >> 5 & 1, flags >> 2 & 1
        header = (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        yield from _over(header)
        last = 0
        while not last:
            block = int.from_bytes((yield 3), "little")
            last, run, size = block & 1, block >> 1 & 3 == 1, block >> 3
            yield from _over(1 if run else size)
        yield from _over(4 * checksum)


def _over(size: int) -> Generator[int, bytes, None]:
    if size:
        yield -size


def decoder_of(coding: str) -> Make | None:
    """Return the decoder of a coding, or None if its package is not installed."""
    if coding == "gzip":
        return _Gzip
    if coding == "br":
        bounded = hasattr(getattr(_module("brotli"), "Decompressor", None), "can_accept_more_data")
        return _Brotli if bounded else None
    if _module("compression.zstd"):
        return _Zstd
    return _Zstandard if _module("zstandard") else None


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


# Coding -> how to install it, in the order of Accept-Encoding in a 415.
REMEDIES: Final = {
    "gzip": "",
    "br": "needs brotli >= 1.2: pip install 'wsgi-middleware-stack[brotli]'",
    "zstd": "needs zstandard: pip install 'wsgi-middleware-stack[zstd]'",
}

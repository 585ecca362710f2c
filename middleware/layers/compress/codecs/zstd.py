"""zstd: frames whose window is 8 MiB at most at every level (RFC 8878, RFC 9659), by Python itself or by zstandard."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from middleware.layers.compress.codecs.codec import Backend, Codec, Encoder, window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_LEVELS: Final = range(1, 23)
# As small as zlib at 6 in a tenth of its time; 5 takes three times as long as 3 and is no smaller.
_DEFAULT: Final = 3
_LARGEST: Final = 23  # 8 MiB, the most that a decoder of HTTP has to have (RFC 9659 3)
_ULTRA: Final = 19  # levels above it would take larger windows
_KEPT: Final = 1 << 20  # bodies above it get a context of their own: one that has served them stays that large
_PIECE: Final = 1 << 14
_SKIPPABLE: Final = b"\x50\x2a\x4d\x18"  # RFC 8878 3.1.2


class Zstd(Codec):
    """The zstd coding. Padding is a skippable frame (RFC 8878 3.1.2) behind that of the body.

    Behind it, since some decoders read one frame and no more, `zstandard` in one call among them; the others, browsers
    too, skip it. It has 8 bytes of its own.
    """

    coding: ClassVar[str] = "zstd"
    backends: ClassVar[Mapping[str, Backend]] = {
        "compression.zstd": Backend("compression.zstd", _LEVELS, _DEFAULT, "it is part of Python 3.14"),
        "zstandard": Backend("zstandard", _LEVELS, _DEFAULT, "pip install 'wsgi-middleware-stack[zstd]'"),
    }

    def __init__(self, level: int | None = None, padding: int = 0, backend: str = "auto") -> None:
        super().__init__(level, padding, backend)
        library = (_of_zstandard if self.backend == "zstandard" else _of_python)(self._module)
        window_log = {"window_log": _LARGEST} if self.level > _ULTRA else {}
        self._frames = partial(library.frames, {"compression_level": self.level, **window_log})
        self._own = _Context(self._frames)
        self._streams = library.streams

    def encode(self, data: bytes) -> bytes:
        """One frame, which tells the size of its content."""
        compress = self._own.compress if len(data) <= _KEPT else self._frames()
        return compress(data) + self._skippable()

    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """One frame, which does not tell the size of its content; a flush ends a block."""
        write, end_block, end = self._streams(_bounded(self.level, size))
        return Encoder(write, end_block if flush else bytes, end, tail=self._skippable())

    def _skippable(self) -> bytes:
        filler = self._filler()
        return _SKIPPABLE + filler.to_bytes(4, "little") + bytes(filler) if filler else b""


def _bounded(level: int, size: int | None) -> dict[str, int]:
    """Parameters by which a stream keeps 370 KiB up to level 3, and 2.3 MiB above; by itself it keeps 3 to 700 MiB.

    With a window as small as that of deflate, a long body is 5 % larger than it might be at level 3.
    """
    largest, hash_log, chain_log = (15, 14, 14) if level <= _DEFAULT else (17, 17, 16)
    return {
        "compression_level": level,
        "window_log": window(size, 10, largest),
        "hash_log": hash_log,
        "chain_log": chain_log,
    }


class _Context(threading.local):
    """What compresses whole bodies, one for each thread: none may be shared, and a new one takes 8 µs each time."""

    def __init__(self, make: Callable[[], Callable[[bytes], bytes]]) -> None:
        self.compress = make()


class _Library(NamedTuple):
    """One of the two packages. Both name the parameters alike.

    Attributes:
        frames: makes, of parameters, what turns data into a frame.
        streams: makes, of parameters, what writes, what ends a block and what ends the frame.
    """

    frames: Callable[[Mapping[str, int]], Callable[[bytes], bytes]]
    streams: Callable[[Mapping[str, int]], tuple[Callable[[bytes], bytes], Callable[[], bytes], Callable[[], bytes]]]


def _of_zstandard(module: Any) -> _Library:
    def context(parameters: Mapping[str, int]) -> Any:
        return module.ZstdCompressor(compression_params=module.ZstdCompressionParameters(**parameters))

    def streams(parameters: Mapping[str, int]) -> Any:
        # Its compressobj() would keep 128 KiB for what goes out.
        stream = context(parameters).chunker(chunk_size=_PIECE)
        return lambda chunk: b"".join(stream.compress(chunk)), _joined(stream.flush), _joined(stream.finish)

    return _Library(lambda parameters: context(parameters).compress, streams)


def _joined(pieces: Callable[[], Iterable[bytes]]) -> Callable[[], bytes]:
    return lambda: b"".join(pieces())


def _of_python(module: Any) -> _Library:
    def context(parameters: Mapping[str, int]) -> Any:
        names = module.CompressionParameter
        return module.ZstdCompressor(options={getattr(names, name): value for name, value in parameters.items()})

    def frames(parameters: Mapping[str, int]) -> Any:
        made = context(parameters)
        return lambda data: made.compress(data, made.FLUSH_FRAME)

    def streams(parameters: Mapping[str, int]) -> Any:
        stream = context(parameters)
        return stream.compress, partial(stream.flush, stream.FLUSH_BLOCK), stream.flush

    return _Library(frames, streams)

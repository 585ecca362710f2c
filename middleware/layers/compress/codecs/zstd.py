"""The zstd content coding (RFC 8878, RFC 9659): frames with a window of at most 8 MiB at every level."""

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

from middleware.layers.compress.codecs.codec import Backend, Codec, Encoder, window

_LEVELS: Final = range(1, 23)
# The size of zlib at 6 in a tenth of the time. Level 5 takes three times as long and is no smaller.
_DEFAULT: Final = 3
_LARGEST: Final = 23  # 8 MiB, the largest window that HTTP clients must support (RFC 9659 3)
_ULTRA: Final = 19  # the defaults of higher levels exceed that window
_KEPT: Final = 1 << 20  # larger bodies get a context of their own, because a context never shrinks
_PIECE: Final = 1 << 14
_SKIPPABLE: Final = b"\x50\x2a\x4d\x18"  # RFC 8878 3.1.2


class ZstdCodec(Codec):
    """The zstd content coding. Padding is a skippable frame (RFC 8878 3.1.2) after the frame of the body.

    Some decoders, such as `zstandard` in one call, read the first frame only. Others, browsers among them, skip the
    padding. A skippable frame has a header of 8 bytes.
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
        """Encode a whole body as one frame, whose header has the size of the content."""
        compress = self._own.compress if len(data) <= _KEPT else self._frames()
        return compress(data) + self._skippable()

    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """Return the encoder of one frame without the size of its content. A flush ends a block."""
        write, end_block, end = self._streams(_bounded(self.level, size))
        return Encoder(write, end_block if flush else bytes, end, tail=self._skippable())

    def _skippable(self) -> bytes:
        filler = self._filler()
        return _SKIPPABLE + filler.to_bytes(4, "little") + bytes(filler) if filler else b""


def _bounded(level: int, size: int | None) -> dict[str, int]:
    """Return parameters that bound the memory of a stream: 370 KiB up to level 3 and 2.3 MiB above.

    The defaults take 3 to 700 MiB. The window is as small as that of deflate, which makes a long body 5 % larger at
    level 3.
    """
    largest, hash_log, chain_log = (15, 14, 14) if level <= _DEFAULT else (17, 17, 16)
    return {
        "compression_level": level,
        "window_log": window(size, 10, largest),
        "hash_log": hash_log,
        "chain_log": chain_log,
    }


class _Context(threading.local):
    """The compression context of each thread: contexts are not thread-safe, and a new one takes 8 µs."""

    def __init__(self, make: Callable[[], Callable[[bytes], bytes]]) -> None:
        self.compress = make()


class _Library(NamedTuple):
    """The functions of one package. Both packages use the same names of parameters.

    Attributes:
        frames: takes parameters; returns the function that encodes data as a frame.
        streams: takes parameters; returns the functions that write, end a block and end the frame.
    """

    frames: Callable[[Mapping[str, int]], Callable[[bytes], bytes]]
    streams: Callable[[Mapping[str, int]], tuple[Callable[[bytes], bytes], Callable[[], bytes], Callable[[], bytes]]]


def _of_zstandard(module: Any) -> _Library:
    def context(parameters: Mapping[str, int]) -> Any:
        return module.ZstdCompressor(compression_params=module.ZstdCompressionParameters(**parameters))

    def streams(parameters: Mapping[str, int]) -> Any:
        # compressobj() would allocate an output buffer of 128 KiB.
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

"""Codec: the base class of content codings, and the choice of the package that implements one.

Packages are imported when a codec is made, because most are optional and all take time to load.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar, Final, NamedTuple

from middleware.wsgi.options import choice_fault, int_fault
from middleware.wsgi.response import Response

AUTO: Final = "auto"
# Go rejects a gzip header whose file name has more bytes, its terminator included.
MOST_PADDING: Final = 512
# Bytes of the window that cannot be referenced: 262 with deflate (zlib), 16 with brotli (RFC 7932 9.1).
RESERVED: Final = 262


class CodecError(LookupError):
    """A codec that cannot be made.

    Attributes:
        option: "coding", "backend", "level" or "padding". The argument that is wrong.
        rule: str. The rule that it breaks, or how to install the missing package.
        value: the argument as given.
    """

    def __init__(self, option: str, rule: str, value: object) -> None:
        super().__init__(f"{option}: {rule}; got {value!r}")
        self.option, self.rule, self.value = option, rule, value


class Backend(NamedTuple):
    """A package that implements a content coding.

    Attributes:
        module: str. The module to import.
        levels: range. The compression levels that it supports.
        default: int. The level for dynamic responses, where time counts as much as size.
        missing: str. How to install it.
    """

    module: str
    levels: range
    default: int
    missing: str

    def load(self) -> Any:
        """The module, or None if it is not installed."""
        try:
            return import_module(self.module)
        except ImportError:
            return None

    def has(self, level: object) -> bool:
        """Whether the backend supports the level. None is the default, which is supported."""
        return level is None or (type(level) is int and level in self.levels)


class Encoder:
    """The encoder of one streamed body: a Transform made of the streaming functions of a package.

    Errors of the package are not caught. The output is then truncated, which decoders detect.

    Arguments:
        write: takes a chunk and returns the output that is ready.
        flush: returns the output that makes everything written so far decodable; `bytes` never flushes.
        end: returns the remaining output and ends the body.
        head, tail: bytes before and after the output.

    Attributes:
        undo: callable(response), as in Transform. It is set if an empty body must not be encoded.
    """

    __slots__ = ("_end", "_flush", "_head", "_tail", "_write", "undo")

    undo: Callable[[Response], None]

    def __init__(
        self,
        write: Callable[[bytes], bytes],
        flush: Callable[[], bytes],
        end: Callable[[], bytes],
        head: bytes = b"",
        tail: bytes = b"",
    ) -> None:
        self._write, self._flush, self._end = write, flush, end
        self._head, self._tail = head, tail

    def feed(self, chunk: bytes) -> bytes:
        """Encode one chunk that is not empty; return the output that is ready, which may be empty."""
        head, self._head = self._head, b""
        return head + self._write(chunk) + self._flush()

    def finish(self) -> bytes:
        """Return the remaining output. Called once, after the last chunk."""
        return self._head + self._end() + self._tail


class Codec(ABC):
    """A content coding at one level. Immutable: threads share it, and each response has its own Encoder.

    Without padding, equal bodies at equal levels have equal encodings.

    Options:
        level: int, or None for the default level of the backend.
        padding: int, 0 to 512. The largest number of meaningless bytes, random for each body, so that the length
            reveals less of the content (BREACH, CVE-2013-3587). Default 0.
        backend: str, one of `backends`, or "auto" for the first that is installed and supports the level.

    Errors: CodecError for a package that is not installed, an unsupported level, and other invalid options.
    """

    coding: ClassVar[str]
    backends: ClassVar[Mapping[str, Backend]]  # by name, best first

    def __init__(self, level: int | None = None, padding: int = 0, backend: str = AUTO) -> None:
        if fault := int_fault(padding, 0, MOST_PADDING):
            raise CodecError("padding", fault, padding)
        self.padding = padding
        self.backend, self._module = self._choose(level, backend)
        self.level = self.backends[self.backend].default if level is None else level

    @abstractmethod
    def encode(self, data: bytes) -> bytes:
        """Encode a whole body."""

    def whole(self) -> Callable[[bytes], bytes]:
        """Return the function with the fewest calls that encodes as `encode` does."""
        return self.encode

    @abstractmethod
    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """Return the encoder of a body that comes in chunks.

        flush: whether the output of every feed() makes the body so far decodable.
        size: int, the number of bytes to come, if known. It is a hint only.
        """

    @classmethod
    def available(cls) -> bool:
        """Whether a package that implements the coding is installed."""
        return any(backend.load() for backend in cls.backends.values())

    def _choose(self, level: object, name: str) -> tuple[str, Any]:
        """Return the name and the module of the first backend that is installed and supports the level."""
        if fault := choice_fault(name, (AUTO, *self.backends)):
            raise CodecError("backend", fault, name)
        names = list(self.backends) if name == AUTO else [name]
        for each in names:
            module = self.backends[each].load() if self.backends[each].has(level) else None
            if module is not None:
                return each, module
        raise self._missing(names, level, name)

    def _missing(self, names: Iterable[str], level: object, name: str) -> CodecError:
        """Return the error for the case that no backend fits: the levels of those installed, or how to install one."""
        wanted = {each: self.backends[each] for each in names}
        levels = [
            f"{backend.levels[0]} to {backend.levels[-1]} ({each})"
            for each, backend in wanted.items()
            if backend.load()
        ]
        if levels:
            return CodecError("level", f"None, or an int: {', '.join(levels)}", level)
        _, last = wanted.popitem()
        what = ("coding", self.coding) if name == AUTO else ("backend", name)
        return CodecError(what[0], f"{last.module} is not installed: {last.missing}", what[1])

    def _filler(self) -> int:
        """Return the number of padding bytes of one body."""
        return int.from_bytes(os.urandom(4), "big") % (self.padding + 1) if self.padding else 0


@lru_cache
def window(size: int | None, least: int, most: int) -> int:
    """Return the base-two logarithm of the smallest window that holds `size` bytes, between `least` and `most`."""
    return most if size is None else min(max((size + RESERVED).bit_length(), least), most)

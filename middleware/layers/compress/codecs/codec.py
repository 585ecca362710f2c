"""Codec: what every content coding looks like from outside, and how one finds the package that does its work.

Packages are imported when a codec is made, never before: most are optional, and all take time to load.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from middleware.wsgi.response import Response

AUTO: Final = "auto"
# Go reads no file name of more bytes than that from a gzip header, the end of the name included.
PADDING: Final = range(512 + 1)
# Of its window, deflate keeps the last 262 bytes to itself (zlib), brotli the last 16 (RFC 7932 9.1).
RESERVED: Final = 262


class CodecError(LookupError):
    """There is no codec like that.

    Attributes:
        option: "coding", "backend", "level" or "padding": which argument is wrong.
        rule: str, what would be right, or how to get what is missing.
        value: what was given.
    """

    def __init__(self, option: str, rule: str, value: object) -> None:
        super().__init__(f"{option}: {rule}; got {value!r}")
        self.option, self.rule, self.value = option, rule, value


class Backend(NamedTuple):
    """A package that can do the work of a codec.

    Attributes:
        module: str, what to import.
        levels: range of the levels that it has.
        default: int, the level for responses that are made for each request, where time counts as much as size.
        missing: str, how to get it.
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
        """Whether `level` is one of its levels. None is: the default."""
        return level is None or (type(level) is int and level in self.levels)


class Encoder:
    """The body of one response on its way through a codec: a Transform, made of what a package offers for streams.

    Whatever the package raises goes through: what came out before is no whole body then, and a decoder sees that.

    Arguments:
        write: takes a chunk, returns what is ready.
        flush: returns what a decoder still needs for everything written; `bytes` where nobody waits for it.
        end: returns the rest, and closes the body.
        head, tail: bytes before and after all that.

    Attributes:
        undo: callable(response), as in Transform, if an empty body is not to be encoded.
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
        """Take one chunk that is not empty; return what can go out now, perhaps nothing."""
        head, self._head = self._head, b""
        return head + self._write(chunk) + self._flush()

    def finish(self) -> bytes:
        """Return what is left, once, after the last chunk."""
        return self._head + self._end() + self._tail


class Codec(ABC):
    """A content coding at one level. Never changes once made: threads share it, each response has its own Encoder.

    The same body at the same level gives the same bytes, as long as it is not padded.

    Options:
        level: int, or None for our own choice for responses that are made for each request.
        padding: int, 0 to 512. Up to that many bytes, a random number for each body, that say nothing: so the length
            of a body tells less of what it is made of (BREACH, CVE-2013-3587). Default 0.
        backend: str, one of `backends`, or "auto" for the first that is installed and has the level.

    Errors: CodecError for a package that is not installed, a level that it does not have, and so on.
    """

    coding: ClassVar[str]
    backends: ClassVar[Mapping[str, Backend]]  # by name, best first

    def __init__(self, level: int | None = None, padding: int = 0, backend: str = AUTO) -> None:
        if type(padding) is not int or padding not in PADDING:
            raise CodecError("padding", f"an int from 0 to {PADDING[-1]}", padding)
        self.padding = padding
        self.backend, self._module = self._choose(level, backend)
        self.level = self.backends[self.backend].default if level is None else level

    @abstractmethod
    def encode(self, data: bytes) -> bytes:
        """The whole of a body, encoded."""

    def whole(self) -> Callable[[bytes], bytes]:
        """What does the same as `encode`, with as few calls as there need be."""
        return self.encode

    @abstractmethod
    def encoder(self, *, flush: bool, size: int | None = None) -> Encoder:
        """What encodes a body that comes in chunks.

        flush: every feed() returns what makes all of the body so far decodable.
        size: int, how many bytes are to come, if that is known. A hint: other sizes are encoded as well.
        """

    @classmethod
    def available(cls) -> bool:
        """Whether a package is installed that does the work."""
        return any(backend.load() for backend in cls.backends.values())

    def _choose(self, level: object, name: str) -> tuple[str, Any]:
        """The name and the module of the first backend that will do."""
        if name not in (AUTO, *self.backends):
            raise CodecError("backend", f"one of {', '.join(map(repr, (AUTO, *self.backends)))}", name)
        names = list(self.backends) if name == AUTO else [name]
        for each in names:
            module = self.backends[each].load() if self.backends[each].has(level) else None
            if module is not None:
                return each, module
        raise self._missing(names, level, name)

    def _missing(self, names: Iterable[str], level: object, name: str) -> CodecError:
        """Why no backend will do."""
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
        """How many bytes of padding this body gets."""
        return int.from_bytes(os.urandom(4), "big") % (self.padding + 1) if self.padding else 0


@lru_cache
def window(size: int | None, least: int, most: int) -> int:
    """The base-two logarithm of a window that holds `size` bytes, as far as it may: more would only be more memory."""
    return most if size is None else min(max((size + RESERVED).bit_length(), least), most)

"""DecompressRequest: request bodies that come with a Content-Encoding, decoded piece by piece (RFC 9110 8.4).

Decoders read as much as they need from what stands before them: the server's file, or another decoder. None holds more
than a piece of output, a piece of input, and the window of its coding: 32 KiB for gzip, at most 16 MiB for br, and 8
for zstd.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from io import BufferedReader, RawIOBase
from itertools import count
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from middleware.wsgi.answer import answer_fault, note, refusal
from middleware.wsgi.effects import Effects
from middleware.wsgi.input import (
    PIECE,
    UNKNOWN,
    BodyError,
    BodyTooLarge,
    Input,
    counted,
    declared_length,
)
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, several
from middleware.wsgi.replacing import replaced

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from middleware.wsgi.plan import Layer
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ

KEY: Final = "middleware.decompress_request"
_NUMBERS: Final = count()
_MOST: Final = 2  # codings on top of one another
_READ: Final = (
    16 * 1024
)  # bytes that a decoder takes at a time: what it leaves of them is copied, for each small member
_IN_MEMORY: Final = 256 * 1024  # of a body that is decoded in advance; larger ones are on disk
_WINDOW: Final = 1 << 23  # of zstd: the most that a decoder of HTTP has to have (RFC 9659 3)
# What tells of the bytes before they are decoded (RFC 9530 2 and 3: both digests include the coding).
_OF_ENCODED: Final = (
    "CONTENT_LENGTH",
    "HTTP_CONTENT_ENCODING",
    "HTTP_CONTENT_MD5",
    "HTTP_CONTENT_DIGEST",
    "HTTP_REPR_DIGEST",
)
_FREE, _RATIO = 1 << 20, 16  # how much a decoder may hand to the next: that much, and so many times what came in
_ALIASES: Final = {"x-gzip": "gzip"}  # RFC 9110 8.4.1.3


class BrokenBody(BodyError):
    """Raised by reads of a body that is not what its Content-Encoding says: an OSError, and a 400."""


# -- decoders --------------------------------------------------------------------------------------------------------


class Decoder(Protocol):
    """Gives some of what is decoded, at most about a piece, and nothing at the end."""

    def read(self) -> bytes: ...


class _Gzip:
    """Members of gzip, one after the other (RFC 1952 2.2)."""

    def __init__(self, more: Callable[[], bytes]) -> None:
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
            raise BrokenBody("the body is no gzip") from error
        if member.eof:
            self._rest, self._member = member.unused_data, None
        else:
            self._rest = member.unconsumed_tail
        return decoded

    def _end(self) -> bytes:
        decoded = self._decoded(b"") if self._member is not None else b""  # what was more than a piece
        if not decoded and self._member is not None:
            raise BrokenBody("the body ends within its gzip")
        return decoded


class _Brotli:
    """One stream of br (RFC 7932)."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._stream = import_module("brotli").Decompressor()
        self._error = import_module("brotli").error
        self._begun = False

    def read(self) -> bytes:
        stream = self._stream
        while not stream.is_finished():
            data = self._more() if stream.can_accept_more_data() else b""
            if not data and stream.can_accept_more_data():
                if self._begun:
                    raise BrokenBody("the body ends within its br")
                return b""
            self._begun = True
            try:
                # the library gives half a piece more, if it has that
                decoded: bytes = stream.process(data, output_buffer_limit=PIECE // 2)
            except self._error as error:
                raise BrokenBody("the body is no br") from error
            if decoded:
                return decoded
        if self._more():
            raise BrokenBody("the body goes on behind its br")
        return b""


class _Zstd:
    """Frames of zstd, one after the other, by Python itself (RFC 8878 3.1)."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._rest = b""
        self._frame: Any = None
        self._module = import_module("compression.zstd")

    def read(self) -> bytes:
        module = self._module
        while True:
            data = b""
            if self._frame is None or self._frame.needs_input:
                data = self._rest or self._more()
                self._rest = b""
                if not data:
                    return self._end()
            if self._frame is None:
                limit = {module.DecompressionParameter.window_log_max: _WINDOW.bit_length() - 1}
                self._frame = module.ZstdDecompressor(options=limit)
            try:
                decoded: bytes = self._frame.decompress(data, PIECE)
            except module.ZstdError as error:
                raise BrokenBody("the body is no zstd, or its window is larger than 8 MiB") from error
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
            if decoded:
                return decoded

    def _end(self) -> bytes:
        if self._frame is not None:
            raise BrokenBody("the body ends within its zstd")
        return b""


class _Zstandard:
    """Frames of zstd by the package zstandard. It does not tell a body that ends within a frame, `Frames` does."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        module = import_module("zstandard")
        self._error = module.ZstdError
        self._frames = Frames()
        self._more = more
        stream = module.ZstdDecompressor(max_window_size=_WINDOW)
        self._stream = stream.stream_reader(_Source(self._next), read_size=_READ, read_across_frames=True)

    def read(self) -> bytes:
        try:
            decoded: bytes = self._stream.read(PIECE)
        except self._error as error:
            raise BrokenBody("the body is no zstd, or its window is larger than 8 MiB") from error
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
    """Goes along with frames of zstd, to know whether a body ends between two (RFC 8878 3.1.1)."""

    def __init__(self) -> None:
        self._steps = _frames()
        self._step = next(self._steps)
        self._kept = b""

    @property
    def between(self) -> bool:
        """Whether what was fed are whole frames."""
        return self._step == 0

    def feed(self, data: bytes) -> None:
        """Go along with some more."""
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
    """The parts of frames: as many bytes as are looked at, or, as a negative number, passed over; 0 between frames."""
    while True:
        yield 0
        magic = yield 4
        if magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:  # RFC 8878 3.1.2
            size = int.from_bytes((yield 4), "little")
            yield from filter(None, [-size])
            continue
        flags = (yield 1)[0]
        single, checksum = flags >> 5 & 1, flags >> 2 & 1
        header = (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        yield from filter(None, [-header])
        last = 0
        while not last:
            block = int.from_bytes((yield 3), "little")
            last, run, size = block & 1, block >> 1 & 3 == 1, block >> 3
            yield from filter(None, [-1 if run else -size])
        yield from filter(None, [-4 * checksum])


def decoder_of(coding: str) -> Callable[[Callable[[], bytes]], Decoder] | None:
    """What decodes a coding, or None where its package is not installed."""
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


# What says how to get a coding; the order is that of Accept-Encoding in a 415.
_REMEDIES: Final = {
    "gzip": "",
    "br": "needs brotli >= 1.2: pip install 'wsgi-middleware-stack[brotli]'",
    "zstd": "needs zstandard: pip install 'wsgi-middleware-stack[zstd]'",
}


# -- the body --------------------------------------------------------------------------------------------------------


class _Decoded(RawIOBase):
    """What a chain of decoders gives, as a file."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._kept = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._kept:
            self._kept = memoryview(self._read())
        data, self._kept = self._kept[: len(buffer)], self._kept[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class _Between:
    """Hands what one decoder gives to the next.

    It is compressed, so that it can hardly be many times what came in: such a body takes long to decode to nothing.
    """

    def __init__(self, body: Input, codings: Iterable[str]) -> None:
        self._body = body
        self._received = self._given = 0
        first, *others = codings
        self.read = decoder_of(first)(self._receive).read  # type: ignore[misc]
        for coding in others:
            self.read = decoder_of(coding)(partial(self._give, self.read)).read  # type: ignore[misc]

    def _receive(self) -> bytes:
        data = self._body.read(_READ)
        self._received += len(data)
        return data

    def _give(self, read: Callable[[], bytes]) -> bytes:
        data = read()
        self._given += len(data)
        if self._given > _FREE + _RATIO * self._received:
            raise BodyTooLarge("a coding of the request body hides another that is many times larger")
        return data


# -- the layer -------------------------------------------------------------------------------------------------------


class DecompressRequest(Middleware):
    """Decodes request bodies that come with a Content-Encoding, so that applications need not know of it.

    The application reads the decoded body as a stream: `wsgi.input_terminated` is set, and CONTENT_LENGTH,
    Content-Encoding and digests of the encoded bytes are gone. Werkzeug, Flask, Falcon and Pyramid read to its end;
    Django, Bottle and others read no further than CONTENT_LENGTH and need `buffer=True`. Does nothing to requests
    without a Content-Encoding.

    An unknown coding, or a third, is a 415 whose Accept-Encoding says what there is; data that is broken or goes on
    behind its end, and a zstd window over 8 MiB, a 400; more than `max_bytes` a 413. Where the application reads the
    stream, reads raise an OSError, and whatever the application answers before its head is out becomes that answer. At
    most 64 KiB are decoded at a time, and no more than is asked for: a bomb costs `max_bytes` of decoding.

    Stands inside layers whose headers belong on every response and inside BodyLimit, which limits what is received, and
    outside whatever reads the body. With `buffer` it stands outside of ConcurrencyLimit, or slow clients hold places.

    Options:
        codings: str, or iterable of "gzip", "br" and "zstd". Those that are decoded; x-gzip is gzip. Default None:
            those whose packages are installed.
        max_bytes: int in bytes. The size of the largest body, decoded. Default 10,485,760.
        buffer: bool. Whether the body is decoded before the application is called, to a file that is on disk above
            256 KiB, and has a CONTENT_LENGTH. Default False.
        answer: WSGI application or None. What answers instead of the 415, 400 or 413. Default None.

    Errors: ConfigError, also for a coding whose package is not installed. In the application: BodyTooLarge and other
    OSErrors.
    Source: RFC 9110 8.4, 12.5.3 and 15.5.16, RFC 1952, RFC 7932, RFC 8878, RFC 9659.
    """

    effects: ClassVar[Effects] = Effects(answers=True, decodes_input=True)

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        codings: str | Iterable[str] | None = None,
        max_bytes: int = 10_485_760,
        buffer: bool = False,
        answer: Application | None = None,
    ) -> None:
        super().__init__(app)
        problems = Problems("DecompressRequest")
        self.codings = tuple(filter(decoder_of, _REMEDIES)) if codings is None else _codings(problems, codings)
        whole = type(max_bytes) is int and max_bytes >= 0
        problems.check(whole, "max_bytes", "an int of 0 or more, in bytes", max_bytes)
        problems.check(isinstance(buffer, bool), "buffer", "a bool", buffer)
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        self.max_bytes, self.buffer, self.answer = max_bytes, buffer, answer
        self._key = f"{KEY}.{next(_NUMBERS)}"
        accepted = [("Accept-Encoding", ", ".join(self.codings))]
        self._refusals = {
            400: refusal(answer, 400, "The request body is not what its Content-Encoding says."),
            413: refusal(answer, 413, f"The decoded request body is larger than {max_bytes} bytes."),
            415: refusal(answer, 415, "The Content-Encoding of the request is not supported.", accepted),
        }

    def on_request(self, environ: Environ) -> Application | None:
        """Put a decoder before the body, or refuse it."""
        given = environ.get("HTTP_CONTENT_ENCODING")
        environ[self._key] = None
        if not given:
            return None
        codings = [_ALIASES.get(name, name) for name in map(str.strip, given.lower().split(","))]
        codings = [name for name in codings if name and name != "identity"]
        length = declared_length(environ)
        if len(codings) > _MOST or not set(codings) <= set(self.codings):
            note(environ, f"refused: Content-Encoding {given[:80]!r} is not one of {', '.join(self.codings)}")
            drop(environ, UNKNOWN if length is None else length)
            return self._refusals[415]
        if length is None:
            note(environ, "refused: Content-Length is malformed")
            return self._refusals[400]
        if not codings:
            del environ["HTTP_CONTENT_ENCODING"]
            return None
        note(environ, f"decodes {', '.join(reversed(codings))}")
        chain = _Between(counted(environ, length, None), reversed(codings))
        body = Input(BufferedReader(_Decoded(chain.read), PIECE), 0, self.max_bytes)
        for name in _OF_ENCODED:
            environ.pop(name, None)
        environ[self._key] = environ["wsgi.input"] = body
        environ["wsgi.input_terminated"] = True
        return self._kept(environ, body) if self.buffer else None

    def _kept(self, environ: Environ, body: Input) -> Application | None:
        """Decode the body to a file in its place, or refuse it."""
        kept = SpooledTemporaryFile(_IN_MEMORY)
        body.file = kept
        try:
            while data := body.read(PIECE):
                kept.write(data)
        except BodyError as error:
            note(environ, f"refused: {error}")
            return self._refusals[error.status]
        environ["CONTENT_LENGTH"] = str(kept.tell())
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        kept.seek(0)
        environ["wsgi.input"] = kept
        return None

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Put the refusal in the place of whatever the application made of the error that it met."""
        body: Input | None = environ.get(self._key)
        if body is None or body.failed is None or self.buffer:
            return None
        note(environ, f"refused: {body.failed}; {response.status} became the answer")
        return replaced(environ, response, self._refusals[body.failed.status])

    def on_close(self, environ: Environ, error: BaseException | None) -> None:  # noqa: ARG002 - however it ended
        """Close the file."""
        body: Input | None = environ.get(self._key)
        if body is not None and body.file is not None:
            body.file.close()

    def layer(self) -> Layer:
        """The head waits until the application returns, so that a body that it reads after start_response counts."""
        layer = super().layer()._replace(waits=True)
        return layer if self.buffer else layer._replace(on_close=None)

    def describe(self) -> Iterable[tuple[str, str]]:
        """What it decodes."""
        when = "before the application is called" if self.buffer else "as it is read"
        yield "request", f"decodes a body in {', '.join(self.codings)} {when}, up to {self.max_bytes} bytes"


def _codings(problems: Problems, given: object) -> tuple[str, ...]:
    try:
        names = several(given)
    except ValueError as error:
        problems.add("codings", str(error), given)
        return ()
    names = [_ALIASES.get(name, name) if isinstance(name, str) else name for name in names]
    known = f"some of {', '.join(map(repr, _REMEDIES))}"
    if problems.check(names and all(name in _REMEDIES for name in names), "codings", known, given):
        for name in names:
            problems.check(decoder_of(name), "codings", _REMEDIES[name], name)
    return tuple(dict.fromkeys(names))

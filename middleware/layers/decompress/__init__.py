"""DecompressRequest: request bodies that come with a Content-Encoding, decoded as they are read (RFC 9110 8.4)."""

from __future__ import annotations

from functools import partial
from io import BufferedReader, RawIOBase
from itertools import count
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, ClassVar, Final

from middleware.layers.decompress.decoders import READ, REMEDIES, decoder_of
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
    drop,
)
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, several
from middleware.wsgi.replacing import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from middleware.wsgi.plan import Layer
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ

KEY: Final = "middleware.decompress_request"
_NUMBERS: Final = count()
_MOST: Final = 2  # codings on top of one another
_IN_MEMORY: Final = 256 * 1024  # of a body that is decoded in advance; larger ones are on disk
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
        data = self._body.read(READ)
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
        self.codings = tuple(filter(decoder_of, REMEDIES)) if codings is None else _codings(problems, codings)
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
        kept = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - on_close closes it
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
        names = [_ALIASES.get(name, name) for name in map(str, several(given))]
    except ValueError as error:
        problems.add("codings", str(error), given)
        return ()
    known = f"some of {', '.join(map(repr, REMEDIES))}"
    if problems.check(names and all(name in REMEDIES for name in names), "codings", known, given):
        for name in names:
            problems.check(decoder_of(name), "codings", REMEDIES[name], name)
    return tuple(dict.fromkeys(names))

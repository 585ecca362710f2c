"""DecompressRequest: decodes request bodies with a Content-Encoding as they are read (RFC 9110 8.4)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from io import BufferedReader, RawIOBase
from itertools import count
from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar, Final

from middleware.http.fields import DIGESTS, environ_key
from middleware.layers.decompress.decoders import READ, REMEDIES, Make, More, decoder_of
from middleware.wsgi.answer import answer_fault, note, refusal, replaced
from middleware.wsgi.effects import Effects
from middleware.wsgi.input import (
    PIECE,
    UNKNOWN,
    BodyError,
    BodyTooLarge,
    Input,
    Outcome,
    counted,
    declared_length,
    drop,
    put,
)
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, each, int_fault
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ

KEY: Final = "middleware.decompress_request"
_NUMBERS: Final = count()
_MOST: Final = 2  # codings of one body
_IN_MEMORY: Final = 256 * 1024  # bytes; with `buffer`, larger bodies are stored on disk
# The fields that are about the encoded bytes (RFC 9530 2 and 3: both digests include the coding).
_OF_ENCODED: Final = tuple(map(environ_key, ("content-length", "content-encoding", *DIGESTS)))
_FREE, _RATIO = 1 << 18, 16  # an inner decoder may output _FREE bytes plus _RATIO times the bytes received
_ALIASES: Final = {"x-gzip": "gzip"}  # RFC 9110 8.4.1.3


# -- the body --------------------------------------------------------------------------------------------------------


class _Decoded(RawIOBase):
    """The output of a chain of decoders, as a file."""

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


class _Received:
    """The body as received, with a count of its bytes."""

    def __init__(self, body: Input) -> None:
        self._body = body
        self.size = 0

    def read(self) -> bytes:
        """Return the next piece, or b"" at the end."""
        data = self._body.read(READ)
        self.size += len(data)
        return data


class HiddenCoding(BodyTooLarge):
    """Raised by reads of a body in which one coding hides another that is many times larger."""


class _Between:
    """The output of one decoder, which is the input of the next.

    Output that is itself compressed is rarely many times larger than its input. A body that exceeds the ratio would
    take long to decode and yield almost nothing.
    """

    def __init__(self, more: More, received: _Received) -> None:
        self._more = more
        self._received = received
        self._size = 0

    def read(self) -> bytes:
        """Return the next piece, or b"" at the end."""
        data = self._more()
        self._size += len(data)
        if self._size > _FREE + _RATIO * self._received.size:
            raise HiddenCoding("a coding of the request body hides another that is many times larger")
        return data


def chained(body: Input, decoders: Iterable[Make]) -> More:
    """Return the function that reads the body through the decoders, in the order given."""
    received = _Received(body)
    read = received.read
    for number, make in enumerate(decoders):
        read = make(_Between(read, received).read if number else read).read
    return read


# -- the layer -------------------------------------------------------------------------------------------------------


class DecompressRequest(Middleware):
    """Decodes request bodies that have a Content-Encoding, so that applications need not.

    The application reads the decoded body as a stream: `wsgi.input_terminated` is set, and CONTENT_LENGTH,
    Content-Encoding and digests of the encoded bytes are gone. Werkzeug, Flask and Pyramid read to its end; Django,
    Bottle, `media` of Falcon and others read no further than CONTENT_LENGTH and need `buffer=True`. Does nothing to
    requests without a Content-Encoding.

    An unknown coding, or a third one, is a 415 whose Accept-Encoding lists the supported codings. Data that is broken
    or continues after its end, and a zstd window over 8 MiB, are a 400. More than `max_bytes`, and a coding that hides
    another many times larger, are a 413. If the application reads the stream, the reads raise an OSError, and that
    answer replaces any response of the application whose head has not been sent. At most 64 KiB are decoded at a time,
    and no more than the application reads: a bomb costs `max_bytes` of decoding.

    Stands inside layers whose headers belong on every response and inside BodyLimit, which limits what is received, and
    outside everything that reads the body. With `buffer`, it stands outside ConcurrencyLimit; otherwise slow clients
    occupy its places.

    Options:
        codings: str, or iterable of "gzip", "br" and "zstd". The codings that are decoded; x-gzip is gzip. Default
            None: those whose packages are installed.
        max_bytes: int in bytes. The size of the largest body, decoded. Default 10,485,760.
        buffer: bool. Whether the body is decoded before the application is called, to a file that is on disk above
            256 KiB, and has a CONTENT_LENGTH. Default False.
        answer: WSGI application or None. Answers instead of the 415, 400 or 413. Default None.

    Errors: ConfigError, also for a coding whose package is not installed. In the application: BodyTooLarge and other
    OSErrors.
    Source: RFC 9110 8.4, 12.5.3 and 15.5.16, RFC 1952, RFC 7932, RFC 8878, RFC 9659.
    """

    effects: ClassVar[Effects] = Effects(answers=True, decodes_input=True)

    _key: str

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
        names = [_ALIASES.get(name, name) for name in map(str, each(REMEDIES if codings is None else codings))]
        known = f"some of {', '.join(map(repr, REMEDIES))}"
        if not problems.check(set() < set(names) <= set(REMEDIES), "codings", known, codings):
            names = []
        found = {name: decoder_of(name) for name in names}
        for name, make in found.items():
            problems.check(make is not None or codings is None, "codings", REMEDIES[name], name)
        self._decoders = {name: make for name, make in found.items() if make is not None}
        self.codings = tuple(self._decoders)
        problems.check(not int_fault(max_bytes, 0), "max_bytes", "an int of 0 or more, in bytes", max_bytes)
        problems.check(isinstance(buffer, bool), "buffer", "a bool", buffer)
        problems.add_fault("answer", answer_fault(answer), answer)
        problems.done()
        self.max_bytes, self.buffer, self.answer = max_bytes, buffer, answer
        accepted = [("Accept-Encoding", ", ".join(self.codings))]
        self._hiding = refusal(answer, 413, "A coding of the request body hides another that is many times larger.")
        self._refusals = {
            400: refusal(answer, 400, "The request body is not what its Content-Encoding says."),
            413: refusal(answer, 413, f"The decoded request body is larger than {max_bytes} bytes."),
            415: refusal(answer, 415, "The Content-Encoding of the request is not supported.", accepted),
        }

    def _bind(self) -> None:
        self.__dict__["_key"] = f"{KEY}.{next(_NUMBERS)}"  # each copy has its own, because copies may be nested
        super()._bind()

    def declared(self) -> Effects:
        """The effects of the class. With `buffer`, a body takes memory before the application runs."""
        return replace(self.effects, costs=True) if self.buffer else self.effects

    def on_request(self, environ: Environ) -> Application | None:
        """Replace the body with a decoded one, or refuse it."""
        environ[self._key] = None
        given = environ.get("HTTP_CONTENT_ENCODING")
        if not given:
            return None
        codings = applied(given)
        length = declared_length(environ)
        if len(codings) > _MOST or not set(codings) <= set(self.codings):
            note(environ, f"refused: Content-Encoding {given[:80]!r} is not one or two of {', '.join(self.codings)}")
            drop(environ, UNKNOWN if length is None else length)
            return self._refusals[415]
        if length is None:
            note(environ, "refused: Content-Length is malformed")
            return self._refusals[400]
        if not codings:
            del environ["HTTP_CONTENT_ENCODING"]
            return None
        note(environ, f"decodes {', '.join(reversed(codings))}")
        return self._decode(environ, counted(environ, length, None), codings)

    def _decode(self, environ: Environ, received: Input, codings: list[str]) -> Application | None:
        """Replace the body with the decoded one. With `buffer`, decode it now, and refuse it if it is invalid."""
        read = chained(received, [self._decoders[coding] for coding in reversed(codings)])
        body = Input(BufferedReader(_Decoded(read), PIECE), 0, self.max_bytes)
        for name in _OF_ENCODED:
            environ.pop(name, None)
        environ[self._key] = body.outcome
        put(environ, body)
        environ["wsgi.input_terminated"] = True
        if not self.buffer:
            return None
        kept = body.outcome.file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - on_close closes it
        try:
            while data := body.read(PIECE):
                kept.write(data)
        except BodyError as error:
            note(environ, f"refused: {error}")
            return self._refusal(type(error))
        environ["CONTENT_LENGTH"] = str(kept.tell())
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        kept.seek(0)
        environ["wsgi.input"] = kept
        return None

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Replace the response that the application made after the error with the refusal."""
        outcome: Outcome | None = environ.get(self._key)
        if outcome is None or outcome.failed is None or self.buffer:
            return None
        note(environ, f"refused: {outcome.reason}; replaces {response.status}")
        return replaced(environ, response, self._refusal(outcome.failed))

    def _refusal(self, failed: type[BodyError]) -> Application:
        return self._hiding if issubclass(failed, HiddenCoding) else self._refusals[failed.code]

    def on_close(self, environ: Environ, error: BaseException | None) -> None:  # noqa: ARG002 - however it ended
        """Close the file of a buffered body."""
        outcome: Outcome | None = environ.get(self._key)
        if outcome is not None and outcome.file is not None:
            outcome.file.close()

    def layer(self) -> Layer:
        """Delay the head until the application returns, so that a body that it reads after start_response counts."""
        layer = super().layer()._replace(waits=True)
        own = type(self).on_close is not DecompressRequest.on_close
        return layer if self.buffer or own else layer._replace(on_close=None)

    def describe(self) -> Iterable[tuple[str, str]]:
        """The codings that are decoded, and when."""
        when = "before the application is called" if self.buffer else "as it is read"
        yield "request", f"decodes a body in {', '.join(self.codings)} {when}, up to {self.max_bytes} bytes"


def applied(given: str) -> list[str]:
    """Return the codings of a Content-Encoding, in the order in which they were applied."""
    names = (name.strip() for name in given.lower().split(","))
    return [_ALIASES.get(name, name) for name in names if name not in ("", "identity")]

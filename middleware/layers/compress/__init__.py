"""Compress and Gzip: encode responses in a content coding that the client accepts (RFC 9110 8.4, 12.5.3)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import ClassVar, Final, Literal, TypeAlias

from middleware.http.edits import Edit
from middleware.http.fields import content_length, plain
from middleware.http.negotiation import choices
from middleware.http.remembered import Remembered
from middleware.layers.compress.codecs import CODECS, CODINGS, available, codec
from middleware.layers.compress.codecs.codec import AUTO, Codec, CodecError
from middleware.layers.compress.content_types import DEFAULT, matches
from middleware.layers.compress.content_types import content_types as read_content_types
from middleware.layers.compress.encoding import Encoding
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, pairs, several
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ

Flush: TypeAlias = Literal["auto", "always", "never"]
ETag: TypeAlias = Literal["suffix", "weak"]
NotAcceptable: TypeAlias = Literal["identity", "406"]
_FLUSH: Final = {"auto": None, "always": True, "never": False}
_CHOICES: Final = {
    "flush": tuple(_FLUSH),
    "etag": ("suffix", "weak"),
    "backend": (AUTO, *CODECS["gzip"].backends),
    "not_acceptable": ("identity", "406"),
}
_NUMBERS: Final = count()  # unlike id(), never reused while a copy of a layer exists


class Compress(Middleware):
    """Encodes responses in the content coding that the client prefers.

    Stands innermost, next to the application. Only layers that rewrite the body stand inside it.

    Left alone are 1xx, 204, 205, 206 and 304; responses with Content-Range, Content-Encoding ("identity" is
    removed), Cache-Control: no-transform or Signature-Input; responses whose body the front-end server replaces
    (X-Sendfile, X-Accel-Redirect, X-LIGHTTPD-send-file, X-LiteSpeed-Location, X-Reproxy-URL, and their variants); types
    that are missing or not listed; and text/event-stream. If the client accepts identity, content known to be below
    `minimum_size`, and content that would not shrink, is left alone too. The application opts out by
    `environ["middleware.compress"] = False`. A no-transform in the request is ignored.

    A list or tuple is encoded in one call, with the right Content-Length. Any other body is a stream: it is encoded
    chunk by chunk in constant memory, without a Content-Length unless it is empty. HEAD gets the fields of GET, except
    Content-Length.

    Vary names Accept-Encoding on every response that another request could get in another coding, 206 and 304
    included. An encoded response, and a 304 to a client that has the encoded one, loses Accept-Ranges, Content-MD5,
    Content-Digest, Repr-Digest and Digest, because they describe other bytes; such a 304 loses Content-Length too.

    Options:
        codings: iterable of "zstd", "br", "gzip". The server's order among codings that the client accepts equally.
            Default: those that are installed, in this order.
        levels: mapping coding -> int. Compression levels. Default: for each coding the one that suits dynamic
            responses.
        minimum_size: int, bytes. Content below it is not encoded. Default 1024.
        content_types: iterable of types, "text/html", ranges, "text/*", and suffixes, "+json". The types to encode,
            regardless of parameters and case. Default: the types that mime-db marks as compressible, and a few more.
        flush: "auto", "always" or "never". Whether every chunk of a stream is sent at once and can be decoded; with
            "auto", only streams of unknown length are flushed, and not those with a Content-Length. A flush costs at
            least 5 bytes, so chunks of a few bytes become larger: join them into chunks of some KiB, or use "never" if
            no client reads before the end. Default "auto".
        etag: "suffix" or "weak". With "suffix", a strong "x" becomes "x-gzip" on the encoded response, and the
            application gets "x" in If-None-Match, If-Match and the If of WebDAV, so that 304 and 412 work. With "weak",
            the tag becomes W/"x", which never matches in If-Match. A request becomes a full one, since an encoded
            response has no ranges, if a condition ties its Range to an encoded response: If-Range, If-Match or If with
            such a tag; or, while a coding is negotiated, a weak tag or a date, If-Unmodified-Since, or a lock token in
            If. An ETag that is not an entity tag, such as abc without quotes, is removed from encoded responses,
            because two representations must not share it. Default "suffix".
        backend: "auto", "isal", "zlib-ng" or "zlib". The library for gzip; "auto" is the first that is installed.
            Default "auto".
        not_acceptable: "identity" or "406". The response to a client that refuses identity and every coding: identity
            anyway, or a 406 before the application runs. Default "identity".
        breach_padding: int, bytes, 0 to 512. The largest number of random bytes added to every encoded response,
            against guessing secrets by its length (BREACH). Entity tags of encoded responses become weak, because no
            two encodings are equal. Default 0.

    Errors: ConfigError, also for an explicit coding whose package is not installed: the message says what to install.
    Source: RFC 9110 8.4, 8.8.3.3, 12.5.3, 13.1, 15.4.5; RFC 9111 5.2.2.6; RFC 9530 2 and 3; RFC 9421 2; RFC 9659 3;
    RFC 4918 10.4.
    """

    # Options of Flask-Compress, Starlette and others, and what to write here.
    _peers: ClassVar[dict[str, str]] = {
        "minimum_length": "minimum_size",
        "min_size": "minimum_size",
        "mimetypes": "content_types",
        "compress_mimetypes": "content_types",
        "algorithms": "codings",
    }
    effects: ClassVar[Effects] = Effects(
        encodes_body=True,
        sets={"content-encoding", "vary", "etag"},
        reads={"content-type", "content-encoding", "etag"},
    )

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        codings: Iterable[str] = CODINGS,
        levels: Mapping[str, int | None] | None = None,
        minimum_size: int = 1024,
        content_types: Iterable[str] = DEFAULT,
        flush: Flush = "auto",
        etag: ETag = "suffix",
        backend: str = AUTO,
        not_acceptable: NotAcceptable = "identity",
        breach_padding: int = 0,
    ) -> None:
        super().__init__(app)
        problems = Problems(type(self).__name__)
        self.codings: tuple[str, ...] = problems.read("codings", codings, partial(_read_codings, levels), ())
        self.levels = _levels(problems, levels, self.codings)
        self.minimum_size, self.flush, self.etag = minimum_size, plain(flush), plain(etag)
        self.content_types = problems.read("content_types", content_types, read_content_types, DEFAULT)
        self.backend, self.not_acceptable = plain(backend), plain(not_acceptable)
        self.breach_padding = breach_padding
        problems.integer("minimum_size", minimum_size, 0, None, ", bytes")
        wrong = {name for name, known in _CHOICES.items() if not problems.one_of(name, getattr(self, name), known)}
        codecs = dict(self._codecs(problems, wrong))
        problems.done()
        shortest = minimum_size or 1  # empty content never shrinks
        self._encoding = Encoding(
            key=f"middleware.coding.{next(_NUMBERS)}",
            choices=choices(self.codings),
            matches=matches(self.content_types),
            codecs=codecs,
            offered=", ".join(codecs),
            encode={coding: each.whole() for coding, each in codecs.items()},
            relabel={
                coding: Edit(remove=["Content-Length"], replace=[("Content-Encoding", coding)]) for coding in codecs
            },
            short=Remembered(lambda said: (length := content_length(said)) is not None and length < shortest),
            minimum=minimum_size,
            flush=_FLUSH[self.flush],
            suffix=etag == "suffix" and not breach_padding,
            strict=not_acceptable == "406",
        )

    def _codecs(self, problems: Problems, wrong: set[str]) -> Iterable[tuple[str, Codec]]:
        """Make the codec of each coding. A fault is noted unless its option is known to be wrong."""
        for coding in self.codings:
            backend = self.backend if coding == "gzip" else AUTO
            try:
                yield coding, codec(coding, level=self.levels.get(coding), backend=backend, padding=self.breach_padding)
            except CodecError as error:
                option = self._option(error.option, coding)
                if option not in wrong:
                    problems.add(option, error.rule, error.value)
                wrong.add(option)

    def _option(self, argument: str, coding: str) -> str:
        """Return the name of the option that became an argument of a codec."""
        options = {"coding": "codings", "level": f"levels[{coding!r}]", "padding": "breach_padding"}
        return options.get(argument, argument)

    def on_request(self, environ: Environ) -> Application | None:
        """Negotiate the coding, and remove the suffixes of entity tags in conditions."""
        return self._encoding.on_request(environ)

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Encode the response if it qualifies."""
        return self._encoding.on_response(environ, response)

    def layer(self) -> Layer:
        """The hooks of the Encoding, without the methods of this class, which saves two calls for each request."""
        layer = super().layer()
        if type(self) not in (Compress, Gzip):
            return layer
        encoding = self._encoding
        layer = layer._replace(on_request=encoding.on_request, on_response=encoding.on_response)
        return layer if encoding.strict else layer._replace(ordinary=encoding.ordinary())

    def declared(self) -> Effects:
        """The effects of the class. With not_acceptable="406", the layer may answer requests."""
        return replace(self.effects, answers=True) if self.not_acceptable == "406" else self.effects

    def describe(self) -> Iterable[tuple[str, str]]:
        """The steps of the layer."""
        strict = "; answers 406 if the client accepts none" * (self.not_acceptable == "406")
        yield "request", f"negotiates {', '.join(self.codings)} by Accept-Encoding{strict}"
        tags = "gives strong entity tags a suffix" if self._encoding.suffix else "makes entity tags weak"
        yield "response", f"encodes compressible types from {self.minimum_size} bytes on; adds Vary; {tags}"


class Gzip(Compress):
    """Encodes responses in gzip for clients that accept it: Compress with a single coding.

    Stands innermost, and leaves alone the same responses as Compress.

    Options: those of Compress, without `codings` and `levels`, and one more.
        level: int or None. The compression level; None is the default of the backend, which suits dynamic responses.
            Default None.

    Errors: ConfigError, also for a backend that is not installed or does not support the level.
    Source: RFC 1952, and those of Compress.
    """

    _peers: ClassVar[dict[str, str]] = {
        "minimum_length": "minimum_size",
        "min_size": "minimum_size",
        "compress_level": "level",
        "compresslevel": "level",
        "mimetypes": "content_types",
    }

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        level: int | None = None,
        minimum_size: int = 1024,
        content_types: Iterable[str] = DEFAULT,
        flush: Flush = "auto",
        etag: ETag = "suffix",
        backend: str = AUTO,
        not_acceptable: NotAcceptable = "identity",
        breach_padding: int = 0,
    ) -> None:
        self.level = level
        super().__init__(
            app,
            codings=("gzip",),
            levels={"gzip": level},
            minimum_size=minimum_size,
            content_types=content_types,
            flush=flush,
            etag=etag,
            backend=backend,
            not_acceptable=not_acceptable,
            breach_padding=breach_padding,
        )

    def _option(self, argument: str, coding: str) -> str:
        return argument if argument == "level" else super()._option(argument, coding)


def _read_codings(levels: object, given: object) -> tuple[str, ...]:
    """Return the codings; by default those that are installed or named by `levels`."""
    if given is CODINGS:
        named = levels if isinstance(levels, Mapping) else ()
        return tuple(coding for coding in CODINGS if coding in named or available(coding))
    codings = several(given)
    once = 0 < len(codings) == len(set(map(repr, codings)))
    if not (once and all(coding in CODINGS for coding in codings)):
        raise ValueError(f"names each of its codings once, of {', '.join(map(repr, CODINGS))}")
    return tuple(map(str, codings))


def _levels(problems: Problems, given: object, codings: tuple[str, ...]) -> dict[str, int | None]:
    levels = {} if given is None else given
    if not problems.check(isinstance(levels, Mapping), "levels", "a mapping coding -> level, or None", given):
        return {}
    found: dict[str, int | None] = dict(pairs(levels))
    offered = all(coding in codings for coding in found)
    problems.check(offered or not codings, "levels", f"for codings that are offered: {', '.join(codings)}", given)
    return found

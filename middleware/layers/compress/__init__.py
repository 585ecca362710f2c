"""Compress and Gzip: a content coding for the responses that are worth it (RFC 9110 8.4, 12.5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, cast

from middleware.http.fields import content_length
from middleware.http.negotiation import choices
from middleware.http.remembered import Remembered
from middleware.layers.compress.codecs.codec import AUTO, CodecError
from middleware.layers.compress.codecs.registry import CODECS, available, codec
from middleware.layers.compress.content_types import DEFAULT, content_types, matches
from middleware.layers.compress.encoding import Encoding
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems, several

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from middleware.layers.compress.codecs.codec import Codec
    from middleware.wsgi.plan import Layer
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ

Flush: TypeAlias = Literal["auto", "always", "never"]
ETag: TypeAlias = Literal["suffix", "weak"]
NotAcceptable: TypeAlias = Literal["identity", "406"]
CODINGS: Final = ("zstd", "br", "gzip")
_FLUSH: Final = {"auto": None, "always": True, "never": False}
_WORDS: Final = {
    "flush": tuple(_FLUSH),
    "etag": ("suffix", "weak"),
    "backend": (AUTO, *CODECS["gzip"].backends),
    "not_acceptable": ("identity", "406"),
}
_NUMBERS: Final = count()  # the id of a layer is another's once it is gone, though copies of it are still there


class Compress(Middleware):
    """Encodes responses in the content coding that the client wants most.

    Stands innermost, next to the application: layers that rewrite the body stand inside it, all others outside.

    Left alone: 1xx, 204, 205, 206, 304; responses with Content-Range, Content-Encoding ("identity" is removed there),
    Cache-Control: no-transform or Signature-Input; responses whose body the server in front replaces (X-Sendfile,
    X-Accel-Redirect, X-LIGHTTPD-send-file, X-LiteSpeed-Location, X-Reproxy-URL, and their variants); types that are not
    listed, or missing; text/event-stream; and, if the client takes identity, content known to be below `minimum_size`,
    and what would not get smaller. The application opts out by `environ["middleware.compress"] = False`. A no-transform
    in the request is not looked at.

    A list or tuple is encoded in one go, with the right Content-Length. Anything else is a stream: encoded chunk by
    chunk, in constant memory, without a Content-Length, unless it is empty. HEAD gets the fields of GET without
    Content-Length.

    Vary names Accept-Encoding wherever another request could have got another coding, 206 and 304 included.
    Accept-Ranges, Content-MD5, Content-Digest, Repr-Digest and Digest go where the content is encoded, and from a 304
    for a client that has it encoded, with Content-Length: they are about other bytes.

    Options:
        codings: iterable of "zstd", "br", "gzip". The server's order of preference among what the client wants equally.
            Default: those that are installed, in this order.
        levels: mapping coding -> int. How hard each tries. Default: for each the one that suits responses made for each
            request.
        minimum_size: int, bytes. From how much content on it is worth it. Default 1024.
        content_types: iterable of types, "text/html", ranges, "text/*", and suffixes, "+json". What is encoded;
            parameters and case do not count. Default: those that mime-db knows to be compressible, and few more.
        flush: "auto", "always" or "never". Whether streams give out each chunk at once, decodable; with "auto" those of
            unknown length do, and those with a Content-Length do not. A flush costs 5 bytes or more, so rows of a few
            bytes get larger: join them into chunks of some KiB, or use "never" where nobody reads before the end.
            Default "auto".
        etag: "suffix" or "weak". By "suffix" a strong "x" is "x-gzip" on the encoded response, and the application
            finds "x" again in If-None-Match, If-Match and the If of WebDAV, so that 304 and 412 work; by "weak" it is
            W/"x", which If-Match never matches. A condition that ties a Range to an encoded response makes the request
            a full one, since an encoded response has no ranges: If-Range, If-Match or If with such a tag, and, while a
            coding is negotiated, with a weak tag or a date, If-Unmodified-Since, and a lock token in If. An ETag that
            is no entity tag, such as abc without quotes, is removed from encoded responses, as two representations
            must not share it. Default "suffix".
        backend: "auto", "isal", "zlib-ng" or "zlib". What encodes gzip; "auto" is the first that is installed. Default
            "auto".
        not_acceptable: "identity" or "406". What a client gets that refuses identity and every coding: identity all the
            same, or a 406 before the application runs. Default "identity".
        breach_padding: int, bytes, 0 to 512. A random number of bytes, up to that, on every encoded response, against
            guessing secrets by its length (BREACH). As no two are alike, their tags are weak. Default 0.

    Errors: ConfigError, also for a coding asked for by name whose package is not installed: it says what to install.
    Source: RFC 9110 8.4, 8.8.3.3, 12.5.3, 13.1, 15.4.5; RFC 9111 5.2.2.6; RFC 9530 2 and 3; RFC 9421 2; RFC 9659 3;
    RFC 4918 10.4.
    """

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
        self.codings = _codings(problems, codings, levels)
        self.levels = _levels(problems, levels, self.codings)
        self.minimum_size, self.content_types = minimum_size, _types(problems, content_types)
        self.flush, self.etag, self.not_acceptable = flush, etag, not_acceptable
        self.backend, self.breach_padding = backend, breach_padding
        problems.check(
            type(minimum_size) is int and minimum_size >= 0, "minimum_size", "an int from 0, bytes", minimum_size
        )
        codecs = dict(self._codecs(problems, {option for option in _WORDS if not self._is_a_word(problems, option)}))
        problems.done()
        self._encoding = Encoding(
            key=f"middleware.coding.{next(_NUMBERS)}",
            choices=choices(self.codings),
            matches=matches(self.content_types),
            codecs=codecs,
            encode={coding: each.whole() for coding, each in codecs.items()},
            short=Remembered(partial(_is_short, minimum_size)),
            minimum=minimum_size,
            flush=_FLUSH[flush],
            suffix=etag == "suffix" and not breach_padding,
            strict=not_acceptable == "406",
        )

    def _is_a_word(self, problems: Problems, option: str) -> bool:
        value, words = getattr(self, option), _WORDS[option]
        return problems.check(value in words, option, f"one of {', '.join(map(repr, words))}", value)

    def _codecs(self, problems: Problems, said: set[str]) -> Iterable[tuple[str, Codec]]:
        """One for each coding; what cannot be had goes to `problems`, unless that option is `said` to be wrong."""
        for coding in self.codings:
            backend = self.backend if coding == "gzip" else AUTO
            try:
                yield coding, codec(coding, level=self.levels.get(coding), backend=backend, padding=self.breach_padding)
            except CodecError as error:
                option = self._option(error.option, coding)
                if option not in said:
                    problems.add(option, error.rule, error.value)
                said.add(option)

    def _option(self, argument: str, coding: str) -> str:
        """The option by which an argument of a codec was given."""
        return {"coding": "codings", "level": f"levels[{coding!r}]", "padding": "breach_padding"}.get(
            argument, argument
        )

    def on_request(self, environ: Environ) -> Application | None:
        """Negotiate; take the suffixes off conditions."""
        return self._encoding.on_request(environ)

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Encode what is worth it."""
        return self._encoding.on_response(environ, response)

    def layer(self) -> Layer:
        """The hooks themselves: a call less on every request and response."""
        layer = super().layer()
        if type(self) not in (Compress, Gzip):
            return layer
        encoding = self._encoding
        layer = layer._replace(on_request=encoding.on_request, on_response=encoding.on_response)
        return layer if encoding.strict else layer._replace(ordinary=encoding.ordinary())

    def declared(self) -> Effects:
        """It answers if it may answer 406."""
        return replace(self.effects, answers=self.not_acceptable == "406")

    def describe(self) -> Iterable[tuple[str, str]]:
        """What it does when."""
        strict = "; answers 406 to who takes none" * (self.not_acceptable == "406")
        yield "request", f"negotiates {', '.join(self.codings)} by Accept-Encoding{strict}"
        tags = "gives strong entity tags a suffix" if self._encoding.suffix else "makes entity tags weak"
        yield "response", f"encodes compressible types from {self.minimum_size} bytes on; adds Vary; {tags}"


class Gzip(Compress):
    """Encodes responses in gzip, for clients that take it: Compress with that coding alone.

    Stands innermost, as Compress, and leaves alone what that leaves alone.

    Options: the others are those of Compress, without `codings` and `levels`.
        level: int or None. How hard it tries; None is the backend's own choice for responses made for each request.
            Default None.

    Errors: ConfigError, also for a backend that is not installed, or has not that level.
    Source: RFC 1952, and those of Compress.
    """

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


def _codings(problems: Problems, given: object, levels: object) -> tuple[str, ...]:
    """The codings that are offered; of the default those that are installed, and those that `levels` asks for."""
    if given is CODINGS:
        return _installed(levels if isinstance(levels, Mapping) else ())
    try:
        codings = tuple(several(given))
    except ValueError as error:
        problems.add("codings", str(error), given)
        return ()
    once = 0 < len(codings) == len(set(map(repr, codings)))
    right = all(coding in CODINGS for coding in codings)
    rule = f"names each of its codings once, of {', '.join(map(repr, CODINGS))}"
    return cast("tuple[str, ...]", codings) if problems.check(once and right, "codings", rule, given) else ()


def _is_short(minimum: int, said: str) -> bool:
    """Whether a Content-Length is one, and less than that (RFC 9110 8.6)."""
    length = content_length(said)
    return length is not None and length < minimum


def _installed(named: Container[object]) -> tuple[str, ...]:
    return tuple(coding for coding in CODINGS if coding in named or available(coding))


def _levels(problems: Problems, given: object, codings: tuple[str, ...]) -> dict[str, int | None]:
    levels = {} if given is None else given
    if not problems.check(isinstance(levels, Mapping), "levels", "a mapping coding -> level, or None", given):
        return {}
    found = dict(cast("Mapping[str, int | None]", levels))
    offered = all(coding in codings for coding in found)
    problems.check(offered or not codings, "levels", f"for codings that are offered: {', '.join(codings)}", given)
    return found


def _types(problems: Problems, given: object) -> frozenset[str]:
    try:
        return content_types(given)
    except ValueError as error:
        problems.add("content_types", str(error), given)
        return frozenset()

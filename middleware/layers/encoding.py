"""Encoding: which responses are encoded, and what becomes of their fields (RFC 9110 8.4). Belongs to Compress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from middleware.http.cache_control import has_directive
from middleware.http.edits import varying
from middleware.http.entity_tags import suffixed, weakened
from middleware.http.status import ORDINARY
from middleware.layers.revalidation import Revalidation, revalidating, suffix_known, weak_known
from middleware.wsgi.response import LATER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from middleware.http.negotiation import Choice
    from middleware.layers.codecs.codec import Codec
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ, StartResponse

OPT_OUT: Final = "middleware.compress"
# Whose suffix may stand in a tag, whether this layer uses the coding or not: it may have yesterday.
SUFFIXES: Final = ("zstd", "br", "gzip")
_ACCEPT: Final = "HTTP_ACCEPT_ENCODING"
_vary: Final = varying(("Accept-Encoding",))
_CONDITIONAL: Final = ("304", "412")
# RFC 9110 6.4.1, 15.3.6 and 15.3.7: without content, or with parts of it
_LEFT_ALONE: Final = frozenset((*map(str, range(100, 200)), "204", "205", "206", "304"))
# What is told of the content as it is: RFC 9110 8.6, 8.8.3 and 14.3; RFC 1864; RFC 9530 2 and 3
_OF_IDENTITY: Final = frozenset(
    ("content-length", "etag", "accept-ranges", "content-md5", "content-digest", "repr-digest")
)
Known: TypeAlias = dict[str, str]


class _Unsent:
    """Stands for the encoder of a body that is not sent: to HEAD."""

    def feed(self, chunk: bytes) -> bytes:
        """Keep it."""
        return chunk

    def finish(self) -> bytes:
        """Add nothing."""
        return b""


# What has content for sure, as frameworks spell it
_WHOLE: Final = frozenset(status for status in ORDINARY if status[:3] not in {*_LEFT_ALONE, *_CONDITIONAL})
_UNSENT: Final = _Unsent()


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a Compress does to a request and its response.

    Attributes:
        key: the environ key under which it keeps what it found out about the request.
        later: the same for a response that is to be encoded once its body is there.
        choices: Accept-Encoding -> what the client gets.
        matches: Content-Type -> whether it is worth it.
        codecs: coding -> what encodes it.
        minimum: bytes of content from which on it is worth it.
        flush: whether streams are decodable chunk by chunk; None: those of unknown length.
        suffix: whether a strong tag gets a suffix; otherwise it is made weak.
        strict: whether a client that takes nothing gets a 406.
    """

    key: str
    later: str
    choices: Mapping[str, Choice]
    matches: Mapping[str, bool]
    codecs: Mapping[str, Codec]
    minimum: int
    flush: bool | None
    suffix: bool
    strict: bool

    def on_request(self, environ: Environ) -> Application | None:
        """Negotiate, and change conditions to what the application knows."""
        choice = self.choices[environ.get(_ACCEPT, "")]
        environ[self.key] = choice
        if "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MATCH" in environ or "HTTP_IF_RANGE" in environ:
            environ[self.key] = revalidating(environ, choice, SUFFIXES if self.suffix else ())
        if self.strict and choice.coding is None and not choice.identity:
            return not_acceptable
        return None

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Encode it, or leave it alone."""
        if self.later in environ:
            request, lines = environ.pop(self.later)
            if lines is response.lines:  # no other head has come since
                return self._encode(environ, response, response.names(), request)
        request = environ.pop(self.key, None) or self.choices[environ.get(_ACCEPT, "")]
        fields = response.names()
        special = response.status not in _WHOLE or type(request) is Revalidation
        if special and self._settled(environ, response, fields, request):
            return None
        if not (self.matches[fields.get("content-type", "")] and _may_change(environ, fields)):
            _drop_identity(response, fields)
        elif self._declines(fields, request):
            _vary(None, response)
        else:
            return self._encode(environ, response, fields, request)
        return None

    def _settled(self, environ: Environ, response: Response, fields: Known, request: Choice) -> bool:
        """Undo what the request was changed by; say in a 304 or 412 what the client can know; whether that was all."""
        if isinstance(request, Revalidation):
            environ.update(request.said)  # layers further out have to do with what the client said
        code = response.status[:3]
        if code in _CONDITIONAL and "etag" in fields:
            response["ETag"] = fields["etag"] = self._known_tag(environ, fields["etag"], request)
        if code == "304" and self._may_be_of_encoded(environ, fields):
            _vary(None, response)
        return code in _LEFT_ALONE

    def _may_be_of_encoded(self, environ: Environ, fields: Known) -> bool:
        """Whether a 304 may be about content that is encoded: it rarely says of which type that is."""
        return ("content-type" not in fields or self.matches[fields["content-type"]]) and _may_change(environ, fields)

    def _known_tag(self, environ: Environ, tag: str, request: Choice) -> str:
        if self.suffix:
            return suffix_known(tag, request, SUFFIXES)
        return weak_known(tag, environ.get("HTTP_IF_NONE_MATCH", ""))

    def _declines(self, fields: Known, request: Choice) -> bool:
        """Whether the client wants the content as it is, or takes it so and it is known to be too small."""
        if request.coding is None:
            return True
        length = fields.get("content-length", "")
        return length.isdecimal() and int(length) < self.minimum and request.identity

    def _encode(self, environ: Environ, response: Response, fields: Known, request: Choice) -> Transform | None:
        """Encode the body, once it is there."""
        if response.body is None:
            environ[self.later] = request, response.lines
            return LATER
        body, coding = response.body, cast("str", request.coding)
        sized = body if isinstance(body, (list, tuple)) else None
        if environ.get("REQUEST_METHOD") == "HEAD":
            return self._unsent(response, fields, request, sized)
        if sized is None:
            size = _length(fields)
            self._relabel(response, fields, coding)
            flush = size is None if self.flush is None else self.flush
            return self.codecs[coding].encoder(flush=flush, size=size)
        data = sized[0] if len(sized) == 1 else b"".join(sized)
        encoded = self._smaller(data, request)
        if encoded is None:
            _vary(None, response)
        else:
            response.body = [encoded]
            self._relabel(response, fields, coding)
            _append(response, fields, "Content-Length", str(len(encoded)))
        return None

    def _smaller(self, data: bytes, request: Choice) -> bytes | None:
        """The content encoded, if that makes it smaller, or the client takes nothing else."""
        if len(data) < self.minimum and request.identity:
            return None
        encoded = self.codecs[cast("str", request.coding)].encode(data)
        return encoded if len(encoded) < len(data) or not request.identity else None

    def _unsent(
        self, response: Response, fields: Known, request: Choice, body: Sequence[bytes] | None
    ) -> Transform | None:
        """Give a HEAD the fields of GET. What the application has of a body tells its size, if it is not empty."""
        if body and request.identity and sum(map(len, body)) < self.minimum:
            _vary(None, response)
            return None
        self._relabel(response, fields, cast("str", request.coding))
        return _UNSENT

    def _relabel(self, response: Response, fields: Known, coding: str) -> None:
        """Say what the content is now, and no longer what it was."""
        gone = _OF_IDENTITY.intersection(fields)
        lines = [line for line in response.lines if line[0].lower() not in gone]
        lines.append(("Content-Encoding", coding))
        if "etag" in gone and (tag := self._encoded_tag(response, fields["etag"], coding)):
            lines.append(("ETag", tag))
        response.lines, response.folded = lines, None
        _vary(None, response)

    def _encoded_tag(self, response: Response, tag: str, coding: str) -> str:
        """The tag of the encoded content; nothing for what is no tag, and so may not be shared (RFC 9110 8.8.3.3)."""
        if response.status.startswith("412"):
            return tag  # it is not about this content
        encoded = suffixed(tag, coding) if self.suffix else weakened(tag)
        return encoded if encoded != tag or tag.startswith("W/") else ""


def not_acceptable(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG001 - as WSGI has it
    """Answer a client that takes neither identity nor any coding (RFC 9110 12.5.3, 15.5.7)."""
    text = b"Not Acceptable: no content coding that Accept-Encoding allows\n"
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    start_response("406 Not Acceptable", fields)
    return [text]


def _may_change(environ: Environ, fields: Known) -> bool:
    """Whether nobody forbids it, whatever this client wants."""
    if "content-encoding" in fields or "content-range" in fields or "signature-input" in fields:
        return False  # RFC 9110 8.4 and 14.4; RFC 9421 2: a signature may cover what would change
    if "cache-control" in fields and has_directive(fields["cache-control"], "no-transform"):
        return False
    return OPT_OUT not in environ or environ[OPT_OUT] is not False


def _drop_identity(response: Response, fields: Known) -> None:
    """Take out a Content-Encoding that says nothing: identity is for Accept-Encoding alone (RFC 9110 12.5.3)."""
    if fields.get("content-encoding", "").strip().lower() == "identity":
        del response["Content-Encoding"]


def _length(fields: Known) -> int | None:
    """The Content-Length, if there is one (RFC 9110 8.6)."""
    length = fields.get("content-length", "")
    return int(length) if length.isdecimal() else None


def _append(response: Response, fields: Known, name: str, value: str) -> None:
    """Send a line that is known to be right, and the only one of its name."""
    response.lines.append((name, value))
    fields[name.lower()] = value

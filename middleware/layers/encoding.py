"""Encoding: which responses are encoded, and what becomes of their fields (RFC 9110 8.4). Belongs to Compress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from middleware.http.cache_control import has_directive
from middleware.http.entity_tags import suffixed, weakened
from middleware.http.negotiation import Choice
from middleware.layers.revalidation import Revalidation, revalidating, suffix_known, weak_known
from middleware.wsgi.response import LATER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from middleware.http.fields import Line
    from middleware.layers.codecs.codec import Codec
    from middleware.wsgi.response import Response, Transform
    from middleware.wsgi.types import Application, Environ, StartResponse

OPT_OUT: Final = "middleware.compress"
# Whose suffix may stand in a tag, whether this layer uses the coding or not: it may have yesterday.
SUFFIXES: Final = ("zstd", "br", "gzip")
_ACCEPT: Final = "HTTP_ACCEPT_ENCODING"
_VARY: Final = ("Vary", "Accept-Encoding")
_CONDITIONAL: Final = ("304", "412")
# RFC 9110 15.3.7 and 15.4.5: what a 200 to the same request would vary by, they vary by
_OF_A_200: Final = ("206", "304")
_PARTS: Final = "multipart/byteranges"  # RFC 9110 14.6: the type of the parts' envelope
# RFC 9110 6.4.1, 15.3.6 and 15.3.7: without content, or with parts of it
_SPECIAL: Final = frozenset((*map(str, range(100, 200)), "204", "205", "206", *_CONDITIONAL))
# RFC 9110 14.4 and 8.4; RFC 9421 2: a signature may cover what would change
_FORBID: Final = frozenset(("content-range", "content-encoding", "signature-input"))
# What is told of the content as it is: RFC 9110 8.6 and 14.3; RFC 1864; RFC 9530 2 and 3, and RFC 3230 before it
_OF_IDENTITY: Final = frozenset(
    ("content-length", "accept-ranges", "content-md5", "content-digest", "repr-digest", "digest")
)
_RELABELLED: Final = _OF_IDENTITY | {"etag"}
_ASKED: Final = frozenset(("content-type", "content-length", "cache-control", "etag", "vary", *_FORBID))
_LENGTHS: Final = frozenset(map(len, _ASKED))
_DIGITS: Final = 18  # of a Content-Length that is one: 64 bits
Asked: TypeAlias = dict[str, str]
Request: TypeAlias = Choice | Revalidation


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a Compress does to a request and its response.

    Attributes:
        key: the environ key under which it keeps what it found out about the request.
        choose: Accept-Encoding -> what the client gets.
        matches: Content-Type -> whether it is worth it.
        codecs: coding -> what encodes it.
        minimum: bytes of content from which on it is worth it.
        flush: whether streams are decodable chunk by chunk; None: those of unknown length.
        suffix: whether a strong tag gets a suffix; otherwise it is made weak.
        strict: whether a client that takes nothing gets a 406.
    """

    key: str
    choose: Callable[[str], Choice]
    matches: Callable[[str], bool]
    codecs: Mapping[str, Codec]
    minimum: int
    flush: bool | None
    suffix: bool
    strict: bool

    def on_request(self, environ: Environ) -> Application | None:
        """Negotiate, and change conditions to what the application knows."""
        choice = self.choose(environ.get(_ACCEPT, ""))
        said = getattr(environ.get(self.key), "said", None)  # to this very layer, around a stack that it is in again
        environ[self.key] = choice
        if said or "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MATCH" in environ or "HTTP_IF_RANGE" in environ:
            environ[self.key] = revalidating(environ, choice, SUFFIXES if self.suffix else (), said)
        return _refusal(choice) if self.strict else None

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Encode it, or leave it alone."""
        request = environ.pop(self.key, None) or self.choose(environ.get(_ACCEPT, ""))
        if isinstance(request, Revalidation):
            environ.update(request.said)  # layers further out have to do with what the client said
        fields = _asked(response.lines)
        if response.status[:3] in _SPECIAL:
            return self._special(environ, response, fields, request)
        return self._content(environ, response, fields, request)

    def _special(self, environ: Environ, response: Response, fields: Asked, request: Request) -> Transform | None:
        """What has no content, or a tag that the client must know again (RFC 9110 15.4.5, 15.5.13)."""
        code = response.status[:3]
        if code in _CONDITIONAL and "etag" in fields:
            response["ETag"] = fields["etag"] = self._known_tag(environ, fields["etag"], request)
        if code == "412":
            return self._content(environ, response, fields, request)
        if code in _OF_A_200:
            self._as_a_200(environ, response, fields, request)
        return None

    def _as_a_200(self, environ: Environ, response: Response, fields: Asked, request: Request) -> None:
        """Say what a 200 to the same request would say, if that could be encoded."""
        if self._would_match(fields) and _may_change(environ, fields):
            if response.status[:3] == "304" and self._wanted(fields, request):
                # RFC 9111 3.2: what the client has, and would update, is encoded
                _drop(response, _OF_IDENTITY)
            _vary(response, fields)

    def _known_tag(self, environ: Environ, tag: str, request: Request) -> str:
        if self.suffix:
            return suffix_known(tag, request, SUFFIXES)
        return weak_known(tag, environ.get("HTTP_IF_NONE_MATCH", ""))

    def _would_match(self, fields: Asked) -> bool:
        """Whether the type of a whole response, of which this one has a part or nothing, may be worth it."""
        fields.pop("content-range", None)  # which is said of the part
        content_type = fields.get("content-type")
        return content_type is None or content_type.lower().startswith(_PARTS) or self.matches(content_type)

    def _content(self, environ: Environ, response: Response, fields: Asked, request: Request) -> Transform | None:
        """What has content is encoded if that may be and is worth it."""
        if not (self.matches(fields.get("content-type", "")) and _may_change(environ, fields)):
            _drop_identity(response, fields)
            return None
        if not self._wanted(fields, request):
            _vary(response, fields)
            return None
        if response.body is None:
            return LATER  # then by Accept-Encoding alone: what else was said has had its effect
        return self._encode(environ, response, fields, request)

    def _wanted(self, fields: Asked, request: Request) -> bool:
        """Whether this client wants it encoded, and it may be worth it."""
        return request.coding is not None and self._worth(_length(fields), request)

    def _worth(self, size: int | None, request: Request) -> bool:
        """Whether content of that size is encoded; None: nobody knows it yet."""
        return size is None or size >= self.minimum or not request.identity

    def _encode(self, environ: Environ, response: Response, fields: Asked, request: Request) -> Transform | None:
        """Encode the body, now that it is there."""
        body, coding = response.body, cast("str", request.coding)
        unsent = environ.get("REQUEST_METHOD") == "HEAD"
        if isinstance(body, (list, tuple)) and not (unsent and not any(body)):  # empty is all of it, but to HEAD
            return self._encode_whole(response, fields, request, body, unsent=unsent)
        self._relabel(response, fields, coding)
        size = _length(fields)
        return self.codecs[coding].encoder(flush=size is None if self.flush is None else self.flush, size=size)

    def _encode_whole(
        self, response: Response, fields: Asked, request: Request, body: Sequence[bytes], *, unsent: bool
    ) -> Transform | None:
        """Encode a sized body, if that makes it smaller; a HEAD gets the fields that say so."""
        encoded = self._smaller(body[0] if len(body) == 1 else b"".join(body), request)
        if encoded is None:
            _vary(response, fields)
            return None
        coding = cast("str", request.coding)
        if unsent:
            self._relabel(response, fields, coding)
            return self.codecs[coding].encoder(flush=False)  # never fed: it says that the body will be another
        response.body = [encoded]
        self._relabel(response, fields, coding, ("Content-Length", str(len(encoded))))
        return None

    def _smaller(self, data: bytes, request: Request) -> bytes | None:
        """The content encoded, if that makes it smaller, or the client takes nothing else."""
        if not self._worth(len(data), request):
            return None
        encoded = self.codecs[cast("str", request.coding)].encode(data)
        return encoded if len(encoded) < len(data) or not request.identity else None

    def _relabel(self, response: Response, fields: Asked, coding: str, *length: Line) -> None:
        """Say what the content is now, and no longer what it was."""
        _drop(response, _RELABELLED)
        lines = response.lines
        lines += [("Content-Encoding", coding), *length]
        tag = fields.get("etag", "")
        if not response.status.startswith("412"):  # whose tag is not about this content
            tag = self._encoded_tag(tag, coding)
        if tag:
            lines.append(("ETag", tag))
        _vary(response, fields)

    def _encoded_tag(self, tag: str, coding: str) -> str:
        """The tag of the encoded content; nothing for what is no tag, and so may not be shared (RFC 9110 8.8.3.3)."""
        encoded = suffixed(tag, coding) if self.suffix else weakened(tag)
        return encoded if encoded != tag or tag.startswith("W/") else ""


def _refusal(choice: Choice) -> Application | None:
    """What answers a client that takes nothing."""
    return None if choice.coding or choice.identity else not_acceptable


def not_acceptable(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG001 - as WSGI has it
    """Answer a client that takes neither identity nor any coding (RFC 9110 12.5.3, 15.5.7)."""
    text = b"Not Acceptable: no content coding that Accept-Encoding allows\n"
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    start_response("406 Not Acceptable", fields)
    return [text]


def _asked(lines: Iterable[Line]) -> Asked:
    """The fields that are looked at, by their names in lower case; several lines are one list (RFC 9110 5.3)."""
    found: Asked = {}
    for name, value in lines:
        if len(name) in _LENGTHS:  # most others are told apart by that
            folded = name.lower()
            found[folded] = f"{found[folded]}, {value}" if folded in found else value
    return found


def _may_change(environ: Environ, fields: Asked) -> bool:
    """Whether nobody forbids it, whatever this client wants."""
    return (
        fields.keys().isdisjoint(_FORBID)
        and not ("cache-control" in fields and has_directive(fields["cache-control"], "no-transform"))
        and environ.get(OPT_OUT) is not False
    )


def _drop_identity(response: Response, fields: Asked) -> None:
    """Take out a Content-Encoding that says nothing: identity is for Accept-Encoding alone (RFC 9110 12.5.3)."""
    if fields.get("content-encoding", "").strip().lower() == "identity":
        del response["Content-Encoding"]


def _drop(response: Response, names: frozenset[str]) -> None:
    """Take out every line of these names; whoever looks at the names next makes them anew."""
    response.lines = [line for line in response.lines if line[0].lower() not in names]
    response.folded = None


def _length(fields: Asked) -> int | None:
    """The Content-Length, if there is one (RFC 9110 8.6)."""
    length = fields.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) <= _DIGITS else None


def _vary(response: Response, fields: Asked) -> None:
    """Say that Accept-Encoding selected this response (RFC 9110 12.5.5)."""
    if "vary" in fields:
        response.vary(_VARY[1])
        return
    response.lines.append(_VARY)
    if response.folded:
        response.folded.add("vary")

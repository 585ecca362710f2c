"""Encoding: the responses that are encoded, and their fields (RFC 9110 8.4). Part of Compress."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from middleware.http.edits import Edit, Look
from middleware.http.entity_tags import suffixed, weakened
from middleware.http.fields import DIGESTS, UNALTERABLE, content_length
from middleware.http.lists import has_directive
from middleware.http.negotiation import Choice
from middleware.http.status import ORDINARY
from middleware.layers.compress import revalidation
from middleware.layers.compress.codecs.codec import Codec
from middleware.layers.compress.content_types import compressible
from middleware.layers.compress.revalidation import SUFFIXES, Negotiated, Revalidation
from middleware.wsgi.answer import NOTES, fixed, note
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.row import Ordinary
from middleware.wsgi.types import Application, Environ

OPT_OUT: Final = "middleware.compress"
_ACCEPT: Final = "HTTP_ACCEPT_ENCODING"
_vary: Final = Edit(vary=("Accept-Encoding",))
_CONDITIONAL: Final = ("304", "412")
# RFC 9110 6.4.1, 15.3.6 and 15.3.7: without content, or with parts of it
_LEFT_ALONE: Final = frozenset((*map(str, range(100, 200)), "204", "205", "206", "304"))
# RFC 9110 15.3.7 and 15.4.5: statuses whose Vary is that of a 200
_OF_A_200: Final = ("206", "304")
_EVERY_TYPE: Final = frozenset(("*/*",))
_PARTS: Final = "multipart/byteranges"  # RFC 9110 14.6: the media type that holds the parts
# Statuses that have content, as frameworks spell them
_WHOLE: Final = frozenset(status for status in ORDINARY if status[:3] not in {*_LEFT_ALONE, *_CONDITIONAL})
# Fields that describe the content before it is encoded: RFC 9110 8.6 and 14.3 beside its digests
_OF_IDENTITY: Final = DIGESTS | {"content-length", "accept-ranges"}
_TOLD: Final = _OF_IDENTITY - {"content-length"} | {"etag"}
# Without any of these fields, the encoding is allowed and all of its changes are known in advance
_NOTABLE: Final = _TOLD | UNALTERABLE | {"content-encoding", "cache-control", "vary"}
_look: Final = Look(_NOTABLE | {"content-type", "content-length"})
_untell: Final = Edit(remove=_TOLD)
_update_encoded: Final = Edit(remove=_OF_IDENTITY, vary=("Accept-Encoding",))
_NOT_LISTED: Final = "not encoded: type {} is not listed in content_types"
_NEVER: Final = "not encoded: type {} is never encoded"
_NO_CODING: Final = "not encoded: the client accepts none of {}, or prefers identity"
_NO_GAIN: Final = "not encoded: {} would not make it smaller"
_SMALL: Final = "not encoded: {} bytes, minimum_size is {}"
_REFUSED: Final = b"Not Acceptable: no content coding that Accept-Encoding allows\n"
# The answer to a client that takes neither identity nor any coding (RFC 9110 12.5.3, 15.5.7)
not_acceptable: Final = fixed(
    "406 Not Acceptable",
    [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(_REFUSED)))],
    _REFUSED,
)
Known: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The hooks of a Compress, and its prepared options.

    Attributes:
        key: the environ key of the choice that was made for the request.
        choices: Accept-Encoding -> the choice.
        matches: Content-Type -> whether content of that type is encoded.
        codecs: coding -> its codec.
        offered: the names of the codings, for a note.
        encode: coding -> the function that encodes a whole body.
        relabel: coding -> the edit of its head, except for the new Content-Length.
        short: Content-Length -> whether the length is known to be less than the minimum.
        minimum: bytes below which content is not encoded.
        flush: whether streams are decodable chunk by chunk; None: only streams of unknown length.
        suffix: whether a strong tag gets a suffix; otherwise it is made weak.
        strict: whether a client that accepts nothing gets a 406.
    """

    key: str
    choices: Mapping[str, Choice]
    matches: Mapping[str, bool]
    codecs: Mapping[str, Codec]
    offered: str
    encode: Mapping[str, Callable[[bytes], bytes]]
    relabel: Mapping[str, Edit]
    short: Mapping[str, bool]
    minimum: int
    flush: bool | None
    suffix: bool
    strict: bool

    def ordinary(self) -> Ordinary:
        """The facts that decide whether a response too small to be encoded has a Vary."""
        return Ordinary(_NOTABLE, by=(_ACCEPT,), keeps=(self.key,), typed=True, below=self.minimum, unless=(OPT_OUT,))

    def on_request(self, environ: Environ) -> Application | None:
        """Negotiate, and change conditions to tags that the application knows."""
        choice = self.choices[environ.get(_ACCEPT, "")]
        if (
            self.key in environ  # this layer also wraps the stack
            or "HTTP_IF_NONE_MATCH" in environ
            or "HTTP_IF_MATCH" in environ
            or "HTTP_IF_RANGE" in environ
            or "HTTP_IF_UNMODIFIED_SINCE" in environ
            or "HTTP_IF" in environ
        ):
            before = environ.get(self.key)
            environ[self.key] = revalidation.revalidating(environ, choice, suffix=self.suffix, before=before)
        else:
            environ[self.key] = choice
        if not self.strict or choice.coding or choice.identity:
            return None
        note(environ, "Accept-Encoding refuses identity and every coding")
        return not_acceptable

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Encode the response, or leave it alone."""
        fields = _look(response.headers)
        request = environ.pop(self.key, None)
        if type(request) is not Choice or response.status not in _WHOLE:
            return self._unusual(environ, response, fields, request)
        if not _NOTABLE.isdisjoint(fields) or OPT_OUT in environ:
            return self._notable(environ, response, fields, request)
        if not self.matches[fields.get("content-type", "")]:
            _note_type(environ, fields.get("content-type", ""))
            return None
        body = response.body
        if type(body) is not list or response.method == "HEAD":
            return self._judge(environ, response, fields, request)
        self._encode_sized(environ, response, request, body)
        _vary(response.headers)
        return None

    def _unusual(
        self, environ: Environ, response: Response, fields: Known, request: Negotiated | None
    ) -> Transform | None:
        """Handle a response that may have no content, or whose request was changed or did not reach this layer."""
        request = request or self.choices[environ.get(_ACCEPT, "")]
        if self._settled(environ, response, fields, request):
            note(environ, "not encoded: a {} has no whole content", response.status[:3])
            return None
        return self._notable(environ, response, fields, request)

    def _notable(self, environ: Environ, response: Response, fields: Known, request: Negotiated) -> Transform | None:
        """Handle a response with fields that may forbid the encoding, or describe more than type and length."""
        reason = _forbidden_by(environ, fields)
        if reason is None:
            return self._judge(environ, response, fields, request)
        note(environ, "not encoded: {}", reason)
        if fields.get("content-encoding", "").strip().lower() == "identity":
            del response.headers["Content-Encoding"]  # identity is for Accept-Encoding alone (RFC 9110 12.5.3)
        return None

    def _judge(self, environ: Environ, response: Response, fields: Known, request: Negotiated) -> Transform | None:
        """Encode content whose type is listed and which is not known to be too small."""
        if not self.matches[fields.get("content-type", "")]:
            _note_type(environ, fields.get("content-type", ""))
            return None
        if self._declines(fields, request):
            _vary(response.headers)
            if request.coding is None:
                note(environ, _NO_CODING, self.offered)
            elif self.minimum:
                note(environ, _SMALL, fields["content-length"], self.minimum)
            else:
                note(environ, _NO_GAIN, request.coding)
            return None
        body = response.body
        sized = isinstance(body, (list, tuple))
        if response.method == "HEAD":
            self._encode_head(environ, response, fields, request, body if sized else ())
        elif sized:
            coding = self._encode_sized(environ, response, request, body)
            self._retell(environ, response, fields, coding)
        else:
            return self._encode_stream(environ, response, fields, request)
        return None

    def _declines(self, fields: Known, request: Negotiated) -> bool:
        """Whether the client accepts identity only, or accepts it and the content is known to be too small."""
        return request.coding is None or (request.identity and self.short[fields.get("content-length", "")])

    def _settled(self, environ: Environ, response: Response, fields: Known, request: Negotiated) -> bool:
        """Restore the conditional headers and rewrite a 304 or 412; return whether nothing is left to do."""
        if isinstance(request, Revalidation):
            environ.update(request.said)  # outer layers see the request as received
        code = response.status[:3]
        tag = fields.get("etag") if code in _CONDITIONAL else None
        if tag is not None:
            if self.suffix:
                known = revalidation.suffix_known(environ, code, tag, request, SUFFIXES)
            else:
                known = revalidation.weak_known(tag, environ.get("HTTP_IF_NONE_MATCH", ""))
            if known != tag:
                response.headers["ETag"] = fields["etag"] = known
        if code in _OF_A_200:
            fields.pop("content-range", None)  # a part may not be encoded, but the whole may
            self._say_as_a_200(environ, response, fields, request)
        return code in _LEFT_ALONE

    def _say_as_a_200(self, environ: Environ, response: Response, fields: Known, request: Negotiated) -> None:
        """Add the Vary that a 200 to this request would have, if that 200 may be encoded."""
        content_type = fields.get("content-type")  # that of the whole, unless it has parts
        if content_type is not None and not content_type.lower().startswith(_PARTS) and not self.matches[content_type]:
            return
        if _forbidden_by(environ, fields) is not None:
            return
        if response.status.startswith("304") and not self._declines(fields, request):
            _update_encoded(response.headers)  # the stored response that a 304 updates is encoded (RFC 9111 3.2)
        else:
            _vary(response.headers)

    def _encode_sized(self, environ: Environ, response: Response, request: Negotiated, body: Any) -> str | None:
        """Encode a sized body if that makes it smaller, or identity is refused; return the coding if it was encoded."""
        coding = request.coding
        if coding is None:
            note(environ, _NO_CODING, self.offered)
            return None
        data = b"".join(body)
        identity = request.identity
        if identity and len(data) < self.minimum:
            note(environ, _SMALL, len(data), self.minimum)
            return None
        encoded = self.encode[coding](data)
        if identity and len(encoded) >= len(data):
            note(environ, _NO_GAIN, coding)
            return None
        response.body = [encoded]
        self.relabel[coding](response.headers)
        response.headers.append(("Content-Length", str(len(encoded))))
        return coding

    def _encode_head(self, environ: Environ, response: Response, fields: Known, request: Negotiated, body: Any) -> None:
        """Give a HEAD the fields of GET. An empty body does not show whether the content would be encoded."""
        coding = request.coding
        if any(body):
            coding = self._encode_sized(environ, response, request, body)
        else:
            response.headers["Content-Encoding"] = coding or ""
        if coding is not None:
            response.body = ()
            del response.headers["Content-Length"]
        self._retell(environ, response, fields, coding)

    def _encode_stream(self, environ: Environ, response: Response, fields: Known, request: Negotiated) -> Transform:
        """Encode a stream. The pipeline removes or replaces its Content-Length."""
        coding = request.coding or ""
        size, tag = content_length(fields.get("content-length", "")), fields.get("etag")
        response.headers["Content-Encoding"] = coding
        self._retell(environ, response, fields, coding)
        told = tag and response.headers.get("ETag")
        encoder = self.codecs[coding].encoder(flush=size is None if self.flush is None else self.flush, size=size)
        if request.identity:

            def undo(response: Response) -> None:
                """Restore the fields of a body that turns out to be empty, unless outer layers have changed them."""
                headers = response.headers
                if headers.get("Content-Encoding") == coding:
                    del headers["Content-Encoding"]
                if tag and told and headers.get("ETag") == told:
                    headers["ETag"] = tag

            encoder.undo = undo
        return encoder

    def _retell(self, environ: Environ, response: Response, fields: Known, coding: str | None) -> None:
        """Remove the fields that describe the content before it was encoded, and rewrite the entity tag."""
        if coding is not None and not _TOLD.isdisjoint(fields):
            _untell(response.headers)
            tag = fields.get("etag")
            if tag and (known := self._encoded_tag(response, tag, coding)):
                response.headers["ETag"] = known
            elif tag:
                note(environ, "ETag is removed, because it is no entity tag: {}", tag)
        _vary(response.headers)

    def _encoded_tag(self, response: Response, tag: str, coding: str) -> str:
        """The tag of the encoded content, or "" for an invalid one, which must not be shared (RFC 9110 8.8.3.3)."""
        if response.status.startswith("412"):
            return tag  # the tag of another representation
        encoded = suffixed(tag, coding) if self.suffix else weakened(tag)
        return encoded if encoded != tag or tag.startswith("W/") else ""


def _note_type(environ: Environ, content_type: str) -> None:
    """Note why content of this type is not encoded: no list contains it, or not the one that was given."""
    if NOTES in environ:
        never = content_type and not compressible(content_type, _EVERY_TYPE)
        note(environ, _NEVER if never else _NOT_LISTED, content_type or "none")


def _forbidden_by(environ: Environ, fields: Known) -> str | None:
    """The reason why the content must not be encoded for any client, or None (RFC 9111 5.2.2.6)."""
    if "content-encoding" in fields:  # RFC 9110 8.4
        return f"the application sent it with Content-Encoding: {fields['content-encoding']}"
    if not UNALTERABLE.isdisjoint(fields):
        return f"the application sent {next(name for name in fields if name in UNALTERABLE).title()}"
    if OPT_OUT in environ and environ[OPT_OUT] is False:
        return f"the application opted out by {OPT_OUT}"
    if "cache-control" in fields and has_directive(fields["cache-control"], "no-transform"):
        return "Cache-Control has no-transform"
    return None

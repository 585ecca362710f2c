"""Conditional: makes entity tags, and answers 304 if the client already has the content (RFC 9110 13)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar, Final, cast

from middleware.http.dates import http_date
from middleware.http.edits import Look
from middleware.http.entity_tags import matches_weakly
from middleware.http.fields import UNALTERABLE, content_length
from middleware.http.lists import has_directive
from middleware.wsgi.answer import note
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.plan import Layer
from middleware.wsgi.response import Response
from middleware.wsgi.types import Application, Environ

NONCE: Final = "middleware.csp_nonce"
_RANGE: Final[tuple[str, ...]] = ("HTTP_RANGE", "HTTP_IF_RANGE")
# The beginning of a tag that this layer made: 128 bits of SHA-256 in hexadecimal
_MADE: Final = re.compile(r'"sha256-[0-9a-f]{32}')
# A response with one of these gets no tag: it differs for each client, or is already encoded
_UNTAGGED: Final = frozenset(("set-cookie", "content-encoding"))
_look: Final = Look(UNALTERABLE | _UNTAGGED | {"cache-control", "content-length", "etag", "last-modified"})
# RFC 9110 15.4.5: metadata that guides no cache
_NOT_IN_304: Final = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range")
_NUMBERS: Final = count()  # one environ key for each layer, shared by its copies


@dataclass(slots=True)
class Conditions:
    """A request as received.

    Attributes:
        method: REQUEST_METHOD.
        none_match, modified_since: If-None-Match and If-Modified-Since, or None.
        hidden: the fields that were hidden from the application; none once they are restored.
    """

    method: str
    none_match: str | None = None
    modified_since: str | None = None
    hidden: Mapping[str, Any] = field(default_factory=dict)


_ORDINARY: Final = {method: Conditions(method) for method in ("GET", "HEAD")}
_OTHER: Final = Conditions("")


class Conditional(Middleware):
    """Gives responses an entity tag, and answers 304 to clients that have the content already.

    Stands inside Compress, whose suffixes it does not see, and outside layers that rewrite the body.

    A 200 to GET or HEAD without an ETag gets one if its body is a list or a tuple, or an iterator whose first chunk is
    all that Content-Length declares, as those of Flask and Django are: a hash of the content. If-None-Match is compared
    with the ETag, weakly; without If-None-Match, If-Modified-Since is compared with Last-Modified. If the client has
    the content, a 304 is sent without the body and without Content-Type, Content-Length, Content-Encoding,
    Content-Language, Content-Range and, beside an ETag, Last-Modified. All other fields stay. The application runs in
    any case: only the transfer is saved.

    No tag is made for other streams, for HEAD without the body of GET, for responses with Set-Cookie or
    Content-Encoding, and for pages whose CSP nonce was read. An ETag or Last-Modified of the application is still
    compared.

    Left alone: other methods and statuses; Cache-Control: no-store; lists and tuples of more than `maximum_size`;
    responses with Signature-Input, Content-Range, or whose body the front-end server replaces (X-Sendfile and similar
    fields). If-Match and If-Unmodified-Since are left to the application. An If-Modified-Since beside If-None-Match is
    hidden from the application, because only the tag counts there. An If-Range with a tag that this layer made is
    hidden together with Range, so that the response is a full one.

    Options:
        etag: bool. Whether tags are made. Default True.
        weak: bool. Whether they are weak, which promises the same meaning instead of the same bytes. Default False.
        maximum_size: int, bytes. The largest content that is hashed. Default 1048576.

    Errors: ConfigError.
    Source: RFC 9110 8.8, 13.1, 13.2.2, 15.4.5; RFC 9111 4.3.
    """

    effects: ClassVar[Effects] = Effects(validates=True, reads={"etag", "last-modified"}, sets={"etag"})

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        etag: bool = True,
        weak: bool = False,
        maximum_size: int = 1_048_576,
    ) -> None:
        super().__init__(app)
        problems = Problems(type(self).__name__)
        self.etag, self.weak, self.maximum_size = etag, weak, maximum_size
        problems.boolean("etag", etag)
        problems.boolean("weak", weak)
        problems.integer("maximum_size", maximum_size, 0, None, ", bytes")
        problems.done()
        self._key = f"middleware.conditional.{next(_NUMBERS)}"
        self._open = 'W/"sha256-' if weak else '"sha256-'

    def on_request(self, environ: Environ) -> None:
        """Keep the conditions; hide those that the application cannot evaluate, because it does not know the tag."""
        method = environ.get("REQUEST_METHOD", "")
        if not (
            "HTTP_IF_NONE_MATCH" in environ
            or "HTTP_IF_MODIFIED_SINCE" in environ
            or "HTTP_IF_RANGE" in environ
            or self._key in environ
        ):
            environ[self._key] = _ORDINARY.get(method, _OTHER)
            return
        hidden = dict(environ.get(self._key, _OTHER).hidden)  # this layer also wraps the stack
        conditions = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
        names = _RANGE if _MADE.search(environ.get("HTTP_IF_RANGE", "")) else ()
        if conditions[0] is not None:  # an application that has no tags would evaluate the date (RFC 9110 13.1.3)
            names = (*names, "HTTP_IF_MODIFIED_SINCE")
        hidden.update((name, environ.pop(name)) for name in names if name in environ)
        environ[self._key] = Conditions(method, *conditions, hidden)

    def on_response(self, environ: Environ, response: Response) -> None:
        """Make a tag, and answer 304 if the client has it."""
        asked: Conditions = environ.get(self._key, _OTHER)  # an outer layer failed before this one ran
        if asked.hidden:
            environ.update(asked.hidden)  # outer layers see the request as received
            asked.hidden = {}
        if asked.method in _ORDINARY and response.status[:3] == "200":
            self._answer(environ, response, asked)

    def _answer(self, environ: Environ, response: Response, asked: Conditions) -> None:
        fields = _look(response.headers)
        reason = self._leaves_alone(response.body, fields)
        if reason is not None:
            note(environ, "left alone: {}", reason)
            return
        if self.etag and "etag" not in fields:
            untagged = _untagged(environ, response.body, fields, asked)
            if untagged is None:
                note(environ, "gave it an entity tag")
                fields["etag"] = tag = self._tag(cast("Sequence[bytes]", response.body))
                response.headers.append(("ETag", tag))
            else:
                note(environ, "{}: no entity tag", untagged)
        if asked is not _ORDINARY[asked.method]:
            self._revalidate(environ, response, fields, asked)

    def _leaves_alone(self, body: object, fields: Mapping[str, str]) -> str | None:
        """The reason why this response is left alone, or None."""
        if not UNALTERABLE.isdisjoint(fields):
            return next(name for name in fields if name in UNALTERABLE)
        if "cache-control" in fields and has_directive(fields["cache-control"], "no-store"):
            return "Cache-Control: no-store"
        if isinstance(body, (list, tuple)):
            size = len(body[0]) if len(body) == 1 else sum(map(len, body))
            if size > self.maximum_size:
                return f"{size} bytes, maximum_size is {self.maximum_size}"
        return None

    def _tag(self, body: Sequence[bytes]) -> str:
        digest = sha256(body[0] if len(body) == 1 else b"".join(body)).hexdigest()
        return f'{self._open}{digest[:32]}"'

    def _revalidate(self, environ: Environ, response: Response, fields: Mapping[str, str], asked: Conditions) -> None:
        """Make the response a 304 if the client already has the content (RFC 9110 13.2.2)."""
        if asked.none_match is not None:
            condition, same = "If-None-Match", matches_weakly(fields.get("etag", ""), asked.none_match)
        elif asked.modified_since is not None:
            last, known = http_date(fields.get("last-modified", "").strip()), http_date(asked.modified_since.strip())
            # RFC 9110 13.1.3: only a valid date counts
            condition, same = "If-Modified-Since", last is not None and known is not None and last <= known
        else:
            return
        note(environ, "304: the client has what {} names" if same else "not what {} names", condition)
        if not same:
            return
        response.status = "304 Not Modified"
        for name in (*_NOT_IN_304, "Last-Modified") if "etag" in fields else _NOT_IN_304:
            del response.headers[name]

    def layer(self) -> Layer:
        """Delay the head until the body is available. The body itself does not change."""
        return super().layer()._replace(waits=True, ahead=self._may_tag if self.etag else None)

    def _may_tag(self, response: Response) -> bool:
        """Whether a stream would get a tag if its first chunk has its whole declared length."""
        if response.method != "GET" or response.status[:3] != "200":
            return False
        length = content_length(response.headers.get("Content-Length", ""))
        return length is not None and 0 < length <= self.maximum_size and "ETag" not in response.headers

    def describe(self) -> Iterable[tuple[str, str]]:
        """The tags that are made, and the conditions for a 304."""
        kind = "a weak" if self.weak else "an"
        tags = f"gives bodies of up to {self.maximum_size} bytes {kind} entity tag; " * self.etag
        yield "response", f"{tags}answers 304 by If-None-Match, else If-Modified-Since"


def _untagged(environ: Environ, body: object, fields: Mapping[str, str], asked: Conditions) -> str | None:
    """The reason why no tag is made for this response, or None."""
    if not isinstance(body, (list, tuple)):
        return "a stream"
    if not _UNTAGGED.isdisjoint(fields):
        return "Set-Cookie" if "set-cookie" in fields else "Content-Encoding"
    if NONCE in environ and getattr(environ[NONCE], "read", True):
        return "the page may have the CSP nonce in it"
    if asked.method == "HEAD":
        whole = fields.get("content-length", "").strip() in ("", str(sum(map(len, body))))
        return None if whole and any(body) else "HEAD without the body of GET"
    return None

"""InjectHTML: adds HTML to the pages of an application, streamed pages included."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from html import escape
from itertools import chain, count
from typing import Any, ClassVar, Final, Literal, TypeAlias, cast

from middleware.http import entity_tags
from middleware.http.edits import Edit, Look
from middleware.http.entity_tags import EntityTag
from middleware.http.fields import DIGESTS, UNALTERABLE
from middleware.http.lists import has_directive
from middleware.http.remembered import Remembered
from middleware.layers.inject.snippet import encoded, page_encoding
from middleware.layers.inject.tags import Finder
from middleware.wsgi.answer import NOTES, note
from middleware.wsgi.effects import Effects
from middleware.wsgi.layer import Middleware
from middleware.wsgi.options import Problems
from middleware.wsgi.refused import can_be_called
from middleware.wsgi.response import Response, Transform
from middleware.wsgi.types import Application, Environ

Maker: TypeAlias = Callable[[Environ], str | None]
Place: TypeAlias = Literal["</body>", "</head>", "<head>"]
NONCE: Final = "middleware.csp_nonce"
_PLACES: Final = ("</body>", "</head>", "<head>")
_METHODS: Final = ("GET", "HEAD")
_RANGE: Final = ("HTTP_RANGE", "HTTP_IF_RANGE")
_VALIDATING: Final = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")
_LISTS: Final = {"304": "HTTP_IF_NONE_MATCH", "412": "HTTP_IF_MATCH"}
# Fetch 2.2.5, request destinations that are not pages: seeking in a video needs its ranges
_NO_PAGES: Final = frozenset(
    (
        *("audio", "audioworklet", "font", "image", "json", "manifest", "paintworklet", "script", "serviceworker"),
        *("sharedworker", "style", "track", "video", "worker"),
    )
)
_look: Final = Look(UNALTERABLE | {"content-type", "content-encoding", "cache-control", "etag"})
_NUMBERS: Final = count()  # one environ key for each layer, shared by its copies


@dataclass(slots=True)
class Withheld:
    """The method of a request, and the fields of it that were changed or hidden.

    Attributes:
        method: REQUEST_METHOD.
        said: the fields that were changed or hidden, as received; none once they are restored.
        changed: the conditions whose tags were changed, as received: one dict for each time that the request met the
            layer.
    """

    method: str
    said: dict[str, Any] = field(default_factory=dict)
    changed: tuple[Mapping[str, str], ...] = ()


class Injection:
    """A Transform that inserts a text before the first end tag of a name, or after the first start tag."""

    def __init__(self, at: str, text: bytes, notes: Any) -> None:
        self._at, self._text, self._notes = at, text, notes
        self._finder: Finder | None = Finder(at[1:-1].encode())

    def feed(self, chunk: bytes) -> bytes:
        """Return the bytes that are ready: the chunk itself, once the text was added."""
        if self._finder is None:
            return chunk
        ready, place = self._finder.feed(chunk)
        if place is None:
            return ready
        self._finder = None
        return b"".join((ready[:place], self._text, ready[place:]))

    def finish(self) -> bytes:
        """Return the bytes that looked like the beginning of the tag."""
        if self._finder is None:
            return b""
        if self._notes is not None:
            self._notes.append(f"no {self._at} in the page: nothing was added")
        return self._finder.finish()


class InjectHTML(Middleware):
    """Adds HTML to the pages of an application: analytics, a banner, a script for development.

    Stands inside Compress and Conditional, and with `nonce` inside SecurityHeaders.

    A page is a 200 to GET whose type is text/html, in an encoding that is a superset of ASCII, without a content
    coding. The HTML goes before the first `</body>` or `</head>`, or after the first `<head>`, that the browser sees as
    a tag: not in comments, scripts, styles, templates, titles, text areas, attributes, SVG or MathML. The content of a
    page without that tag stays as it is; its fields change as those of other pages, because it may be a stream. Streams
    are passed on chunk by chunk, in constant memory. Characters that the encoding of the page lacks become character
    references; where one stands in a script or a style of `html`, nothing is added.

    Content-Length is right or removed, for HEAD too. Accept-Ranges, Content-MD5, Content-Digest, Repr-Digest and Digest
    are removed from pages. Range and If-Range are hidden from the application, unless Sec-Fetch-Dest names a
    destination that is not a page: a video, an image, a script.

    With `html` as a str the entity tag of a page gets a hash of it as a suffix and is weak: "x" is W/"x-1f0c8ea2b7".
    The application gets "x" back in If-None-Match, and W/"x" in If-Match and the If of WebDAV, and its 304 goes out
    with the tag that the client knows. An ETag that is not an entity tag, such as abc without quotes, is removed from
    pages. With a callable or `nonce=True` no two pages need be equal: ETag and Last-Modified are removed from pages,
    and If-None-Match and If-Modified-Since hidden from the application.

    Left alone: other methods, statuses and types; responses with Content-Encoding, Content-Range, Signature-Input or
    Cache-Control: no-transform, or whose body the front-end server replaces (X-Sendfile and similar fields).

    Options:
        html: str, or callable environ -> str or None. The HTML to add; None adds nothing to this page. A callable that
            looks at fields of the request must name them in Vary. Required.
        at: "</body>", "</head>" or "<head>". The place of the HTML. Default "</body>".
        nonce: bool. Whether the script tags of `html` get the CSP nonce of the response, as SecurityHeaders provides
            it. Default False.

    Errors: ConfigError; TypeError if the callable returns something other than a str or None.
    Source: HTML 13.2.5, 13.2.6; RFC 9110 8.8, 13.1, 14; RFC 9111 5.2.2.6; CSP3 7.1.
    """

    effects: ClassVar[Effects] = Effects(rewrites_body=True, reads={"content-type", "content-encoding"}, sets={"etag"})

    def __init__(
        self,
        app: Application | None = None,
        /,
        *,
        html: str | Maker,
        at: Place = "</body>",
        nonce: bool = False,
    ) -> None:
        super().__init__(app)
        problems = Problems(type(self).__name__)
        self.html, self.at, self.nonce = html, at, nonce
        rule = "a str that is not empty, or a callable environ -> str or None that is no coroutine function"
        right = html != "" if isinstance(html, str) else can_be_called(html, 1)
        problems.check(right, "html", rule, html)
        problems.one_of("at", at, _PLACES)
        problems.boolean("nonce", nonce)
        problems.done()
        self._key = f"middleware.inject.{next(_NUMBERS)}"
        self._constant = isinstance(html, str) and not nonce
        digest = sha256(f"{at}{html}".encode("utf-8", "surrogatepass")).hexdigest()[:10]
        self._strong, self._weak = digest, f"{digest}w"  # the suffixes of tags that were strong and weak
        self._suffixes = (self._strong, self._weak)
        self._known = {
            "HTTP_IF_NONE_MATCH": partial(entity_tags.with_each, change=self._own),
            "HTTP_IF_MATCH": partial(entity_tags.without_suffixes, codings=self._suffixes),
            "HTTP_IF": partial(entity_tags.conditions_without_suffixes, codings=self._suffixes),
        }
        self._hidden = _RANGE if self._constant else (*_RANGE, *_VALIDATING)
        self._parts = Remembered(partial(encoded, html, nonce=nonce)) if isinstance(html, str) else None
        gone = () if self._constant else ("ETag", "Last-Modified")
        self._untell = Edit(remove=("Accept-Ranges", *DIGESTS, *gone))

    # -- the request -------------------------------------------------------------------------------------------------

    def on_request(self, environ: Environ) -> None:
        """Change conditions to tags that the application knows, and hide those that it cannot answer."""
        before: Withheld | None = environ.get(self._key)
        asked = environ[self._key] = Withheld(environ.get("REQUEST_METHOD", ""))
        said = asked.said
        if self._constant:
            changed = entity_tags.rewritten(environ, self._known)
            asked.changed = (changed,)
            said.update(changed)
        if asked.method in _METHODS and environ.get("HTTP_SEC_FETCH_DEST") not in _NO_PAGES:
            said.update((name, environ.pop(name)) for name in self._hidden if name in environ)
        if before is not None and before.said:  # this layer also wraps the stack
            said.update(before.said)
            asked.changed += before.changed

    def _own(self, tag: EntityTag) -> EntityTag:
        """Return the application's tag from which this layer made the given one."""
        opaque, _, suffix = tag.opaque.rpartition("-")
        return EntityTag(suffix == self._weak, opaque) if suffix in self._suffixes else tag

    # -- the response ------------------------------------------------------------------------------------------------

    def on_response(self, environ: Environ, response: Response) -> Transform | None:
        """Add the HTML to a page."""
        asked: Withheld | None = environ.get(self._key)
        if asked is None:  # an outer layer failed before this one ran
            return None
        environ.update(asked.said)  # outer layers see the request as received
        asked.said = {}
        fields = _look(response.headers)
        reason = _no_page(asked.method, response.status[:3], fields)
        if reason is not None:
            note(environ, "nothing was added: {}", reason)
            self._say_known(response, asked.changed)
            return None
        text = self._text(environ, page_encoding(fields["content-type"]) or "")
        if text is None:
            return None
        self._retell(environ, response, fields.get("etag"))
        return self._inject(response, asked.method, Injection(self.at, text, environ.get(NOTES)))

    def _text(self, environ: Environ, codec: str) -> bytes | None:
        """Return the encoded HTML for this page, or None."""
        parts = self._made(environ, codec) if self._parts is None else self._parts[codec]
        if parts:
            nonce = environ.get(NONCE) if len(parts) > 1 else None
            return (b"" if nonce is None else b' nonce="%b"' % escape(str(nonce)).encode()).join(parts)
        lacks = "a script or style of html has characters that {} lacks"
        note(environ, f"nothing was added: {lacks if parts is None else 'there is no html for this page'}", codec)
        return None

    def _made(self, environ: Environ, codec: str) -> tuple[bytes, ...] | None:
        """The HTML that a callable makes for this page, as `encoded` returns it; empty for none."""
        made: object = cast("Maker", self.html)(environ)
        if not isinstance(made, str | None):
            raise TypeError(f"{self.name}: html(environ) returns a str or None; got {made!r}")
        return encoded(made, codec, nonce=self.nonce) if made else ()

    def _retell(self, environ: Environ, response: Response, tag: str | None) -> None:
        """Remove or change the fields that describe the page of the application."""
        self._untell(response.headers)
        if self._constant and tag is not None:
            own = entity_tags.entity_tag(tag)
            if own is None:
                note(environ, "ETag is removed, because it is no entity tag: {}", tag)
                del response.headers["ETag"]  # two pages must not share it (RFC 9110 8.8.3)
            else:
                response.headers["ETag"] = self._marked(own)

    def _marked(self, tag: EntityTag) -> str:
        """The tag of a page of the application with the HTML in it."""
        return f'W/"{tag.opaque}-{self._weak if tag.weak else self._strong}"'

    def _say_known(self, response: Response, changed: Iterable[Mapping[str, str]]) -> None:
        """Give a 304 or 412 the tag that the client has listed."""
        name = _LISTS.get(response.status[:3], "")
        lists = [conditions[name] for conditions in changed if name in conditions]
        own = entity_tags.entity_tag(response.headers.get("ETag", "")) if lists else None
        if own is not None:
            marked = self._marked(own)
            listed = chain.from_iterable(map(entity_tags.tags_listed, lists))
            if any(marked == f'W/"{each.opaque}"' for each in listed):
                response.headers["ETag"] = marked

    def _inject(self, response: Response, method: str, injection: Injection) -> Transform | None:
        body = response.body
        if method == "HEAD" and not (isinstance(body, (list, tuple)) and any(body)):
            del response.headers["Content-Length"]  # an empty body does not show the length of the page
            return None
        if not isinstance(body, (list, tuple)):
            return injection
        whole = injection.feed(b"".join(body)) + injection.finish()
        response.body = [whole]
        response.headers["Content-Length"] = str(len(whole))
        return None

    # -- for people --------------------------------------------------------------------------------------------------

    def declared(self) -> Effects:
        """The effects of the class. With `nonce`, the layer needs the CSP nonce."""
        return replace(self.effects, needs=self.effects.needs | {NONCE}) if self.nonce else self.effects

    def describe(self) -> Iterable[tuple[str, str]]:
        """The place of the HTML, and the fields that are hidden or changed."""
        where = "after" if self.at == "<head>" else "before"
        tags = "makes entity tags weak, with a suffix" if self._constant else "removes ETag and Last-Modified"
        yield "request", "hides Range" + ("" if self._constant else ", If-None-Match and If-Modified-Since")
        yield "response", f"adds HTML {where} {self.at}{' with the CSP nonce' * self.nonce}; {tags}"


def _no_page(method: str, code: str, fields: Mapping[str, str]) -> str | None:
    """The reason why no HTML is added to a response, or None."""
    if method not in _METHODS or code != "200":
        return f"{method} {code} is no 200 to GET"
    if page_encoding(fields.get("content-type", "")) is None:
        return f"the type is {fields.get('content-type')}, not text/html in a superset of ASCII"
    if fields.get("content-encoding", "identity").strip().lower() != "identity":
        return f"Content-Encoding is {fields['content-encoding']}"
    if has_directive(fields.get("cache-control", ""), "no-transform"):
        return "Cache-Control: no-transform"
    return next((f"there is {name}" for name in fields if name in UNALTERABLE), None)

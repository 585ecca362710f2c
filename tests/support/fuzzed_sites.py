"""The sites that fuzzed clients ask: each a stack, around each of some applications."""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass
from typing import Any

from middleware import CORS, NONCE, Compress, Headers, Hooks, SecurityHeaders, Stack, Timing
from middleware.hooks import g, request

ORIGIN = "https://app.example"
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
TEXT = b"a line of a text that says the same again and again\n" * 40
TAG, DATE = '"v1"', "Thu, 26 Nov 2026 08:00:00 GMT"
LOGGER = logging.getLogger("middleware")

# -- the applications --------------------------------------------------------------------------------------------------


def sized(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))])
    return [TEXT]


def small(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Vary", "accept-encoding, Cookie"), ("Set-Cookie", "a=1")])
    return [TEXT[:20]]


def stream(environ, start):
    start("200 OK", [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return iter([TEXT[:100], b"", TEXT[100:]])


def write(environ, start):
    start("200 OK", [("Content-Type", "text/html")])(TEXT[:100])
    return [TEXT[100:]]


def upload(environ, start):
    """What was sent, and then the text."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("200 OK", [("Content-Type", "text/plain"), ("X-Length", str(len(body)))])
    return [TEXT]


def document(environ, start):
    """What knows its versions and its parts (RFC 9110 13 and 14), as far as one line does."""
    about = [("ETag", TAG), ("Last-Modified", DATE), ("Content-Type", "text/plain"), ("Accept-Ranges", "bytes")]
    tags = {name: re.findall(r'"[^"]*"|\*', environ.get(f"HTTP_IF_{name}", "")) for name in ("MATCH", "NONE_MATCH")}
    if "HTTP_IF_MATCH" in environ and not {TAG, "*"}.intersection(tags["MATCH"]):
        start("412 Precondition Failed", [("Content-Type", "text/plain")])
        return [b"changed meanwhile"]
    if {TAG, "*"}.intersection(tags["NONE_MATCH"]):
        start("304 Not Modified", about[:2])
        return []
    part = re.fullmatch(r"bytes=([0-9]{1,5})-([0-9]{1,5})", environ.get("HTTP_RANGE", ""))
    if part and environ.get("HTTP_IF_RANGE", TAG) in (TAG, DATE) and int(part[1]) <= int(part[2]) < len(TEXT):
        first, last = int(part[1]), int(part[2])
        start("206 Partial Content", [*about, ("Content-Range", f"bytes {first}-{last}/{len(TEXT)}")])
        return [TEXT[first : last + 1]]
    start("200 OK", [*about, ("Content-Length", str(len(TEXT)))])
    return [TEXT]


APPS = (sized, small, stream, write, upload, document)

# -- the sites ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A stack, and what it means.

    Attributes:
        stack: the layers.
        listed: the origins that it grants, which is a pattern or any.
        strict: whether it answers 406.
        padded: whether two answers may differ.
        echoes: whether X-Echo comes back, from a function that trusts the client.
    """

    stack: Stack
    listed: re.Pattern[str]
    strict: bool = False
    padded: bool = False
    echoes: bool = False


LOOKED_AT = ("path", "full_path", "url", "base_url", "host", "method", "args", "cookies", "headers", "user_agent")
LOOKED_AT += ("authorization", "access_route", "query_string", "is_json", "mimetype", "content_length", "referrer")
LOOKED_AT += ("if_none_match", "if_match", "range", "if_range", "if_modified_since", "accept_encodings", "origin")


def looking():
    """Hooks that look at whatever there is."""
    hooks = Hooks(propagate_exceptions=True)

    @hooks.before_request
    def look():
        g.seen = [str(getattr(request, name, None)) for name in LOOKED_AT]
        g.seen += [str(request.get_json(silent=True)), str(dict(request.form)), str(list(request.args.items()))]

    @hooks.after_request
    def stamp(response):
        response.headers["X-Seen"] = str(len(g.seen))
        return response

    return hooks


def echo(environ, response):
    return environ.get("HTTP_X_ECHO")


SITES = (
    Site(
        Stack(
            Timing(),
            SecurityHeaders(),
            CORS(
                allow_origins=[ORIGIN, "https://*.app.example", "null"],
                allow_methods=["GET", "PUT"],
                allow_headers=["X-A", "Content-Type"],
                allow_credentials=True,
                expose_headers=["X-App"],
            ),
            Headers(set={"X-App": "1"}),
            Compress(minimum_size=64),
        ),
        re.compile(r"https://([A-Za-z0-9_-]+\.)*app\.example|null"),
    ),
    Site(
        Stack(
            Timing(layers=True, on_complete=lambda measurement: None),
            SecurityHeaders(preset="strict", corp="cross-origin", csp={"script-src": [NONCE]}),
            CORS(allow_origins="*", allow_methods="*", allow_headers="*", allow_private_network=True),
            Compress(minimum_size=0, etag="weak", not_acceptable="406"),
        ),
        re.compile("(?s:.*)"),
        strict=True,
    ),
    Site(
        Stack(
            SecurityHeaders(preset="api"),
            CORS(allow_origins=lambda origin, environ: True, allow_credentials=True, allow_methods="*", max_age=0),
            Headers(set={"X-Echo": echo}, append=[("Set-Cookie", "c=3")], default={"Vary": "Cookie"}),
            Compress(codings=["gzip", "br"], breach_padding=32),
        ),
        re.compile(r"[a-z][a-z0-9+.\-]*://[^/]+"),
        padded=True,
        echoes=True,
    ),
    Site(Stack(CORS(allow_origins=ORIGIN), looking(), Compress(flush="never")), re.compile(re.escape(ORIGIN))),
)


SEEN = "invariants.seen"


def watched(app):
    """Notes the head that the application gives, and what is in its list then."""

    def run(environ, start_response):
        def start(status, lines, *exc_info):
            environ.setdefault(SEEN, []).append((status, lines, list(lines)))
            return start_response(status, lines, *exc_info)

        return app(environ, start)

    return run


WRAPPED = {
    (place, which): site.stack.wrap(watched(app)) for place, site in enumerate(SITES) for which, app in enumerate(APPS)
}


class Hearing(logging.Handler):
    """What is logged while it listens, and goes nowhere else."""

    def __enter__(self):
        self.messages: list[str] = []
        LOGGER.addHandler(self)
        LOGGER.propagate = False
        return self.messages

    def __exit__(self, *_):
        LOGGER.removeHandler(self)
        LOGGER.propagate = True

    def emit(self, record):
        self.messages.append(record.getMessage())


@dataclass(frozen=True)
class Asked:
    """A request, and of what.

    Attributes:
        site, app: of SITES and APPS.
        fields: its names and values, each as a server has them from the wire.
    """

    site: int
    app: int
    method: str
    path: str
    query: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    def keys(self) -> dict[str, Any]:
        """The fields as an environ has them; of those of one name the last."""
        named = {name.upper().replace("-", "_"): value for name, value in self.fields if TOKEN.fullmatch(name)}
        kept = {
            f"HTTP_{name}": value for name, value in named.items() if name not in ("CONTENT_TYPE", "CONTENT_LENGTH")
        }
        kept["CONTENT_TYPE"] = named.get("CONTENT_TYPE", "")
        kept["CONTENT_LENGTH"] = str(len(self.body))
        return {**kept, "QUERY_STRING": self.query, "wsgi.input": io.BytesIO(self.body)}

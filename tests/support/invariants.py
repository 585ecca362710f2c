"""What has to hold of any answer, whatever a client sends: the sites that are asked, and the laws.

Clients are fuzzed by test_fuzzed.py, and at length by `python -m benchmarks.fuzz`.
"""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass
from typing import Any

from content_of import decode
from gateway import Answer, serve
from middleware import CORS, NONCE, Compress, Headers, Hooks, SecurityHeaders, Stack, Timing
from middleware.hooks import g, request

ORIGIN = "https://app.example"
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
CLEAN = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
QVALUE = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
LINTED = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE")  # those that wsgiref.validate knows
TEXT = b"a line of a text that says the same again and again\n" * 40
TAG, DATE = '"v1"', "Thu, 26 Nov 2026 08:00:00 GMT"
CORS_FIELDS = "access-control-"

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
            SecurityHeaders(preset="strict", csp={"script-src": [NONCE]}),
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
HEARD: list[str] = []  # what was logged since the request began


class Hearing(logging.Handler):
    def emit(self, record):
        HEARD.append(record.getMessage())


logging.getLogger("middleware").addHandler(Hearing())
logging.getLogger("middleware").propagate = False


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


def faults(asked: Asked) -> list[str]:
    """Ask, and say what does not hold."""
    site, keys = SITES[asked.site], asked.keys()
    lint = asked.method in LINTED and asked.path[:1] in ("", "/")
    HEARD.clear()
    answer = serve(WRAPPED[asked.site, asked.app], asked.path, asked.method, lint=lint, **keys)
    seen = answer.environ.get(SEEN, [])
    found = [*_of_the_exchange(site, asked, answer, seen)]
    changed = [name for name, value in keys.items() if name.startswith("HTTP_") and answer.environ.get(name) != value]
    found += [f"the environ has another {name}" for name in changed]
    for law in (_of_lines, _of_cors, _of_vary, _of_the_body, _of_the_tag):
        found += law(site, asked, answer, seen)
    return found


# -- the laws ----------------------------------------------------------------------------------------------------------


def _of_the_exchange(site, asked, answer, seen):
    """Nobody fails; who answers is the application, or CORS, or Compress, each where it may."""
    echoed = answer.environ.get("HTTP_X_ECHO", "") if site.echoes else ""
    if not CLEAN.fullmatch(echoed):
        if answer.error or "X-Echo" in dict(answer.headers):
            yield f"an X-Echo of {echoed!r} went out, or {answer.error!r} to the server"
        return
    if answer.error or answer.faults or answer.heads != 1 or HEARD or "middleware.exception" in answer.environ:
        yield f"{answer.error!r}, {answer.faults}, {answer.heads} heads, logged {HEARD}"
    if seen:
        if answer.status != seen[0][0]:
            yield f"status {answer.status} in place of {seen[0][0]}"
        if seen[0][1] != seen[0][2]:
            yield "the application's list was changed"
        own = [line for line in seen[0][2] if line[0] == "Set-Cookie"]
        if [line for line in answer.headers if line[0] == "Set-Cookie"][: len(own)] != own:
            yield "the cookies of the application are others"
        return
    preflight = asked.method == "OPTIONS" and {"HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"} <= {*asked.keys()}
    refused = site.strict and not any(_weights(answer.environ.get("HTTP_ACCEPT_ENCODING", "")).values())
    if not (preflight and answer.status[:3] in ("204", "403")) and not (refused and answer.status[:3] == "406"):
        yield f"the application was not asked, and {answer.status} answered"


def _of_lines(site, asked, answer, seen):
    """No line can be split, or be taken for another."""
    for name, value in answer.headers:
        if not TOKEN.fullmatch(name) or not CLEAN.fullmatch(value):
            yield f"a line of {name!r}: {value!r}"
    for name in ("Content-Encoding", "Content-Length", "ETag", "Vary", "Access-Control-Allow-Origin"):
        if len(answer.get_all(name)) > 1:
            yield f"{name} twice"


def _of_cors(site, asked, answer, seen):
    """Only a listed origin is granted, and as it came; what is echoed are tokens."""
    granted, sent = answer.get("Access-Control-Allow-Origin"), answer.environ.get("HTTP_ORIGIN")
    every = site.listed.pattern == "(?s:.*)"
    if every and granted != "*" and answer.status[:3] != "403":
        yield f"granted {granted!r} where all are"
    if not every and granted is not None and (granted != sent or not site.listed.fullmatch(granted)):
        yield f"granted {granted!r} to {sent!r}"
    if granted is None and [name for name, _ in answer.headers if name.lower().startswith(CORS_FIELDS)]:
        yield "CORS fields without an origin"
    if granted == "*" and answer.get("Access-Control-Allow-Credentials"):
        yield "credentials for everybody"
    for name in ("Access-Control-Allow-Methods", "Access-Control-Allow-Headers"):
        if (
            any(not TOKEN.fullmatch(each.strip(" \t")) for each in answer.get(name).split(","))
            if answer.get(name)
            else 0
        ):
            yield f"{name}: {answer.get(name)!r}"


def _of_vary(site, asked, answer, seen):
    """Each name once, and those that decided."""
    names = [name.strip().lower() for name in (answer.get("Vary") or "").split(",") if name.strip()]
    if len({*names}) != len(names):
        yield f"Vary: {answer.get('Vary')}"
    if answer.get("Content-Encoding") and "accept-encoding" not in names:
        yield "encoded, and does not vary by Accept-Encoding"
    if site.listed.pattern != "(?s:.*)" and "origin" not in names:
        yield "does not vary by Origin"


def _weights(accept: str) -> dict[str, float]:
    """What a client takes of the codings, and of identity (RFC 9110 12.5.3)."""
    named: dict[str, float] = {}
    for member in accept.lower().split(","):
        name, *parameters = (part.strip(" \t") for part in member.split(";"))
        key, _, weight = parameters[0].partition("=") if parameters else ("q", "=", "1")
        if len(parameters) < 2 and key == "q" and QVALUE.fullmatch(weight):
            name = {"x-gzip": "gzip"}.get(name, name)
            named[name] = min(float(weight), named.get(name, 1.0))
    rest = named.get("*")
    weights = {coding: named.get(coding, rest or 0.0) for coding in ("zstd", "br", "gzip")}
    return {**weights, "identity": named.get("identity", 1.0 if rest is None else rest)}


def _of_the_body(site, asked, answer, seen):
    """It is the application's, whole, in a coding that the client takes, and as long as is said."""
    coding, length = answer.get("Content-Encoding"), answer.get("Content-Length")
    code = answer.status[:3]
    if coding and not _weights(answer.environ.get("HTTP_ACCEPT_ENCODING", ""))[coding]:
        yield f"{coding}, which the client does not take"
    if asked.method == "HEAD" or code in ("204", "304"):
        if answer.body:
            yield f"{len(answer.body)} bytes where there is no content"
        return
    if length is not None and length != str(len(answer.body)):
        yield f"{len(answer.body)} bytes in place of {length}"
    content, whole = decode(answer.body, coding)
    if not whole:
        yield "the coding does not end"
    if code in ("200", "206") and content != _owed(APPS[asked.app], answer):
        yield f"{len(content)} bytes of other content"


def _owed(app, answer: Answer) -> bytes:
    if answer.status.startswith("206"):
        first, last = map(int, re.findall("[0-9]+", answer.get("Content-Range"))[:2])
        return TEXT[first : last + 1]
    return TEXT[:20] if app is small else TEXT


def _of_the_tag(site, asked, answer, seen):
    """A strong tag stands for one sequence of bytes."""
    tag, coding = answer.get("ETag"), answer.get("Content-Encoding")
    if tag is None:
        return
    suffixes = site.stack["Compress"].etag == "suffix" and not site.padded
    strong = {TAG} if not coding else {TAG[:-1] + f'-{coding}"'} if suffixes else set()
    if answer.status[:3] == "304":
        strong = {TAG, *(TAG[:-1] + f'-{each}"' for each in ("zstd", "br", "gzip") if suffixes)}
    if not tag.startswith("W/") and tag not in strong:
        yield f"ETag: {tag} of {coding}"

"""docs/coming-from: the middleware of others and what replaces it get the same requests, and their heads are compared.

Every difference is data: the values of both sides, and the reason, which has to stand in the page.
"""

from __future__ import annotations

import inspect
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import django
import pytest

from decoding import Decoder, decoded
from gateway import serve
from left_behind import PAGE, django_behind, django_site, flask_behind, flask_site
from middleware import (
    CORS,
    HSTS,
    Compress,
    Gzip,
    HTTPSRedirect,
    SecurityHeaders,
    TrustedHosts,
)
from middleware.match import path

PAGES = Path(__file__).parents[1] / "docs" / "coming-from"
ORIGIN = "https://app.example"
OTHER = "https://other.example"
DJANGO_FLUSHES = (6, 1)  # the version from which GZipMiddleware flushes each chunk


class Apart(NamedTuple):
    """A difference that is meant: the reason, and for each field the value of the other project and of this one."""

    reason: str
    fields: dict[str, tuple[str | None, str | None]]


class Case(NamedTuple):
    """One request to both sides."""

    name: str
    sides: str  # a key of SIDES
    keys: dict[str, Any]  # path, method and keys of the environ
    apart: tuple[Apart, ...] = ()


def asking(method="PUT", headers=None, origin=ORIGIN, **keys):
    """A preflight."""
    asked = {"HTTP_ORIGIN": origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": method, **keys}
    return {"method": "OPTIONS", **asked, **({"HTTP_ACCESS_CONTROL_REQUEST_HEADERS": headers} if headers else {})}


def accepting(coding, where="/", **keys):
    return {"path": where, "HTTP_ACCEPT_ENCODING": coding, **keys}


def ordered(value):
    return ", ".join(sorted(re.split(r"\s*,\s*", value)))


def head(app, keys):
    """Status and fields as a client sees them, without what differs from run to run."""
    keys = {"path": "/", "method": "GET", **keys}
    answer = serve(app, keys.pop("path"), keys.pop("method"), lint=False, **keys)
    assert answer.error is None
    found: dict[str, str] = {"status": answer.status.upper()}
    for name, value in answer.headers:
        found[name.title()] = f"{found[name.title()]} and {value}" if name.title() in found else value
    if "Vary" in found:
        found["Vary"] = ordered(found["Vary"].lower())
    if "Allow" in found:
        found["Allow"] = ordered(found["Allow"])  # Flask has a set
    found.pop("Date", None)  # the server adds one
    found.pop("Last-Modified", None)  # of a file that the test has made
    coding = found.get("Content-Encoding")
    if found.get("Content-Length") == str(len(answer.body)) or answer.environ["REQUEST_METHOD"] == "HEAD":
        found["Content-Length"] = "right" if "Content-Length" in found else "none"
    whole = (
        zlib.decompress(answer.body) if coding == "deflate" else decoded(coding if answer.body else None, answer.body)
    )
    found["body"] = "the page" if whole == PAGE else whole.decode("ascii")[:40]
    return found


def differences(theirs, ours, keys):
    one, other = head(theirs, keys), head(ours, keys)
    return {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}


# -- the reasons, as the pages have them -------------------------------------------------------------------------------

CACHES = "A shared cache would otherwise hand a copy without the grant to the page that may read it."
STAR = "Without credentials `*` grants what the origin itself does, and a cache keeps one copy for everyone."
NOBODY = "A response to a request without `Origin` grants nothing, because no other origin asked."
LOWER = "Browsers serialize an origin in lower case, so no browser sends another spelling."
WHOLE = "A pattern has to match the whole origin; otherwise `https://app.example.evil.example` is granted."
REFUSED = "The 403 has one line of text that names what is missing, and the network tab of a browser shows it."
NO_CONTENT = "A preflight has no content; `preflight_status=200` keeps the other status."
EXPOSED = "Browsers read `Access-Control-Expose-Headers` on the actual response only."
EARLIER = "The preflight is answered outside the framework, which would add `Allow` and a type of content."
NO_VIEW = (
    "The preflight is answered before Flask looks for a view, so that the page can read the 404 of the request itself."
)
AS_ASKED = 'With `"*"` a preflight is told what it asked for, in its order.'
SEGMENT = '`path("/api")` ends at a segment; the pattern `/api/*` also matches `/apiary`.'
ABSENT = "While the option is off the field is left out; browsers read that as `false`."
NO_PATH = "An origin has no path; a value with one comes from no browser."
ONLY_PREFLIGHT = "Methods, headers and the maximum age belong to preflights, and this `OPTIONS` is none."
PRIVATE = "Private Network Access has this field on preflights only."

REFUSES = "`q=0` means that the client refuses the coding (RFC 9110 12.4.2)."
ANY = "`*` stands for every coding, gzip too (RFC 9110 12.5.3)."
NO_DEFLATE = "deflate is not offered, because clients disagree on its format; they all send gzip beside it."
SUFFIX = (
    "A hyphen separates the suffix, and the application gets the tag back without it, so that `If-Match` works too."
)
STRONG = 'A strong tag stays strong, so that `If-Match` works; `etag="weak"` is what Django does.'
NO_RANGES = "An encoded response has no ranges."
PART = "A range counts bytes of the identity; encoded, it is no part of anything that the client has."
LISTED = "`Vary` is sent where another request could get another coding, and nowhere else."
COULD = "A client that refuses identity gets the short response encoded, so it varies."
KEPT = "`Cache-Control: no-transform` forbids it (RFC 9111 5.2.2.6)."
STREAMS = "Every chunk of a stream is encoded, sent and decodable at once, in gzip too."
EVENTS = "Events are left alone, because an encoder may hold them back."
PICTURES = "Pictures are compressed already; `content_types` lists what is worth the work."
NOTHING = "Nothing is encoded for HEAD, and no body is handed to the server."
HEAD = "The length of the encoded content is known only after encoding it, and HEAD may leave the field out."

TEXT = "The redirect has one line of text instead of a page."
PORT = "Port 8080 does not speak https; `port=` names another one than 443."
BELIEVED = "Any client can write `X-Forwarded-Proto`; the server, or ProxyFix, says which proxy to trust."
VIEW = "A field that the application has set stays; `remove` names fields to replace."
FRAMED = (
    "The redirect of Django leaves before `XFrameOptionsMiddleware` sees it; a stack has its fields on every response."
)
PLAIN_400 = "The 400 is one line of text, or problem+json for a client that prefers JSON."

PREFLIGHT_VARY = "access-control-request-headers, access-control-request-method, origin"
LINE = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


def refused(line, **fields):
    """A refused preflight, which the other project answers by 200."""
    told = {"status": ("200 OK", "403 FORBIDDEN"), "Content-Type": (HTML, LINE), "body": ("", line[:40])}
    return Apart(REFUSED, {**told, **fields})


PAGE_OF_404 = "<!doctype html>\n<html lang=en>\n<title>40"
NO_METHOD = "CORS preflight refused: the method DELETE is not listed in allow_methods"
NO_ORIGIN = "CORS preflight refused: the origin is not listed in allow_origins"
NO_HEADER = "CORS preflight refused: not listed in allow_headers: x-b"
GRANT = {
    "Access-Control-Allow-Credentials": ("true", None),
    "Access-Control-Allow-Origin": (ORIGIN, None),
    "Access-Control-Expose-Headers": ("X-Total", None),
}
ADDS_VARY = Apart(CACHES, {"Vary": (None, "origin")})
NO_CONTENT_204 = Apart(NO_CONTENT, {"status": ("200 OK", "204 NO CONTENT"), "Content-Length": ("right", None)})
BY_FLASK = Apart(EARLIER, {"Allow": ("GET, HEAD, OPTIONS", None), "Content-Type": (HTML, None)})
ALLOW_ONLY = Apart(EARLIER, {"Allow": ("GET, HEAD, OPTIONS", None)})
NOT_EXPOSED = Apart(EXPOSED, {"Access-Control-Expose-Headers": ("X-Total", None)})

# -- flask-cors --------------------------------------------------------------------------------------------------------


def flask_cors(**options):
    def extend(app):
        import flask_cors

        flask_cors.CORS(app, **options)

    return flask_site(extend)


LISTED_OPTIONS = {
    "methods": ["GET", "PUT"],
    "allow_headers": ["X-A"],
    "expose_headers": ["X-Total"],
    "supports_credentials": True,
    "max_age": 600,
}
LISTED_CORS = CORS(
    allow_origins=ORIGIN,
    allow_methods=["GET", "PUT"],
    allow_headers="X-A",
    expose_headers="X-Total",
    allow_credentials=True,
    max_age=600,
)
OPEN_CORS = CORS(allow_origins="*", allow_methods="*", allow_headers="*", max_age=None)
EVIL = "https://app.example.evil.example"
ANY_APP = r"https://[a-z]+\.example"

FLASK_CORS = {
    "flask-cors, defaults": lambda: (flask_cors(), flask_behind(OPEN_CORS)),
    "flask-cors, send_wildcard": lambda: (flask_cors(send_wildcard=True), flask_behind(OPEN_CORS)),
    "flask-cors, listed": lambda: (flask_cors(origins=[ORIGIN], **LISTED_OPTIONS), flask_behind(LISTED_CORS)),
    "flask-cors, pattern": lambda: (
        flask_cors(origins=ANY_APP),
        flask_behind(CORS(allow_origins=re.compile(ANY_APP))),
    ),
    "flask-cors, resources": lambda: (
        flask_cors(resources={"/api/*": {"origins": ["https://a.example", ORIGIN]}}),
        flask_behind(CORS(allow_origins=["https://a.example", ORIGIN]).when(path("/api"))),
    ),
}
OF_FLASK_CORS = [
    Case(
        "an origin",
        "flask-cors, defaults",
        {"HTTP_ORIGIN": ORIGIN},
        (Apart(STAR, {"Access-Control-Allow-Origin": (ORIGIN, "*"), "Vary": ("origin", None)}),),
    ),
    Case("no origin", "flask-cors, defaults", {}),
    Case("an error", "flask-cors, send_wildcard", {"path": "/error", "HTTP_ORIGIN": ORIGIN}),
    Case("a missing page", "flask-cors, send_wildcard", {"path": "/nowhere", "HTTP_ORIGIN": ORIGIN}),
    Case("an origin", "flask-cors, send_wildcard", {"HTTP_ORIGIN": ORIGIN}),
    Case(
        "a preflight",
        "flask-cors, send_wildcard",
        asking(headers="x-b, x-a"),
        (
            NO_CONTENT_204,
            BY_FLASK,
            Apart(
                AS_ASKED,
                {
                    "Access-Control-Allow-Headers": ("x-a, x-b", "x-b, x-a"),
                    "Access-Control-Allow-Methods": ("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", "PUT"),
                },
            ),
            Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)}),
        ),
    ),
    Case("an origin", "flask-cors, listed", {"HTTP_ORIGIN": ORIGIN}, (ADDS_VARY,)),
    Case("an error", "flask-cors, listed", {"path": "/error", "HTTP_ORIGIN": ORIGIN}, (ADDS_VARY,)),
    Case("no origin", "flask-cors, listed", {}, (ADDS_VARY, Apart(NOBODY, GRANT))),
    Case("another origin", "flask-cors, listed", {"HTTP_ORIGIN": OTHER}, (ADDS_VARY,)),
    Case(
        "another case",
        "flask-cors, listed",
        {"HTTP_ORIGIN": "https://APP.example"},
        (ADDS_VARY, Apart(LOWER, {**GRANT, "Access-Control-Allow-Origin": ("https://APP.example", None)})),
    ),
    Case(
        "a preflight",
        "flask-cors, listed",
        asking(headers="X-A"),
        (NO_CONTENT_204, BY_FLASK, NOT_EXPOSED, Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)})),
    ),
    Case(
        "a preflight over a private network",
        "flask-cors, listed",
        asking(headers="X-A", HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="true"),
        (
            *(NO_CONTENT_204, BY_FLASK, NOT_EXPOSED, Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)})),
            Apart(ABSENT, {"Access-Control-Allow-Private-Network": ("false", None)}),
        ),
    ),
    Case(
        "a method that is not listed",
        "flask-cors, listed",
        asking("DELETE"),
        (ALLOW_ONLY, refused(NO_METHOD, **GRANT), Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)})),
    ),
    Case(
        "a header that is not listed",
        "flask-cors, listed",
        asking(headers="x-b"),
        (
            *(ALLOW_ONLY, Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)})),
            refused(
                NO_HEADER,
                **GRANT,
                **{"Access-Control-Allow-Methods": ("GET, PUT", None), "Access-Control-Max-Age": ("600", None)},
            ),
        ),
    ),
    Case(
        "an origin that is not listed",
        "flask-cors, listed",
        asking(origin=OTHER),
        (ALLOW_ONLY, refused(NO_ORIGIN), Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)})),
    ),
    Case(
        "a preflight to a missing page",
        "flask-cors, listed",
        {**asking(), "path": "/nowhere"},
        (
            *(
                NOT_EXPOSED,
                Apart(EARLIER, {"Content-Type": (HTML, None)}),
                Apart(CACHES, {"Vary": (None, PREFLIGHT_VARY)}),
            ),
            Apart(
                NO_VIEW,
                {
                    "status": ("404 NOT FOUND", "204 NO CONTENT"),
                    "Content-Length": ("right", None),
                    "body": (PAGE_OF_404, ""),
                },
            ),
        ),
    ),
    Case("a matching origin", "flask-cors, pattern", {"HTTP_ORIGIN": ORIGIN}),
    Case(
        "an origin that begins like one that matches",
        "flask-cors, pattern",
        {"HTTP_ORIGIN": EVIL},
        (Apart(WHOLE, {"Access-Control-Allow-Origin": (EVIL, None)}),),
    ),
    Case("a path", "flask-cors, resources", {"path": "/api/rows", "HTTP_ORIGIN": ORIGIN}),
    Case("another path", "flask-cors, resources", {"HTTP_ORIGIN": ORIGIN}),
    Case(
        "a path that begins like it",
        "flask-cors, resources",
        {"path": "/apiary", "HTTP_ORIGIN": ORIGIN},
        (Apart(SEGMENT, {"Access-Control-Allow-Origin": (ORIGIN, None), "Vary": ("origin", None)}),),
    ),
]

# -- django-cors-headers -----------------------------------------------------------------------------------------------


def django_cors(**options):
    return django_site("corsheaders.middleware.CorsMiddleware", **{f"CORS_{key}": options[key] for key in options})


DJANGO_OPTIONS = {
    "ALLOWED_ORIGINS": [ORIGIN],
    "ALLOW_CREDENTIALS": True,
    "EXPOSE_HEADERS": ["X-Total"],
    "ALLOW_METHODS": ["GET", "PUT"],
    "ALLOW_HEADERS": ["X-A"],
    "PREFLIGHT_MAX_AGE": 600,
}
OF_DJANGO = Apart(EARLIER, {"Content-Type": (HTML, None)})
MORE_VARY = Apart(CACHES, {"Vary": ("origin", PREFLIGHT_VARY)})
DJANGO_CORS = {
    "django-cors-headers, listed": lambda: (django_cors(**DJANGO_OPTIONS), django_behind(LISTED_CORS)),
    "django-cors-headers, all": lambda: (django_cors(ALLOW_ALL_ORIGINS=True), django_behind(CORS(allow_origins="*"))),
    "django-cors-headers, pattern": lambda: (
        django_cors(ALLOWED_ORIGIN_REGEXES=[ANY_APP]),
        django_behind(CORS(allow_origins=re.compile(ANY_APP))),
    ),
    "django-cors-headers, paths": lambda: (
        django_cors(ALLOWED_ORIGINS=[ORIGIN], URLS_REGEX=r"^/api/.*$"),
        django_behind(CORS(allow_origins=ORIGIN).when(path("/api"))),
    ),
    "django-cors-headers, private": lambda: (
        django_cors(ALLOWED_ORIGINS=[ORIGIN], ALLOW_PRIVATE_NETWORK=True),
        django_behind(CORS(allow_origins=ORIGIN, allow_private_network=True)),
    ),
}
OF_DJANGO_CORS = [
    Case("an origin", "django-cors-headers, listed", {"HTTP_ORIGIN": ORIGIN}),
    Case("an error", "django-cors-headers, listed", {"path": "/error", "HTTP_ORIGIN": ORIGIN}),
    Case("a missing page", "django-cors-headers, listed", {"path": "/nowhere", "HTTP_ORIGIN": ORIGIN}),
    Case("no origin", "django-cors-headers, listed", {}),
    Case("another origin", "django-cors-headers, listed", {"HTTP_ORIGIN": OTHER}),
    Case("another case", "django-cors-headers, listed", {"HTTP_ORIGIN": "https://APP.example"}),
    Case(
        "an origin with a path",
        "django-cors-headers, listed",
        {"HTTP_ORIGIN": f"{ORIGIN}/x"},
        (Apart(NO_PATH, {**GRANT, "Access-Control-Allow-Origin": (f"{ORIGIN}/x", None)}),),
    ),
    Case(
        "a preflight",
        "django-cors-headers, listed",
        asking(headers="X-A"),
        (NO_CONTENT_204, OF_DJANGO, NOT_EXPOSED, MORE_VARY),
    ),
    Case(
        "a method that is not listed",
        "django-cors-headers, listed",
        asking("DELETE"),
        (
            MORE_VARY,
            refused(
                NO_METHOD,
                **GRANT,
                **{
                    "Access-Control-Allow-Headers": ("X-A", None),
                    "Access-Control-Allow-Methods": ("GET, PUT", None),
                    "Access-Control-Max-Age": ("600", None),
                },
            ),
        ),
    ),
    Case(
        "an origin that is not listed",
        "django-cors-headers, listed",
        asking(origin=OTHER),
        (refused(NO_ORIGIN), MORE_VARY),
    ),
    Case(
        "OPTIONS that is no preflight",
        "django-cors-headers, listed",
        {"method": "OPTIONS", "HTTP_ORIGIN": ORIGIN},
        (
            Apart(
                ONLY_PREFLIGHT,
                {
                    "Access-Control-Allow-Headers": ("X-A", None),
                    "Access-Control-Allow-Methods": ("GET, PUT", None),
                    "Access-Control-Max-Age": ("600", None),
                },
            ),
        ),
    ),
    Case("an origin", "django-cors-headers, all", {"HTTP_ORIGIN": ORIGIN}, (Apart(STAR, {"Vary": ("origin", None)}),)),
    Case(
        "no origin",
        "django-cors-headers, all",
        {},
        (Apart(STAR, {"Access-Control-Allow-Origin": (None, "*"), "Vary": ("origin", None)}),),
    ),
    Case("a matching origin", "django-cors-headers, pattern", {"HTTP_ORIGIN": ORIGIN}),
    Case(
        "an origin that begins like one that matches",
        "django-cors-headers, pattern",
        {"HTTP_ORIGIN": EVIL},
        (Apart(WHOLE, {"Access-Control-Allow-Origin": (EVIL, None)}),),
    ),
    Case("a path", "django-cors-headers, paths", {"path": "/api/rows", "HTTP_ORIGIN": ORIGIN}),
    Case("another path", "django-cors-headers, paths", {"path": "/apiary", "HTTP_ORIGIN": ORIGIN}),
    Case(
        "a request over a private network",
        "django-cors-headers, private",
        {"HTTP_ORIGIN": ORIGIN, "HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK": "true"},
        (Apart(PRIVATE, {"Access-Control-Allow-Private-Network": ("true", None)}),),
    ),
]

# -- Flask-Compress ----------------------------------------------------------------------------------------------------


def flask_compress(file=None):
    def extend(app):
        import flask_compress

        flask_compress.Compress(app)

    return flask_site(extend, file)


NO_VARY = {"Vary": ("accept-encoding", None)}
GZIPPED = {"Content-Encoding": ("gzip", None)}
FLASK_COMPRESS = {"Flask-Compress": lambda: (flask_compress(), flask_behind(Compress(minimum_size=500)))}
OF_FLASK_COMPRESS = [
    *(
        Case(coding, "Flask-Compress", accepting(coding))
        for coding in (
            *("gzip", "br", "zstd", "gzip, br, zstd", "br;q=0.5, gzip", "GZIP;Q=1"),
            *("gzip;q=0, br", "*;q=0", "identity", "*"),
        )
    ),
    *(
        Case(where, "Flask-Compress", accepting("gzip", where))
        for where in ("/small", "/middling", "/error", "/nowhere")
    ),
    Case("a refused coding", "Flask-Compress", accepting("gzip;q=0"), (Apart(REFUSES, GZIPPED),)),
    Case(
        "deflate",
        "Flask-Compress",
        accepting("deflate"),
        (Apart(NO_DEFLATE, {"Content-Encoding": ("deflate", None)}),),
    ),
    Case("a tag", "Flask-Compress", accepting("gzip", "/tag"), (Apart(SUFFIX, {"Etag": ('"v1:gzip"', '"v1-gzip"')}),)),
    Case("a tag that the client has", "Flask-Compress", accepting("identity", "/tag", HTTP_IF_NONE_MATCH='"v1"')),
    Case("a stream", "Flask-Compress", accepting("br", "/stream")),
    Case(
        "a stream in gzip",
        "Flask-Compress",
        accepting("gzip", "/stream"),
        (Apart(STREAMS, {"Content-Encoding": (None, "gzip")}),),
    ),
    Case("events", "Flask-Compress", accepting("gzip", "/events"), (Apart(LISTED, NO_VARY),)),
    Case("a picture", "Flask-Compress", accepting("gzip", "/image"), (Apart(LISTED, NO_VARY),)),
    Case("no-transform", "Flask-Compress", accepting("gzip", "/kept"), (Apart(KEPT, {**GZIPPED, **NO_VARY}),)),
    Case(
        "HEAD",
        "Flask-Compress",
        accepting("gzip", method="HEAD"),
        (Apart(HEAD, {"Content-Length": ("right", "none")}),),
    ),
]

# -- Django's GZipMiddleware -------------------------------------------------------------------------------------------

DJANGO_GZIP = {
    "GZipMiddleware": lambda: (
        django_site("django.middleware.gzip.GZipMiddleware"),
        django_behind(Gzip(minimum_size=200, breach_padding=100)),
    ),
    "GZipMiddleware, without padding": lambda: (
        django_site("django.middleware.gzip.GZipMiddleware"),
        django_behind(Gzip(minimum_size=200)),
    ),
}
OF_DJANGO_GZIP = [
    *(Case(coding, "GZipMiddleware", accepting(coding)) for coding in ("gzip", "br, gzip", "identity")),
    *(Case(where, "GZipMiddleware", accepting("gzip", where)) for where in ("/tag", "/stream", "/middling")),
    Case("a refused coding", "GZipMiddleware", accepting("gzip;q=0"), (Apart(REFUSES, GZIPPED),)),
    Case("any coding", "GZipMiddleware", accepting("*"), (Apart(ANY, {"Content-Encoding": (None, "gzip")}),)),
    Case(
        "a tag",
        "GZipMiddleware, without padding",
        accepting("gzip", "/tag"),
        (Apart(STRONG, {"Etag": ('W/"v1"', '"v1-gzip"')}),),
    ),
    Case("events", "GZipMiddleware", accepting("gzip", "/events"), (Apart(EVENTS, {**GZIPPED, **NO_VARY}),)),
    Case("a picture", "GZipMiddleware", accepting("gzip", "/image"), (Apart(PICTURES, {**GZIPPED, **NO_VARY}),)),
    Case("a range", "GZipMiddleware", accepting("gzip", "/part"), (Apart(PART, GZIPPED),)),
    Case("no-transform", "GZipMiddleware", accepting("gzip", "/kept"), (Apart(KEPT, {**GZIPPED, **NO_VARY}),)),
    *(
        Case(where, "GZipMiddleware", accepting("gzip", where), (Apart(COULD, {"Vary": (None, "accept-encoding")}),))
        for where in ("/small", "/error", "/nowhere")
    ),
    Case(
        "HEAD",
        "GZipMiddleware",
        accepting("gzip", method="HEAD"),
        (Apart(HEAD, {"Content-Length": ("right", "none")}), Apart(NOTHING, {"body": ("the page", "")})),
    ),
]

# -- flask-talisman, and Django's SecurityMiddleware -------------------------------------------------------------------


def flask_talisman():
    def extend(app):
        from flask_talisman import Talisman

        Talisman(app)

    return flask_site(extend)


AS_TALISMAN = (
    SecurityHeaders(
        preset="basic",
        csp="default-src 'self'; object-src 'none'",
        hsts=HSTS(31_556_926),
        permissions_policy={"browsing-topics": ()},
    ),
    HTTPSRedirect(status=302),
)
AS_DJANGO = SecurityHeaders(
    preset="basic", hsts=HSTS(3600), frame_options="DENY", referrer_policy="same-origin", coop="same-origin"
)
DJANGO_SECURITY = "django.middleware.security.SecurityMiddleware"
DJANGO_FRAMES = "django.middleware.clickjacking.XFrameOptionsMiddleware"
HSTS_OF_DJANGO = {"SECURE_HSTS_SECONDS": 3600, "SECURE_HSTS_INCLUDE_SUBDOMAINS": True}
SECURITY = {
    "flask-talisman": lambda: (flask_talisman(), flask_behind(*AS_TALISMAN)),
    "SecurityMiddleware": lambda: (
        django_site(
            *(DJANGO_SECURITY, DJANGO_FRAMES),
            **HSTS_OF_DJANGO,
            SECURE_SSL_REDIRECT=True,
            SECURE_REDIRECT_EXEMPT=["^small$"],
        ),
        django_behind(AS_DJANGO, HTTPSRedirect(status=301, exempt=path("/small"))),
    ),
    "SecurityMiddleware, hosts": lambda: (
        django_site(*(DJANGO_SECURITY, DJANGO_FRAMES), **HSTS_OF_DJANGO, ALLOWED_HOSTS=["shop.example"]),
        django_behind(AS_DJANGO, TrustedHosts(hosts="shop.example")),
    ),
}
HTTPS = {"HTTP_HOST": "shop.example", "wsgi.url_scheme": "https"}
HTTP = {"HTTP_HOST": "shop.example", "QUERY_STRING": "a=b"}
ON_8080 = {"HTTP_HOST": "shop.example:8080"}
LOCATIONS = ("https://shop.example:8080/", "https://shop.example/")
PAGE_OF_WERKZEUG = "<!doctype html>\n<html lang=en>\n<title>Re"
BY_WERKZEUG = {"Content-Type": (HTML, LINE)}
BY_DJANGO = {"Content-Type": (HTML, LINE), "Content-Length": (None, "right")}
SEE, SEE_QUERY = "See https://shop.example/\n", "See https://shop.example/?a=b\n"
OF_SECURITY = [
    *(Case(f"https, {where}", "flask-talisman", {"path": where, **HTTPS}) for where in ("/", "/error", "/nowhere")),
    Case(
        "fields of a view",
        "flask-talisman",
        {"path": "/own", **HTTPS},
        (
            Apart(
                VIEW,
                {
                    "X-Frame-Options": ("SAMEORIGIN", "DENY"),
                    "Referrer-Policy": ("strict-origin-when-cross-origin", "no-referrer"),
                },
            ),
        ),
    ),
    Case("http", "flask-talisman", HTTP, (Apart(TEXT, {**BY_WERKZEUG, "body": (PAGE_OF_WERKZEUG, SEE_QUERY)}),)),
    Case(
        "http, a port",
        "flask-talisman",
        ON_8080,
        (Apart(TEXT, {**BY_WERKZEUG, "body": (PAGE_OF_WERKZEUG, SEE)}), Apart(PORT, {"Location": LOCATIONS})),
    ),
    Case(
        "X-Forwarded-Proto of a client",
        "flask-talisman",
        {"HTTP_HOST": "shop.example", "HTTP_X_FORWARDED_PROTO": "https"},
        (
            Apart(
                BELIEVED,
                {
                    "status": ("200 OK", "302 FOUND"),
                    "Location": (None, "https://shop.example/"),
                    "Strict-Transport-Security": ("max-age=31556926; includeSubDomains", None),
                    "body": ("the page", SEE),
                },
            ),
        ),
    ),
    *(
        Case(f"https, {where}", "SecurityMiddleware", {"path": where, **HTTPS})
        for where in ("/", "/error", "/nowhere", "/own")
    ),
    Case("http, exempt", "SecurityMiddleware", {"path": "/small", "HTTP_HOST": "shop.example"}),
    Case(
        "http",
        "SecurityMiddleware",
        HTTP,
        (Apart(TEXT, {**BY_DJANGO, "body": ("", SEE_QUERY)}), Apart(FRAMED, {"X-Frame-Options": (None, "DENY")})),
    ),
    Case(
        "http, a port",
        "SecurityMiddleware",
        ON_8080,
        (
            Apart(TEXT, {**BY_DJANGO, "body": ("", SEE)}),
            Apart(FRAMED, {"X-Frame-Options": (None, "DENY")}),
            Apart(PORT, {"Location": LOCATIONS}),
        ),
    ),
    Case(
        "another host",
        "SecurityMiddleware, hosts",
        {**HTTPS, "HTTP_HOST": "evil.example"},
        (
            Apart(
                PLAIN_400,
                {
                    **BY_DJANGO,
                    "Vary": (None, "accept"),
                    "body": ('\n<!doctype html>\n<html lang="en">\n<head>', "The Host of the request is not served he"),
                },
            ),
        ),
    ),
]

SIDES = {**FLASK_CORS, **DJANGO_CORS, **FLASK_COMPRESS, **DJANGO_GZIP, **SECURITY}
CASES = [*OF_FLASK_CORS, *OF_DJANGO_CORS, *OF_FLASK_COMPRESS, *OF_DJANGO_GZIP, *OF_SECURITY]


@pytest.fixture(scope="module")
def sides():
    """Both sides of a pair, each made once."""
    made: dict[str, Any] = {}
    return lambda name: made[name] if name in made else made.setdefault(name, SIDES[name]())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.sides}: {case.name}")
def test_the_heads_differ_where_the_page_says_so_and_nowhere_else(sides, case):
    wanted = {name: values for apart in case.apart for name, values in apart.fields.items()}
    assert differences(*sides(case.sides), case.keys) == wanted


# The page of each pair of sides, by how its name begins.
PAGE_OF = {
    "flask-cors": "flask-cors.md",
    "django-cors-headers": "django-cors-headers.md",
    "Flask-Compress": "flask-compress.md",
    "GZipMiddleware": "django-gzip.md",
    "flask-talisman": "flask-talisman.md",
    "SecurityMiddleware": "django-security.md",
}


def read(page):
    return re.sub(r"\s+", " ", (PAGES / page).read_text("utf-8"))


@pytest.mark.parametrize(("project", "page"), PAGE_OF.items())
def test_a_page_has_the_reason_of_every_difference(project, page):
    reasons = {apart.reason for case in CASES if case.sides.startswith(project) for apart in case.apart}
    assert reasons
    assert [reason for reason in reasons if reason not in read(page)] == []


# -- what no head shows ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Flask-Compress closes no file
def test_a_range_is_sent_as_it_is(tmp_path):
    """Flask-Compress encodes it."""
    file = tmp_path / "page.txt"
    file.write_bytes(PAGE)
    keys = accepting("br", "/file", HTTP_RANGE="bytes=0-1023")
    theirs, ours = head(flask_compress(file), keys), head(flask_behind(Compress(), file=file), keys)
    assert (theirs["status"], theirs["Content-Encoding"]) == ("206 PARTIAL CONTENT", "br")
    assert (ours["status"], ours.get("Content-Encoding")) == ("206 PARTIAL CONTENT", None)
    assert theirs["Content-Range"] == ours["Content-Range"] == "bytes 0-1023/2048"
    assert theirs["body"] == ours["body"]
    assert PART in read("flask-compress.md")


@pytest.mark.parametrize(
    ("project", "coding", "theirs"),
    [("Flask-Compress", "br", 0), ("GZipMiddleware", "gzip", 3 if django.VERSION >= DJANGO_FLUSHES else 0)],
)
def test_a_stream_is_decodable_chunk_by_chunk(sides, project, coding, theirs):
    """Flask-Compress and earlier versions of Django hold it back until the encoder has enough."""
    decodable = []
    for app in sides(project):
        answer = serve(app, "/stream", lint=False, HTTP_ACCEPT_ENCODING=coding)
        decoder, pieces = Decoder(coding), []
        for chunk in answer.chunks:
            pieces.append(decoder.feed(chunk))
        decodable.append(sum(piece == PAGE for piece in pieces))
    assert decodable == [theirs, 3]
    assert STREAMS in read(PAGE_OF[project])


# -- every setting has a row -------------------------------------------------------------------------------------------


def settings_of_flask_cors():
    from flask_cors.core import DEFAULT_OPTIONS

    return set(DEFAULT_OPTIONS)


def settings_of_django_cors():
    from corsheaders import conf

    return {name for name in vars(conf.Settings) if name.startswith("CORS_")} | {"check_request_enabled"}


def settings_of_flask_compress():
    return {name for name in flask_compress().config if name.startswith("COMPRESS_")}


def settings_of_talisman():
    from flask_talisman import Talisman

    return set(inspect.signature(Talisman.init_app).parameters) - {"self", "app"}


def settings_of_security_middleware():
    from django.middleware.security import SecurityMiddleware

    return {*re.findall(r"settings\.(\w+)", inspect.getsource(SecurityMiddleware)), "X_FRAME_OPTIONS"}


@pytest.mark.parametrize(
    ("project", "settings"),
    [
        ("flask-cors", settings_of_flask_cors),
        ("django-cors-headers", settings_of_django_cors),
        ("Flask-Compress", settings_of_flask_compress),
        ("GZipMiddleware", lambda: {"max_random_bytes"}),
        ("flask-talisman", settings_of_talisman),
        ("SecurityMiddleware", settings_of_security_middleware),
    ],
)
def test_every_setting_of_the_other_project_has_a_row(project, settings):
    text = (PAGES / PAGE_OF[project]).read_text("utf-8")
    rows = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE))))
    names = settings()
    assert names
    assert names - rows == set()

"""Layers, requests, heads and bodies of every kind, for tests that compare the two paths through a pipeline."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from gateway import serve
from layers_under_test import Uppercase
from middleware import (
    CORS,
    NONCE,
    Compress,
    Effects,
    External,
    Gzip,
    Headers,
    Hooks,
    Middleware,
    SecurityHeaders,
    Stack,
    Timing,
    match,
)


class Writes(Middleware):
    """Writes to environ on the way in, where inner layers look."""

    def on_request(self, environ):
        if environ.get("HTTP_X_REWRITE"):
            environ["HTTP_ORIGIN"] = "https://rewritten.example"
            environ["HTTP_ACCEPT_ENCODING"] = "identity"


class Custom(Middleware):
    """Sets a field and a status on the way out."""

    def on_response(self, environ, response):
        response.headers["X-Custom"] = response.headers.get("X-Set", "none")
        if "X-Teapot" in response.headers:
            response.status = "418 I'm a Teapot"


class Closes(Middleware):
    def on_close(self, environ, error):
        environ["test.closed"] = (environ.get("test.closed", 0), error and type(error).__name__)


class Subclass(Headers):
    """Does more than the layer that it is derived from."""

    def on_response(self, environ, response):
        super().on_response(environ, response)
        response.headers.vary("X-Subclass")


class Answers(Middleware):
    """Answers some requests instead of the application."""

    def on_request(self, environ):
        return answered if environ.get("HTTP_ORIGIN") == "null" else None


class Upper(Middleware):
    """Rewrites the body."""

    effects = Effects(rewrites_body=True)

    def on_response(self, environ, response):
        return Uppercase() if response.status != "500 INTERNAL SERVER ERROR" else None


class Assigns(Middleware):
    """Assigns the body, and does not say so."""

    def on_response(self, environ, response):
        response.body = [b"another"]


def answered(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"answered"]


def fails(environ):
    """A condition that fails for some."""
    if "HTTP_X_B" in environ:
        raise LookupError
    return True


def bit(n):
    """A condition that differs between requests."""

    def condition(environ):
        head, status, body, _ = environ["test.response"]
        return bool(head + 8 * status + 64 * body >> n & 1)

    return condition


def clock():
    """A clock that fails, now and then."""
    ticks[0] += 1
    if ticks[0] % 7 == 0:
        raise LookupError
    return float(ticks[0])


ticks = [0]


def rewrites(app):
    """A middleware of others that changes environ and the head."""

    def run(environ, start_response):
        environ["wsgi.url_scheme"] = environ.get("HTTP_X_SCHEME", "http")
        return app(environ, lambda status, lines, *rest: start_response(status, [*lines, ("X-Outer", "1")], *rest))

    return run


LAYERS = [
    lambda: Headers(set={"X-Set": "1"}),
    lambda: Headers(default={"Cache-Control": "no-cache", "X-Set": "2"}, remove=["X-Gone"]),
    lambda: Headers(append=[("Set-Cookie", "a=b"), ("Vary", "Cookie")]),
    lambda: Headers(append={"Vary": "X-Beta"}, set={"X-Made": lambda environ, response: environ.get("HTTP_ORIGIN")}),
    lambda: SecurityHeaders(),
    lambda: SecurityHeaders(preset="strict", csp={"default-src": ["'self'", NONCE]}),
    lambda: SecurityHeaders(preset="api", remove=["X-Gone", "Server"]),
    lambda: CORS(allow_origins="*", timing_origins="*"),
    lambda: CORS(allow_origins=["https://app.example", "https://*.b.example"], allow_credentials=True),
    lambda: CORS(allow_origins=lambda origin, environ: origin.endswith("pp.example")),
    lambda: Gzip(minimum_size=100),
    lambda: Compress(minimum_size=0, etag="weak"),
    lambda: Gzip(minimum_size=100).when(match.path("/a")),
    lambda: CORS(allow_origins="https://app.example").when(match.path("/a")),
    lambda: Headers(set={"X-A": "1"}).when(match.method("GET")),
    lambda: Headers(set={"X-B": "1"}).when(lambda environ: "HTTP_X_B" in environ),
    lambda: Timing(),
    lambda: Timing(layers=True, response_time_header="X-Time"),
    Writes,
    Custom,
    Closes,
    lambda: Subclass(set={"X-Sub": "1"}),
    lambda: External(rewrites),
    lambda: Stack(Headers(set={"X-Nested": "1"}), Timing(metric="nested")),
    lambda: Hooks(),
]
ORIGIN = "https://app.example"
HEADS = [
    [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "{length}")],
    [("content-type", "text/plain"), ("VARY", "Cookie"), ("X-Gone", "1")],
    [("Content-Type", "application/json"), ("Vary", "*"), ("Cache-Control", "no-transform")],
    [("Content-Type", "text/html"), ("Vary", "Origin"), ("Vary", "Accept-Encoding"), ("X-Teapot", "1")],
    [("Content-Type", "text/html"), ("ETag", '"x"'), ("Access-Control-Allow-Origin", "https://own.example")],
    [("Content-Type", "image/png"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Set", "own")],
    [
        ("Content-Type", "text/css"),
        ("Content-Type", "text/html"),
        ("Server", "x"),
        ("Access-Control-Allow-Credentials", "true"),
    ],
]
STATUSES = ["200 OK", "404 Not Found", "204 No Content", "304 Not Modified", "299 Fine", "500 INTERNAL SERVER ERROR"]
REQUESTS = [
    {},
    {"HTTP_ORIGIN": "https://app.example", "HTTP_ACCEPT_ENCODING": "gzip, br"},
    {"HTTP_ORIGIN": "https://x.b.example", "HTTP_ACCEPT_ENCODING": "gzip;q=0", "PATH_INFO": "/a/b"},
    {"HTTP_ORIGIN": "https://evil.example", "wsgi.url_scheme": "https", "HTTP_X_B": "1"},
    {"HTTP_ORIGIN": "null", "HTTP_X_REWRITE": "1", "HTTP_ACCEPT_ENCODING": "*"},
    {"HTTP_IF_NONE_MATCH": '"x-gzip"', "HTTP_ACCEPT_ENCODING": "gzip", "HTTP_X_SCHEME": "https"},
    {"HTTP_RANGE": "bytes=0-1", "HTTP_ACCEPT_ENCODING": "gzip"},
    {"REQUEST_METHOD": "HEAD", "HTTP_ACCEPT_ENCODING": "gzip"},
    {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "https://app.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"},
    {"REQUEST_METHOD": "POST", "middleware.compress": False, "HTTP_ACCEPT_ENCODING": "gzip"},
]
BODIES = [[b"small"], [b"text " * 100], [b"a" * 60, b"b" * 60], [], (b"a", b"tuple"), "stream"]
exchanges = st.tuples(
    *map(st.integers, [0] * 5, [len(HEADS) - 1, len(STATUSES) - 1, len(REQUESTS) - 1, len(BODIES) - 1, 4])
)


def application(environ, start_response):
    head, status, body, tampers = environ["test.response"]
    chunks = BODIES[body]
    length = str(sum(map(len, chunks))) if chunks != "stream" else "6"
    if tampers == 1:
        environ["HTTP_ORIGIN"] = "https://app.example"
        environ["REQUEST_METHOD"] = "HEAD"
        environ.pop("HTTP_ACCEPT_ENCODING", None)
    if tampers == 2:
        environ.clear()
    if tampers == 3:
        raise LookupError
    if tampers == 4 and "middleware.timing" in environ:
        environ["middleware.timing"].add("db", 0.001)
    start_response(STATUSES[status], [(name, value.format(length=length)) for name, value in HEADS[head]])
    return (chunk for chunk in (b"abc", b"def")) if chunks == "stream" else chunks


def told(app, exchange):
    """Everything that a client gets, but for times and nonces."""
    head, status, request, body, tampers = exchange
    answer = serve(app, lint=False, **{"test.response": (head, status, body, tampers)}, **REQUESTS[request])
    return re.sub(r"\d+\.\d+|nonce-[^']*", "", repr((answer.status, answer.headers, answer.body, type(answer.error))))

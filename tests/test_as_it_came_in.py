"""Decisions follow from the request as it came in, whatever the application does to environ."""

from __future__ import annotations

import gzip

import pytest

from gateway import serve
from middleware import (
    CORS,
    NONCE,
    ConcurrencyLimit,
    Effects,
    Gzip,
    Headers,
    Middleware,
    SecurityHeaders,
    Stack,
    Timing,
    match,
)

ORIGIN = "https://app.example"
REQUEST = {
    "path": "/api/x",
    "HTTP_ORIGIN": ORIGIN,
    "HTTP_ACCEPT_ENCODING": "gzip",
    "wsgi.url_scheme": "https",
}
TEXT = b"<p>text</p>" * 200


def clears(environ):
    environ.clear()


def rewrites(environ):
    environ.update(REQUEST_METHOD="POST", PATH_INFO="/other", SCRIPT_NAME="/mount")


def changes(environ):
    environ.update(HTTP_ORIGIN="https://evil.example", HTTP_ACCEPT_ENCODING="identity")


def empties(environ):
    environ.pop("HTTP_ORIGIN")
    environ.pop("HTTP_ACCEPT_ENCODING")


def leaves(environ):
    pass


TAMPERING = [leaves, clears, rewrites, changes, empties]
BODIES = {
    "list": lambda: [TEXT],
    "small list": lambda: [b"<p>"],
    "tuple": lambda: (TEXT,),
    "stream": lambda: (chunk for chunk in [TEXT[:100], TEXT[100:]]),
}


class State(Middleware):
    """Keeps something of the request in environ."""

    def on_request(self, environ):
        environ["middleware.state"] = "kept"

    def on_response(self, environ, response):
        response.headers["X-State"] = f"{environ.get('middleware.state')} {response.method}"

    def on_close(self, environ, error):
        CLOSED.append((environ.get("middleware.state"), environ["middleware.status"], error))


class Request(Middleware):
    """Looks at requests only."""

    def on_request(self, environ):
        environ["middleware.seen"] = "yes"


CLOSED = []


@pytest.mark.parametrize("tamper", TAMPERING)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("times", [1, 4], ids=["first", "remembered"])
def test_what_an_application_does_to_environ_changes_no_decision(tamper, body, times):
    told = []

    def app(environ, start_response):
        nonce = str(environ["middleware.csp_nonce"])
        tamper(environ)
        start_response("200 OK", [("Content-Type", "text/html"), ("X-Nonce", nonce)])
        return BODIES[body]()

    stack = Stack(
        State(),
        Timing(on_complete=told.append),
        SecurityHeaders(csp={"script-src": [NONCE]}),
        CORS(allow_origins=ORIGIN).when(match.path("/api")),
        Headers(set={"X-Get": "1"}).when(match.method("GET")),
        Gzip(minimum_size=100),
    )
    wrapped = stack.wrap(app, waive="measure-outermost")
    CLOSED.clear()
    for _ in range(times):
        answer = serve(wrapped, lint=False, **REQUEST)
    encoded = body != "small list"
    assert answer.error is None
    assert (answer.get("Access-Control-Allow-Origin"), answer.get("X-Get")) == (ORIGIN, "1")
    assert answer.get("X-State") == "kept GET"
    assert f"'nonce-{answer.get('X-Nonce')}'" in answer.get("Content-Security-Policy")
    assert (answer.get("Content-Encoding") == "gzip") is encoded
    assert (gzip.decompress(answer.body) if encoded else answer.body) == b"".join(BODIES[body]())
    assert [("kept", 200, None)] * times == CLOSED
    assert [(each.method, each.path, each.status) for each in told] == [("GET", "/api/x", "200 OK")] * times


ALONE = {
    "Server-Timing": Timing(),
    "Access-Control-Allow-Origin": CORS(allow_origins=[ORIGIN, "https://b.example"]),
    "Content-Encoding": Gzip(minimum_size=100),
    "X-State": State(),
}


class Same(Middleware):
    """Passes every body on through a transform."""

    effects = Effects(rewrites_body=True)

    def on_response(self, environ, response):
        return self

    def feed(self, chunk):
        return chunk

    def finish(self):
        return b""


def late(environ, start_response, tamper):
    tamper(environ)
    start_response("200 OK", [("Content-Type", "text/html")])
    yield TEXT


def written(environ, start_response, tamper):
    tamper(environ)
    start_response("200 OK", [("Content-Type", "text/html")])(TEXT)
    return []


def sized(environ, start_response, tamper):
    tamper(environ)
    start_response("200 OK", [("Content-Type", "text/html")])
    return [TEXT]


@pytest.mark.parametrize("tamper", TAMPERING)
@pytest.mark.parametrize("answers", [late, written, sized])
@pytest.mark.parametrize("layers", [*([field] for field in ALONE), [*ALONE]], ids=" ".join)
@pytest.mark.parametrize("inner", [[], [Same()]], ids=["", "rewritten"])
@pytest.mark.parametrize("times", [1, 4], ids=["first", "remembered"])
def test_each_layer_alone_decides_by_the_request_that_came(tamper, answers, layers, inner, times):
    def app(environ, start_response):
        return answers(environ, start_response, tamper)

    wrapped = Stack(*(ALONE[field] for field in layers), *inner).wrap(app)
    for _ in range(times):
        answer = serve(wrapped, lint=False, **REQUEST)
    assert answer.error is None
    assert all(answer.get(field) for field in layers)
    assert answer.get("X-State") in {None, "kept GET"}
    assert answer.get("Access-Control-Allow-Origin") in {None, ORIGIN}


def cleared_at_once(environ, start_response):
    environ.clear()
    start_response("200 OK", [("Content-Type", "text/html")])
    return [TEXT]


def cleared_after_write(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])(TEXT)
    environ.clear()
    return []


def cleared_in_the_stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    yield TEXT
    environ.clear()


def cleared_before_an_error(environ, start_response):
    environ.clear()
    raise LookupError


class Clearing(list):
    """A body whose close() clears environ."""

    def __init__(self, chunks, environ):
        super().__init__(chunks)
        self.close = environ.clear


class ClearingStream(Clearing):
    def __iter__(self):
        yield TEXT


def cleared_by_close(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return Clearing([TEXT], environ)


def cleared_by_close_of_a_stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return ClearingStream([], environ)


CLEARING = [
    *(cleared_at_once, cleared_after_write, cleared_in_the_stream, cleared_before_an_error),
    *(cleared_by_close, cleared_by_close_of_a_stream),
]


@pytest.mark.parametrize("app", CLEARING)
@pytest.mark.parametrize(
    ("inner", "own"),
    [([], False), ([CORS(allow_origins=[ORIGIN, "https://b.example"])], False), ([State()], True)],
    ids=["", "row", "own"],
)
@pytest.mark.parametrize("times", [1, 4], ids=["first", "remembered"])
def test_a_layer_is_told_of_the_end_in_an_environ_with_its_state(app, inner, own, times):
    told, limit = [], ConcurrencyLimit(limit=1)
    timed = Stack(Timing(on_complete=told.append), *inner).wrap(app)
    limited = Stack(*inner, limit).wrap(app)
    CLOSED.clear()
    for _ in range(times):
        serve(timed, lint=False, **REQUEST)
        answer = serve(limited, lint=False, **REQUEST)
    status = "500" if app is cleared_before_an_error else "200"
    assert [(each.path, each.status[:3]) for each in told] == [("/api/x", status)] * times
    assert answer.status[:3] == status  # and not 503: each place was given back
    assert [kept for kept, _, _ in CLOSED] == ["kept"] * (2 * times if own else 0)


@pytest.mark.parametrize(
    "layers",
    [[Timing()], [Headers(set={"X-A": "1"})], [Gzip()], [State()], [Request()]],
    ids=["made", "row", "coding", "own", "request"],
)
@pytest.mark.parametrize(("came", "becomes"), [("HEAD", "GET"), ("GET", "HEAD")])
@pytest.mark.parametrize("body", BODIES)
def test_a_head_request_has_no_content_whatever_the_method_becomes(layers, came, becomes, body):
    def app(environ, start_response):
        environ["REQUEST_METHOD"] = becomes
        start_response("200 OK", [("Content-Type", "text/html")])
        return BODIES[body]()

    answer = serve(Stack(*layers).wrap(app), method=came, lint=False)
    assert bool(answer.body) is (came == "GET")


@pytest.mark.parametrize("alone", [True, False])
def test_a_plain_layer_is_not_moved_by_a_changed_origin(alone):
    def app(environ, start_response):
        environ["HTTP_ORIGIN"] = "https://evil.example"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    layer = CORS(allow_origins=lambda origin, environ: environ["PATH_INFO"] == "/api/x" and origin == ORIGIN)
    answer = serve(layer.wrap(app) if alone else Stack(layer).wrap(app), **REQUEST)
    assert answer.get("Access-Control-Allow-Origin") == ORIGIN


def test_an_error_that_the_application_handled_is_not_told():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            raise LookupError
        except LookupError as error:
            start_response("500 Oh", [], (type(error), error, error.__traceback__))
        return [b"sorry"]

    CLOSED.clear()
    serve(Stack(State()).wrap(app), lint=False)
    assert CLOSED == [("kept", 500, None)]


@pytest.mark.parametrize("body", BODIES)
def test_the_bytes_told_are_those_that_the_server_got(body):
    told = []
    app = Stack(Timing(on_complete=told.append), Gzip(minimum_size=10)).wrap(
        lambda environ, start_response: start_response("200 OK", [("Content-Type", "text/html")]) and BODIES[body]()
    )
    answer = serve(app, lint=False, **REQUEST)
    assert [each.bytes_sent for each in told] == [len(answer.body)]

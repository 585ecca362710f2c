"""Explain: what it says of a layer is what a spy between the layers sees, and why is what the layer says."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from gateway import environ as environ_of
from gateway import serve
from middleware import (
    CORS,
    NONCE,
    External,
    Gzip,
    Headers,
    Hooks,
    Inspector,
    Middleware,
    SecurityHeaders,
    Stack,
    Timing,
    match,
)
from middleware.hooks import ContextHooks, abort, request
from ordinary import LAYERS, REQUESTS, application, exchanges

ORIGIN = "https://a.example"
NO_CODING = "not encoded: the client accepts none of gzip, or prefers identity"
PREFLIGHT = {"access_control_request_method": "PUT", "origin": ORIGIN}


class Spy(Middleware):
    """Keeps the last head that passes."""

    def __init__(self, app=None, /):
        super().__init__(app)
        self.heads, self.asked = [], []

    def on_request(self, environ):
        self.asked.append(True)

    def on_response(self, environ, response):
        self.heads.append(list(response.headers))

    @property
    def head(self):
        return self.heads[-1] if self.heads else None


def folded(lines):
    return sorted((name.lower(), value) for name, value in lines)


def edited(lines, said):
    """The lines after what is said to have happened to them."""
    lines = folded(lines)
    for name, value in said["removed"]:
        lines.remove((name.lower(), value))
    for name, old, new in said["changed"]:
        assert old != new
        lines.remove((name.lower(), old))
        lines.append((name.lower(), new))
    return sorted([*lines, *folded(said["added"])])


@given(st.lists(st.integers(0, len(LAYERS) - 1), max_size=6), exchanges)
@pytest.mark.filterwarnings("ignore::middleware.stack.order.OrderWarning")
def test_what_is_said_of_a_layer_is_the_difference_that_spies_see(layers, exchange):
    """Any layers, requests and heads. Nothing is said to be both gone and new."""
    head, status, request, body, tampers = exchange
    plain = Stack(*(LAYERS[n]() for n in layers))
    spies = [Spy() for _ in range(len(plain) + 1)]
    stack = Stack(spies[0], *(each for layer, spy in zip(plain, spies[1:], strict=True) for each in (layer, spy)))
    said = {"test.response": (head, status, body, tampers), "wsgi.url_scheme": "http", **REQUESTS[request]}
    told = {step["name"]: step for step in stack.explain(application, environ_of(**said)).as_dict()["layers"]}
    for place, name in enumerate(stack.names[1::2]):
        left, entered = spies[place].head, spies[place + 1].head
        if left is None:
            assert (name in told) == bool(spies[place].asked)  # an exception passed it
            assert name not in told or not any(told[name]["response"].values())
            continue
        step = told[name]
        assert edited(entered or [], step["response"]) == folded(left)
        assert step["answered"] == (entered is None and not spies[place + 1].asked)
        assert not {tuple(line) for line in step["response"]["added"]} & set(map(tuple, step["response"]["removed"]))
    for name in stack.names[::2]:
        if name in told:
            assert (told[name]["response"], told[name]["transform"]) == ({key: [] for key in NOTHING}, False)


NOTHING = "added", "changed", "removed"


def sending(*lines, status="200 OK", body=(b"hello",)):
    def app(environ, start_response):
        start_response(status, list(lines))
        return list(body)

    return app


HTML = ("Content-Type", "text/html")
LONG = (b"<p>hello" * 1000,)
NOISE = (bytes(range(256)) * 5,)


def failing(environ, start_response):
    raise LookupError("broken")


# layer, application, request headers, note
NOTED = [
    (CORS(allow_origins=ORIGIN), sending(HTML), {}, "the request has no Origin"),
    (
        CORS(allow_origins=ORIGIN),
        sending(HTML),
        {"origin": "https://b.example"},
        "origin https://b.example is not listed in allow_origins",
    ),
    (CORS(allow_origins=ORIGIN), sending(HTML), {"origin": "\r\nx"}, r"origin \r\nx is not listed in allow_origins"),
    (CORS(allow_origins=ORIGIN), sending(HTML), {"origin": ORIGIN}, ""),
    (
        CORS(allow_origins=ORIGIN),
        sending(HTML, ("access-control-allow-origin", "*")),
        {"origin": ORIGIN},
        "the application set its own Access-Control-Allow-Origin",
    ),
    (
        CORS(allow_origins=ORIGIN),
        sending(HTML),
        PREFLIGHT,
        "preflight refused: the method PUT is not listed in allow_methods",
    ),
    (CORS(allow_origins=ORIGIN, allow_methods="PUT"), sending(HTML), PREFLIGHT, ""),
    (
        CORS(),
        sending(HTML),
        PREFLIGHT,
        f"origin {ORIGIN} is not listed in allow_origins",
    ),
    (Gzip(), sending(HTML), {"accept_encoding": "gzip"}, "not encoded: 5 bytes, minimum_size is 1024"),
    (
        Gzip(),
        sending(HTML, ("Content-Length", "312"), ("ETag", '"x"'), body=(b"a" * 312,)),
        {"accept_encoding": "gzip"},
        "not encoded: 312 bytes, minimum_size is 1024",
    ),
    (Gzip(), sending(HTML, body=LONG), {}, NO_CODING),
    (
        Gzip(),
        sending(HTML, ("ETag", '"x"'), body=LONG),
        {"accept_encoding": "br"},
        NO_CODING,
    ),
    (Gzip(), sending(HTML, body=LONG), {"accept_encoding": "gzip"}, ""),
    (
        Gzip(),
        sending(HTML, body=LONG),
        {"accept_encoding": "identity, gzip;q=0.5"},
        NO_CODING,
    ),
    (
        Gzip(content_types="*/*"),
        sending(("Content-Type", "text/event-stream"), body=LONG),
        {"accept_encoding": "gzip"},
        "not encoded: type text/event-stream is never encoded",
    ),
    (
        Gzip(minimum_size=0),
        sending(HTML, ("ETag", '"x"'), ("Content-Length", "0"), body=()),
        {"accept_encoding": "gzip"},
        "not encoded: gzip would not make it smaller",
    ),
    (
        Gzip(),
        sending(("Content-Type", "image/png"), body=LONG),
        {"accept_encoding": "gzip"},
        "not encoded: type image/png is not listed in content_types",
    ),
    (
        Gzip(),
        sending(("ETag", '"x"'), body=LONG),
        {"accept_encoding": "gzip"},
        "not encoded: type none is not listed in content_types",
    ),
    (
        Gzip(),
        sending(HTML, ("Cache-Control", "no-transform"), body=LONG),
        {"accept_encoding": "gzip"},
        "not encoded: Cache-Control has no-transform",
    ),
    (
        Gzip(),
        sending(HTML, ("Content-Encoding", "br"), body=LONG),
        {"accept_encoding": "gzip"},
        "not encoded: the application sent it with Content-Encoding: br",
    ),
    (
        Gzip(),
        sending(HTML, ("X-Sendfile", "/etc/hosts")),
        {"accept_encoding": "gzip"},
        "not encoded: the application sent X-Sendfile",
    ),
    (
        Gzip(),
        sending(status="304 Not Modified", body=()),
        {"accept_encoding": "gzip"},
        "not encoded: a 304 has no whole content",
    ),
    (
        Gzip(minimum_size=0),
        sending(HTML, body=(b"x",)),
        {"accept_encoding": "gzip"},
        "not encoded: gzip would not make it smaller",
    ),
    (
        Gzip(),
        sending(HTML, ("ETag", "abc"), body=LONG),
        {"accept_encoding": "gzip"},
        "ETag is removed, because it is no entity tag: abc",
    ),
    (
        Gzip(not_acceptable="406"),
        sending(HTML),
        {"accept_encoding": "identity;q=0, *;q=0"},
        f"Accept-Encoding refuses identity and every coding; {NO_CODING}",
    ),
    (SecurityHeaders(csp=False, hsts=False), sending(HTML), {}, ""),
    (SecurityHeaders(csp=False), sending(HTML), {}, "no HSTS over http"),
    (
        SecurityHeaders(hsts=False),
        sending(HTML, ("content-security-policy", "default-src *"), ("X-Powered-By", "x")),
        {},
        "the application set its own Content-Security-Policy",
    ),
    (
        SecurityHeaders(csp={"default-src": NONCE}, hsts=False),
        sending(status="304 Not Modified", body=()),
        {},
        "no Content-Security-Policy on a 304: the client has one, with the nonce of the page",
    ),
    (SecurityHeaders(csp={"default-src": NONCE}, hsts=False), sending(HTML), {}, ""),
    (
        Headers(default={"Cache-Control": "no-store", "X-Gone": "1", "X-New": "1"}, remove="X-Gone"),
        sending(("cache-control", "private"), ("X-Gone", "0")),
        {},
        "the application set its own Cache-Control",
    ),
    (
        Headers(set={"X-Made": lambda environ, response: None}),
        sending(HTML),
        {},
        "X-Made stays as it is: its callable returned None",
    ),
    (Headers(set={"X-Made": lambda environ, response: "1"}), sending(HTML), {}, ""),
    (Timing(expose=False), sending(HTML), {}, "no Server-Timing, by expose: it is False"),
    (
        Timing(expose=match.path("/admin")),
        sending(HTML),
        {},
        "no Server-Timing, by expose: its condition does not hold",
    ),
    (Timing(), sending(HTML), {}, ""),
    (Headers().when(match.path("/admin")), sending(HTML), {}, "condition path('/admin') does not hold"),
    (Headers().when(match.path("/")), sending(HTML), {}, ""),
    (CORS(allow_origins="*").when(match.header("X-A")), sending(HTML), {}, "condition header('x-a') does not hold"),
    (External(lambda app: app).when(match.path("/b")), sending(HTML), {}, "condition path('/b') does not hold"),
]


@pytest.mark.parametrize(("layer", "app", "headers", "note"), NOTED)
def test_a_layer_says_why(layer, app, headers, note):
    """Whoever listens gets the reason; without, the response is the same."""
    method = "OPTIONS" if "access_control_request_method" in headers else "GET"
    [step] = Stack(layer).explain(app, {"REQUEST_METHOD": method}, **headers).steps
    assert step.note == note
    fields = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    alone = serve(Stack(layer).wrap(app), method=method, lint=False, **fields)
    watched = Stack(layer).explain(app, {"REQUEST_METHOD": method}, **headers)
    masked = [re.sub(r"\d+\.\d+", "", str(each)) for each in (alone.headers, list(watched.headers))]
    assert masked[0] == masked[1]


def named_function(environ):
    return False


def test_a_condition_that_is_a_function_is_told_by_its_name():
    [step] = Stack(Headers().when(named_function)).explain(sending(HTML), "/").steps
    assert step.note == "condition named_function does not hold"


def test_opting_out_is_told():
    def app(environ, start_response):
        environ["middleware.compress"] = False
        return sending(HTML, body=LONG)(environ, start_response)

    [step] = Stack(Gzip()).explain(app, "/", accept_encoding="gzip").steps
    assert step.note == "not encoded: the application opted out by middleware.compress"


def test_nobody_listens_outside_of_an_explanation():
    seen = []

    def app(environ, start_response):
        seen.append(environ.get("middleware.notes"))
        return sending(HTML)(environ, start_response)

    stack = Stack(Headers())
    serve(stack.wrap(app))
    stack.explain(app, "/")
    assert seen[0] is None
    assert callable(seen[1].append)


class Says(Middleware):
    """Notes something when the request passes and when the response does."""

    def on_request(self, environ):
        environ["test.said"] = self.name
        environ["middleware.notes"].append(f"{self.name} request")

    def on_response(self, environ, response):
        environ["middleware.notes"].append(f"{self.name} response")


def test_a_note_is_that_of_the_layer_that_is_running():
    """Through an External, and a stack around which another one stands."""

    def app(environ, start_response):
        environ["middleware.notes"].append("of no layer")
        return sending(HTML)(environ, start_response)

    inner = Stack(Says()).wrap(app)
    stack = Stack(Says(), External(lambda app: app), Stack(Headers(), Says()))
    explanation = stack.explain(inner, "/")
    assert [(step.name, step.note) for step in explanation.steps] == [
        ("Says", "Says request; Says response"),
        ("lambda", ""),
        ("Headers", ""),
        ("Says-2", "Says-2 request; Says-2 response"),
        ("Says-3", "Says-3 request; Says-3 response"),
    ]
    assert explanation.steps[0].environ == ("test.said",)


class Teapot(Middleware):
    def on_response(self, environ, response):
        response.status = "418 I'm a Teapot"


class Answers(Middleware):
    def on_request(self, environ):
        environ["test.answered"] = True
        return sending(("X-Answer", "1"), HTML)


def test_the_shape_for_programs():
    told = Stack(Teapot(), Answers(), Headers()).explain(failing, "/a%20b?c=d", x_field="1").as_dict()
    assert [step.pop("seconds") >= 0 for step in told["layers"]] == [True, True]
    nothing = {"added": [], "changed": [], "removed": []}
    assert told == {
        "layers": [
            {
                "name": "Teapot",
                "answered": False,
                "request": {"environ": []},
                "response": nothing,
                "transform": False,
                "note": "the status changes from 200 OK to 418 I'm a Teapot",
            },
            {
                "name": "Answers",
                "answered": True,
                "request": {"environ": ["test.answered"]},
                "response": {**nothing, "added": [["X-Answer", "1"], ["Content-Type", "text/html"]]},
                "transform": False,
                "note": "",
            },
        ],
        "response": {
            "status": "418 I'm a Teapot",
            "headers": [["X-Answer", "1"], ["Content-Type", "text/html"]],
        },
    }


def test_an_error_is_told_with_the_response_that_stands_for_it():
    explanation = Stack(Headers(set={"X-A": "1"})).explain(failing, "/")
    assert (explanation.status, explanation.error) == ("500 Internal Server Error", "LookupError: broken")
    assert explanation.steps[0].added == (("X-A", "1"),)
    assert "error     LookupError: broken" in str(explanation)


class Breaks(Middleware):
    def on_request(self, environ):
        raise LookupError


def breaking(app):
    return failing


@pytest.mark.parametrize("layer", [Breaks(), External(breaking).named("Breaks")])
def test_a_layer_that_fails_has_answered_nothing(layer):
    """Those inside are met by the response alone, if they are in the same pass."""
    explanation = Stack(Headers(), layer, Headers()).explain(sending(HTML), "/")
    steps = {step.name: step for step in explanation.steps}
    assert not any(step.answered for step in steps.values())
    assert steps["Breaks"].note == "an exception was raised here"
    assert explanation.error.startswith("LookupError")
    if not isinstance(layer, External):
        assert steps["Headers-2"].note == "an outer layer failed: the request did not reach this one"


class BreaksLate(Middleware):
    def on_response(self, environ, response):
        raise LookupError("late")


def test_a_layer_that_fails_on_a_response_is_told_beside_the_head_of_the_application():
    explanation = Stack(Headers(set={"X-A": "1"}), BreaksLate(), Headers()).explain(sending(HTML), "/")
    assert [step.note for step in explanation.steps] == ["", "an exception was raised here", ""]
    assert (explanation.application, explanation.status[:3]) == (("200 OK", (HTML,)), "500")
    assert explanation.error == "LookupError: late"


def test_the_answer_to_an_exception_is_that_of_the_application_if_it_raised():
    """An inner stack, which answers by itself, is the application of the outer one."""
    answering = Stack(Headers()).wrap(failing)
    for app in (failing, lambda *request: answering(*request)):
        assert Stack(Headers()).explain(app, "/").application[0] == "500 Internal Server Error"
    assert Stack(Breaks()).explain(sending(HTML), "/").application is None


def test_a_layer_that_was_not_reached_has_added_nothing():
    """An External is no part of the pass that answers the exception."""
    _, external = Stack(Breaks(), External(lambda app: app)).explain(sending(HTML), "/").steps
    assert (external.answered, external.added) == (False, ())
    assert external.note == "an outer layer failed: the request did not reach this one"


def test_an_answer_to_an_exception_is_not_one_to_the_request():
    [step] = Stack(Hooks()).explain(failing, "/").steps
    assert (step.answered, step.note) == (False, "answers an exception that was raised inside")
    _, inner = Stack(Hooks(), Headers(set={"X-A": "1"})).explain(failing, "/").steps
    assert (inner.answered, inner.added, inner.note) == (False, (), "no response came back: an exception passed")


def answering_hooks():
    """Hooks that answer by a value, by abort, and by a handler."""
    hooks = Hooks()

    @hooks.before_request
    def check():
        if request.path == "/value":
            return "no", 403
        if request.path != "/":
            abort(410 if request.path == "/abort" else 404)
        return None

    @hooks.errorhandler(404)
    def found(error):
        return "nothing here", 404

    return hooks


def aborting_hooks():
    """Hooks with a context, which answer by abort alone."""
    hooks = ContextHooks()

    @hooks.before_request
    def check(ctx):
        if ctx.request.path != "/":
            abort(410)

    return hooks


@pytest.mark.parametrize(
    ("make", "path", "note"),
    [
        (answering_hooks, "/value", "the before_request hook answering_hooks.<locals>.check answered"),
        (answering_hooks, "/abort", "the exception Gone is the response"),
        (answering_hooks, "/handler", "the errorhandler answering_hooks.<locals>.found answered NotFound"),
        (aborting_hooks, "/", ""),
        (aborting_hooks, "/abort", "the exception Gone is the response"),
    ],
)
def test_hooks_say_which_of_them_answered(make, path, note):
    [step] = Stack(make()).explain(sending(HTML), path).steps
    assert step.note.replace(f"{__name__}.", "") == note


def test_no_note_is_of_hsts_over_https_nor_of_a_field_that_is_replaced():
    app = sending(HTML, ("X-Frame-Options", "DENY"))
    layer = SecurityHeaders(csp=False, remove="x-frame-options")
    [step] = Stack(layer).explain(app, "https://a.example/").steps
    assert step.note == ""


def test_a_note_is_kept_once():
    def app(environ, start_response):
        sending(HTML, ("Content-Security-Policy", "x"))(environ, start_response)
        raise LookupError

    [step] = Stack(SecurityHeaders()).explain(app, "/").steps
    assert step.note == "no HSTS over http"

    class Twice(Middleware):
        def on_response(self, environ, response):
            environ["middleware.notes"].append("once")
            environ["middleware.notes"].append("once")

    [step] = Stack(Twice()).explain(sending(HTML), "/").steps
    assert step.note == "once"


def test_errors_of_the_body_end_the_response():
    def app(environ, start_response):
        start_response("200 OK", [HTML])
        yield b"x"
        raise LookupError

    explanation = Stack(Headers(set={"X-A": "1"})).explain(app, "/")
    assert (explanation.status, explanation.error) == ("200 OK", "LookupError")


def test_errors_of_close_are_told():
    class Body:
        def __iter__(self):
            return iter([b"x"])

        def close(self):
            raise LookupError("closing")

    def app(environ, start_response):
        start_response("200 OK", [HTML])
        return Body()

    assert Stack().explain(app, "/").error == "LookupError: closing"


def test_an_endless_body_has_an_end():
    def app(environ, start_response):
        write = start_response("200 OK", [HTML])
        write(b"x")
        while True:
            yield b"x"

    assert Stack(Headers()).explain(app, "/").status == "200 OK"


@pytest.mark.parametrize(
    ("request_", "headers", "keys"),
    [
        ("/a%20b?c=d#e", {}, {"PATH_INFO": "/a b", "QUERY_STRING": "c=d", "REQUEST_METHOD": "GET"}),
        ("//a", {}, {"PATH_INFO": "//a"}),
        ("/%C3%A4", {}, {"PATH_INFO": "/\xc3\xa4"}),
        ("/\xe4?\u65e5", {}, {"PATH_INFO": "/\xc3\xa4", "QUERY_STRING": "\xe6\x97\xa5"}),
        ("/\udcff?\udcff", {}, {"PATH_INFO": "/\xff", "QUERY_STRING": "\xff"}),
        ("http://\xe4/\xe4?\xe4", {}, {"HTTP_HOST": "\xc3\xa4", "PATH_INFO": "/\xc3\xa4", "QUERY_STRING": "\xc3\xa4"}),
        ("https://a.example/b?c", {}, {"wsgi.url_scheme": "https", "HTTP_HOST": "a.example", "PATH_INFO": "/b"}),
        ("http://a.example", {}, {"PATH_INFO": "/", "QUERY_STRING": ""}),
        ("http://ann:@b@a.example:80/", {}, {"HTTP_HOST": "a.example:80"}),
        ({"PATH_INFO": "/x", "REMOTE_ADDR": "10.0.0.1"}, {}, {"PATH_INFO": "/x", "REMOTE_ADDR": "10.0.0.1"}),
        ("/", {"content_type": "a/b", "x_y": "1"}, {"CONTENT_TYPE": "a/b", "HTTP_X_Y": "1"}),
        ("/", {"X-Y": "1"}, {"HTTP_X_Y": "1"}),
    ],
)
def test_a_request_is_an_environ_a_path_or_a_url(request_, headers, keys):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return sending(HTML)(environ, start_response)

    given = dict(request_) if isinstance(request_, dict) else request_
    Stack(Headers()).explain(app, given, **headers)
    assert {key: seen[key] for key in keys} == keys
    assert given == request_


@pytest.mark.parametrize(
    ("request_", "headers", "kind", "message"),
    [
        (5, {}, TypeError, "a request is an environ, or a path"),
        ("a", {}, ValueError, "a path begins with '/'"),
        ("ftp://a/", {}, ValueError, "a path begins with '/'"),
        ("http://ann@/", {}, ValueError, "a path begins with '/'"),
        ("http://[::1/", {}, ValueError, "a URL with http:// or https://; got 'http://[::1/'"),
        ("http://a]/", {}, ValueError, "a URL with http:// or https://; got 'http://a]/'"),
        ("/", {"origin": 5}, TypeError, "origin: the value of a request header is a str; got 5"),
    ],
)
def test_a_wrong_request_is_refused(request_, headers, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        Stack().explain(sending(), request_, **headers)


def test_the_report_fits_80_columns_and_cannot_steer_a_terminal():
    lines = [("X-Long", "word " * 60), ("X-Longer", "x" * 300), ("X-Escape", "\x1b[31m")]
    stack = Stack(Timing(), Gzip(), Headers(set={"X-B": "2", "X-Escape": "1"}, remove="X-Long"), Hooks())
    told = str(stack.explain(sending(HTML, *lines, ("X-B", "1"), body=LONG), "/\x1b[2J", accept_encoding="gzip"))
    assert max(map(len, told.splitlines())) <= 80
    assert "\x1b" not in told
    assert "changes the body" in told
    assert "~ X-B: 1 -> 2" in told
    assert "- X-Long: word" in told


def test_an_empty_stack_explains_the_application():
    told = Stack().explain(sending(HTML), "/")
    assert told.as_dict() == {"layers": [], "response": {"status": "200 OK", "headers": [list(HTML)]}}
    assert "No response" in str(Stack().explain(failing, "/").__class__("GET", "/", (), (), None, "", ()))


def test_what_was_not_reached_is_told():
    assert "was not reached" in str(Stack(Answers()).explain(failing, "/"))


def test_broken_order_rules_are_no_obstacle():
    assert Stack(Gzip(), Gzip()).explain(sending(HTML), "/").status == "200 OK"


# -- stacks inside the application -------------------------------------------------------------------------------------


def page(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("in a mounted application")
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<p>page"]


class Around:
    """A middleware that keeps what it wraps under `app`."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        return self.app(environ, start_response)


class Uncopied(Around):
    def __copy__(self):
        raise TypeError("there is one of these")


class Site(Around):
    """An application in the form of Flask's."""

    def __init__(self, app):
        self.wsgi_app = app

    def __call__(self, environ, start_response):
        return self.wsgi_app(environ, start_response)


class Guard:
    """A middleware that keeps what it wraps under `wsgi_app`."""

    def __init__(self, app):
        self.wsgi_app = app

    def __call__(self, environ, start_response):
        if "HTTP_X_OPEN" in environ:
            return self.wsgi_app(environ, start_response)
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b"closed"]


def without_time(lines):
    return [line for line in lines if line[0] != "Server-Timing"]


def deep(app):
    return Stack(Headers(set={"X-Deep": "1"}).named("deep")).wrap(app)


def mounted(app=page):
    """A site of three parts, two of them in a stack, one of these in a further middleware."""
    api = Stack(CORS(allow_origins=ORIGIN), Headers(set={"X-Api": "1"})).wrap(app)
    return DispatcherMiddleware(app, {"/api": Around(api), "/old": DispatcherMiddleware(app, {"/x": deep(app)})})


def flask_inside(wrap):
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "page")
    app.wsgi_app = wrap(app.wsgi_app)
    return app


ASKED = {"method": "OPTIONS", "HTTP_ORIGIN": ORIGIN, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT"}
INSIDE = [
    (mounted(), "/", {}, [], "200 OK"),
    (mounted(), "/api/", {}, ["CORS", "Headers"], "200 OK"),
    (mounted(), "/api/", ASKED, ["CORS"], None),
    (mounted(), "/api/broken", {}, ["CORS", "Headers"], "500 Internal Server Error"),
    (mounted(), "/old/", {}, [], "200 OK"),
    (mounted(), "/old/x/", {}, ["deep"], "200 OK"),
    (Site(Around(deep(page))), "/", {}, ["deep"], "200 OK"),
    (flask_inside(deep), "/", {}, ["deep"], "200 OK"),
    (flask_inside(lambda app: Around(deep(app))), "/", {}, ["deep"], "200 OK"),
    (Guard(deep(page)), "/", {"HTTP_X_OPEN": "1"}, ["deep"], "200 OK"),
    (Guard(deep(page)), "/", {}, [], "401 Unauthorized"),
    (Guard(Around(deep(page))), "/", {}, [], "401 Unauthorized"),
    (Around(Guard(deep(page))), "/", {}, [], "401 Unauthorized"),
    (Headers(deep(page), set={"X-Alone": "1"}), "/", {}, ["deep"], "200 OK"),
    (Around(deep(Around(deep(page)))), "/", {}, ["deep", "deep"], "200 OK"),
    (deep(Around(deep(page))), "/", {}, ["deep", "deep"], "200 OK"),
    (Uncopied(deep(page)), "/", {}, [], "200 OK"),
    (Around(page), "/", {}, [], "200 OK"),
]


@pytest.mark.parametrize("outer", [Stack(), Stack(Timing()), Stack(Inspector(), Timing())], ids=len)
@pytest.mark.parametrize("inside", INSIDE)
def test_the_stacks_inside_an_application_are_explained_too(outer, inside):
    """Those that a request meets, in their order; the answer is the one that it gets without an explanation."""
    app, path, asked, names, status = inside
    found = outer.explain(app, environ_of(path, **asked))
    assert [step.name for step in found.steps] == [*outer.names, *names]
    assert (found.application and found.application[0]) == status
    answer = serve(outer.wrap(app), path, **asked)
    assert (found.status, without_time(found.headers)) == (answer.status, without_time(answer.headers))


def test_an_explanation_leaves_the_application_as_it_is():
    app = mounted()
    before = app.app, dict(app.mounts)
    Stack().explain(app, "/api/")
    assert (app.app, app.mounts) == before

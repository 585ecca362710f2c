"""on_error="auto": a debugger and a test client that ask for exceptions get them, every other client gets a 500."""

from __future__ import annotations

import json

import flask
import pytest
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

from gateway import serve
from middleware import CORS, External, Headers, Hooks, Middleware, SecurityHeaders, Stack, Timing, match
from shapes import Failure

LAYERS = {
    "a row": lambda: [SecurityHeaders(), Headers(set={"X-A": "1"})],
    "asked": lambda: [Timing(), Own()],
    "conditions": lambda: [Own(), Headers(set={"X-A": "1"}).when(match.path("/"))],
    "conditions outermost": lambda: [Headers(set={"X-A": "1"}).when(match.path("/"))],
    "two passes": lambda: [Own(), External(lambda app: app), Headers(set={"X-A": "1"})],
    "a pass of none": lambda: [External(lambda app: app)],
}
ASKING = [
    {"werkzeug.debug.preserve_context": print},
    {"paste.throw_errors": True},
    {"wsgi.handleErrors": False},
    {"paste.throw_errors": False, "wsgi.handleErrors": False},
]
NOT_ASKING = [{}, {"paste.throw_errors": False}, {"wsgi.handleErrors": True}, {"werkzeug.server.shutdown": print}]


class Own(Middleware):
    def on_request(self, environ):
        environ["middleware.own"] = "1"

    def on_response(self, environ, response):
        response.headers["X-Own"] = "1"


def fails(environ, start_response):
    raise Failure


def fails_later(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def body():
        raise Failure
        yield b""

    return body()


def answers(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


@pytest.mark.parametrize("app", [fails, fails_later])
@pytest.mark.parametrize("layers", LAYERS.values(), ids=list(LAYERS))
def test_who_asks_for_exceptions_gets_them_and_everyone_else_a_500(layers, app):
    wrapped = Stack(*layers()).wrap(app)
    for extra in ASKING + ASKING:  # the second time the pipeline is there
        assert isinstance(serve(wrapped, lint=False, **extra).error, Failure)
    for extra in NOT_ASKING:
        assert serve(wrapped, **extra).status == "500 Internal Server Error"


@pytest.mark.parametrize("layers", LAYERS.values(), ids=list(LAYERS))
def test_where_nothing_fails_the_response_is_the_same(layers):
    wrapped = Stack(*layers()).wrap(answers)
    plain = serve(wrapped)
    for extra in ASKING:
        served = serve(wrapped, **extra)
        assert (served.status, served.body) == ("200 OK", b"ok")
        assert [name for name, _ in served.headers] == [name for name, _ in plain.headers]


@pytest.mark.parametrize("key", ["werkzeug.debug.preserve_context", "paste.throw_errors"])
def test_a_key_that_comes_later_decides_nothing(key):
    """The request is taken as it came in: the application may run a debugger of its own."""

    def app(environ, start_response):
        environ[key] = print
        raise Failure

    assert serve(Stack(Own()).wrap(app)).status == "500 Internal Server Error"


def test_a_key_that_the_application_removes_decides_all_the_same():
    def app(environ, start_response):
        environ.clear()
        raise Failure

    assert isinstance(serve(Stack(Own()).wrap(app), lint=False, **{"paste.throw_errors": True}).error, Failure)


@pytest.mark.parametrize("extra", [*ASKING, *NOT_ASKING])
def test_the_other_values_ask_no_one(extra):
    assert serve(Stack(Own()).wrap(fails, on_error="respond"), **extra).status == "500 Internal Server Error"
    assert isinstance(serve(Stack(Own()).wrap(fails, on_error="raise"), lint=False, **extra).error, Failure)


# -- the debugger of Werkzeug, and Flask's test client -----------------------------------------------------------------


def site(**wrapping):
    app = flask.Flask(__name__)
    app.testing = True

    @app.get("/")
    def index():
        raise Failure

    @app.get("/fine")
    def fine():
        return "fine"

    app.wsgi_app = Stack(Own(), SecurityHeaders()).wrap(app.wsgi_app, **wrapping)
    return app


def test_the_debugger_of_werkzeug_shows_its_page():
    """`flask run --debug` puts it around an application."""
    response = Client(DebuggedApplication(site(), evalex=True)).get("/")
    assert response.status_code == 500
    assert "Werkzeug Debugger" in response.text
    assert "EVALEX = true" in response.text


def test_a_debugger_inside_the_stack_shows_its_page_with_the_headers_of_the_outer_layers():
    stack = Stack(Own(), External(DebuggedApplication, evalex=True), Headers(set={"X-A": "1"}))
    response = Client(stack.wrap(fails)).get("/")
    assert ("Werkzeug Debugger" in response.text, response.headers["X-Own"]) == (True, "1")


def test_without_evalex_the_debugger_asks_for_nothing():
    response = Client(DebuggedApplication(site(), evalex=False)).get("/")
    assert (response.text, response.headers["X-Own"]) == ("Internal Server Error\n", "1")


def test_the_test_client_of_flask_gets_exceptions_in_its_block():
    with site().test_client() as client, pytest.raises(Failure):
        client.get("/")
    with site().test_client() as client:
        assert client.get("/fine").text == "fine"
        assert flask.request.path == "/fine"


def test_elsewhere_it_gets_the_500_unless_the_stack_raises():
    assert site().test_client().get("/").status_code == 500
    with pytest.raises(Failure):
        site(on_error="raise").test_client().get("/")


def test_hooks_answer_the_errors_inside_of_them():
    wrapped = Stack(Own(), Hooks(), Headers(set={"X-A": "1"})).wrap(answers)
    assert serve(wrapped, **{"paste.throw_errors": True}).body == b"ok"


# -- the 500 -----------------------------------------------------------------------------------------------------------

TEXT = ("text/plain; charset=utf-8", b"Internal Server Error\n")


@pytest.mark.parametrize("layers", [[Own()], [SecurityHeaders()], [CORS(allow_origins="https://a.example")]])
@pytest.mark.parametrize(
    ("accept", "as_json"),
    [
        (None, False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/json, text/plain, */*", False),  # a tie
        ("application/json, text/plain;q=0.5", True),
        ("application/vnd.api+json", True),
        ("application/json;q=0", False),
    ],
)
def test_the_500_is_a_problem_for_clients_that_prefer_json(layers, accept, as_json):
    served = serve(Stack(*layers).wrap(fails), **({} if accept is None else {"HTTP_ACCEPT": accept}))
    assert served.status == "500 Internal Server Error"
    assert "Accept" in served.get("Vary").split(", ")
    assert served.get("Content-Length") == str(len(served.body))
    if as_json:
        assert served.get("Content-Type") == "application/problem+json"
        assert json.loads(served.body) == {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "Internal Server Error",
        }
    else:
        assert (served.get("Content-Type"), served.body) == TEXT


def test_accept_is_taken_as_it_came_in_where_a_layer_keeps_environ():
    def app(environ, start_response):
        environ.clear()
        raise Failure

    assert (
        serve(Stack(Own()).wrap(app), HTTP_ACCEPT="application/json").get("Content-Type") == "application/problem+json"
    )


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("value", [None, ["application/json"], 5])
def test_an_accept_that_the_application_has_spoilt_is_no_second_error(layers, value):
    def spoiling(environ, start_response):
        environ["HTTP_ACCEPT"] = value
        raise Failure

    answer = serve(Stack(*LAYERS[layers]()).wrap(spoiling), lint=False)
    assert (answer.status, answer.body) == ("500 Internal Server Error", b"Internal Server Error\n")

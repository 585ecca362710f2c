"""What the methods of a layer return: what is easy to write, and the errors that name layer, method and value."""

from __future__ import annotations

import http
import json
import logging
import warnings

import flask
import pytest
import webob
import werkzeug

from gateway import serve
from middleware import Effects, Headers, Middleware, Stack, json_response
from shapes import returning

APP = returning([b"app"])[0]


def error_of(app):
    """Raise what the server gets."""
    raise serve(app, lint=False).error


class Returns(Middleware):
    """Returns what it is given."""

    def __init__(self, app=None, /, *, answer=None, transform=None):
        super().__init__(app)
        self.answer = answer
        self.transform = transform

    def on_request(self, environ):
        return self.answer

    def on_response(self, environ, response):
        return self.transform


TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(
    ("answer", "status", "content_type", "body"),
    [
        ((403, "no"), "403 Forbidden", TEXT, b"no"),
        ((403, "né"), "403 Forbidden", TEXT, "né".encode()),
        ((403, b"no"), "403 Forbidden", BYTES, b"no"),
        (("403 Keep Out", "no"), "403 Keep Out", TEXT, b"no"),
        ((http.HTTPStatus.FORBIDDEN, "no"), "403 Forbidden", TEXT, b"no"),
        ((299, ""), "299 Unknown", TEXT, b""),
        ((200, "<p>", {"Content-Type": "text/html"}), "200 OK", "text/html", b"<p>"),
        ((200, "<p>", [("content-type", "text/html")]), "200 OK", "text/html", b"<p>"),
        (json_response({"é": [1]}), "200 OK", "application/json", b'{"\\u00e9": [1]}'),
        (json_response(None, 404), "404 Not Found", "application/json", b"null"),
        (
            json_response({}, 400, {"Content-Type": "application/problem+json"}),
            "400 Bad Request",
            "application/problem+json",
            b"{}",
        ),
        (
            webob.Response("no", status=403, content_type="text/plain"),
            "403 Forbidden",
            "text/plain; charset=UTF-8",
            b"no",
        ),
        (werkzeug.Response("no", 403), "403 FORBIDDEN", TEXT, b"no"),
        (flask.Response("no", 403), "403 FORBIDDEN", "text/html; charset=utf-8", b"no"),
    ],
)
def test_an_answer_is_easy_to_write(answer, status, content_type, body, conditional):
    layer = Returns(answer=answer)
    app = Stack(Headers(set={"X-Outer": "1"}), layer.when(lambda environ: True) if conditional else layer).wrap(APP)
    served = serve(app)
    assert (served.status, served.get("Content-Type"), served.body) == (status, content_type, body)
    assert served.get("Content-Length") == str(len(body))
    assert served.get("X-Outer") == "1"


@pytest.mark.parametrize(
    "answer", [(204, ""), (204, "no"), (304, b""), json_response(None, 204), json_response(1, 304)]
)
@pytest.mark.parametrize("headers", [{}, {"X-A": "b"}])
def test_an_answer_without_content_says_nothing_of_content(answer, headers):
    """RFC 9110 15.3.5 and 15.4.5."""
    if isinstance(answer, tuple):
        answer = (*answer, headers)
    served = serve(Returns(APP, answer=answer))
    assert (served.error, served.body) == (None, b"")
    assert {name for name, _ in served.headers} <= {"X-A"}


def test_an_answer_may_have_headers():
    served = serve(Returns(APP, answer=(401, "", [("WWW-Authenticate", "Basic"), ("Set-Cookie", "a=b")])))
    assert served.get("WWW-Authenticate") == "Basic"
    assert serve(Returns(APP, answer=json_response(1, headers={"X-A": "b"}))).get("X-A") == "b"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ("no", TypeError, r"Returns.on_request returned 'no': it returns None, a WSGI application, \(status, body\)"),
        ({"a": 1}, TypeError, r"Returns.on_request returned \{'a': 1\}: .* or json_response\(data\)"),
        (False, TypeError, "Returns.on_request returned False"),
        ((403,), TypeError, r"Returns.on_request returned \(403,\)"),
        ((403, ["no"]), TypeError, r"Returns.on_request returned \(403, \['no'\]\)"),
        ((403, "no", {}, 1), TypeError, "Returns.on_request returned"),
        ((True, "no"), ValueError, "Returns.on_request: a status is three digits.*; got True"),
        ((99, "no"), ValueError, "Returns.on_request: a status is three digits.*; got 99"),
        (("Forbidden", "no"), ValueError, "Returns.on_request: a status is three digits"),
        ((403, "\ud800"), ValueError, "Returns.on_request: 'utf-8' codec"),
        ((403, "no", {"X-A": "a\r\nb"}), ValueError, "Returns.on_request: header X-A: a field value holds no CR, LF"),
        ((403, "no", {"X-A": "a\0"}), ValueError, "Returns.on_request: header X-A"),
        ((403, "no", {"X A": "a"}), ValueError, "Returns.on_request: header name 'X A'"),
        ((403, "no", {"X-A": 1}), TypeError, "Returns.on_request: header X-A: a field value is a str"),
        ((403, "no", ["X-A"]), TypeError, "Returns.on_request: a header line is a tuple"),
        ((403, "no", 5), TypeError, "Returns.on_request: headers are a mapping, or pairs of name and value; got 5"),
    ],
)
def test_what_is_no_answer_is_an_error_that_names_layer_method_and_value(answer, error, said):
    with pytest.raises(error, match=said):
        error_of(Returns(APP, answer=answer))


def test_a_coroutine_is_no_answer_and_does_not_warn():
    async def answer():
        raise AssertionError

    with warnings.catch_warnings(), pytest.raises(TypeError, match=r"Returns\.on_request returned <coroutine"):
        warnings.simplefilter("error")
        error_of(Returns(APP, answer=answer()))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (({1, 2},), TypeError, "JSON"),
        ((float("nan"),), ValueError, "JSON"),
        (({}, "OK"), ValueError, "a status is three digits"),
        (({}, 200, {"X-A": "a\n"}), ValueError, "header X-A"),
    ],
)
def test_what_is_no_json_response_is_an_error_where_it_is_made(arguments, error, said):
    with pytest.raises(error, match=said):
        json_response(*arguments)


def test_json_of_a_response_is_what_was_given():
    assert json.loads(serve(json_response({"a": [1, None, "é"]})).body) == {"a": [1, None, "é"]}


class Upper:
    """A transform, but for its parentheses."""

    def feed(self, chunk): ...

    def finish(self): ...


@pytest.mark.parametrize("transform", [b"body", "body", 1, object(), Upper])
def test_what_is_no_transform_is_an_error_that_names_layer_method_and_value(transform):
    rule = r"Returns.on_response returned .*: it edits the response, and returns None or a transform of the body"
    with pytest.raises(TypeError, match=rule):
        error_of(Returns(APP, transform=transform))


def test_an_on_response_that_returns_the_response_is_an_error():
    class Own(Middleware):
        def on_response(self, environ, response):
            return response

    for app in (returning([b"a"])[0], returning(iter([b"a"]))[0]):
        with pytest.raises(TypeError, match=r"Own.on_response returned <\w+ 200 OK>: it edits the response"):
            error_of(Own(app))


# -- assigning the body ------------------------------------------------------------------------------------------------


class Assigns(Middleware):
    """Assigns the body."""

    def on_response(self, environ, response):
        response.body = [b"another"]
        response.headers["Content-Length"] = "7"


class Declares(Assigns):
    effects = Effects(rewrites_body=True)


class Encodes(Assigns):
    def declared(self):
        return Effects(encodes_body=True)


BODIES = {"list": lambda: [b"a", b"b"], "tuple": lambda: (b"ab",), "stream": lambda: iter([b"a", b"b"])}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("outer", [(), (Headers(set={"X-A": "1"}),), (Declares().named("outer"),)])
def test_a_body_that_is_assigned_without_saying_so_is_an_error_that_names_the_layer(body, outer):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return BODIES[body]()

    said = r"Assigns.on_response assigned response.body: it returns a transform, or its effects declare rewrites_body"
    with pytest.raises(TypeError, match=said):
        error_of(Stack(*outer, Assigns()).wrap(app, on_error="raise"))


@pytest.mark.parametrize("layer", [Declares(), Encodes(), Declares().when(lambda environ: True)])
@pytest.mark.parametrize("inner", [(), (Returns(),)])
@pytest.mark.parametrize("outer", [(), (Returns(),)])
def test_a_body_may_be_assigned_by_a_layer_that_says_so(layer, inner, outer):
    served = serve(Stack(*outer, layer, *inner).wrap(APP, on_error="raise"))
    assert (served.body, served.get("Content-Length")) == (b"another", "7")


def test_on_an_error_response_the_layer_is_left_out():
    """The 500 goes out with its own body."""
    served = serve(Stack(Headers(set={"X-A": "1"}), Assigns()).wrap(APP))
    assert (served.status, served.body, served.get("X-A")) == (
        "500 Internal Server Error",
        b"Internal Server Error\n",
        "1",
    )


# -- one error, told once ----------------------------------------------------------------------------------------------


class Fails(Middleware):
    def on_response(self, environ, response):
        raise LookupError("of the layer")


class FailsAtOnce(Middleware):
    def on_request(self, environ):
        raise LookupError("of the layer")


def header(environ, response):
    raise LookupError("of the layer")


@pytest.mark.parametrize(
    ("layer", "place"),
    [
        (Fails(), " in Fails.on_response"),
        (Fails().named("mine"), " in mine.on_response"),
        (FailsAtOnce(), " in FailsAtOnce.on_request"),
        (Headers(set={"X-A": header}), " in Headers.on_response"),
        (Returns(transform=1), ""),  # the message names them
        (Assigns(), ""),
    ],
)
def test_an_error_of_a_layer_is_logged_once_with_layer_and_method(layer, place, caplog):
    assert serve(Stack(layer).wrap(APP)).status == "500 Internal Server Error"
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, f"Exception on GET /{place}")
    assert record.exc_info[1] is not None
    assert place or layer.name in str(record.exc_info[1])


def test_an_error_of_the_application_names_no_layer(caplog):
    class View:
        def on_request(self, environ, start_response):
            raise LookupError

    serve(Stack(Returns()).wrap(View().on_request))
    assert [record.getMessage() for record in caplog.records] == ["Exception on GET /"]


def test_another_error_on_the_error_response_is_logged_too(caplog):
    def app(environ, start_response):
        raise LookupError("of the application")

    serve(Stack(Fails()).wrap(app))
    first, second = caplog.records
    assert (first.getMessage(), first.exc_info[1].args) == ("Exception on GET /", ("of the application",))
    assert "was left out" in second.getMessage()

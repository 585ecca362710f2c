"""Frameworks inside a stack, between two validators of WSGI: each does what it does, and no response lacks a header."""

from __future__ import annotations

import io
import re
import warnings
from wsgiref.validate import validator

import pytest

from gateway import serve
from middleware import Headers, Middleware, Stack, Timing

POSTED = bytes(range(256)) * 30  # frameworks keep longer ones in temporary files
STREAMED = b"first second third"


class ViewError(Exception):
    """What the error route of every framework raises."""


def fail(*_, **__):
    raise ViewError("in a view")


def pieces():
    yield from (b"first ", b"second ", b"third")


# -- the frameworks: /, /error, /old, /stream, /post; an error is theirs, or raised to the stack --------------------


def flask_app(*, propagate):
    from flask import Flask, Response, redirect, request

    app = Flask("frameworks")
    app.config["PROPAGATE_EXCEPTIONS"] = propagate
    app.get("/")(lambda: Response("hello", mimetype="text/plain"))
    app.get("/error", endpoint="error")(fail)
    app.get("/old", endpoint="old")(lambda: redirect("/"))
    app.get("/stream", endpoint="stream")(lambda: Response(pieces(), mimetype="text/plain"))
    app.post("/post", endpoint="post")(lambda: Response(request.get_data(), mimetype="text/plain"))
    return app


def django_app(*, propagate):
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
    from django.test import override_settings
    from django.urls import path

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)

    class Urls:
        urlpatterns = (
            path("", lambda _: HttpResponse("hello", content_type="text/plain")),
            path("error", fail),
            path("old", lambda _: HttpResponseRedirect("/")),
            path("stream", lambda _: StreamingHttpResponse(pieces(), content_type="text/plain")),
            path("post", lambda request: HttpResponse(request.body, content_type="text/plain")),
        )

    with override_settings(MIDDLEWARE=[]):
        app = get_wsgi_application()
    return override_settings(ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"], DEBUG_PROPAGATE_EXCEPTIONS=propagate)(app)


def bottle_app(*, propagate):
    import bottle

    app = bottle.Bottle()
    app.config["catchall"] = not propagate
    app.get("/")(lambda: bottle.HTTPResponse("hello", content_type="text/plain"))
    app.get("/error")(fail)
    app.get("/old")(lambda: bottle.redirect("/"))
    app.get("/stream")(pieces)
    app.post("/post")(lambda: bottle.HTTPResponse(bottle.request.body.read(), content_type="text/plain"))
    return app


def pyramid_app(*, propagate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which warns of itself and of what it finds
        from pyramid.config import Configurator
        from pyramid.httpexceptions import HTTPFound
        from pyramid.response import Response

    views = {
        "/": lambda _: Response("hello", content_type="text/plain"),
        "/error": fail,
        "/old": lambda _: HTTPFound("/"),
        "/stream": lambda _: Response(app_iter=pieces(), content_type="text/plain"),
        "/post": lambda request: Response(request.body, content_type="text/plain"),
    }
    with Configurator() as config:
        for path, view in views.items():
            config.add_route(path, path)
            config.add_view(view, route_name=path)
        if not propagate:
            config.add_exception_view(lambda *_: Response("sorry", status=500, content_type="text/plain"))
    return config.make_wsgi_app()


def falcon_app(*, propagate):
    import falcon

    class Resource:
        def __init__(self, answer):
            self.on_get = self.on_head = self.on_post = answer

    def reraise(request, response, error, params):
        raise error

    def redirect(request, response):
        raise falcon.HTTPFound("/")

    def set_to(name, value):
        return lambda request, response: setattr(response, name, value(request))

    app = falcon.App(media_type=falcon.MEDIA_TEXT)
    app.add_route("/", Resource(set_to("text", lambda _: "hello")))
    app.add_route("/error", Resource(fail))
    app.add_route("/old", Resource(redirect))
    app.add_route("/stream", Resource(set_to("stream", lambda _: pieces())))
    app.add_route("/post", Resource(set_to("data", lambda request: request.bounded_stream.read())))
    if propagate:
        app.add_error_handler(ViewError, reraise)
    return app


FRAMEWORKS = [flask_app, django_app, bottle_app, pyramid_app, falcon_app]
every_framework = pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda made: made.__name__.removesuffix("_app"))
validated = pytest.mark.parametrize("inside", [validator, lambda app: app], ids=["validated", "bare"])


# -- the stack ---------------------------------------------------------------------------------------------------------


class Ending(Middleware):
    """Writes down how each response ended."""

    def __init__(self, app=None, /, *, told):
        super().__init__(app)
        self.told = told

    def on_close(self, environ, error):
        self.told.append(error)


def ask(app, path, method="GET", body=b""):
    """The answer of `app` inside a stack, checked for what is true of every answer; and how it ended."""
    told = []
    stack = Stack(Timing(), Headers(set={"X-App": "demo"}, default={"X-Frame-Options": "DENY"}), Ending(told=told))
    extra = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "text/plain"}
    answer = serve(stack.wrap(app), path, method, **extra)
    assert answer.error is None
    assert (answer.get_all("X-App"), answer.get_all("X-Frame-Options")) == (["demo"], ["DENY"])
    (timing,) = answer.get_all("Server-Timing")
    assert re.fullmatch(r"total;dur=\d+\.\d{3}", timing)
    (ended,) = told
    return answer, ended


@every_framework
@validated
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", ("200", b"hello")),
        ("HEAD", "/", ("200", b"")),
        ("GET", "/nowhere", ("404", None)),
        ("GET", "/error", ("500", None)),
        ("HEAD", "/error", ("500", b"")),
        ("GET", "/old", ("30", None)),
        ("GET", "/stream", ("200", STREAMED)),
        ("HEAD", "/stream", ("200", b"")),
    ],
)
def test_every_response_of_a_framework_has_the_headers_and_ends_once(framework, inside, method, path, expected):
    answer, ended = ask(inside(framework(propagate=False)), path, method)
    status, body = expected
    assert answer.status.startswith(status)
    assert answer.body == (answer.body if body is None else body)
    assert ended is None


@every_framework
@validated
def test_a_post_reaches_a_framework_byte_for_byte(framework, inside):
    answer, _ = ask(inside(framework(propagate=False)), "/post", "POST", POSTED)
    assert (answer.status, answer.body) == ("200 OK", POSTED)


@every_framework
@validated
def test_a_redirect_of_a_framework_keeps_its_place(framework, inside):
    answer, _ = ask(inside(framework(propagate=False)), "/old")
    assert answer.get("Location") in ("/", "http://127.0.0.1/")


@every_framework
def test_a_stream_of_a_framework_goes_out_piece_by_piece(framework):
    answer, _ = ask(framework(propagate=False), "/stream")
    assert [chunk for chunk in answer.chunks if chunk] == list(pieces())


@every_framework
def test_an_error_page_of_a_framework_is_left_as_it_is(framework):
    bare = serve(framework(propagate=False), "/error")
    answer, _ = ask(framework(propagate=False), "/error")
    assert (answer.status, answer.body) == (bare.status, bare.body)
    assert answer.environ.get("middleware.exception") is None


@every_framework
@validated
@pytest.mark.parametrize(("method", "body"), [("GET", b"Internal Server Error\n"), ("HEAD", b"")])
def test_an_error_that_a_framework_raises_becomes_a_plain_500_with_the_headers(framework, inside, method, body, caplog):
    answer, ended = ask(inside(framework(propagate=True)), "/error", method)
    assert (answer.status, answer.body) == ("500 Internal Server Error", body)
    assert answer.get("Content-Length") == "22"
    assert isinstance(ended, ViewError)
    assert ended is answer.environ["middleware.exception"]
    assert [record.exc_info[1] for record in caplog.records if record.name == "middleware"] == [ended]


@every_framework
def test_a_stack_that_shall_raise_hands_the_error_of_a_framework_to_the_server(framework):
    answer = serve(Stack(Timing()).wrap(framework(propagate=True), on_error="raise"), "/error")
    assert (type(answer.error), answer.heads) == (ViewError, 0)

"""The same small site in every framework."""

from __future__ import annotations

import warnings

import pytest

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

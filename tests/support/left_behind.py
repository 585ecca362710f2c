"""One small site in Flask and in Django, for the middleware of others and for a stack around it."""

from __future__ import annotations

from middleware import Stack

PAGE = b"The same words again and again. " * 64
NO_TRANSFORM = {"Cache-Control": "no-transform"}

# path -> content, type, fields of the view
PLAIN = {
    "/": (PAGE, "text/plain", {}),
    "/api/rows": (b"rows", "text/plain", {}),
    "/apiary": (b"bees", "text/plain", {}),
    "/small": (b"small", "text/plain", {}),
    "/middling": (PAGE[:800], "text/plain", {}),
    "/image": (PAGE, "image/png", {}),
    "/kept": (PAGE, "text/plain", NO_TRANSFORM),
    "/tag": (PAGE, "text/plain", {"ETag": '"v1"'}),
    "/part": (PAGE[:1024], "text/plain", {"Content-Range": "bytes 0-1023/2048"}),
    "/own": (b"own", "text/plain", {"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}),
}
# path -> pieces, type
STREAMED = {"/stream": ([PAGE] * 3, "text/plain"), "/events": ([b"data: 1\n\n"] * 3, "text/event-stream")}


def status_of(fields):
    return 206 if "Content-Range" in fields else 200


def fail(*_, **__):
    raise RuntimeError("in a view")


def flask_site(extend=None, file=None):
    """A Flask application, which `extend` may give an extension; `file` is served with ranges."""
    import flask

    app = flask.Flask("left_behind")
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def page(content, kind, fields):
        def view():
            response = flask.Response(content, status_of(fields), mimetype=kind, headers=fields)
            return response.make_conditional(flask.request) if "ETag" in fields else response

        return view

    for path, row in PLAIN.items():
        app.get(path, endpoint=path)(page(*row))
    for path, (pieces, kind) in STREAMED.items():
        app.get(path, endpoint=path)(lambda pieces=pieces, kind=kind: flask.Response(iter(pieces), mimetype=kind))
    app.get("/error", endpoint="error")(fail)
    app.get("/file", endpoint="file")(lambda: flask.send_file(file, conditional=True))
    if extend:
        extend(app)
    return app


def django_site(*middleware, **options):
    """A Django application with these middleware outside of CommonMiddleware, and these settings."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, StreamingHttpResponse
    from django.test import override_settings
    from django.urls import path

    if not settings.configured:
        settings.configure(LOGGING_CONFIG=None)

    def page(content, kind, fields):
        return lambda _: HttpResponse(content, content_type=kind, headers=fields, status=status_of(fields))

    def stream(pieces, kind):
        return lambda _: StreamingHttpResponse(iter(pieces), content_type=kind)

    class Urls:
        urlpatterns = (
            *(path(where[1:], page(*row)) for where, row in PLAIN.items()),
            *(path(where[1:], stream(*row)) for where, row in STREAMED.items()),
            path("error", fail),
        )

    chosen = [*middleware, "django.middleware.common.CommonMiddleware"]
    options = {"ROOT_URLCONF": Urls, "ALLOWED_HOSTS": ["*"], "MIDDLEWARE": chosen, **options}
    with override_settings(**options):
        app = get_wsgi_application()
    return override_settings(**options)(app)


def flask_behind(*layers, file=None):
    """The Flask application in a stack."""
    app = flask_site(file=file)
    app.wsgi_app = Stack(*layers).wrap(app.wsgi_app)
    return app


def django_behind(*layers, **options):
    """The Django application in a stack."""
    return Stack(*layers).wrap(django_site(**options))

"""Flask: its hooks, and the extensions for the same jobs."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.case import PAGE, Case, fields
from benchmarks.limit import FOUR, SECURITY, SMALL
from benchmarks.peers.site import METHODS, ORIGIN, PATTERN, PLAIN, RANGE, TAG, TEXT, Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from benchmarks.case import Application

EXTENSIONS = ("flask", "flask_cors", "flask_compress", "flask_talisman")
# Talisman knows no Cross-Origin-Opener-Policy.
EXTENDED = tuple(name for name in FOUR if name != "Cross-Origin-Opener-Policy")


def bare() -> Flask:
    """A Flask application with one view."""
    from flask import Flask

    app = Flask("page")
    app.add_url_rule("/", view_func=lambda: PAGE)
    return app


def hooked(count: int) -> Callable[[Application], Application]:
    """So many after_request hooks."""

    def make(_app: Application) -> Application:
        app = bare()
        for name, value in fields(count):
            app.after_request(lambda response, name=name, value=value: _with(response, name, value))
        return app

    return make


def _with(response: Any, name: str, value: str) -> Any:
    response.headers[name] = value
    return response


def hooks(_app: Application) -> Application:
    """The four jobs, each in an after_request hook."""
    app = bare()
    _timed(app)
    app.after_request(_secured)
    app.after_request(_shared)
    app.after_request(_declined)
    return app


def _timed(app: Flask) -> None:
    from flask import g

    @app.before_request
    def begin():
        g.begun = perf_counter()

    @app.after_request
    def end(response):
        response.headers["Server-Timing"] = f"total;dur={(perf_counter() - g.begun) * 1000:.3f}"
        return response


def _secured(response):
    for name, value in SECURITY:
        response.headers.setdefault(name, value)
    return response


def _shared(response):
    from flask import request

    if request.headers.get("Origin") == ORIGIN:
        response.headers["Access-Control-Allow-Origin"] = ORIGIN
    response.vary.add("Origin")
    return response


def _declined(response):
    from flask import request

    if request.accept_encodings["gzip"] and response.content_length >= SMALL:
        raise NotImplementedError
    response.vary.add("Accept-Encoding")
    return response


def extensions(_app: Application) -> Application:
    """The four jobs, three of them by extensions."""
    from flask_compress import Compress
    from flask_cors import CORS
    from flask_talisman import Talisman

    app = bare()
    _timed(app)
    app.config["COMPRESS_MIN_SIZE"] = SMALL
    policy = dict(SECURITY)
    Talisman(
        app,
        force_https=False,
        strict_transport_security=False,
        session_cookie_secure=False,
        permissions_policy={},
        frame_options=policy["X-Frame-Options"],
        referrer_policy=policy["Referrer-Policy"],
        content_security_policy=policy["Content-Security-Policy"],
    )
    CORS(app, origins=[ORIGIN])
    Compress(app)
    return app


def pages(site: Site) -> Flask:
    """The pages of a site."""
    from flask import Flask, Response, request

    def root():
        response = Response(TEXT, mimetype=PLAIN, headers={"ETag": TAG})
        return response.make_conditional(request)

    app = Flask("site")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True
    app.get("/")(root)
    app.get("/data", endpoint="data")(lambda: Response(site.data, mimetype="application/json"))
    part = Response, (TEXT[:2000], 206), {"mimetype": PLAIN, "headers": {"Content-Range": RANGE}}
    app.get("/part", endpoint="part")(lambda: part[0](*part[1], **part[2]))
    app.get("/stream", endpoint="stream")(lambda: Response(site.stream(), mimetype=PLAIN))
    app.get("/watched", endpoint="watched")(lambda: Response(site.watched(), mimetype=PLAIN))
    app.get("/error", endpoint="error")(site.fail)
    return app


def encoding(site: Site) -> Application:
    """Its pages, encoded by Flask-Compress."""
    from flask_compress import Compress

    app = pages(site)
    Compress(app)
    return app


def sharing(site: Site) -> Application:
    """Its pages, shared by flask-cors."""
    from flask_cors import CORS

    app = pages(site)
    CORS(app, origins=[ORIGIN, PATTERN], methods=list(METHODS), supports_credentials=True)
    return app


NEEDS = ("flask",)
CASES = (
    Case("flask/bare", "Flask", hooked(0), needs=NEEDS),
    Case("flask/four", "Flask, after_request hooks", hooks, FOUR, "limit/four", NEEDS, "flask/bare"),
    Case(
        "flask/extensions",
        "Flask-Cors, -Compress, -Talisman",
        extensions,
        EXTENDED,
        "limit/four",
        EXTENSIONS,
        "flask/bare",
    ),
)

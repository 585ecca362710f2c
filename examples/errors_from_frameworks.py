"""Flask and Django answer errors of views by themselves; their signals tell the hooks around them what went wrong.

The exception goes into `environ["middleware.exception"]`. There errorhandlers and teardown_request hooks find it, and
so does `on_close` of every layer of a stack. The framework logs the error as ever, and its own page is sent if no
handler answers.

Run it from within examples/, by waitress or by this package:

    waitress-serve --listen=127.0.0.1:8080 errors_from_frameworks:application
    python -m middleware serve errors_from_frameworks:application --listen 127.0.0.1:8080

    curl -i http://127.0.0.1:8080/flask/sold-out

shows a 409 that a handler of the hooks has made. /flask/error is the 500 of Flask, and the log has what
teardown_request was told. /django/sold-out and /django/error do the same.
"""

import logging
import secrets
import sys
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.util import shift_path_info

import django.core.signals
import flask
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.urls import path

from middleware import Hooks
from middleware.hooks import Response, request

logging.basicConfig(level=logging.INFO, format="%(message)s")


class SoldOut(Exception):  # noqa: N818 - a name that a shop would give it
    """What a view raises, and what the hooks know how to answer."""


def sold_out(*_: HttpRequest) -> str:
    """Raise what there is a handler for."""
    raise SoldOut("the last one is gone")


def error(*_: HttpRequest) -> str:
    """Raise what nobody expects."""
    raise RuntimeError("this route always fails")


# -- Flask: the signal is sent for what none of Flask's own errorhandlers took -----------------------------------------

app = flask.Flask(__name__)
app.get("/sold-out")(sold_out)
app.get("/error")(error)


def tell_of_flask(_app: flask.Flask, exception: Exception, **_: Any) -> None:
    """Put the exception where the hooks look for it."""
    flask.request.environ["middleware.exception"] = exception


flask.got_request_exception.connect(tell_of_flask, app)


# -- Django: the signal is sent while the exception is being handled ---------------------------------------------------

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    SECRET_KEY=secrets.token_urlsafe(),
    LOGGING_CONFIG=None,
)
urlpatterns = [path("sold-out", sold_out), path("error", error)]


def tell_of_django(request: HttpRequest, **_: Any) -> None:
    """Put the exception where the hooks look for it."""
    request.META["middleware.exception"] = sys.exc_info()[1]


django.core.signals.got_request_exception.connect(tell_of_django)


# -- one set of hooks around both --------------------------------------------------------------------------------------

hooks = Hooks()


@hooks.errorhandler(SoldOut)
def gone(error: SoldOut) -> tuple[str, int]:
    """Answer in place of the framework."""
    return f"Sorry: {error}\n", 409


@hooks.after_request
def mark(response: Response) -> Response:
    """Mark every response."""
    response.headers["X-Hooks"] = "seen"
    return response


@hooks.teardown_request
def over(error: BaseException | None) -> None:
    """Log the error that nobody handled, or None."""
    hooks.logger.info("%s%s is over: %r", request.script_root, request.full_path, error)


applications = {"flask": hooks.wrap(app), "django": hooks.wrap(get_wsgi_application())}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Hand a request on to the framework that the first segment of its path names."""
    return applications[shift_path_info(environ) or "flask"](environ, start_response)

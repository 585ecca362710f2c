"""What layers leave in an environ lets tools walk it: strings, numbers, and opaque objects."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from typing import Any

import pytest
from werkzeug.testapp import test_app as walker

from gateway import serve
from layers_under_test import LAYERS, hooked, request
from middleware import ContextHooks, Hooks, Stack, Timing
from middleware.hooks import request as asked

LAYERS = {
    **LAYERS,
    "hooks-twice": ([hooked(torn_down=True), hooked(torn_down=True)], bytes),
    "timing-twice": ([Timing(layers=True), Timing(on_complete=lambda measurement: None)], bytes),
}
every_layer = pytest.mark.parametrize("name", LAYERS)
CONDITIONS = {
    "HTTP_ORIGIN": "https://app.example",
    "HTTP_IF_NONE_MATCH": '"a-gzip"',
    "HTTP_IF_RANGE": '"a-br"',
    "HTTP_RANGE": "bytes=0-",
}
FROM_SERVER = {"wsgi.version", "wsgi.input", "wsgi.errors", "wsgi.file_wrapper"}


def wrapped(name: str, app: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the order
        return Stack(*LAYERS[name][0]).wrap(app, waive=["unique"])


def open_values(environ: dict[Any, Any]) -> dict[Any, str]:
    """What a tool could stumble over."""
    return {
        key: type(value).__name__
        for key, value in environ.items()
        if key not in FROM_SERVER
        and (type(key) is not str or (isinstance(value, Iterable) and not hasattr(value, "encode")))
    }


@every_layer
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_the_application_and_the_server_find_no_open_container(name, method):
    seen = []

    def app(environ, start_response):
        seen.append(open_values(environ))
        json.dumps(environ, default=str)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"x"])

    answer = serve(wrapped(name, app), method=method, lint=False, **request(name), **CONDITIONS)
    assert (seen, open_values(answer.environ)) == ([{}], {})
    json.dumps(answer.environ, default=str)


@every_layer
def test_it_is_so_after_an_error(name):
    def app(environ, start_response):
        raise ZeroDivisionError

    answer = serve(wrapped(name, app), lint=False, **request(name))
    assert open_values(answer.environ) == {}
    json.dumps(answer.environ, default=str)


@every_layer
def test_the_test_application_of_werkzeug_shows_it(name):
    answer = serve(wrapped(name, walker), lint=False, **{**request(name), "HTTP_ACCEPT_ENCODING": ""})
    assert (answer.status, answer.error) == ("200 OK", None)
    assert b"WSGI INFORMATION" in answer.body.upper()


@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
def test_hooks_that_look_at_the_request_leave_no_container(kind):
    hooks = kind()
    seen = []

    def look(*_):
        for name in ("args", "form", "files", "values", "data", "cookies", "url", "user_agent", "headers"):
            getattr(asked, name)

    hooks.before_request(look)
    if kind is Hooks:
        hooks.teardown_request(lambda error: None)

    def app(environ, start_response):
        seen.append(open_values(environ))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    answer = serve(hooks.wrap(app), method="POST", lint=False, CONTENT_TYPE="text/plain")
    assert not any(seen)
    assert open_values(answer.environ) == {}


def test_teardown_leaves_nothing():
    assert "middleware.hooks" not in serve(wrapped("hooks-teardown", walker), lint=False).environ

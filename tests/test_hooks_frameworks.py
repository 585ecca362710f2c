"""Hooks around real applications: each does what it does, and every response has the header that a hook sets."""

from __future__ import annotations

import io
from wsgiref.validate import validator

import pytest

from framework_sites import POSTED, STREAMED, ViewError, every_framework
from gateway import serve
from middleware import Hooks, Stack
from middleware.hooks import g, request

ALONE = pytest.mark.parametrize("wrap", [lambda hooks, app: hooks.wrap(app), lambda hooks, app: Stack(hooks).wrap(app)])


def hooked(seen, **options):
    hooks = Hooks(**options)

    @hooks.before_request
    def start():
        g.path = request.path
        if request.method == "POST":
            seen.append(request.get_data() == POSTED or dict(request.form))

    @hooks.after_request
    def stamp(response):
        response.headers["X-Path"] = g.path
        return response

    hooks.teardown_request(lambda error: seen.append(type(error)))
    hooks.errorhandler(ViewError)(lambda error: (f"handled: {error}", 418))
    return hooks


def ask(framework, wrap, path, *, propagate=True, **keys):
    seen = []
    app = wrap(hooked(seen), validator(framework(propagate=propagate)))
    return serve(app, path, **keys), seen


@ALONE
@every_framework
@pytest.mark.parametrize(
    ("path", "method", "status", "body"),
    [
        ("/", "GET", "200", b"hello"),
        ("/", "HEAD", "200", b""),
        ("/stream", "GET", "200", STREAMED),
        ("/old", "GET", "30", None),
        ("/nowhere", "GET", "404", None),
        ("/error", "GET", "418", b"handled: in a view"),
    ],
)
def test_what_a_framework_answers(framework, wrap, path, method, status, body):  # noqa: PLR0917 - a table
    answer, seen = ask(framework, wrap, path, method=method)
    assert answer.status.startswith(status)
    assert body is None or answer.body == body
    assert (answer.get("X-Path"), answer.error, seen) == (path, None, [type(None)])


@ALONE
@every_framework
def test_an_error_that_a_framework_answers_itself_keeps_its_page(framework, wrap):
    answer, _ = ask(framework, wrap, "/error", propagate=False)
    assert answer.get("X-Path") == "/error"
    assert answer.status[:3] in ("418", "500")  # Bottle tells of its errors, by exc_info


@ALONE
@every_framework
@pytest.mark.parametrize(
    ("kind", "body", "read"),
    [("application/octet-stream", POSTED, True), ("application/x-www-form-urlencoded", b"a=1", {"a": "1"})],
)
def test_a_framework_gets_the_body_that_a_hook_has_read(framework, wrap, kind, body, read):
    posted = {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    answer, seen = ask(framework, wrap, "/post", method="POST", **posted)
    assert (answer.status[:3], answer.body, answer.get("X-Path")) == ("200", body, "/post")
    assert seen == [read, type(None)]

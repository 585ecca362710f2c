"""Frameworks inside a stack, between two validators of WSGI: each does what it does, and no response lacks a header."""

from __future__ import annotations

import io
import re
from wsgiref.validate import validator

import pytest

from framework_sites import POSTED, STREAMED, ViewError, every_framework, pieces
from gateway import serve
from middleware import Headers, Middleware, Stack, Timing

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

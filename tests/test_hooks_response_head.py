"""Hooks, the end: what is not sent with a status or a HEAD, and what is added, where hooks made the response."""

from __future__ import annotations

import re

import pytest

from hooked import ask
from middleware import Hooks
from middleware.hooks import Response, make_response, request
from shapes import TEXT, Body


@pytest.fixture
def hooks():
    return Hooks()


def answering(status, body, *lines):
    def app(environ, start_response):
        start_response(status, [*lines] or list(TEXT))
        return body

    return app


@pytest.mark.parametrize(
    ("made", "method", "body", "length", "kind"),
    [
        (("text", 200), "GET", b"text", "4", "text/html; charset=utf-8"),
        (("text", 200), "HEAD", b"", "4", "text/html; charset=utf-8"),
        (("text", 204, {"Content-Type": ""}), "GET", b"", None, ""),
        (("text", 205), "GET", b"text", "4", "text/html; charset=utf-8"),
        (("text", 304, {"Content-Encoding": "x"}), "GET", b"", None, None),
        (("text", 304), "HEAD", b"", None, None),
        (lambda: Response([b"a", b"b"]), "GET", b"ab", "2", "text/html; charset=utf-8"),
        (lambda: Response(iter([b"a", b"b"])), "GET", b"ab", None, "text/html; charset=utf-8"),
        (lambda: Response(iter([b"a", b"b"])), "HEAD", b"", None, "text/html; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("kind_of_hook", ["before", "after"])
def test_a_response_of_a_hook_is_sent_as_its_status_and_method_allow(kind_of_hook, made, method, body, length, kind):  # noqa: PLR0917
    hooks = Hooks()
    if kind_of_hook == "before":
        hooks.before_request(made if callable(made) else lambda: made)
    else:
        hooks.after_request(lambda response: made() if callable(made) else make_response(*made))
    answer = ask(hooks, method=method, lint=False)
    assert (answer.body, answer.get("Content-Length"), answer.get("Content-Type")) == (body, length, kind)
    assert answer.get("Content-Encoding") is None


def test_a_response_without_content_by_a_hook_closes_the_stream_of_the_application(hooks):
    hooks.after_request(lambda response: setattr(response, "status_code", 304) or response)
    body = Body([b"a"])
    answer = ask(hooks, app=answering("200 OK", body))
    assert (answer.status, answer.headers, answer.body) == ("304 NOT MODIFIED", [], b"")
    assert (body.pulled, body.closed) == (0, 1)


def test_a_stream_of_a_hook_that_is_not_sent_is_closed_before_what_waits_for_that(hooks):
    seen = []

    class Stream(Body):
        def close(self):
            seen.append("stream")

    @hooks.before_request
    def answer():
        response = Response(Stream([b"a"]))
        response.call_on_close(lambda: seen.append("closer"))
        return response

    assert ask(hooks, method="HEAD").body == b""
    assert seen == ["stream", "closer"]


def test_what_the_application_sends_stays_its_own_business(hooks):
    hooks.after_request(lambda response: response.headers.set("X-After", "1") or response)
    whole = [b"a", b"b"]
    answer = ask(hooks, app=answering("200 OK", whole, ("X-Own", "1")), lint=False)
    assert answer.result is whole
    assert answer.headers == [("X-Own", "1"), ("X-After", "1")]
    lines = ("Content-Type", "text/plain"), ("Last-Modified", "then")
    assert ask(hooks, app=answering("304 Not Modified", [], *lines), lint=False).headers == [*lines, ("X-After", "1")]


@pytest.mark.parametrize(("method", "length"), [("GET", "5"), ("HEAD", None)])
def test_a_head_whose_body_a_hook_has_read_has_no_length_but_that_of_get(hooks, method, length):
    """RFC 9110 8.6. Most applications have dropped the body of a HEAD already."""

    @hooks.after_request
    def read(response):
        response.get_data()
        return response

    body = [b"hello"] if method == "GET" else []
    assert ask(hooks, app=answering("200 OK", iter(body)), method=method).get("Content-Length") == length


@pytest.mark.parametrize("own", [(), (("ETag", '"own"'),)])
@pytest.mark.parametrize("tagged", [lambda response: response.add_etag(overwrite=True), Response.md5_etag])
def test_a_head_whose_body_is_not_there_gets_no_entity_tag_of_the_empty_body(hooks, tagged, own):
    """RFC 9110 9.3.2: the fields of GET, or none. A tag of nothing would make If-Match with that of GET a 412."""

    @hooks.after_request
    def tag(response):
        tagged(response)
        return response.make_conditional(request)

    of_get = ask(hooks, app=answering("200 OK", [b"hello"], *TEXT, *own)).get("ETag")
    answer = ask(hooks, app=answering("200 OK", [], *TEXT, *own), method="HEAD", HTTP_IF_MATCH=of_get)
    assert (answer.status, answer.get("ETag")) == ("200 OK", None)
    whole = ask(hooks, app=answering("200 OK", [b"hello"], *TEXT, *own), method="HEAD", lint=False)
    assert whole.get("ETag") == of_get
    hooks_answer = Hooks()
    hooks_answer.before_request(lambda: make_response(""))
    hooks_answer.after_request(lambda response: response.add_etag() or response)
    assert ask(hooks_answer, method="HEAD").get("ETag") == ask(hooks_answer).get("ETag") is not None


def test_fields_that_come_with_text_are_all_sent_and_others_replace():
    """As in Flask: they go to the constructor of a response, or update one that is there."""
    hooks, lines = Hooks(), [("X-A", "1"), ("X-A", "2")]
    hooks.before_request(lambda: ("text", lines))
    assert ask(hooks).get_all("X-A") == ["1", "2"]
    hooks = Hooks()
    hooks.before_request(lambda: ({"a": 1}, lines))
    assert ask(hooks).get_all("X-A") == ["2"]


def test_a_cookie_with_an_age_has_a_date_for_those_who_need_one():
    response = Response()
    response.set_cookie("a", "v", max_age=0)
    response.set_cookie("b", "v", max_age=60, expires="then")
    response.set_cookie("c", "v")
    dated, given, plain = response.headers.getlist("Set-Cookie")
    assert re.fullmatch(r"a=v; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT; Max-Age=0; Path=/", dated)
    assert (given, plain) == ("b=v; Expires=then; Max-Age=60; Path=/", "c=v; Path=/")

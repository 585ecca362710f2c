"""What hooks put into a head is checked before the server gets it; what the application sent goes on as it is."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import webob
from webob import exc

from gateway import serve
from hooked import ask, boom, site
from middleware import ContextHooks, Hooks, Stack
from middleware.hooks import Response, abort, after_this_request, make_response

SPLIT = "a\r\nSet-Cookie: e=1"
ERROR = "500 INTERNAL SERVER ERROR"


def line(name: Any, value: Any) -> Any:
    return lambda response: response.headerlist.append((name, value))


def attribute(name: str, value: Any) -> Any:
    return lambda response: setattr(response, name, value)


# What may not leave (RFC 9110 5.1, 5.5, 7.6.1 and 15; RFC 9112 4; PEP 3333), and how it gets into a response.
BAD = {
    "CR LF": line("X-Name", SPLIT),
    "CR": line("X-Name", "a\rb"),
    "LF": line("X-Name", "a\nb"),
    "LF at the end": line("X-Name", "a\n"),
    "NUL": line("X-Name", "a\0b"),
    "ESC": line("X-Name", "a\x1b[2J"),
    "DEL": line("X-Name", "a\x7f"),
    "outside latin-1": line("X-Name", "\u2603"),
    "a surrogate": line("X-Name", "\udc80"),
    "no str": line("X-Name", 5),
    "bytes": line("X-Name", b"a"),
    "None": line("X-Name", None),
    "CR LF in a name": line("X-Name: a\r\nSet-Cookie", "e=1"),
    "a colon in a name": line("X-Name:", "a"),
    "a space in a name": line("X-Name ", "a"),
    "an empty name": line("", "a"),
    "a name outside ASCII": line("X-N\xe4me", "a"),
    "a name that is no str": line(b"X-Name", "a"),
    "a field of the connection": line("Transfer-Encoding", "chunked"),
    "a line of three": lambda response: response.headerlist.append(("X-Name", "a", "b")),
    "a line of one": lambda response: response.headerlist.append(("X-Name",)),
    "a line that is none": lambda response: response.headerlist.append(None),
    "a line that is text": lambda response: response.headerlist.append("ab"),
    "a list of lines": lambda response: setattr(response, "headerlist", [*response.headerlist, ("X-Name", SPLIT)]),
    "lines": lambda response: response.headers.lines.insert(0, ("X-Name", SPLIT)),
    "location": attribute("location", "/\0"),
    "location outside latin-1": attribute("location", "/\u2603"),
    "etag": attribute("etag", "\u2603"),
    "etag with NUL": attribute("etag", "\0"),
    "content_encoding": attribute("content_encoding", "\0"),
    "content_location": attribute("content_location", "\u2603"),
    "content_md5": attribute("content_md5", "\0"),
    "content_disposition": attribute("content_disposition", "\0"),
    "accept_ranges": attribute("accept_ranges", "\0"),
    "server": attribute("server", "\0"),
    "content_type": attribute("content_type", "text/html\r\nX: y"),
    "mimetype": attribute("mimetype", "text/\0"),
    "status": attribute("status", "200 OK\r\nX: y"),
    "status with NUL": attribute("status", "200 OK\0"),
    "status outside latin-1": attribute("status", "200 \u2603"),
    "headers": lambda response: response.headers.add("X-Name", SPLIT),
    "a cookie": lambda response: response.set_cookie("a\r\nb", "c"),
    "vary": attribute("vary", ["a\r\nb"]),
    "cache_control": lambda response: setattr(response.cache_control, "private", "a\r\nb"),
}
bad = pytest.mark.parametrize("spoil", BAD.values(), ids=list(BAD))


@pytest.fixture
def hooks():
    return Hooks()


def refused(answer: Any, status: str = ERROR) -> None:
    """It is a 500, whole and sound, in place of what was spoiled."""
    assert (answer.status, answer.error, answer.faults) == (status, None, [])
    assert answer.heads == 1
    for name, value in answer.headers:
        assert all(" " <= character <= "\xff" and character != "\x7f" for character in name + value)
    assert answer.get("X-Name") is answer.get("Set-Cookie") is None


@bad
def test_what_an_after_request_hook_spoils_is_a_500(spoil, hooks, caplog):
    hooks.after_request(lambda response: (response.status_code == 200 and spoil(response), response)[1])
    answer = ask(hooks)
    refused(answer)
    assert isinstance(answer.environ["middleware.exception"], (ValueError, TypeError))
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@bad
def test_a_hook_that_spoils_the_500_too_does_not_split_it(spoil, hooks):
    @hooks.after_request
    def stamp(response):
        response.headers["X-Good"] = "1"
        spoil(response)
        return response

    answer = ask(hooks)
    refused(answer)
    assert answer.get("X-Good") == "1"
    assert b"Internal Server Error" in answer.body


@bad
def test_what_a_hook_of_the_other_dialect_spoils_is_a_500(spoil):
    hooks = ContextHooks()
    hooks.after_request(lambda ctx, response: (spoil(response), response)[1])
    refused(ask(hooks))


@bad
def test_what_is_spoiled_inside_a_stack_is_answered_by_the_hooks(spoil, hooks):
    hooks.after_request(lambda response: (spoil(response), response)[1])
    refused(serve(Stack(hooks).wrap(site())))


@bad
def test_errors_that_are_propagated_reach_the_server_with_no_head(spoil):
    hooks = Hooks(propagate_exceptions=True)
    hooks.after_request(lambda response: (spoil(response), response)[1])
    answer = ask(hooks)
    assert (answer.status, type(answer.error) in (ValueError, TypeError)) == ("", True)


# -- responses that come whole -----------------------------------------------------------------------------------------


def of_webob(**spoiled: Any) -> webob.Response:
    response = webob.Response(b"x")
    response.headerlist.append(("X-Name", SPLIT))
    return response


def of_wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Name", SPLIT)])
    return [b"x"]


def with_status(status: str) -> Any:
    def app(environ, start_response):
        start_response(status, [("Content-Type", "text/plain")])
        return [b"x"]

    return app


def of_exception() -> Any:
    return exc.HTTPFound(headers=[("X-Name", SPLIT)])


def of_ours() -> Response:
    response = Response("x")
    response.headerlist.append(("X-Name", SPLIT))
    return response


WHOLE = {
    "WebOb's": of_webob,
    "WebOb's with a bad status": lambda: webob.Response(
        b"x", status="200 OK\r\nX-Name: y", headerlist=[("Content-Type", "text/plain")]
    ),
    "a WSGI application": lambda: of_wsgi,
    "a WSGI application with a bad status": lambda: with_status("200 OK\r\nX-Name: y"),
    "a WSGI application with no status": lambda: with_status("OK"),
    "WebOb's exception": of_exception,
    "ours": of_ours,
    "made": lambda: make_response(of_wsgi),
    "a tuple": lambda: (of_wsgi, 201),
}
whole = pytest.mark.parametrize("made", WHOLE.values(), ids=list(WHOLE))
WAYS: dict[str, Any] = {}


def way(function: Any) -> Any:
    return WAYS.setdefault(function.__name__, function)


@way
def before(hooks, made):
    hooks.before_request(made)


@way
def after(hooks, made):
    hooks.after_request(lambda response: response if response.status_code == 500 else make_response(made()))


@way
def after_as_it_is(hooks, made):
    hooks.after_request(lambda response: made())  # a tuple is no response here, which is a TypeError


@way
def after_this(hooks, made):
    hooks.before_request(lambda: after_this_request(lambda response: make_response(made())) and None)


@way
def aborts(hooks, made):
    hooks.before_request(lambda: abort(make_response(made())))


@way
def aborts_with_an_error(hooks, made):
    hooks.before_request(lambda: abort(404, response=make_response(made())))


@way
def handler(hooks, made):
    hooks.before_request(boom)
    hooks.errorhandler(ZeroDivisionError)(lambda error: made())


@way
def handler_of_500(hooks, made):
    hooks.before_request(boom)
    hooks.errorhandler(500)(lambda error: made())


@way
def in_a_scope(hooks, made):
    hooks.scope("/").before_request(made)


@whole
@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_response_that_may_not_be_sent_is_a_500(way, made, hooks):
    way(hooks, made)
    refused(ask(hooks))


@whole
@pytest.mark.parametrize("place", ["before", "after", "raised"])
def test_a_response_that_may_not_be_sent_is_a_500_in_the_other_dialect(place, made):
    hooks = ContextHooks()
    if place == "before":
        hooks.before_request(lambda ctx: abort(make_response(made())))
    elif place == "after":
        hooks.after_request(lambda ctx, response: made())
    app = site({"/": of_exception()}) if place == "raised" else None
    refused(ask(hooks, app=app))


def test_an_exception_of_the_application_that_may_not_be_sent_is_a_500(hooks):
    refused(ask(hooks, app=site({"/": of_exception()})))


# -- what is sound, or the application's -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["", "a\tb", "caf\xe9", "\xff", " padded ", '"quoted"', "a" * 10_000], ids=lambda value: repr(value[:9])
)
def test_what_may_be_sent_is_sent_as_it_is(value, hooks):
    hooks.after_request(lambda response: (response.headerlist.append(("X-Value", value)), response)[1])
    answer = serve(hooks.wrap(site()), lint=False)
    assert (answer.status, answer.get("X-Value")) == ("200 OK", value)


def test_lines_of_the_application_are_its_own(hooks):
    @hooks.after_request
    def stamp(response):
        response.headers["X-Good"] = "1"
        return response

    def app(environ, start_response):
        start_response("200 OK", [("X-Name", "a\x01"), ("X-Other", "a")])
        return [b"x"]

    answer = serve(hooks.wrap(app), lint=False)
    assert (answer.status, answer.get("X-Name"), answer.get("X-Good")) == ("200 OK", "a\x01", "1")


def test_a_line_of_the_application_that_a_hook_repeats_is_the_hooks(hooks):
    hooks.after_request(lambda response: (response.headerlist.append((*response.headerlist[0],)), response)[1])

    def app(environ, start_response):
        start_response("200 OK", [("X-Name", "a\x01")])
        return [b"x"]

    refused(serve(hooks.wrap(app), lint=False))


# -- heads that go out early, or change late ---------------------------------------------------------------------------


def spoiling(hooks: Hooks) -> Hooks:
    hooks.after_request(lambda response: (BAD["CR LF"](response), response)[1])
    return hooks


def test_a_head_before_write_is_checked(hooks):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])(b"written")
        return [b"iterated"]

    answer = ask(spoiling(hooks), app=app)
    refused(answer)
    assert b"written" not in answer.body
    assert b"iterated" not in answer.body


def test_a_head_that_replaces_one_is_checked(hooks):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            boom()
        except ZeroDivisionError:
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"x"]

    refused(ask(spoiling(hooks), app=app))


def test_a_late_head_that_replaces_one_breaks_the_response_off(hooks):
    """The server has the first head: what the hooks add to the second one is an error of the body."""

    @hooks.after_request
    def spoil(response):
        return BAD["CR LF"](response) or response if response.status_code == 502 else response

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b""
        try:
            boom()
        except ZeroDivisionError:
            start_response("502 Bad Gateway", [("Content-Type", "text/plain")], sys.exc_info())
        yield b"x"

    answer = ask(hooks, app=app)
    assert (answer.status, answer.body, type(answer.error)) == ("200 OK", b"", ValueError)


def test_a_conditional_response_that_cannot_be_made_is_a_500(hooks):
    @hooks.after_request
    def make_conditional(response):
        if response.status_code == 200:
            response.headerlist.append(("Last-Modified", 5))
            response.conditional_response = True
        return response

    refused(ask(hooks, HTTP_IF_MODIFIED_SINCE="Sun, 06 Nov 1994 08:49:37 GMT"))


# -- what is not sent is closed ----------------------------------------------------------------------------------------


class Closed:
    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self):
        return iter([b"x"])

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("propagate", [False, True])
def test_what_is_refused_is_closed_once_and_so_is_the_application_s_body(propagate):
    hooks, own, other, called = Hooks(propagate_exceptions=propagate), Closed(), Closed(), []

    @hooks.after_request
    def replace(response):
        if response.status_code == 500:
            return response
        made = Response(other, headers={"X-A": "b"})
        made.headerlist.append(("X-Name", SPLIT))
        made.call_on_close(lambda: called.append(1))
        return made

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return own

    ask(hooks, app=app, lint=False)
    assert (own.closed, other.closed, called) == (1, 1, [1])


def test_the_application_s_body_is_closed_once_where_its_head_is_refused(hooks):
    own = Closed()

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return own

    answer = ask(spoiling(hooks), app=app, lint=False)
    refused(answer)
    assert own.closed == 1


def test_what_closing_it_raises_is_logged(hooks, caplog):
    @hooks.before_request
    def replace():
        made = of_ours()
        made.call_on_close(boom)
        return made

    refused(ask(hooks))
    assert "close() failed after an error" in caplog.messages

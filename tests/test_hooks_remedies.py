"""Hooks around applications that answer errors by themselves: what they tell of them, and what their status tells."""

from __future__ import annotations

import sys

import pytest

from gateway import serve
from hooked import ask, site
from middleware import Headers, Hooks, Stack
from middleware.hooks import InternalServerError
from shapes import TEXT, Body, Failure


@pytest.fixture
def seen():
    return []


def sorry(how, body=None):
    """An application that fails, answers that by a page of its own, and tells of it in its way."""

    def app(environ, start_response):
        try:
            raise Failure("inside")
        except Failure as error:
            head = "500 Oh No", list(TEXT)
            if how == "environ":
                environ["middleware.exception"] = error
            start_response(*head, sys.exc_info()) if how == "exc_info" else start_response(*head)
        return [b"own page"] if body is None else body

    return app


WAYS = pytest.mark.parametrize("how", ["environ", "exc_info"])


@WAYS
def test_an_error_that_is_told_of_reaches_its_handler_and_not_teardown(how, seen):
    hooks, body = Hooks(), Body([b"own page"])
    hooks.errorhandler(Failure)(lambda error: (f"handled {error}", 418))
    hooks.errorhandler(500)(lambda error: "never")
    hooks.teardown_request(seen.append)
    answer = ask(hooks, app=sorry(how, body))
    assert (answer.status[:3], answer.body, seen, body.closed) == ("418", b"handled inside", [None], 1)


@WAYS
def test_an_error_that_is_told_of_reaches_the_handler_of_a_500_and_teardown(how, seen):
    hooks = Hooks()

    @hooks.errorhandler(500)
    def page(error):
        seen.append(type(error.original_exception))
        return error.get_response().get_data() + b", and ours", 503

    hooks.teardown_request(lambda error: seen.append(type(error)))
    answer = ask(hooks, app=sorry(how))
    assert (answer.status[:3], answer.body, seen) == ("503", b"own page, and ours", [Failure, Failure])


@WAYS
@pytest.mark.parametrize("propagate", [True, False])
def test_without_a_handler_the_applications_page_is_sent(how, propagate, seen, caplog):
    hooks = Hooks(propagate_exceptions=propagate)
    hooks.after_request(lambda response: response.headers.set("X-After", "1") or response)
    hooks.teardown_request(lambda error: seen.append(type(error)))
    answer = ask(hooks, app=sorry(how))
    assert (answer.status, answer.body, answer.get("X-After"), seen) == ("500 Oh No", b"own page", "1", [Failure])
    assert not caplog.records


def test_what_a_handler_of_such_an_error_raises_becomes_a_500(seen):
    hooks = Hooks()
    hooks.errorhandler(Failure)(lambda error: {}["x"])
    hooks.errorhandler(KeyError)(lambda error: "not consulted")
    assert ask(hooks, app=sorry("environ")).status == "500 INTERNAL SERVER ERROR"


@pytest.mark.parametrize("told", ["a text", KeyboardInterrupt()])
def test_what_is_no_exception_is_told_in_vain(told):
    def app(environ, start_response):
        environ["middleware.exception"] = told
        start_response("200 OK", list(TEXT))
        return [b"x"]

    hooks = Hooks()
    hooks.errorhandler(Exception)(lambda error: "never")
    assert ask(hooks, app=app).body == b"x"


def test_an_error_of_an_earlier_request_is_forgotten(seen):
    hooks = Hooks()
    hooks.errorhandler(Exception)(lambda error: "never")
    assert serve(hooks.wrap(site()), **{"middleware.exception": KeyError()}).body == b"hello"


def test_a_pass_within_that_answered_an_error_tells_of_it(caplog):
    hooks = Hooks()
    hooks.errorhandler(KeyError)(lambda error: "handled")
    inner = Stack(Headers(set={"X-In": "1"})).wrap(site({"/": KeyError()}))
    assert ask(hooks, app=inner).body == b"handled"


# -- statuses --------------------------------------------------------------------------------------------------------


def answering(status):
    def app(environ, start_response):
        start_response(status, [("Content-Type", "text/plain"), ("X-Own", "1")])
        return [b"own"]

    return app


@pytest.mark.parametrize(
    ("options", "status", "body"),
    [
        ({}, "404 Not Found", b"own"),
        ({"statuses": True}, "404 Not Found", b"ours for own"),
        ({"statuses": True}, "403 Forbidden", b"own"),
        ({"statuses": True}, "200 OK", b"own"),
        ({"statuses": True}, "799 Odd", b"own"),
    ],
)
def test_the_handler_for_a_status_gets_responses_that_have_it(options, status, body):
    hooks = Hooks(**options)
    hooks.errorhandler(404)(lambda error: (b"ours for " + error.get_response().get_data(), 404))
    hooks.errorhandler(Exception)(lambda error: "never")
    assert ask(hooks, app=answering(status)).body == body


def test_such_a_handler_may_leave_the_response_as_it_is():
    hooks = Hooks(statuses=True)
    hooks.errorhandler(404)(lambda error: error)
    answer = ask(hooks, app=answering("404 Nothing"), lint=False)
    assert (answer.status, answer.result, answer.get("X-Own")) == ("404 Nothing", [b"own"], "1")


def test_an_error_and_its_status_reach_one_handler(seen):
    hooks = Hooks(statuses=True)
    hooks.errorhandler(500)(lambda error: seen.append(type(error)) or ("page", 500))
    ask(hooks, app=sorry("environ"))
    ask(hooks, app=sorry("not at all"))
    ask(hooks, app=site({"/": Failure()}))
    assert seen == [InternalServerError] * 3

"""What Flask lets a hook assign may be assigned: later reads see it, and the response does not."""

from __future__ import annotations

import io
from typing import Any

import flask
import pytest
from werkzeug.datastructures import ContentSecurityPolicy, WWWAuthenticate
from werkzeug.http import COEP, COOP

import middleware.hooks
from gateway import environ, serve
from hooked import ask
from middleware import Hooks
from middleware.hooks import Request, Response, g, request
from middleware.hooks.missing_names import REQUEST

# Set in the environ too, by WebOb: any object will not do
BY_WEBOB = {
    "cookies",
    "headers",
    "if_modified_since",
    "if_unmodified_since",
    "content_length",
    "method",
    "scheme",
    "host",
}


# The environ is WebOb's; the limits are options of Hooks.
DOCUMENTED_ELSEWHERE = {"environ", "max_content_length", "max_form_memory_size", "max_form_parts"}


def flask_lets() -> list[str]:
    """The names that Flask's request lets anybody assign, and ours has."""

    def assignable(name: str) -> bool:
        try:
            setattr(flask.Request(environ()), name, object())
        except AttributeError:
            return False
        return True

    names = [name for name in dir(flask.Request(environ())) if not name.startswith("_") and assignable(name)]
    return [name for name in names if hasattr(Request(environ()), name) and name not in BY_WEBOB | REQUEST.keys()]


@pytest.mark.parametrize("name", flask_lets())
def test_what_flask_lets_a_hook_assign_may_be_assigned(name):
    value = object()
    one, other = Request(environ()), Request(environ())
    assert name in DOCUMENTED_ELSEWHERE or getattr(Request, name).__doc__
    before = getattr(other, name)
    setattr(one, name, value)
    assert getattr(one, name) is value
    assert type(getattr(other, name)) is type(before)


def test_the_list_of_them_has_what_people_assign():
    assert {"data", "form", "args", "files", "values", "path", "url", "user_agent", "environ"} <= {*flask_lets()}


@pytest.mark.parametrize("name", ["json", "is_json", "mimetype", "is_secure", "minetype", "dat", "endpoint"])
def test_what_flask_does_not_let_a_hook_assign_is_an_attribute_error(name):
    for made in (flask.Request(environ()), Request(environ())):
        if hasattr(type(made), name) or isinstance(made, Request):
            with pytest.raises(AttributeError):
                setattr(made, name, "x")


@pytest.mark.parametrize("hook", ["before_request", "after_request"])
def test_assigned_data_are_read_by_later_hooks_and_have_no_effect(hook):
    def echo(data: bytes) -> str:
        return data.decode()

    def program(app: Any, names: Any, seen: list[Any]) -> None:
        @app.before_request
        def start():
            names.request.get_data()

        def assigns(response=None):
            names.request.data = b"new data"
            return response

        getattr(app, hook)(assigns)

        @app.after_request
        def before_that_in_registration_order(response):
            return response

        @app.teardown_request
        def reads(error):
            seen.append((names.request.data, names.request.get_data()))

    theirs, ours, seen = flask.Flask("x"), Hooks(), ([], [])
    program(theirs, flask, seen[0])
    program(ours, middleware.hooks, seen[1])

    @theirs.route("/", methods=["POST"])
    def index():
        return echo(flask.request.get_data())

    def app(environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [body]

    answers = [
        serve(app, method="POST", lint=False, CONTENT_LENGTH="3", **{"wsgi.input": io.BytesIO(b"old")})
        for app in (theirs.wsgi_app, ours.wrap(app))
    ]
    assert [(answer.status, answer.body) for answer in answers] == [("200 OK", b"old")] * 2
    assert seen[0] == seen[1] == [(b"new data", b"old")]


def test_what_was_assigned_can_be_deleted():
    made = Request(environ(QUERY_STRING="a=1"))
    made.args = {"a": "2"}
    del made.args
    assert made.args["a"] == "1"


def test_the_request_of_a_hook_takes_it_too():
    hooks = Hooks()

    @hooks.before_request
    def assign():
        request.path = "/other"
        g.path = request.path

    @hooks.after_request
    def tell(response):
        response.headers["X-Path"] = request.full_path + g.path
        return response

    assert ask(hooks).get("X-Path") == "/other?/other"


# -- of a response -----------------------------------------------------------------------------------------------------

POLICY = "default-src 'self'"
FIELDS = {
    "content_security_policy": (ContentSecurityPolicy({"default-src": "'self'"}), POLICY),
    "content_security_policy_report_only": (ContentSecurityPolicy({"default-src": "'self'"}), POLICY),
    "cross_origin_opener_policy": (COOP.SAME_ORIGIN, "same-origin"),
    "cross_origin_embedder_policy": (COEP.REQUIRE_CORP, "require-corp"),
    "www_authenticate": (WWWAuthenticate("basic", {"realm": "r"}), "Basic realm=r"),
    "content_range": ("bytes 0-1/2", "bytes 0-1/2"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_that_cannot_be_read_as_in_flask_can_be_assigned(name):
    value, text = FIELDS[name]
    field = name.replace("_", "-")
    assert getattr(Response, name) is Response.__dict__[name]
    for response in (flask.Response("x"), Response("x")):
        setattr(response, name, value)
        assert response.headers[field] == text
    for given in (text, None):
        setattr(response, name, given)
        assert response.headers.get(field) == given
    with pytest.raises(AttributeError, match=r"use response\.headers"):
        getattr(response, name)
    with pytest.raises(ValueError, match="control character"):
        setattr(response, name, "a\r\nb")

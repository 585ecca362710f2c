"""Hooks, the pipeline: what runs in which order, what stops it, and what becomes of errors, as in Flask 3.1."""

from __future__ import annotations

import io
import logging
import re
import threading
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import flask
import pytest
import webob
from webob import exc
from werkzeug.datastructures import WWWAuthenticate

from gateway import environ, serve
from hooked import ask, boom, label, site
from middleware import ConfigError, ContextHooks, Headers, Hooks, OrderError, Stack, Timing
from middleware.hooks import (
    InternalServerError,
    Response,
    abort,
    after_this_request,
    g,
    jsonify,
    make_response,
    request,
)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def hooks():
    return Hooks()


def noting(seen, what, returns=None):
    """A hook that notes its name, and returns its argument or something else."""

    def hook(*arguments):
        seen.append(what)
        return arguments[0] if arguments and returns is None else returns

    return hook


def tracing(hooks, seen):
    """Two hooks of every kind."""
    for number in (1, 2):
        hooks.before_request(noting(seen, f"before {number}"))
        hooks.after_request(noting(seen, f"after {number}"))
        hooks.teardown_request(noting(seen, f"teardown {number}"))


ALL = ["before 1", "before 2", "view", "after 2", "after 1", "teardown 2", "teardown 1"]


# -- order -----------------------------------------------------------------------------------------------------------


def test_before_in_order_after_and_teardown_in_reverse(hooks, seen):
    tracing(hooks, seen)
    assert ask(hooks, app=site({"/": lambda: seen.append("view") or b"x"})).body == b"x"
    assert seen == ALL


def test_after_in_the_order_of_registration_if_wanted(seen):
    hooks = Hooks(after_order="registration")
    tracing(hooks, seen)
    ask(hooks)
    assert seen == ["before 1", "before 2", "after 1", "after 2", "teardown 2", "teardown 1"]


def test_each_after_hook_gets_what_the_one_before_returned(hooks):
    hooks.after_request(lambda response: make_response(response.get_data() + b"|first", 201))
    hooks.after_request(lambda response: make_response(response.get_data() + b"|last", 202))
    answer = ask(hooks)
    assert (answer.status, answer.body) == ("201 CREATED", b"hello|last|first")


def test_data_can_be_added_to(hooks):
    @hooks.after_request
    def add(response):
        response.data += b"|after"
        return response

    answer = ask(hooks)
    assert (answer.body, answer.get("Content-Length")) == (b"hello|after", "11")


def test_the_same_function_registered_twice_runs_twice(hooks, seen):
    hook = noting(seen, "x")
    assert hooks.after_request(hook) is hook
    assert hooks.after_request(hook) is hook
    ask(hooks)
    assert seen == ["x", "x"]


# -- a before hook that answers --------------------------------------------------------------------------------------


def test_the_first_answer_skips_the_other_before_hooks_and_the_application(hooks, seen):
    hooks.before_request(noting(seen, "first"))
    hooks.before_request(noting(seen, "second", "stop"))
    hooks.before_request(noting(seen, "third"))
    hooks.after_request(noting(seen, "after"))
    hooks.teardown_request(noting(seen, "teardown"))
    assert ask(hooks, app=site({"/": boom})).body == b"stop"
    assert seen == ["first", "second", "after", "teardown"]


def a_wsgi_application(environ, start_response):
    start_response("299 Odd", [("Content-Type", "text/x"), ("X-Path", environ["PATH_INFO"])])(b"wr")
    return [b"itten"]


HTML = "text/html; charset=utf-8"
RETURNED = [
    ("text", 200, HTML, b"text"),
    ("", 200, HTML, b""),
    (b"bytes", 200, HTML, b"bytes"),
    (bytearray(b"array"), 200, HTML, b"array"),
    ({"b": 1, "a": [None]}, 200, "application/json", b'{"a":[null],"b":1}\n'),
    ([1, "x"], 200, "application/json", b'[1,"x"]\n'),
    ([], 200, "application/json", b"[]\n"),
    ({}, 200, "application/json", b"{}\n"),
    (iter(["str", b"eam"]), 200, HTML, b"stream"),
    (("no", 403), 403, HTML, b"no"),
    (("no", "403 Go Away"), 403, HTML, b"no"),
    (("x", {"Content-Type": "text/x"}), 200, "text/x", b"x"),
    (("x", [("Content-Type", "text/y")]), 200, "text/y", b"x"),
    (("x", 201, {"Content-Type": "text/z"}), 201, "text/z", b"x"),
    (("x", None, {"Content-Type": "text/z"}), 200, "text/z", b"x"),
    (({"a": 1}, 418), 418, "application/json", b'{"a":1}\n'),
    (Response("made", 202, mimetype="text/plain"), 202, "text/plain; charset=utf-8", b"made"),
    ((Response("made", 202), 203), 203, HTML, b"made"),
    (a_wsgi_application, 299, "text/x", b"written"),
    ((a_wsgi_application, 201), 201, "text/x", b"written"),
]


@pytest.mark.parametrize(("value", "status", "kind", "body"), RETURNED, ids=label)
def test_what_a_hook_may_return(hooks, value, status, kind, body):
    hooks.before_request(lambda: value)
    answer = ask(hooks)
    assert (int(answer.status[:3]), answer.get("Content-Type"), answer.body) == (status, kind, body)


@pytest.mark.parametrize("value", [0, False, 1.5, object(), ("x",), ("x", 200, {}, 4), (None, 200)])
def test_what_is_no_response_is_a_500_that_names_the_hook(hooks, caplog, value):
    @hooks.before_request
    def odd():
        return value

    hooks.errorhandler(TypeError)(lambda error: "not consulted")
    assert ask(hooks).status == "500 INTERNAL SERVER ERROR"
    assert "odd returned" in caplog.text


@pytest.mark.parametrize("value", [None, "text", ("x", 200), {}, b"", 5])
def test_an_after_hook_that_returns_no_response_is_a_500_that_names_it(hooks, caplog, value):
    @hooks.after_request
    def forgets(response):
        return value

    answer = ask(hooks)
    assert answer.status == "500 INTERNAL SERVER ERROR"
    assert f"forgets returned {type(value).__name__}" in caplog.text


def test_an_after_hook_may_return_any_wsgi_application(hooks, seen):
    hooks.after_request(lambda response: seen.append(response.status) or response)
    hooks.after_request(lambda response: a_wsgi_application)
    answer = ask(hooks, "/there", site({"/there": b"x"}))
    assert (answer.status, answer.body, answer.get("X-Path"), seen) == ("299 Odd", b"written", "/there", ["299 Odd"])


def test_a_response_that_is_not_sent_is_closed(hooks, seen):
    @hooks.after_request
    def replace(response):
        response.call_on_close(lambda: seen.append("first"))
        other = Response("other")
        other.call_on_close(lambda: seen.append("second"))
        return other

    assert ask(hooks).body == b"other"
    assert seen == ["first", "second"]


# -- errorhandlers ---------------------------------------------------------------------------------------------------


class One(Exception):
    pass


class Two(Exception):
    pass


class Three(One, Two):
    pass


class Teapot(exc.HTTPForbidden):
    pass


def told(name):
    return lambda error: f"{name} {type(error).__name__}"


HANDLED = [  # handlers, what is raised, the answer
    ([Two, Exception], Three(), "Two Three"),
    ([Two, Exception], One(), "Exception One"),
    ([Exception], exc.HTTPNotFound(), "Exception HTTPNotFound"),
    ([404], exc.HTTPNotFound(), "404 HTTPNotFound"),
    ([exc.HTTPNotFound], exc.HTTPNotFound(), "HTTPNotFound HTTPNotFound"),
    ([404, Exception, exc.HTTPException], exc.HTTPNotFound(), "404 HTTPNotFound"),
    ([exc.HTTPException, Exception], exc.HTTPNotFound(), "HTTPException HTTPNotFound"),
    ([exc.HTTPClientError, exc.HTTPException], exc.HTTPNotFound(), "HTTPClientError HTTPNotFound"),
    ([exc.HTTPError], exc.HTTPBadGateway(), "HTTPError HTTPBadGateway"),
    ([403, Teapot], Teapot(), "Teapot Teapot"),
    ([403, Teapot], exc.HTTPForbidden(), "403 HTTPForbidden"),
    ([403], Teapot(), "403 Teapot"),
    ([500], KeyError(), "500 InternalServerError"),
    ([InternalServerError], exc.HTTPInternalServerError(), "InternalServerError HTTPInternalServerError"),
    ([500, Exception], KeyError(), "Exception KeyError"),
    ([exc.HTTPException], KeyError(), "HTTPException InternalServerError"),
    ([exc.HTTPServerError], KeyError(), "HTTPServerError InternalServerError"),
    ([400], exc.HTTPBadRequest(), "400 HTTPBadRequest"),
]


@pytest.mark.parametrize(("keys", "error", "body"), HANDLED, ids=label)
def test_which_handler_gets_an_error(keys, error, body):
    """A handler for the code first, then the nearest class; the order of registration does not matter."""
    for order in (keys, keys[::-1]):
        hooks = Hooks()
        for key in order:
            hooks.register_error_handler(key, told(getattr(key, "__name__", key)))
        answer = ask(hooks, app=site({"/": error}))
        assert (answer.status, answer.body.decode()) == ("200 OK", body)


def test_abort_reaches_handlers_of_the_code_and_of_webobs_class(hooks):
    hooks.errorhandler(404)(lambda error: (f"{error.code} {error.name}: {error.description}", 404))
    hooks.errorhandler(exc.HTTPForbidden)(lambda error: ("forbidden", 403))
    app = site({"/a": lambda: abort(404, "not here"), "/b": lambda: abort(403)})
    assert ask(hooks, "/a", app).body == b"404 Not Found: not here"
    assert ask(hooks, "/b", app).body == b"forbidden"
    with pytest.raises(exc.HTTPNotFound, match="404 Not Found: why") as caught:
        abort(404, "why")
    assert repr(caught.value) == "<NotFound '404: Not Found'>"


def test_werkzeugs_exceptions_are_handled_alike(hooks):
    from werkzeug import exceptions

    hooks.register_error_handler(exceptions.HTTPException, told("any"))
    hooks.register_error_handler(404, told("404"))
    hooks.register_error_handler(exceptions.Gone, told("gone"))
    app = site({"/a": exceptions.NotFound(), "/b": exceptions.Gone(), "/c": exceptions.Conflict(), "/d": KeyError()})
    answers = [ask(hooks, path, app).body for path in ("/a", "/b", "/c", "/d")]
    assert answers == [b"404 NotFound", b"gone Gone", b"any Conflict", b"any InternalServerError"]


@pytest.mark.parametrize(
    ("error", "status", "location"),
    [
        (exc.HTTPFound(location="/login"), "302 Found", "/login"),
        (exc.HTTPNotFound("no"), "404 Not Found", None),
        (exc.HTTPNoContent(), "204 No Content", None),
    ],
)
def test_an_error_that_is_a_response_is_sent_where_no_handler_is(hooks, error, status, location):
    hooks.after_request(lambda response: response.headers.set("X-After", "1") or response)
    answer = ask(hooks, app=site({"/": error}))
    assert (answer.status, answer.get("Location"), answer.get("X-After")) == (status, location, "1")


@pytest.mark.parametrize("error", [exc.HTTPFound(location="/login"), exc.HTTPOk(), exc.HTTPClientError("bare")])
def test_what_stands_for_no_error_reaches_no_handler(hooks, error):
    hooks.errorhandler(Exception)(lambda error: "handled")
    assert ask(hooks, app=site({"/": error})).body != b"handled"


class Prepared(webob.Response, Exception):
    """An error that makes its page when it is called, as those of Pyramid do."""

    code = 404

    def __call__(self, environ, start_response):
        self.text = "the page"
        return super().__call__(environ, start_response)


@pytest.mark.parametrize("way", ["raise", "return", "abort", "after"])
def test_a_response_that_makes_its_body_when_it_is_called_has_it(hooks, way):
    def answer(*_):
        error = Prepared(status=404, location="/login")
        if way == "raise":
            raise error
        return abort(error) if way == "abort" else error

    (hooks.after_request if way == "after" else hooks.before_request)(answer)
    answer = ask(hooks)
    assert (answer.status, answer.body, answer.get("Location")) == ("404 Not Found", b"the page", "/login")


def test_abort_with_a_response_ends_the_request_with_that(hooks):
    hooks.errorhandler(Exception)(lambda error: "handled")
    hooks.before_request(lambda: abort(make_response("mine", 303)))
    assert ask(hooks).status == "303 SEE OTHER"


def test_a_handler_may_return_the_error(hooks):
    hooks.errorhandler(404)(lambda error: error)
    answer = ask(hooks, app=site({"/": lambda: abort(404, "<gone>\nreally")}))
    assert answer.status == "404 NOT FOUND"
    assert b"<h1>Not Found</h1>\n<p>&lt;gone&gt;</p>\n<p>really</p>" in answer.body


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (999, ValueError),
        (200, ValueError),
        (BaseException, ValueError),
        (list, ValueError),
        (exc.HTTPNotFound(), TypeError),
        ("404", TypeError),
    ],
)
def test_what_no_handler_can_be_registered_for(hooks, key, error):
    with pytest.raises(error):
        hooks.errorhandler(key)(told("never"))


def test_an_errorhandler_without_parentheses_is_refused(hooks):
    for decorator in (hooks.errorhandler, hooks.app_errorhandler):
        with pytest.raises(TypeError, match="errorhandler takes a code or an exception class, not <function"):
            decorator(told("never"))


@pytest.mark.parametrize("handler", [5, None, "page"])
def test_what_is_no_function_is_no_handler(hooks, handler):
    for register in (
        lambda: hooks.errorhandler(404)(handler),
        lambda: hooks.register_error_handler(404, handler),
        lambda: hooks.app_errorhandler(KeyError)(handler),
    ):
        with pytest.raises(TypeError, match="errorhandler takes a function"):
            register()


@pytest.mark.parametrize("code", [200, 999, "404", None, {"a": 1}, ("x", 403), True])
def test_what_abort_does_not_take(hooks, code):
    with pytest.raises(LookupError, match=re.escape(repr(code))):
        abort(code)
    hooks.before_request(lambda: abort(code))
    assert ask(hooks).status == "500 INTERNAL SERVER ERROR"


@pytest.mark.parametrize(
    ("code", "given", "lines"),
    [
        (405, {"valid_methods": ["GET", "HEAD"]}, [("Allow", "GET, HEAD")]),
        (401, {"www_authenticate": WWWAuthenticate("basic", {"realm": "a"})}, None),
        (401, {"www_authenticate": [WWWAuthenticate("basic", {"realm": "a"}), "Bearer"]}, None),
        (401, {"www_authenticate": None}, []),
        (429, {"retry_after": 5}, [("Retry-After", "5")]),
        (503, {"retry_after": datetime(2026, 11, 20, tzinfo=timezone.utc)}, None),
        (416, {"length": 10}, [("Content-Range", "bytes */10")]),
    ],
)
def test_the_fields_of_an_error_are_those_of_flask(hooks, code, given, lines):
    hooks.before_request(lambda: abort(code, **given))
    answer = ask(hooks)
    theirs = flask.Flask("site")
    theirs.before_request(lambda: flask.abort(code, **given))
    names = ("Allow", "WWW-Authenticate", "Retry-After", "Content-Range")
    expected = [(name, value) for name in names for value in theirs.test_client().get("/").headers.getlist(name)]
    assert [(name, value) for name in names for value in answer.get_all(name)] == expected
    assert lines in (None, expected)
    assert answer.status.startswith(str(code))


def test_a_challenge_may_be_a_str(hooks):
    hooks.before_request(lambda: abort(401, www_authenticate="Basic"))
    assert ask(hooks).get_all("WWW-Authenticate") == ["Basic"]


@pytest.mark.parametrize(
    ("code", "name"), [(404, "valid_methods"), (405, "www_authenticate"), (413, "retry_after"), (404, "length")]
)
def test_an_error_has_no_other_fields(code, name):
    with pytest.raises(TypeError, match=rf"abort\({code}\) has no '{name}'"):
        abort(code, **{name: ["GET"]})


@pytest.mark.parametrize("method", ["on_request", "on_response", "on_close"])
@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
def test_a_method_that_would_never_be_called_is_refused(kind, method):
    with pytest.raises(TypeError, match=rf"Tagged\.{method} would never be called"):
        type("Tagged", (kind,), {method: lambda self, environ, other=None: None})


def test_an_unhandled_error_is_logged_and_becomes_a_500(hooks, caplog, seen):
    hooks.after_request(noting(seen, "after"))
    hooks.teardown_request(seen.append)
    with caplog.at_level(logging.ERROR, "middleware.hooks"):
        answer = ask(hooks, "/x", site({"/x": boom}))
    assert answer.status == "500 INTERNAL SERVER ERROR"
    assert "Exception on /x [GET]" in caplog.text
    assert "ZeroDivisionError: boom" in caplog.text
    assert [seen[0], type(seen[1])] == ["after", ZeroDivisionError]
    assert type(answer.environ["middleware.exception"]) is ZeroDivisionError


def test_the_handler_of_a_500_gets_the_original(hooks):
    originals = []
    hooks.errorhandler(500)(lambda error: originals.append(error.original_exception) or ("sorry", 500))
    app = site({"/a": KeyError("x"), "/b": lambda: abort(500)})
    assert ask(hooks, "/a", app).body == ask(hooks, "/b", app).body == b"sorry"
    assert [type(original) for original in originals] == [KeyError, type(None)]


# where it fails -> status, how often after ran, what teardown is told
FAILING = [
    ("before", "500 INTERNAL SERVER ERROR", 1, ZeroDivisionError),
    ("view", "500 INTERNAL SERVER ERROR", 1, ZeroDivisionError),
    ("handler", "500 INTERNAL SERVER ERROR", 1, ZeroDivisionError),
    ("after_this", "500 INTERNAL SERVER ERROR", 1, ZeroDivisionError),
]


@pytest.mark.parametrize(("where", "status", "after", "error"), FAILING)
def test_errors_in_each_kind_of_hook(hooks, seen, where, status, after, error):  # noqa: PLR0917 - a table
    tearing = []
    hooks.after_request(noting(seen, "after"))
    hooks.teardown_request(tearing.append)
    hooks.errorhandler(KeyError)(boom)
    once = iter([boom])
    hooks.before_request(
        {
            "before": boom,
            "view": lambda: None,
            "handler": lambda: {}["x"],
            "after_this": lambda: (
                after_this_request(lambda response: next(once, lambda _: response)(response)) and None
            ),
        }[where]
    )
    answer = ask(hooks, app=site({"/": boom if where == "view" else b"x"}))
    assert (answer.status, seen.count("after"), [type(told) for told in tearing]) == (status, after, [error])


def test_an_after_hook_that_fails_makes_all_of_them_see_a_500(hooks, seen):
    """Handlers for its own class, or code, are not consulted; that of a 500 is."""

    @hooks.after_request
    def last(response):
        seen.append(("last", response.status_code))
        return response

    @hooks.after_request
    def fails_once(response):
        seen.append(("first", response.status_code))
        return response if response.status_code == 500 else abort(403)

    hooks.errorhandler(403)(told("not consulted"))
    hooks.errorhandler(500)(lambda error: (f"sorry for {error.original_exception.code}", 500))
    assert ask(hooks).body == b"sorry for 403"
    assert seen == [("first", 200), ("first", 500), ("last", 500)]


def test_an_after_hook_that_fails_again_leaves_the_500_as_it_was(hooks, caplog):
    @hooks.after_request
    def fails(response):
        response.headers["X-Edited"] = "1"
        raise ZeroDivisionError

    @hooks.after_request
    def replaces(response):
        response.headers["X-First"] = "1"
        return Response("dropped", 200)

    answer = ask(hooks)
    assert (answer.status, answer.get("X-First"), answer.get("X-Edited")) == ("500 INTERNAL SERVER ERROR", "1", None)
    assert "failed on the response to an error" in caplog.text


def test_what_the_handler_of_a_500_raises_is_the_servers(hooks, seen):
    hooks.errorhandler(500)(lambda error: {}["missing"])
    hooks.after_request(noting(seen, "after"))
    hooks.teardown_request(lambda error: seen.append(type(error)))
    assert isinstance(ask(hooks, app=site({"/": boom})).error, KeyError)
    assert seen == [ZeroDivisionError]


def test_in_a_stack_even_that_is_answered():
    hooks = Hooks()
    hooks.errorhandler(500)(boom)
    answer = serve(Stack(Headers(set={"X-Set": "1"}), hooks).wrap(site({"/": boom})))
    assert (answer.status, answer.get("X-Set"), answer.error) == ("500 Internal Server Error", "1", None)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("where", ["before", "view", "after"])
def test_what_is_no_exception_reaches_no_handler(hooks, seen, error, where):
    def leave(*_):
        raise error

    hooks.errorhandler(Exception)(told("never"))
    hooks.before_request(leave if where == "before" else lambda: None)
    hooks.after_request(leave if where == "after" else noting(seen, "after"))
    hooks.teardown_request(seen.append)
    answer = ask(hooks, app=site({"/": leave if where == "view" else b"x"}))
    assert answer.error is error
    assert seen == [error]


@pytest.mark.parametrize(
    ("error", "handled"), [(ZeroDivisionError(), False), (KeyError(), True), (exc.HTTPNotFound(), True)]
)
def test_propagated_are_errors_that_no_handler_is_for(seen, caplog, error, handled):
    hooks = Hooks(propagate_exceptions=True)
    hooks.errorhandler(KeyError)(lambda error: "handled")
    hooks.errorhandler(500)(lambda error: "never")
    hooks.after_request(noting(seen, "after"))
    hooks.teardown_request(seen.append)
    answer = ask(hooks, app=site({"/": error}))
    assert (answer.error, seen) == ((None, ["after", None]) if handled else (error, [error]))
    assert not caplog.records


def clears_at_once(environ, start_response):
    environ.clear()
    start_response("200 OK", [])
    return [b"x"]


def clears_in_the_stream(environ, start_response):
    start_response("200 OK", [])
    environ.clear()
    yield b"x"
    environ.clear()


def clears_and_raises(environ, start_response):
    environ.clear()
    raise ZeroDivisionError


def deletes_the_keys_of_layers(environ, start_response):
    for key in [key for key in environ if key.startswith("middleware.")]:
        del environ[key]
    start_response("200 OK", [])
    return [b"x"]


@pytest.mark.parametrize("moment", ["close", "flask"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda one, two, app: one.wrap(app),
        lambda one, two, app: one.wrap(two.wrap(app)),
        lambda one, two, app: Stack(Timing(), one).wrap(app),
        lambda one, two, app: Stack(Headers(set={"X-Set": "1"}), one, two).wrap(app),
    ],
)
@pytest.mark.parametrize(
    "app",
    [clears_at_once, clears_in_the_stream, clears_and_raises, deletes_the_keys_of_layers],
    ids=lambda app: app.__name__,
)
def test_an_application_that_clears_environ_loses_no_teardown(seen, app, wrap, moment):
    one, two = Hooks(teardown=moment), Hooks(teardown=moment)
    one.teardown_request(lambda error: seen.append(type(error)))
    two.teardown_request(lambda error: None)
    answer = serve(wrap(one, two, app), lint=False)
    failed = app is clears_and_raises
    assert (answer.status[:3], answer.error) == ("500" if failed else "200", None)
    assert seen == [ZeroDivisionError if failed else type(None)]


# -- after_this_request ----------------------------------------------------------------------------------------------


def adding(name):
    def add(response):
        response.headers.add("X-Ran", name)
        return response

    return add


def test_after_this_request_runs_in_order_before_the_others(hooks):
    @hooks.before_request
    def start():
        after_this_request(adding("one"))

        @after_this_request
        def grows(response):
            after_this_request(adding("three"))
            return adding("two")(response)

    hooks.after_request(adding("four"))

    def view():
        after_this_request(adding("view"))
        return b""

    app = site({"/": view, "/error": boom})
    assert ask(hooks, app=app).get_all("X-Ran") == ["one", "two", "view", "three", "four"]

    other = Hooks()
    other.errorhandler(ZeroDivisionError)(lambda error: after_this_request(adding("handler")) and "x")
    assert ask(other, "/error", app).get_all("X-Ran") == ["handler"]
    assert ask(other, "/", app).get_all("X-Ran") == ["view"]


def test_after_this_request_comes_too_late_in_an_after_hook(hooks):
    @hooks.after_request
    def late(response):
        after_this_request(adding("never"))
        return response

    assert ask(hooks).get_all("X-Ran") == []


# -- registration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "register",
    [
        lambda hooks: hooks.before_request(print),
        lambda hooks: hooks.after_request(print),
        lambda hooks: hooks.teardown_request(print),
        lambda hooks: hooks.errorhandler(404)(print),
        lambda hooks: hooks.app_errorhandler(404)(print),
        lambda hooks: hooks.before_app_request(print),
        lambda hooks: hooks.scope("/x"),
        lambda hooks: hooks.route("/x"),
    ],
)
def test_nothing_is_registered_after_the_first_request(hooks, register):
    ask(hooks)
    with pytest.raises(AssertionError, match="after the first request"):
        register(hooks)


def test_what_is_no_function_is_refused(hooks):
    with pytest.raises(TypeError, match="before_request takes a function"):
        hooks.before_request("start")


def test_one_registry_around_several_applications(hooks, seen):
    hooks.before_request(lambda: seen.append(request.path))
    one, other = hooks.wrap(site()), hooks.named("other").wrap(site({"/b": b"b"}))
    assert (serve(one).body, serve(other, "/b").body, seen) == (b"hello", b"b", ["/", "/b"])


def test_hooks_around_an_application_are_one(seen):
    hooks = Hooks(site())
    hooks.before_request(noting(seen, "before"))
    assert (serve(hooks).body, seen) == (b"hello", ["before"])


def test_the_same_hooks_run_once_however_often_they_are_around(hooks, seen):
    tracing(hooks, seen)
    inner = hooks.wrap(site())
    serve(hooks.wrap(lambda environ, start_response: inner(environ, start_response)))
    assert seen == [each for each in ALL if each != "view"]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda one, app: one.wrap(Hooks().wrap(one.wrap(app))),
        lambda one, app: one.wrap(ContextHooks().wrap(Hooks().wrap(one.wrap(app)))),
        lambda one, app: Stack(one, ContextHooks()).wrap(one.wrap(app)),
        lambda one, app: one.wrap(Stack(Headers(set={"X-Set": "1"}), one.named("again")).wrap(app)),
        lambda one, app: one.wrap(one.with_options(teardown="flask").wrap(app)),
    ],
)
def test_whatever_stands_between_the_same_hooks_run_once(hooks, seen, wrap):
    tracing(hooks, seen)
    assert serve(wrap(hooks, site())).body == b"hello"
    assert seen == [each for each in ALL if each != "view"]


def test_the_application_called_in_a_bound_request_runs_without_its_hooks(hooks, seen):
    hooks.before_request(noting(seen, "before"))
    bound = environ()
    with hooks.request_context(bound):
        assert [*hooks.wrap(site())(bound, lambda status, lines: None)] == [b"hello"]
    assert seen == []


def test_a_request_within_a_request_has_hooks_of_its_own(hooks, seen):
    hooks.before_request(lambda: seen.append(request.path))
    app = hooks.wrap(lambda environ, start: inner(environ, start))
    plain = site({"/in": b"in"})

    def inner(environ, start):
        return app({**environ, "PATH_INFO": "/in"}, start) if environ["PATH_INFO"] == "/" else plain(environ, start)

    assert (serve(app).body, seen) == (b"in", ["/", "/in"])


def test_hooks_with_a_condition(seen):
    hooks = Hooks()
    hooks.before_request(noting(seen, "before"))
    app = hooks.when(lambda environ: environ["PATH_INFO"] == "/yes").wrap(site({"/yes": b"y", "/no": b"n"}))
    assert [serve(app, path).body for path in ("/yes", "/no")] == [b"y", b"n"]
    assert seen == ["before"]


def test_hooks_are_a_value():
    hooks = Hooks(teardown="flask", statuses=True)
    assert repr(hooks) == "Hooks(teardown='flask', statuses=True)"
    assert hooks == hooks.named("Hooks")
    assert hooks != Hooks(teardown="flask", statuses=True)
    assert hooks.logger is logging.getLogger("middleware.hooks")
    assert dict(hooks.describe()) == {"runs": "no hooks yet"}
    hooks.scope("/x").before_request(print)
    hooks.after_request(print)
    assert dict(hooks.describe()) == {"runs": "1 before_request, 1 after_request"}


@pytest.mark.parametrize("kind", [Hooks, ContextHooks])
def test_a_copy_with_other_options_shares_the_functions(kind):
    hooks = kind()
    admin, copy = hooks.scope("/admin"), hooks.with_options(propagate_exceptions=True)
    admin.before_request(lambda *_: abort(403))
    copy.before_request(lambda *_: abort(401) if request.args else None)
    for each in (hooks, copy, copy.named("again")):
        assert [ask(each, **asked).status[:3] for asked in ({}, {"QUERY_STRING": "a=1"}, {"path": "/admin"})] == [
            *("200", "401", "403")
        ]
        assert (ask(each, app=site({"/": boom})).error is None) == (each is hooks)
    assert hooks != copy
    assert hooks == copy.with_options(propagate_exceptions=False).with_options(max_form_parts=1000)
    with pytest.raises(AssertionError, match="after the first request"):
        copy.before_request(print)
    with pytest.raises(OrderError, match="unique"):
        Stack(hooks, copy).wrap(site())


def test_a_copy_has_options_of_its_own(hooks, seen):
    hooks.after_request(noting(seen, 1))
    hooks.after_request(noting(seen, 2))
    hooks.before_request(lambda: request.get_data() and None)
    copy = hooks.with_options(after_order="registration", max_content_length=0)
    sized = {"CONTENT_LENGTH": "1", "wsgi.input": io.BytesIO(b"x")}
    assert [ask(hooks, **sized).status[:3], ask(copy, **sized).status[:3]] == ["200", "413"]
    assert seen == [2, 1, 1, 2]


class Keyed(Hooks):
    """Hooks whose constructor registers functions."""

    def __init__(self, app=None, /, *, key="a", **options):
        super().__init__(app, **options)
        self.before_request(lambda: abort(403) if request.args.get("key") != key else None)
        self.errorhandler(403)(lambda error: ("no", 403))
        self.scope("/x")


def test_a_copy_has_the_functions_of_its_own_constructor():
    hooks = Keyed()
    copy = hooks.with_options(key="b")
    assert ask(hooks, QUERY_STRING="key=a").status == ask(copy, QUERY_STRING="key=b").status == "200 OK"
    assert ask(hooks, QUERY_STRING="key=b").body == ask(copy, QUERY_STRING="key=a").body == b"no"


def test_and_refuses_to_lose_those_that_were_registered_later():
    hooks = Keyed()
    hooks.teardown_request(print)
    with pytest.raises(TypeError, match=r"Keyed\.with_options: the constructor of Keyed registers functions"):
        hooks.with_options(key="b")


def test_all_wrong_options_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        Hooks(after_order="flask", teardown="late", propagate_exceptions=1, statuses="404")
    assert all(name in str(caught.value) for name in ("after_order", "teardown", "propagate_exceptions", "statuses"))


def test_a_stack_has_the_same_hooks_once(hooks):
    with pytest.raises(OrderError, match="unique"):
        Stack(hooks, hooks).wrap(site())
    assert serve(Stack(hooks, Hooks()).wrap(site())).body == b"hello"


def test_a_stack_lets_hooks_answer_what_stands_inside_raises(seen, caplog):
    hooks = Hooks()
    hooks.errorhandler(ZeroDivisionError)(lambda error: ("handled", 418))
    answer = serve(Stack(Headers(set={"X-Out": "1"}), hooks, Headers(set={"X-In": "1"})).wrap(site({"/": boom})))
    assert (answer.status, answer.body, answer.get("X-Out")) == ("418 I'M A TEAPOT", b"handled", "1")
    assert not caplog.records


@dataclass
class Point:
    x: int


class Markup:
    def __html__(self):
        return "<b>"


@pytest.mark.parametrize(
    "value",
    [
        date(2026, 11, 20),
        datetime(2026, 11, 20, 12, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 11, 20, 12, 30),  # noqa: DTZ001
        Decimal("1.50"),
        UUID(int=5),
        Point(1),
        Markup(),
        {"b": 1, "a": "\u00e9"},
    ],
)
def test_jsonify_has_flasks_forms(value):
    app = flask.Flask("json")
    with app.app_context():
        assert jsonify(value).get_data() == flask.jsonify(value).get_data()


def test_an_error_is_an_application_too():
    with pytest.raises(exc.HTTPGone) as caught:
        abort(410, "away")
    answer = serve(caught.value)
    assert (answer.status, b"<p>away</p>" in answer.body) == ("410 GONE", True)


def test_make_response_and_jsonify():
    assert make_response().get_data() == b""
    assert make_response("x", 404).status == "404 NOT FOUND"
    assert make_response("x", 201, {"X-A": 1}).headers["X-A"] == "1"
    assert jsonify(1, 2).get_data() == b"[1,2]\n"
    assert jsonify(a=1).get_json() == {"a": 1}
    assert jsonify().get_data() == b"null\n"
    assert jsonify([]).get_data() == b"[]\n"
    with pytest.raises(TypeError, match="not both"):
        jsonify(1, a=2)
    with pytest.raises(TypeError, match="object has no form"):
        jsonify(object())


def test_eight_threads_do_not_see_each_others_g_and_request(hooks):
    barrier = threading.Barrier(8)

    @hooks.before_request
    def start():
        g.path = request.path
        barrier.wait(60)

    @hooks.after_request
    def compare(response):
        barrier.wait(60)
        response.headers["X-Same"] = f"{g.path == request.path == response.get_data(as_text=True)}"
        return response

    def body():
        barrier.wait(60)
        yield request.path.encode()
        barrier.wait(60)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body()

    wrapped, results = hooks.wrap(app), []
    threads = [
        threading.Thread(target=lambda number=number: results.append(serve(wrapped, f"/{number}")))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.body for answer in results) == [f"/{number}".encode() for number in range(8)]
    assert {answer.get("X-Same") for answer in results} == {"True"}

"""ContextHooks: what a context is, who gets which, what takes whose place, and what becomes of failures."""

from __future__ import annotations

import copy
import json
import sys
import threading
from types import SimpleNamespace

import pytest
import webob
from webob import exc

from gateway import serve
from hooked import ask, boom, site
from middleware import ConfigError, ContextHooks, Headers, Hooks, OrderError, Stack, match
from middleware.hooks import HTTPRequestContext, Response, abort, g, make_response, request
from shapes import TEXT, Body, Failure


@pytest.fixture
def hooks():
    return ContextHooks()


@pytest.fixture
def seen():
    return []


def noting(seen, what):
    """A hook that notes its name and keeps what it is given."""

    def hook(*arguments):
        seen.append(what)

    return hook


def traced(level, seen, name):
    for number in (1, 2):
        level.before_request(noting(seen, f"pre {name} {number}"))
        level.after_request(noting(seen, f"post {name} {number}"))
    return level


def result_of(value, body=(b"own",), lines=TEXT):
    """An application that hands hooks the object that it has answered with."""

    def app(environ, start_response):
        environ["middleware.result"] = value
        start_response("201 Created", [*lines, ("Content-Length", "3")])
        return body

    return app


# -- order -----------------------------------------------------------------------------------------------------------


def test_both_kinds_run_from_the_outermost_level_to_the_route_in_the_order_added(hooks, seen):
    parent = hooks.scope("/p")
    child = parent.scope("/c")
    for level, name in ((child.route("/{leaf}"), "route"), (child, "child"), (parent, "parent"), (hooks, "global")):
        traced(level, seen, name)
    assert ask(hooks, "/p/c/x", site({"/p/c/x": lambda: seen.append("view") or b"x"})).body == b"x"
    levels = [f"{name} {number}" for name in ("global", "parent", "child", "route") for number in (1, 2)]
    assert seen == [*(f"pre {level}" for level in levels), "view", *(f"post {level}" for level in levels)]


def test_hooks_of_a_level_leave_other_requests_alone(hooks, seen):
    traced(hooks.scope("/p"), seen, "p")
    traced(hooks.route("/r", methods=["POST"]), seen, "r")
    ask(hooks, "/other")
    ask(hooks, "/r")
    assert seen == []


def test_a_404_of_the_application_is_a_response_that_hooks_see(hooks, seen):
    traced(hooks, seen, "it")

    def app(environ, start_response):
        start_response("404 Not Found", list(TEXT))
        return [b"nothing"]

    assert ask(hooks, app=app).body == b"nothing"
    assert seen == ["pre it 1", "pre it 2", "post it 1", "post it 2"]


def test_add_hook_is_the_same_by_name(hooks, seen):
    pre, post = noting(seen, "pre"), noting(seen, "post")
    assert hooks.scope("/").add_hook("post", post) is post
    assert hooks.scope("/").add_hook("pre", pre) is pre
    ask(hooks)
    assert seen == ["pre", "post"]
    with pytest.raises(ConfigError, match=r'ContextHooks.add_hook: kind: "pre" or "post"; got \'before\''):
        ContextHooks().add_hook("before", pre)


# -- the context -----------------------------------------------------------------------------------------------------


def test_a_context_has_its_request_what_the_path_says_and_whatever_is_set_on_it(hooks, seen):
    def start(ctx):
        ctx.user = "me"
        seen.append((ctx.request.path, ctx.params, ctx.environ["PATH_INFO"]))
        with pytest.raises(AttributeError, match="no 'other' in this request"):
            ctx.other  # noqa: B018

    level = hooks.scope("/users").route("/{id:int}")
    level.before_request(start)
    level.after_request(lambda ctx, response: response.headers.set("X-User", ctx.user))
    assert ask(hooks, "/users/5", site({"/users/5": b"x"})).get("X-User") == "me"
    assert seen == [("/users/5", {"id": 5}, "/users/5")]


CONTEXTS = [
    lambda ctx: HTTPRequestContext(ctx.request),
    copy.copy,
    lambda ctx: SimpleNamespace(request=ctx.request),
    lambda ctx: type("Mine", (HTTPRequestContext,), {})(ctx.request),
    lambda ctx: type("Falsy", (HTTPRequestContext,), {"__bool__": lambda self: False})(ctx.request),
]


@pytest.mark.parametrize("made", CONTEXTS)
def test_a_returned_context_is_that_of_later_hooks_and_of_the_application(hooks, seen, made):
    def replace(ctx):
        new = made(ctx)
        seen.append(new)
        return new

    def note(ctx, response=None):
        seen.append(ctx)

    hooks.before_request(note)
    hooks.before_request(replace)
    hooks.before_request(note)
    hooks.after_request(note)

    def app(environ, start_response):
        seen.append(environ["middleware.context"])
        return site()(environ, start_response)

    ask(hooks, app=app)
    first, new, *others = seen
    assert new is not first
    assert all(other is new for other in others)
    assert len(others) == 3


def test_a_context_returned_or_not_is_the_same(hooks, seen):
    hooks.before_request(lambda ctx: ctx)
    hooks.before_request(lambda ctx: seen.append(ctx))
    hooks.after_request(lambda ctx, response: seen.append(ctx))
    ask(hooks)
    assert seen[0] is seen[1]


@pytest.mark.parametrize(
    "wrong", [0, False, "stop", ("no", 403), {"a": 1}, [], Response("no"), webob.Response("no"), exc.HTTPForbidden()]
)
def test_what_is_no_context_does_not_answer_but_is_a_500_that_names_the_hook(hooks, seen, caplog, wrong):
    def guard(ctx):
        return wrong

    hooks.before_request(guard)
    traced(hooks, seen, "later")
    answer = ask(hooks, app=site({"/": lambda: seen.append("view")}))
    assert (answer.status, seen) == ("500 INTERNAL SERVER ERROR", [])
    [record] = caplog.records
    assert "guard" in record.message
    assert "returned" in str(record.exc_info[1])
    assert "call abort" in str(record.exc_info[1])


def test_the_context_is_in_the_environ_until_the_body_is_closed(hooks, seen):
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return (environ["middleware.context"].name for _ in range(2))

    hooks.before_request(lambda ctx: setattr(ctx, "name", b"me"))
    answer = ask(hooks, app=app)
    assert answer.body == b"meme"
    assert "middleware.context" not in answer.environ


@pytest.mark.parametrize("view", [b"x", Failure()])
@pytest.mark.parametrize("options", [{}, {"propagate_exceptions": True}])
def test_the_context_is_gone_with_the_request(view, options):
    hooks = ContextHooks(**options)
    assert "middleware.context" not in ask(hooks, app=site({"/": view})).environ
    hooks = ContextHooks(**options)
    hooks.before_request(boom)
    assert "middleware.context" not in ask(hooks, app=site({"/": view})).environ


def test_hooks_within_hooks_have_contexts_of_their_own(seen):
    outer, inner = ContextHooks(), ContextHooks()
    outer.before_request(lambda ctx: setattr(ctx, "name", "outer"))
    inner.before_request(lambda ctx: seen.append(ctx.environ["middleware.context"].name) or setattr(ctx, "name", "in"))
    inner.after_request(lambda ctx, response: seen.append(ctx.name))
    outer.after_request(lambda ctx, response: seen.append((ctx.name, ctx.environ["middleware.context"] is ctx)))
    answer = serve(outer.wrap(inner.wrap(site({"/": lambda: seen.append("view") or b"x"}))))
    assert answer.body == b"x"
    assert seen == ["outer", "view", "in", ("outer", True)]


def test_flasks_names_are_bound_too(hooks):
    hooks.before_request(lambda ctx: setattr(g, "path", request.path))
    hooks.after_request(lambda ctx, response: response.headers.set("X-Path", g.path))
    assert ask(hooks, "/p", site({"/p": b"x"})).get("X-Path") == "/p"


# -- the response ----------------------------------------------------------------------------------------------------


def test_none_keeps_the_response_and_anything_else_takes_its_place(hooks, seen):
    hooks.after_request(lambda ctx, response: None)
    hooks.after_request(lambda ctx, response: make_response(response.get_data() + b"|new", 202))
    hooks.after_request(lambda ctx, response: seen.append(response.status_code))
    hooks.after_request(lambda ctx, response: response)
    answer = ask(hooks)
    assert (answer.status, answer.body, seen) == ("202 ACCEPTED", b"hello|new", [202])


# what a hook returns; status, Content-Type and body that become of it
RETURNED = [
    ({"a": 1}, "200 OK", "application/json", b'{"a":1}\n'),
    ({}, "200 OK", "application/json", b"{}\n"),
    ([1, 2], "200 OK", "application/json", b"[1,2]\n"),
    ("text", "200 OK", "text/html; charset=utf-8", b"text"),
    ("", "200 OK", "text/html; charset=utf-8", b""),
    (b"bytes", "200 OK", "text/html; charset=utf-8", b"bytes"),
    (({"a": 1}, 201), "201 CREATED", "application/json", b'{"a":1}\n'),
    (({"a": 1}, 201, {"Content-Type": "application/x+json"}), "201 CREATED", "application/x+json", b'{"a":1}\n'),
    (("text", {"X-A": "1"}), "200 OK", "text/html; charset=utf-8", b"text"),
    (Response("whole", 203), "203 NON-AUTHORITATIVE INFORMATION", "text/html; charset=utf-8", b"whole"),
    ((Response("whole"), 203), "203 NON-AUTHORITATIVE INFORMATION", "text/html; charset=utf-8", b"whole"),
    (webob.Response("webob", 203), "203 Non-Authoritative Information", "text/html; charset=UTF-8", b"webob"),
]


@pytest.mark.parametrize(("returned", "status", "kind", "body"), RETURNED)
def test_what_a_hook_returns_becomes_a_response_after_the_last_hook(hooks, returned, status, kind, body):
    passed, closed = Body([b"own"]), []
    hooks.after_request(lambda ctx, response: response.call_on_close(lambda: closed.append(1)) and None)
    hooks.after_request(lambda ctx, response: returned)

    def app(environ, start_response):
        start_response("299 Odd", list(TEXT))
        return passed

    answer = ask(hooks, app=app)
    assert (answer.status, answer.get("Content-Type"), answer.body) == (status, kind, body)
    assert answer.get("Content-Length") in (None, str(len(body)))
    assert (passed.closed, closed) == (1, [1])


def test_what_waits_for_the_end_of_a_response_is_called_once_whatever_hooks_return(hooks, seen):
    hooks.after_request(lambda ctx, response: response.call_on_close(lambda: seen.append("old")) and response)
    hooks.after_request(lambda ctx, response: {"a": 1})
    hooks.after_request(lambda ctx, response: response)
    ask(hooks)
    assert seen == ["old"]


def test_what_waits_for_the_end_of_an_object_is_called(hooks, seen):
    whole = Response("whole")
    whole.call_on_close(lambda: seen.append("closed"))
    assert ask(hooks, app=result_of(whole)).body == b"whole"
    assert seen == ["closed"]


def test_an_object_that_a_hook_returned_is_what_the_next_one_sees(hooks, seen):
    hooks.after_request(lambda ctx, response: {"a": 1})
    hooks.after_request(lambda ctx, response: seen.append(response.response) or response.response.update(b=2))
    assert ask(hooks).body == b'{"a":1,"b":2}\n'
    assert seen[0]["a"] == 1


@pytest.mark.parametrize("wrong", [0, 5, object()])
def test_what_is_no_response_is_a_500_that_names_the_hook(hooks, seen, caplog, wrong):
    def spoil(ctx, response):
        return wrong

    hooks.after_request(spoil)
    hooks.after_request(noting(seen, "later"))
    assert (ask(hooks).status, seen) == ("500 INTERNAL SERVER ERROR", [])
    assert "spoil returned" in str(caplog.records[0].exc_info[1])


# -- an object that the application hands on -------------------------------------------------------------------------


def jsonify(ctx, response):
    if not isinstance(response.response, dict):
        return response
    response.set_data(json.dumps(response.response))
    return response


def test_a_hook_makes_json_of_the_dict_that_the_application_answered_with(hooks):
    body = Body([b"own"])
    hooks.after_request(jsonify)
    answer = ask(hooks, app=result_of({"a": 1}, body))
    assert (answer.status, answer.body, answer.get("Content-Type")) == ("201 Created", b'{"a": 1}', "application/json")
    assert (answer.get("Content-Length"), body.closed, body.pulled) == ("8", 1, 0)
    assert ask(hooks).body == b"hello"


# what the application hands on; what is sent if no hook does anything about it
HANDED = [
    ({"a": 1}, "201 Created", "application/json", b'{"a":1}\n'),
    (["a"], "201 Created", "application/json", b'["a"]\n'),
    ("text", "201 Created", "text/plain", b"text"),
    (b"bytes", "201 Created", "text/plain", b"bytes"),
    (({"a": 1}, 202), "202 ACCEPTED", "application/json", b'{"a":1}\n'),
    (range(0), "500 INTERNAL SERVER ERROR", "text/html; charset=utf-8", None),
    (object(), "500 INTERNAL SERVER ERROR", "text/html; charset=utf-8", None),
    (None, "500 INTERNAL SERVER ERROR", "text/html; charset=utf-8", None),
    ({"a": object()}, "500 INTERNAL SERVER ERROR", "text/html; charset=utf-8", None),
]


@pytest.mark.parametrize(("value", "status", "kind", "body"), HANDED)
@pytest.mark.parametrize("looks", [True, False])
def test_an_object_that_is_left_becomes_the_body(hooks, caplog, value, status, kind, body, looks):  # noqa: PLR0917
    if looks:
        hooks.after_request(lambda ctx, response: None)
    answer = ask(hooks, app=result_of(value))
    assert (answer.status, answer.get("Content-Type")) == (status, kind)
    assert body is None or answer.body == body
    assert answer.get("Content-Length") in (None, str(len(answer.body)))
    assert [record.message for record in caplog.records] == ["The application failed on / [GET]"] * (status > "5")


def test_an_iterator_that_is_handed_on_is_streamed(hooks):
    assert ask(hooks, app=result_of(iter([b"a", b"b"]))).chunks == [b"a", b"b"]


def test_the_media_type_that_goes_with_an_object_stays_if_it_can(hooks):
    app = result_of({"a": 1}, lines=[("Content-Type", "application/problem+json")])
    assert ask(hooks, app=app).get("Content-Type") == "application/problem+json"
    assert ask(hooks, app=result_of("text", lines=())).get("Content-Type") == "text/html; charset=utf-8"


def test_an_object_may_be_read_replaced_and_turned_into_a_stream(hooks, seen):
    app = result_of({"a": 1})

    @hooks.after_request
    def look(ctx, response):
        seen.append((response.is_streamed, response.is_sequence, response.get_data(), response.is_sequence))
        response.response = {"b": 2}
        seen.append(response.response)
        response.response = "text"
        seen.append(response.get_data(as_text=True))
        response.response = {"c": 3}
        response.response = [b"chunks"]
        seen.append(response.get_data())
        response.response = iter([b"str", b"eam"])

    answer = ask(hooks, app=app)
    assert seen == [(False, False, b'{"a":1}\n', True), {"b": 2}, "text", b"chunks"]
    assert (answer.chunks, answer.get("Content-Length")) == ([b"str", b"eam"], None)
    assert answer.result is not None


def test_a_list_that_is_handed_on_is_an_object_until_it_is_bytes(hooks, seen):
    hooks.after_request(lambda ctx, response: seen.append((response.is_sequence, response.response)))
    assert ask(hooks, app=result_of([b"x".decode()])).body == b'["x"]\n'
    assert seen == [(False, ["x"])]


def test_a_body_that_is_out_already_is_no_object_any_more(hooks, seen):
    hooks.after_request(lambda ctx, response: seen.append(isinstance(response.response, dict)))
    hooks.after_request(lambda ctx, response: response.headers.set("X-After", "1"))

    def app(environ, start_response):
        environ["middleware.result"] = {"a": 1}
        start_response("200 OK", list(TEXT))(b"out ")
        return [b"already"]

    answer = ask(hooks, app=app)
    assert (answer.body, answer.get("X-After"), seen) == (b"out already", "1", [False])


def test_an_object_of_an_earlier_request_is_forgotten(hooks):
    assert serve(hooks.wrap(site()), **{"middleware.result": {"a": 1}}).body == b"hello"


# -- failures --------------------------------------------------------------------------------------------------------

FAILS = {
    "pre": (lambda hooks, fail: hooks.before_request(lambda ctx: fail()), b"x"),
    "post": (lambda hooks, fail: hooks.after_request(lambda ctx, response: fail()), b"x"),
    "view": (lambda hooks, fail: None, None),
}


@pytest.mark.parametrize("where", FAILS)
@pytest.mark.parametrize(
    ("fail", "status", "logged"),
    [
        (boom, "500 INTERNAL SERVER ERROR", 1),
        (lambda: abort(403), "403 FORBIDDEN", 0),
        (lambda: abort(Response("redirected", 302)), "302 FOUND", 0),
        (lambda: abort(object()), "500 INTERNAL SERVER ERROR", 1),
        (lambda: abort(404, response=object()), "500 INTERNAL SERVER ERROR", 1),
    ],
)
def test_whatever_fails_skips_the_hooks_that_follow(hooks, seen, caplog, where, fail, status, logged):  # noqa: PLR0917
    add, view = FAILS[where]
    add(hooks, fail)
    traced(hooks, seen, "later")
    hooks.scope("/").after_request(noting(seen, "post of a scope"))
    body = Body([b"x"])

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return fail() if view is None else body

    answer = ask(hooks, app=app)
    assert (answer.status, len(caplog.records), answer.error) == (status, logged, None)
    assert not any("post" in what for what in seen)
    assert body.closed == (where == "post")


def test_an_error_is_logged_with_the_hook_that_raised_it(hooks, caplog):
    hooks.before_request(boom)
    answer = ask(hooks, "/p")
    assert caplog.records[0].message == "The hook hooked.boom failed on /p [GET]"
    assert isinstance(answer.environ["middleware.exception"], ZeroDivisionError)


def test_an_error_of_the_application_is_logged_as_its_own(hooks, caplog):
    hooks.before_request(lambda ctx: None)
    ask(hooks, app=site({"/": boom}))
    assert caplog.records[0].message == "The application failed on / [GET]"


def test_errors_are_raised_if_wanted_but_what_is_a_response_is_not(caplog):
    hooks = ContextHooks(propagate_exceptions=True)
    assert isinstance(ask(hooks, app=site({"/": boom})).error, ZeroDivisionError)
    assert ask(hooks, app=site({"/": exc.HTTPGone()})).status == "410 Gone"
    assert not caplog.records


@pytest.mark.parametrize("how", ["environ", "exc_info", "not at all"])
def test_an_error_that_the_application_answers_is_a_response_unless_it_tells_of_it(hooks, seen, how):
    def app(environ, start_response):
        try:
            raise Failure("inside")
        except Failure as error:
            if how == "environ":
                environ["middleware.exception"] = error
            start_response("500 Oh No", list(TEXT), *([sys.exc_info()] if how == "exc_info" else []))
        return [b"own page"]

    hooks.after_request(noting(seen, "post"))
    answer = ask(hooks, app=app)
    assert (answer.status, answer.body, seen) == ("500 Oh No", b"own page", ["post"] * (how == "not at all"))
    assert ("middleware.exception" in answer.environ) == (how != "not at all")


def test_an_error_while_a_written_body_is_out_is_the_servers(hooks):
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"out")
        raise exc.HTTPForbidden

    answer = ask(hooks, app=app)
    assert isinstance(answer.error, exc.HTTPForbidden)


def test_a_hook_that_fails_on_a_written_body_makes_it_a_500(hooks):
    hooks.after_request(boom)

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"lost")
        return [b"lost too"]

    answer = ask(hooks, app=app)
    assert answer.status == "500 INTERNAL SERVER ERROR"
    assert b"lost" not in answer.body


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_what_is_no_exception_is_nobodys_response(hooks, error):
    assert ask(hooks, app=site({"/": error})).error is error


def test_what_is_no_exception_closes_the_body(hooks):
    body = Body([b"x"])

    @hooks.after_request
    def stop(ctx, response):
        raise KeyboardInterrupt

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return body

    answer = ask(hooks, app=app)
    assert (type(answer.error), body.closed) == (KeyboardInterrupt, 1)
    assert "middleware.context" not in answer.environ


# -- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_stays_one_and_a_list_the_same_object(hooks, seen):
    body = Body([b"a", b"b"])
    hooks.after_request(lambda ctx, response: seen.append(body.pulled) or response.headers.set("X-After", "1"))

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return body

    answer = ask(hooks, app=app)
    assert (answer.chunks, answer.get("X-After"), seen, body.closed) == ([b"a", b"b"], "1", [0], 1)


def test_a_list_stays_the_same_object(hooks):
    hooks.after_request(lambda ctx, response: response.headers.set("X-After", "1"))
    whole = [b"whole"]

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return whole

    assert ask(hooks, app=app, lint=False).result is whole


# -- as a layer ------------------------------------------------------------------------------------------------------


async def aminute(ctx):
    ctx.name = "async"


async def after(ctx, response):
    response.headers["X-Name"] = ctx.name


@pytest.mark.parametrize(
    "wrap",
    [
        lambda hooks, app: hooks.wrap(app),
        lambda hooks, app: Stack(Headers(set={"X-Out": "1"}), hooks, Headers(set={"X-In": "1"})).wrap(app),
        lambda hooks, app: hooks.named("mine").when(match.path("/")).wrap(app),
    ],
)
def test_async_hooks_run_alone_and_in_a_stack(hooks, wrap):
    hooks.before_request(aminute)
    hooks.after_request(after)
    assert serve(wrap(hooks, site())).get("X-Name") == "async"


def test_when_it_is_not_for_them_hooks_do_not_run(hooks, seen):
    traced(hooks, seen, "it")
    ask(hooks.when(match.path("/api")))
    assert seen == []


def test_one_registry_serves_several_applications_and_runs_once_within_itself(hooks, seen):
    hooks.before_request(noting(seen, "pre"))
    one, two = hooks.wrap(site(default=b"1")), hooks.wrap(site(default=b"2"))
    assert (serve(one).body, serve(two).body) == (b"1", b"2")
    serve(hooks.wrap(hooks.wrap(site())))
    assert seen == ["pre"] * 3
    with pytest.raises(OrderError, match="unique"):
        Stack(hooks, hooks.named("again")).wrap(site())


def test_after_the_first_request_nothing_is_registered(hooks):
    scope = hooks.scope("/x")
    ask(hooks)
    for late in (
        lambda: hooks.before_request(aminute),
        lambda: scope.after_request(after),
        lambda: hooks.add_hook("pre", aminute),
        lambda: hooks.scope("/y"),
        lambda: hooks.route("/y"),
    ):
        with pytest.raises(AssertionError, match="after the first request"):
            late()


def test_what_is_wrong_is_said():
    with pytest.raises(ConfigError, match="ContextHooks: propagate_exceptions: True or False; got 1"):
        ContextHooks(propagate_exceptions=1)
    with pytest.raises(ConfigError, match=r"ContextHooks\.scope"):
        ContextHooks().scope("admin")
    with pytest.raises(ConfigError, match=r"ContextHooks\.route"):
        ContextHooks().scope("/x").route("admin")
    with pytest.raises(TypeError, match="before_request takes a function"):
        ContextHooks().before_request(5)


def test_it_shows_what_it_is(hooks):
    assert (repr(hooks), repr(ContextHooks(propagate_exceptions=True))) == (
        "ContextHooks()",
        "ContextHooks(propagate_exceptions=True)",
    )
    assert hooks.named("a") == hooks.named("a")
    assert hooks != ContextHooks()
    assert hooks != Hooks()
    assert "no hooks yet" in str(Stack(hooks))
    hooks.before_request(aminute)
    hooks.scope("/x").after_request(after)
    assert "1 before_request, 1 after_request" in str(Stack(hooks))


def test_eight_threads_do_not_see_each_others_context(hooks):
    barrier = threading.Barrier(8)

    @hooks.before_request
    def start(ctx):
        barrier.wait(60)
        ctx.name = g.name = ctx.request.path
        barrier.wait(60)

    @hooks.after_request
    def compare(ctx, response):
        barrier.wait(60)
        response.headers["X-Same"] = str(ctx.name == g.name == request.path == ctx.environ["middleware.context"].name)

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return body(environ)

    def body(environ):
        barrier.wait(60)
        yield environ["middleware.context"].name.encode()
        barrier.wait(60)
        yield g.name.encode()

    wrapped, answers = hooks.wrap(app), {}
    threads = [
        threading.Thread(target=lambda path=path: answers.update({path: serve(wrapped, path)}))
        for path in (f"/{number}" for number in range(8))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {path: (answer.body, answer.get("X-Same")) for path, answer in answers.items()} == {
        path: (2 * path.encode(), "True") for path in (f"/{number}" for number in range(8))
    }

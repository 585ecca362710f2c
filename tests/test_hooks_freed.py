"""After close() nothing of a request waits for the garbage collector: reference counts free it, errors included."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import weakref
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from webob import exc

from middleware import ContextHooks, Headers, Hooks, Middleware, Stack
from middleware.hooks import Response, abort, after_this_request, g, request
from middleware.testing.gateway import environ as environ_of


class Sentinel:
    """What is freed with whatever holds it."""


class Failure(Exception):
    """What applications and hooks raise."""


class Several(Exception):
    """Like an ExceptionGroup, which Python 3.10 does not have."""

    def __init__(self, exceptions):
        super().__init__("several")
        self.exceptions = tuple(exceptions)


def fail(*_: Any) -> Any:
    raise Failure("failed")


def start(start_response: Any, length: str | None = None) -> Any:
    fields = [("Content-Type", "text/plain")]
    return start_response("200 OK", fields if length is None else [*fields, ("Content-Length", length)])


# -- applications; each keeps something in a local variable, as applications do ----------------------------------------


def sized(environ, start_response, local):
    start(start_response, "1")
    return [b"x"]


class Stream:
    def __init__(self, local, chunks):
        self.local, self.chunks = local, chunks

    def __iter__(self):
        yield from self.chunks

    def close(self):
        pass


def stream(environ, start_response, local):
    start(start_response)
    return Stream(local, [b"x", b"y"])


def generator(environ, start_response, local):
    start(start_response)
    yield b"x"
    yield b"y"


def written(environ, start_response, local):
    start(start_response)(b"x")
    return [b"y"]


def early(environ, start_response, local):
    return fail()


def late(environ, start_response, local):
    start(start_response)
    return fail()


def chained(environ, start_response, local):
    try:
        fail()
    except Failure as error:
        raise KeyError("another") from error


def grouped(environ, start_response, local):
    try:
        fail()
    except Failure as error:
        raise Several([error, KeyError()]) from None


def middle(environ, start_response, local):
    start(start_response)
    yield b"x"
    fail()


def closing(environ, start_response, local):
    start(start_response)

    class Body(Stream):
        def close(self):
            fail()

    return Body(local, [b"x"])


def answered(environ, start_response, local):
    try:
        fail()
    except Failure as error:
        environ["middleware.exception"] = error
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"x"]


def replaced(environ, start_response, local):
    start(start_response)
    try:
        fail()
    except Failure:
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")], sys.exc_info())
    return [b"x"]


def raises_response(environ, start_response, local):
    raise exc.HTTPForbidden


def attribute(environ, start_response, local):
    return environ["wsgi.input"].no_such_name


APPLICATIONS = [
    *(sized, stream, generator, written, early, late, chained, grouped, middle, closing, answered, replaced),
    *(raises_response, attribute),
]

# -- hooks -------------------------------------------------------------------------------------------------------------


def nothing(hooks):
    pass


def teardown(hooks):
    hooks.teardown_request(lambda error: None)


def all_kinds(hooks):
    hooks.before_request(lambda: setattr(g, "request", request._get_current_object()))
    hooks.before_request(lambda: after_this_request(lambda response: response) and None)
    hooks.after_request(lambda response: (response.headers.set("X-A", request.path), response)[1])
    hooks.teardown_request(lambda error: g.request)


def handlers(hooks):
    teardown(hooks)
    hooks.errorhandler(Failure)(lambda error: (str(error), 418))
    hooks.errorhandler(500)(lambda error: (repr(error.original_exception), 500))


def before_fails(hooks):
    teardown(hooks)
    hooks.before_request(fail)


def after_fails(hooks):
    teardown(hooks)
    hooks.after_request(fail)


def teardown_fails(hooks):
    hooks.teardown_request(fail)
    hooks.teardown_request(lambda error: g.no_such_name)


def aborts(hooks):
    hooks.before_request(lambda: abort(404))


def aborts_with_a_response(hooks):
    hooks.before_request(lambda: abort(Response("x", 403)))


def misses(hooks):
    hooks.before_request(lambda: request.no_such_name)


def misses_a_key(hooks):
    hooks.before_request(lambda: request.args["missing"])


def spoils(hooks):
    hooks.after_request(lambda response: (response.headerlist.append(("X", "a\r\nb")), response)[1])


def reads(hooks):
    hooks.before_request(lambda: request.get_data() and None)
    hooks.after_request(lambda response: (response.set_data(response.get_data() + b"z"), response)[1])


def replaces(hooks):
    hooks.after_request(lambda response: Response(iter([b"other"])))


def replaces_a_stream(hooks):
    hooks.after_request(lambda response: (response.set_data("data"), response)[1])
    hooks.after_request(lambda response: Response(chunk for chunk in response.response))
    hooks.after_request(lambda response: Response(Stream(response, [b"x"])))


def fails_with_a_stream(hooks):
    teardown(hooks)
    hooks.after_request(fail)
    hooks.after_request(lambda response: Response(Stream(None, [b"x"])))
    hooks.before_request(lambda: (Response(Stream(None, [b"x"])), "bad") if request.method == "HEAD" else None)


def in_async(hooks):
    @hooks.before_request
    async def before():
        await asyncio.sleep(0)

    @hooks.after_request
    async def after(response):
        return response

    @hooks.teardown_request
    async def over(error):
        assert request.path


def async_fails(hooks):
    teardown(hooks)

    @hooks.before_request
    async def before():
        await asyncio.sleep(0)
        fail()


PROGRAMS = [
    *(nothing, teardown, all_kinds, handlers, before_fails, after_fails, teardown_fails, aborts),
    *(aborts_with_a_response, misses, misses_a_key, spoils, reads, replaces, in_async, async_fails),
    *(replaces_a_stream, fails_with_a_stream),
]

# -- a server that keeps nothing ---------------------------------------------------------------------------------------


def served(app: Any, environ: dict[str, Any], stop_after: int | None = None) -> None:
    """Run a request to its end; what it raises is the server's to log."""
    body: Any = ()
    with suppress(Exception):
        body = app(environ, lambda status, lines, exc_info=None: lambda data: None)
        for place, _ in enumerate(body, 1):
            if place == stop_after:
                break
    with suppress(Exception):
        getattr(body, "close", lambda: None)()


def left(app: Any, wrap: Any, method: str = "GET", stop_after: int | None = None) -> list[str]:
    """What is left when the server has forgotten the request: its environ, or what the application had."""

    def inner(environ, start_response):
        local = Sentinel()
        alive["local"] = weakref.ref(local)
        return app(environ, start_response, local)

    wrapped, alive = wrap(inner), {}
    environ = environ_of(method=method, CONTENT_LENGTH="3", **{"wsgi.input": BytesIO(b"a=b")})
    environ["test.sentinel"] = sentinel = Sentinel()
    alive["environ"] = weakref.ref(sentinel)
    del sentinel
    gc.disable()
    try:
        served(wrapped, environ, stop_after)
        kept = [name for name, reference in alive.items() if name == "local" and reference() is not None]
        del environ
        return kept + [name for name, reference in alive.items() if name == "environ" and reference() is not None]
    finally:
        gc.enable()


@pytest.fixture(autouse=True)
def _forgetful(caplog):
    """No handler keeps the records, and so the tracebacks."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


applications = pytest.mark.parametrize("app", APPLICATIONS, ids=lambda app: app.__name__)
programs = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)


@applications
@programs
@pytest.mark.parametrize(("method", "stop_after"), [("GET", None), ("HEAD", None), ("GET", 1)])
def test_a_request_is_freed_when_it_is_closed(app, program, method, stop_after):
    hooks = Hooks()
    program(hooks)
    assert left(app, hooks.wrap, method, stop_after) == []


@applications
@programs
def test_so_it_is_where_errors_are_propagated(app, program):
    hooks = Hooks(propagate_exceptions=True)
    program(hooks)
    assert left(app, hooks.wrap) == []


@applications
@programs
def test_so_it_is_with_teardown_before_the_body(app, program):
    hooks = Hooks(teardown="flask", statuses=True)
    program(hooks)
    assert left(app, hooks.wrap) == []


@applications
@pytest.mark.parametrize("program", [teardown, all_kinds, after_fails, teardown_fails], ids=lambda each: each.__name__)
def test_so_it_is_where_hooks_stand_around_hooks(app, program):
    outer, inner = Hooks(), Hooks()
    program(outer)
    program(inner)
    assert left(app, lambda app: outer.wrap(inner.wrap(app))) == []


def before_context_fails(hooks):
    hooks.before_request(fail)


def after_context_fails(hooks):
    hooks.after_request(fail)


def context_kinds(hooks):
    hooks.before_request(lambda ctx: setattr(ctx, "asked", ctx.request))
    hooks.after_request(lambda ctx, response: response.headers.set("X-A", ctx.request.path))


def context_aborts(hooks):
    hooks.before_request(lambda ctx: abort(404))


def context_misses(hooks):
    hooks.before_request(lambda ctx: ctx.no_such_name)


def context_spoils(hooks):
    hooks.after_request(lambda ctx, response: response.headerlist.append(("X", "a\r\nb")))


def context_replaces(hooks):
    hooks.after_request(lambda ctx, response: {"a": 1})


def context_async(hooks):
    @hooks.before_request
    async def before(ctx):
        await asyncio.sleep(0)

    @hooks.after_request
    async def after(ctx, response):
        fail()


CONTEXTUAL = [
    *(nothing, before_context_fails, after_context_fails, context_kinds, context_aborts, context_misses),
    *(context_spoils, context_replaces, context_async),
]


@applications
@pytest.mark.parametrize("program", CONTEXTUAL, ids=lambda program: program.__name__)
@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_so_it_is_in_the_other_dialect(app, program, propagate, method):
    hooks = ContextHooks(propagate_exceptions=propagate)
    program(hooks)
    assert left(app, hooks.wrap, method) == []


@applications
@pytest.mark.parametrize("program", [nothing, all_kinds, after_fails, aborts, spoils], ids=lambda each: each.__name__)
def test_so_it_is_in_a_stack(app, program):
    hooks = Hooks()
    program(hooks)
    assert left(app, Stack(Headers(set={"X-A": "1"}), hooks).wrap) == []


@applications
@pytest.mark.parametrize("program", [in_async, async_fails], ids=lambda each: each.__name__)
def test_async_hooks_in_a_running_loop_leave_nothing_either(app, program):
    hooks = Hooks()
    program(hooks)

    async def within():
        return left(app, hooks.wrap)

    assert asyncio.run(within()) == []


def test_the_exception_stays_without_its_traceback_until_then_teardown_has_it():
    hooks, seen = Hooks(), []
    hooks.teardown_request(lambda error: seen.append((error, error.__traceback__ is not None)))
    environ = environ_of()
    served(hooks.wrap(early_alone), environ)
    error = environ["middleware.exception"]
    assert seen == [(error, True)]
    assert (type(error), error.__traceback__) == (Failure, None)


def early_alone(environ, start_response):
    return fail()


@pytest.mark.parametrize("program", [nothing, teardown], ids=lambda each: each.__name__)
@pytest.mark.parametrize("app", [early_alone, generator], ids=lambda each: each.__name__)
def test_outer_layers_are_told_with_the_traceback(program, app):
    class Watch(Middleware):
        def on_close(self, environ, error):
            seen.append(error.__traceback__ is not None)

    def failing(environ, start_response):
        start(start_response)
        yield b"x"
        fail()

    hooks, seen = Hooks(), []
    program(hooks)
    served(Stack(Watch(), Headers(set={"X-A": "1"}), hooks).wrap(failing if app is generator else app), environ_of())
    assert seen == [True]

"""How a response ends: every on_close is called, one error is raised and the others are logged, and bodies are closed.

Also bodies that are not sent: a generator that has not begun would run nothing when it is closed.
"""

from __future__ import annotations

import gc
import logging
import sys

import pytest

from gateway import environ, serve
from middleware import Compress, ConcurrencyLimit, Conditional, ContextHooks, Effects, Headers, Hooks, Middleware, Stack
from middleware.hooks import Response, request
from shapes import TEXT, returning


class Replaces(Middleware):
    effects = Effects(rewrites_body=True)

    def on_response(self, environ, response):
        response.body = [b"other"]
        response.headers["Content-Length"] = "5"


class FailsOnResponse(Middleware):
    def on_response(self, environ, response):
        raise ValueError("of a layer")


class FailsAtEnd(Middleware):
    """Raises the exception that its name begins with."""

    def on_close(self, environ, error):
        raise {"K": KeyboardInterrupt, "V": ValueError, "O": OSError}[self.name](self.name)


class Told(Middleware):
    def __init__(self, app=None, /, *, ends):
        super().__init__(app)
        self.ends = ends

    def on_close(self, environ, error):
        self.ends.append(repr(error))


class Unclosable(list):
    def close(self):
        raise KeyboardInterrupt


def left_by(request):
    """The number of objects that a request leaves to the collector; the first may fill tables."""
    request()
    gc.collect()
    gc.disable()
    try:
        request()
        return gc.collect()
    finally:
        gc.enable()


# -- errors ------------------------------------------------------------------------------------------------------------


def test_every_on_close_is_called_whatever_close_raises_after_an_error_of_a_layer():
    ends, limit = [], ConcurrencyLimit(limit=1)
    app, _ = returning(Unclosable([b"x"]))
    with pytest.raises(KeyboardInterrupt):
        Stack(Told(ends=ends), limit, FailsOnResponse()).wrap(app, on_error="raise")(environ(), print)
    assert ends == ["ValueError('of a layer')"]
    assert serve(limit.wrap(returning([b"x"])[0])).status == "200 OK"  # its only place is free


@pytest.mark.parametrize(
    ("names", "raised", "logged"),
    [
        ("KV", KeyboardInterrupt, ValueError),
        ("VK", KeyboardInterrupt, ValueError),
        ("OV", ValueError, OSError),
        ("VO", OSError, ValueError),
    ],
)
def test_of_several_errors_at_the_end_one_is_raised_and_the_others_are_logged(names, raised, logged, caplog):
    """The first one, innermost layer first, or one that is not an Exception, which is never swallowed."""
    body = Stack(*(FailsAtEnd().named(name) for name in names)).wrap(returning([b"x"])[0])(environ(), lambda *_: None)
    assert [*body] == [b"x"]
    with pytest.raises(raised), caplog.at_level(logging.ERROR, "middleware"):
        body.close()
    [record] = caplog.records
    assert (record.exc_info[0], record.path) == (logged, "/")


@pytest.mark.parametrize("first", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("second", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("way", ["teardown", "call_on_close"])
def test_hooks_call_all_that_is_left_and_raise_an_interruption_before_other_errors(first, second, way):
    hooks = Hooks(after_order="registration")
    errors = [first, second]
    wanted = KeyboardInterrupt if KeyboardInterrupt in errors else ValueError

    def fails():
        raise errors.pop(0)

    if way == "teardown":
        hooks.teardown_request(lambda error: fails())
        hooks.teardown_request(lambda error: fails())
    else:

        @hooks.after_request
        def twice(response):
            response.call_on_close(fails)
            response.call_on_close(fails)
            return response

    body = hooks.wrap(returning([b"x"])[0])(environ(), lambda *_: None)
    with pytest.raises(wanted):
        body.close()
    assert errors == []


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")]
)
@pytest.mark.parametrize("on_error", ["respond", "raise"])
def test_an_iterable_that_keeps_write_leaves_no_cycle_where_no_content_is_sent(method, status, on_error):
    class App:
        def __init__(self, environ, start_response):
            self.write = start_response(status, [])

        def __iter__(self):
            return iter([b""])

    application = Stack(Headers(set={"X-A": "1"})).wrap(App, on_error=on_error)

    def request():
        body = application(environ(REQUEST_METHOD=method), lambda *_: None)
        list(body)
        getattr(body, "close", int)()

    assert left_by(request) == 0


def streaming(environ, start_response):
    start_response("200 OK", list(TEXT))
    return (b"hello" for _ in "x")


@pytest.mark.parametrize("inner", [Stack(Headers(set={"X-I": "1"})), Hooks()], ids=["a stack", "hooks"])
def test_a_replaced_body_of_an_inner_stack_or_hooks_leaves_no_cycle(inner):
    application = Stack(Replaces()).wrap(inner.wrap(streaming))

    def request():
        body = application(environ(), lambda *_: None)
        assert [*body] == [b"other"]
        body.close()

    assert left_by(request) == 0


# -- bodies that are not sent ------------------------------------------------------------------------------------------


def hooked(function, kind=Hooks):
    hooks = kind()
    hooks.after_request(function)
    return hooks


def with_other_data(response):
    response.set_data("other")
    return response


TAGGED = [*TEXT, ("ETag", '"t"')]
HEAD = {"REQUEST_METHOD": "HEAD"}
SAME = {"HTTP_IF_NONE_MATCH": '"t"'}
UNSENT = {
    "HEAD": (Stack(Headers(set={"X-A": "1"})), HEAD, "200 OK"),
    "HEAD, watched": (Stack(Told(ends=[])), HEAD, "200 OK"),
    "HEAD in hooks": (Stack(Hooks()), HEAD, "200 OK"),
    "HEAD in a hook": (Stack(hooked(lambda response: response)), HEAD, "200 OK"),
    "HEAD in ContextHooks": (Stack(ContextHooks()), HEAD, "200 OK"),
    "a 304": (Stack(Conditional()), SAME, "304 Not Modified"),
    "a 304 outside hooks": (Stack(Conditional(), Hooks()), SAME, "304 Not Modified"),
    "a layer replaces it": (Stack(Replaces()), {}, "200 OK"),
    "a layer fails": (Stack(FailsOnResponse()), {}, "500 Internal Server Error"),
    "a hook replaces it": (Stack(hooked(with_other_data)), {}, "200 OK"),
    "a hook answers": (Stack(hooked(lambda response: Response("other"))), {}, "200 OK"),
    "it is sent": (Stack(Headers(set={"X-A": "1"})), {}, "200 OK"),
}


def ending(app, ended):
    """A middleware whose body is a generator, as that of OpenTelemetry."""

    def chunks(body):
        try:
            yield from body
        finally:
            ended.append("end")

    return lambda environ, start_response: chunks(app(environ, start_response))


@pytest.mark.parametrize("nested", [False, True], ids=["one stack", "two stacks"])
@pytest.mark.parametrize("name", UNSENT)
def test_a_generator_ends_whether_its_content_is_sent_or_not(name, nested):
    stack, asked, status = UNSENT[name]
    ended = []
    app = ending(returning([b"hello"], headers=TAGGED)[0], ended)
    inner = Stack(Headers(set={"X-I": "1"})).wrap(app) if nested else app
    assert serve(stack.wrap(inner), lint=False, **asked).status == status
    assert ended == ["end"]


@pytest.mark.parametrize("stack", [Stack(Told(ends=[])), Stack(Hooks()), Stack(Compress(), Hooks())], ids=len)
@pytest.mark.parametrize("nested", [False, True], ids=["one stack", "two stacks"])
def test_nothing_of_a_generator_runs_if_the_client_leaves_before_its_first_chunk(stack, nested):
    ran = []

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "image/png")])
        return (ran.append(n) or b"x" for n in range(3))

    inner = Stack(Headers(set={"X-I": "1"})).wrap(app) if nested else app
    answer = serve(stack.wrap(inner), lint=False, stop_after=0)
    assert (answer.status, ran) == ("200 OK", [])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("hooks", [Hooks, ContextHooks])
@pytest.mark.parametrize("nested", [False, True], ids=["one stack", "two stacks"])
def test_the_context_of_hooks_is_bound_while_a_generator_runs_whether_its_content_is_sent_or_not(method, hooks, nested):
    seen = []

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        return (seen.append(request.method) or b"x" for _ in "x")

    outer = Stack(Headers(set={"X-A": "1"}))
    inner = Stack(Headers(set={"X-I": "1"})).wrap(app) if nested else app
    assert serve(outer.wrap(hooks().wrap(inner)), lint=False, REQUEST_METHOD=method).status == "200 OK"
    assert seen == [method]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_layers_of_an_inner_stack_see_a_generator_that_fails_for_head_too(method):
    ends = []
    app = Stack(Told(ends=[])).wrap(Stack(Headers(set={"X-I": "1"}), Told(ends=ends)).wrap(failing))
    answer = serve(app, lint=False, REQUEST_METHOD=method)
    assert (answer.status, answer.get("X-I"), ends) == (FAILED, "1", ["ZeroDivisionError('division by zero')"])


def failing(environ, start_response):
    start_response("200 OK", TAGGED)
    return (1 / 0 for _ in "x")


def writing(environ, start_response):
    write = start_response("200 OK", TAGGED)
    return (write(b"written") or b"hello" for _ in "x")


def starting_again(environ, start_response):
    start_response("200 OK", TAGGED)

    def chunks():
        try:
            raise LookupError
        except LookupError:
            start_response("503 Service Unavailable", TAGGED, sys.exc_info())
        yield b"hello"

    return chunks()


FAILED = "500 Internal Server Error"


@pytest.mark.parametrize("app", [failing, writing, starting_again])
@pytest.mark.parametrize("nested", [False, True], ids=["one stack", "two stacks"])
@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (Stack(Replaces()), ("200", b"other")),
        (Stack(Told(ends=[]), Replaces()), ("200", b"other")),
        (Stack(FailsOnResponse()), ("500", b"Internal Server Error\n")),
        (Stack(hooked(with_other_data)), ("200", b"other")),
        (Stack(hooked(lambda response: Response("other"))), ("200", b"other")),
        (Stack(Headers(set={"X-A": "1"}), hooked(lambda response: 1 / 0)), ("500", None)),
    ],
    ids=["a layer", "a watched layer", "a layer fails", "a hook", "a hook answers", "a hook fails"],
)
def test_nothing_that_a_generator_does_reaches_the_server_once_its_content_is_not_sent(app, nested, stack, expected):
    inner = Stack(Headers(set={"X-I": "1"})).wrap(app) if nested else app
    heads, written = [], []

    def start_response(status, headers, exc_info=None):
        heads.append((status[:3], exc_info))
        return written.append

    body = stack.wrap(inner)(environ(), start_response)
    content = b"".join(body)
    getattr(body, "close", int)()
    assert (heads, written) == ([(expected[0], None)], [])
    assert expected[1] in (content, None)


def test_a_generator_that_fails_for_head_before_its_first_chunk_is_a_500():
    answer = serve(Stack(Headers(set={"X-A": "1"})).wrap(failing), lint=False, **HEAD)
    assert (answer.status, answer.body, answer.get("X-A")) == ("500 Internal Server Error", b"", "1")


def test_an_error_of_content_that_is_not_sent_is_none_of_the_response():
    ends = []
    answer = serve(Stack(Told(ends=ends), Replaces()).wrap(failing), lint=False)
    assert (answer.status, answer.body, ends) == ("200 OK", b"other", ["None"])


def test_an_endless_generator_gives_two_chunks_to_head():
    given = []

    def endless(environ, start_response):
        start_response("200 OK", list(TEXT))
        return (given.append(n) or b"x" for n in iter(int, 1))

    assert serve(Stack(Headers(set={"X-A": "1"})).wrap(endless), lint=False, **HEAD).body == b""
    assert len(given) == 2

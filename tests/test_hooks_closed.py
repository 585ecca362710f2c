"""A response is closed exactly once, of a hook or of the application, and whether it is sent, replaced or refused."""

from __future__ import annotations

import sys

import pytest

from gateway import environ, serve
from hooked import ask, boom
from middleware import ContextHooks, Hooks
from middleware.hooks import Response, abort, make_response
from shapes import TEXT


class Stream:
    """A stream that counts how often it is closed."""

    def __init__(self, chunks=(b"x",)):
        self.chunks, self.closed = chunks, 0

    def __iter__(self):
        return iter(self.chunks)

    def close(self):
        self.closed += 1


class Forwarding(Stream):
    """A stream around another, which it closes, as PEP 3333 asks of middleware."""

    def close(self):
        super().close()
        self.chunks.close()


class Kept:
    """The streams of a test and a response of each, to see what becomes of them."""

    def __init__(self):
        self.streams, self.ends = [], 0

    def stream(self):
        self.streams.append(Stream())
        return self.streams[-1]

    def response(self, status=200):
        response = Response(self.stream(), status)
        response.call_on_close(self.end)
        return response

    def application(self, status="200 OK"):
        def app(environ, start_response):
            start_response(status, list(TEXT))
            return self.stream()

        return app

    def end(self):
        self.ends += 1


def answers(hooks, kept):
    hooks.before_request(kept.response)


def answers_by_an_application(hooks, kept):
    hooks.before_request(lambda: (kept.application(), 201))
    hooks.after_request(lambda response: response.call_on_close(kept.end) and response)


def aborts(hooks, kept):
    hooks.before_request(lambda: abort(kept.response()))


def handles(hooks, kept):
    hooks.before_request(boom)
    hooks.errorhandler(ZeroDivisionError)(lambda error: kept.response())


def lets_the_application_answer(hooks, kept):
    hooks.after_request(lambda response: response.call_on_close(kept.end) and response)


def sends(hooks, kept):
    pass


def replaces(hooks, kept):
    hooks.after_request(lambda response: make_response("other"))


def replaces_twice(hooks, kept):
    replaces(hooks, kept)
    hooks.after_request(lambda response: Response(iter([b"one"])))


def goes_back(hooks, kept):
    first = []
    hooks.after_request(lambda response: first[0])
    hooks.after_request(lambda response: first.append(response) or make_response("other"))


def replaces_by_an_application(hooks, kept):
    hooks.after_request(lambda response: kept.application())


def replaces_the_head(hooks, kept):
    hooks.after_request(lambda response: Response(response.response, 418))


def replaces_head_and_body(hooks, kept):
    hooks.after_request(lambda response: make_response("other"))
    replaces_the_head(hooks, kept)


def wraps(hooks, kept):
    hooks.after_request(lambda response: Response(Forwarding(response.response)))


def wraps_in_place(hooks, kept):
    hooks.after_request(lambda response: setattr(response, "response", Forwarding(response.response)) or response)


def wraps_in_a_generator(hooks, kept):
    hooks.after_request(lambda response: Response(chunk for chunk in response.response))


def wraps_in_a_generator_in_place(hooks, kept):
    @hooks.after_request
    def wrap(response):
        response.response = (chunk for chunk in response.response)
        return response


def sets_the_data(hooks, kept):
    hooks.after_request(lambda response: response.set_data("other") or response)


def reads_the_data(hooks, kept):
    hooks.after_request(lambda response: response.get_data() and response)


def sets_the_same_stream(hooks, kept):
    hooks.after_request(lambda response: setattr(response, "response", response.response) or response)


def closes_it_too(hooks, kept):
    @hooks.after_request
    def replace(response):
        other = make_response("other")
        other.call_on_close(response.close)
        return other


def fails(hooks, kept):
    hooks.after_request(boom)


def fails_after_replacing(hooks, kept):
    fails(hooks, kept)
    replaces(hooks, kept)


def returns_nothing(hooks, kept):
    hooks.after_request(lambda response: None)


def leaves(hooks, kept):
    @hooks.after_request
    def leave(response):
        raise KeyboardInterrupt


def spoils(hooks, kept):
    hooks.after_request(lambda response: response.headerlist.append(("X", "a\r\nb")) or response)


def is_conditional(hooks, kept):
    @hooks.after_request
    def look(response):
        response.set_etag("a")
        return response.make_conditional({"REQUEST_METHOD": "GET", "HTTP_IF_NONE_MATCH": '"a"'})


FIRST = [answers, answers_by_an_application, aborts, handles, lets_the_application_answer]
THEN = [
    *(sends, replaces, replaces_twice, goes_back, replaces_by_an_application, replaces_the_head, wraps, wraps_in_place),
    *(replaces_head_and_body, wraps_in_a_generator, wraps_in_a_generator_in_place, sets_the_data, reads_the_data),
    *(sets_the_same_stream, closes_it_too, fails, fails_after_replacing, returns_nothing, leaves, spoils),
    is_conditional,
]


@pytest.mark.parametrize("first", FIRST, ids=lambda each: each.__name__)
@pytest.mark.parametrize("then", THEN, ids=lambda each: each.__name__)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_response_is_closed_once(first, then, method):
    hooks, kept = Hooks(), Kept()
    then(hooks, kept)  # the last registered runs first
    first(hooks, kept)
    ask(hooks, app=kept.application(), method=method, lint=False)
    assert [stream.closed for stream in kept.streams] == [1] * (1 + (then is replaces_by_an_application))
    assert kept.ends == (2 if then is not leaves and hooks_ran_twice(first, then) else 1)


def hooks_ran_twice(first, then):
    """Whether the hook that counts ends has run again, on the response to an error."""
    by_hook = first in (answers_by_an_application, lets_the_application_answer)
    return by_hook and then in (fails, fails_after_replacing, returns_nothing, spoils)


@pytest.mark.parametrize("head", [("bad",), ({"X": "a\r\nb"},), (200, {"X": "a\r\nb"})], ids=repr)
@pytest.mark.parametrize(
    "register",
    [
        lambda hooks, answer: hooks.before_request(answer),
        lambda hooks, answer: [hooks.before_request(boom), hooks.errorhandler(500)(lambda error: answer())],
    ],
)
def test_a_response_with_a_head_that_is_refused_is_closed(head, register):
    for kind in ("response", "application"):
        hooks, kept = Hooks(), Kept()
        register(hooks, lambda kept=kept, kind=kind: (getattr(kept, kind)(), *head))
        ask(hooks)
        assert [stream.closed for stream in kept.streams] == [1] * len(kept.streams) != []
        assert kept.ends == (kind == "response") * len(kept.streams)


def test_a_hook_may_catch_that_and_send_the_response():
    hooks, kept = Hooks(), Kept()

    @hooks.before_request
    def answer():
        response = kept.response()
        with pytest.raises(ValueError, match="status"):
            make_response(response, "bad")
        assert kept.streams[0].closed == 0
        return response

    assert (ask(hooks).body, kept.streams[0].closed) == (b"x", 1)


def test_an_error_response_that_hooks_fail_on_is_sent_whole():
    hooks, kept = Hooks(), Kept()
    hooks.errorhandler(500)(lambda error: kept.response(500))
    hooks.before_request(boom)
    hooks.after_request(boom)
    hooks.after_request(lambda response: kept.response(500))
    hooks.after_request(lambda response: Response(response.response, 500))
    assert ask(hooks).body == b"x"
    assert [stream.closed for stream in kept.streams] == [1] * 2
    assert kept.ends == 2


@pytest.mark.parametrize("replacing", [True, False])
def test_a_head_that_is_replaced_in_the_stream_has_its_responses_closed(replacing):
    hooks, kept = Hooks(), Kept()

    @hooks.after_request
    def answer(response):
        if response.status_code == 503 and replacing:
            return kept.response(503)
        response.call_on_close(kept.end)
        return response

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b""
        try:
            boom()
        except ZeroDivisionError:
            start_response("503 Busy", list(TEXT), sys.exc_info())
        yield b"busy"

    assert ask(hooks, app=app).body == (b"x" if replacing else b"busy")
    assert [stream.closed for stream in kept.streams] == [1] * replacing
    assert kept.ends == 2


def test_a_response_that_is_used_again_closes_nothing_of_an_earlier_request():
    hooks, kept, denied = Hooks(), Kept(), Response("denied", 403)
    hooks.after_request(lambda response: denied)
    hooks.before_request(kept.response)
    for _ in range(3):
        assert ask(hooks).body == b"denied"
    assert ([stream.closed for stream in kept.streams], kept.ends) == ([1] * 3, 3)


@pytest.mark.parametrize("propagate", [False, True])
def test_what_was_replaced_is_closed_if_the_other_is_refused(propagate):
    hooks, kept = Hooks(propagate_exceptions=propagate), Kept()
    hooks.before_request(kept.response)
    hooks.after_request(lambda response: response if response.status_code == 500 else Bad(kept.stream()))
    ask(hooks)
    assert ([stream.closed for stream in kept.streams], kept.ends) == ([1, 1], 1)


class Bad(Response):
    """A response with a line that is refused when it is sent."""

    def __init__(self, body):
        super().__init__(body)
        self.headerlist.append(("X", "a\r\nb"))


def test_a_response_is_closed_if_the_server_refuses_its_head():
    hooks, kept = Hooks(), Kept()
    hooks.before_request(kept.response)
    hooks.after_request(lambda response: kept.response())

    def refuse(*_):
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        hooks.wrap(kept.application())(environ(), refuse)
    assert ([stream.closed for stream in kept.streams], kept.ends) == ([1, 1], 2)


def test_all_functions_are_called_however_many_there_are_and_though_some_raise():
    called, response = [], Response("x")
    for number in range(2000):
        response.call_on_close(lambda number=number: called.append(number) or 1 / (number % 1000))
    with pytest.raises(ZeroDivisionError) as raised:
        response.close()
    assert called == [*range(2000)]
    assert isinstance(raised.value.__context__, ZeroDivisionError)


@pytest.mark.parametrize("again", [False, True])
def test_what_context_hooks_have_replaced_is_closed_once_where_a_later_one_aborts(again):
    hooks, kept = ContextHooks(), Kept()
    hooks.after_request(lambda ctx, response: kept.response())
    hooks.after_request(lambda ctx, response: abort(response if again else 404))
    assert ask(hooks).status == ("200 OK" if again else "404 NOT FOUND")
    assert ([stream.closed for stream in kept.streams], kept.ends) == ([1], 1)


def test_a_body_of_an_application_of_a_hook_that_is_none_is_a_500():
    def wrong(environ, start_response):
        start_response("200 OK", list(TEXT))
        return [1]

    hooks, kept = Hooks(), Kept()
    hooks.before_request(lambda: wrong)
    hooks.after_request(lambda response: response.call_on_close(kept.end) and response)
    assert ask(hooks, lint=False).status == "500 INTERNAL SERVER ERROR"
    assert kept.ends == 2


def test_a_stream_of_another_hook_can_be_used_as_it_was_made():
    hooks, kept = Hooks(), Kept()

    class Iterator(Stream):
        def __iter__(self):
            return self

        def __next__(self):
            return self.chunks.pop()

    stream = Iterator([b"last", b"first"])
    hooks.after_request(
        lambda response: kept.streams.append((response.response.chunks[:], next(response.response))) or response
    )
    hooks.after_request(lambda response: Response(stream))
    hooks.before_request(lambda: "")
    ask(hooks)
    assert (kept.streams, stream.closed) == ([([b"last", b"first"], b"first")], 1)


# -- the other dialect -------------------------------------------------------------------------------------------------


def returning(make):
    def program(hooks, kept):
        hooks.after_request(lambda ctx, response: make(kept))

    return program


CONTEXTUAL = {
    "response": [returning(lambda kept: kept.response())],
    "replaced": [returning(lambda kept: kept.response()), returning(lambda kept: {"a": 1})],
    "replaced twice": [returning(lambda kept: kept.response())] * 2,
    "object in place": [
        returning(lambda kept: kept.response()),
        lambda hooks, kept: hooks.after_request(lambda ctx, response: setattr(response, "response", [b"a"])),
    ],
    "object after a stream in place": [
        lambda hooks, kept: hooks.after_request(lambda ctx, response: setattr(response, "response", kept.stream())),
        lambda hooks, kept: hooks.after_request(lambda ctx, response: setattr(response, "response", {"a": 1})),
    ],
    "failure": [returning(lambda kept: kept.response()), lambda hooks, kept: hooks.after_request(boom)],
    "bad status": [returning(lambda kept: (kept.response(), "bad"))],
    "no JSON": [returning(lambda kept: kept.response()), returning(lambda kept: {"a": object()})],
}


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_so_it_is_in_the_other_dialect(name):
    hooks, kept = ContextHooks(), Kept()
    for program in CONTEXTUAL[name]:
        program(hooks, kept)
    ask(hooks, app=kept.application(), lint=False)
    assert [stream.closed for stream in kept.streams] == [1] * len(kept.streams)
    assert kept.ends == sum(make.__name__ == "program" for make in CONTEXTUAL[name][: 1 + (name == "replaced twice")])


class Sized:
    """A body that has a length and close()."""

    def __init__(self):
        self.closed = 0

    def __len__(self):
        return 1

    def __iter__(self):
        return iter([b"ab"])

    def close(self):
        self.closed += 1


class Wrapping:
    """Closes what it wraps (PEP 3333)."""

    def __init__(self, body):
        self.body = body

    def __iter__(self):
        return iter(self.body)

    def close(self):
        self.body.close()


@pytest.mark.parametrize(
    "wrap", [lambda r: setattr(r, "response", Wrapping(r.response)) or r, lambda r: Response(Wrapping(r.response))]
)
def test_a_sized_body_that_another_hook_wraps_is_closed_once(wrap):
    hooks, body = Hooks(), Sized()
    hooks.before_request(lambda: Response(body))
    hooks.after_request(wrap)
    assert serve(hooks.wrap(lambda environ, start_response: [])).body == b"ab"
    assert body.closed == 1


def test_a_body_of_a_hook_keeps_its_length():
    hooks, body = Hooks(), Sized()
    hooks.before_request(lambda: Response(body))
    hooks.after_request(lambda response: len(response.response) == 1 and response)
    assert serve(hooks.wrap(lambda environ, start_response: [])).body == b"ab"
    assert body.closed == 1


def test_what_is_called_on_close_waits_for_the_body_though_a_later_hook_fails():
    order, hooks = [], Hooks()

    class Body(Sized):
        def close(self):
            order.append("body")

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Body()

    hooks.after_request(boom)
    hooks.after_request(lambda response: response.call_on_close(lambda: order.append("call_on_close")) and response)
    assert serve(hooks.wrap(app), lint=False).status[:3] == "500"
    assert order == ["body", "call_on_close", "call_on_close"]  # the hook sees the 500 too


def test_a_stream_in_the_place_of_what_was_written_is_closed_though_the_application_fails():
    hooks, body = Hooks(), Sized()
    hooks.after_request(lambda response: Response(body))

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])(b"dropped")
        raise KeyError

    assert isinstance(serve(hooks.wrap(app), lint=False).error, KeyError)
    assert body.closed == 1


def test_a_stream_of_an_errorhandler_is_closed_though_a_hook_ends_the_process():
    hooks, body = Hooks(), Sized()
    hooks.before_request(boom)
    hooks.errorhandler(500)(lambda error: Response(body))

    @hooks.after_request
    def ends(response):
        raise SystemExit

    assert isinstance(serve(hooks.wrap(lambda environ, start_response: []), lint=False).error, SystemExit)
    assert body.closed == 1

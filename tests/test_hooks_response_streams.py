"""Hooks and bodies: what nobody touches is handed on as it is, what is streamed stays so, and each end comes once."""

from __future__ import annotations

import io
import sys
from wsgiref.util import FileWrapper

import pytest

from gateway import serve
from hooked import ask, boom, site
from middleware import Hooks
from middleware.hooks import Response, after_this_request, g, make_response, request
from middleware.hooks.context import CURRENT
from shapes import SHAPES, TEXT, Body, Failure, returning


@pytest.fixture
def seen():
    return []


@pytest.fixture
def hooks():
    hooks = Hooks()
    hooks.after_request(lambda response: response.headers.set("X-After", "1") or response)
    return hooks


# -- what is touched, and what is not --------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [[b"one", b"two"], (b"one",), []])
def test_a_sized_body_is_handed_on_as_the_same_object(hooks, body):
    answer = ask(hooks, app=returning(body)[0], lint=False)
    assert answer.result is body
    assert answer.get("X-After") == "1"


def test_a_file_of_the_server_is_handed_on_as_the_same_object(hooks):
    given = []

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        given.append(environ["wsgi.file_wrapper"](Body([b"x"])))
        return given[0]

    assert ask(hooks, app=app, lint=False).result is given[0]


def test_a_stream_is_not_pulled_before_it_is_asked_for(hooks):
    app, body = returning(Body([b"one", b"two"]))
    answer = ask(hooks, app=app, stop_after=1)
    assert (answer.chunks, body.pulled, body.closed, answer.get("X-After")) == ([b"one"], 1, 1, "1")


def test_what_fails_before_its_first_chunk_is_what_is_raised_though_its_close_fails_too(caplog):
    def late(environ, start_response):
        return Body([], fails_at=0, fails_to_close=True)

    answer = ask(Hooks(propagate_exceptions=True), app=late)
    assert (str(answer.error), "close() failed" in caplog.text) == ("in the body", True)


def test_a_stream_that_begins_late_gives_its_head_to_the_hooks(hooks):
    def app(environ, start_response):
        start_response("201 Made", list(TEXT))
        yield b"one"
        yield b"two"

    answer = ask(hooks, app=app)
    assert (answer.status, answer.chunks, answer.get("X-After")) == ("201 Made", [b"one", b"two"], "1")


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.method == "GET"], ids=lambda shape: shape.name)
def test_a_header_is_set_on_every_shape_of_response(hooks, shape):
    """Once on each head that goes out; an early error is a 500 with it, a late one is the server's."""
    app, body = shape.make()
    hooks.errorhandler(500)(lambda error: ("sorry", 500))
    answer = serve(hooks.wrap(app), lint=shape.lint)
    assert answer.get_all("X-After") == ["1"]
    if shape.fails == "early" and shape.name not in ("error-at-the-first-chunk", "error-after-an-empty-chunk"):
        assert (answer.status, answer.body, answer.error) == ("500 INTERNAL SERVER ERROR", b"sorry", None)
    elif not shape.fails and shape.name != "replaced-head":
        assert (answer.status, answer.body) == (shape.status, shape.body)
    if body is not None:
        assert body.closed == 1


def test_a_file_of_a_hook_that_another_asks_for_data_is_sent_by_the_server():
    hooks, file = Hooks(), FileWrapper(io.BytesIO(b"content"))
    hooks.before_request(lambda: Response(file, direct_passthrough=True))

    @hooks.after_request
    def ask(response):
        with pytest.raises(RuntimeError, match="not to be read"):
            response.get_data()
        return response

    app = hooks.wrap(lambda environ, start_response: [])
    answer = serve(app, lint=False, **{"wsgi.file_wrapper": FileWrapper})
    assert (answer.body, answer.error) == (b"content", None)
    assert isinstance(answer.result, FileWrapper)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.fails], ids=lambda shape: shape.name)
def test_a_hook_that_asks_gets_the_data_and_the_response_stays_whole(shape):
    """All of a stream, with its right length afterwards; what goes out by write(), and files, cannot be had."""
    app, body = shape.make()
    hooks, data = Hooks(), []

    @hooks.after_request
    def look(response):
        if response.direct_passthrough:
            with pytest.raises(RuntimeError, match="not to be read"):
                response.get_data()
        else:
            data.append(response.get_data())
        return response

    answer = serve(hooks.wrap(app), method=shape.method)
    assert (answer.status, answer.body) == (shape.status, shape.body)
    if data and shape.body:
        assert b"".join(data[-1:]) == shape.body
    if body is not None:
        assert body.closed == 1


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.fails], ids=lambda shape: shape.name)
@pytest.mark.parametrize("new", ["new", iter([b"ne", "w"])], ids=["sized", "streamed"])
def test_a_hook_may_put_another_body_in_place_of_any(shape, new):
    """Whatever way the application sends its own, that is closed once, and not sent."""
    app, body = shape.make()
    hooks = Hooks()

    @hooks.after_request
    def replace(response):
        if isinstance(new, str):
            response.set_data(new)
        else:
            response.response = iter([b"ne", "w"])
        return response

    answer = serve(hooks.wrap(app), method=shape.method)
    muted = shape.method == "HEAD" or shape.status[:3] in ("204", "304")
    status = "200 OK" if shape.name == "head-replaced-in-the-body" else shape.status  # nobody asks that body for it
    assert (answer.status, answer.body, answer.error) == (status, b"" if muted else b"new", None)
    if body is not None:
        assert body.closed == 1


def test_a_stream_may_be_wrapped(hooks):
    app, body = returning(Body([b"one", b"two"]))

    @hooks.after_request
    def shout(response):
        assert response.is_streamed
        assert not response.is_sequence
        response.response = (chunk.upper() for chunk in response.response)
        return response

    answer = ask(hooks, app=app)
    assert (answer.chunks, body.closed) == ([b"ONE", b"TWO"], 1)


def test_a_stream_that_is_wrapped_is_closed_once_however_often_it_is_told(hooks):
    app, body = returning(Body([b"one"]))

    @hooks.after_request
    def wrap(response):
        inner = response.response
        response.response = Body(inner)
        response.call_on_close(inner.close)
        return response

    assert (ask(hooks, app=app).body, body.closed) == (b"one", 1)


def test_what_is_on_its_way_already_cannot_be_read(hooks):
    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"x")
        return []

    @hooks.after_request
    def look(response):
        with pytest.raises(RuntimeError, match="already being sent"):
            list(response.response)
        return response

    assert ask(hooks, app=app).body == b"x"


def test_the_head_of_a_write_goes_out_with_it_and_later_errors_are_the_servers(hooks, seen):
    hooks.errorhandler(Failure)(lambda error: "never")
    hooks.teardown_request(seen.append)

    def app(environ, start_response):
        write = start_response("200 OK", list(TEXT))
        write(b"one")
        raise error

    error = Failure()
    answer = ask(hooks, app=app)
    assert (answer.body, answer.get("X-After"), answer.error, seen) == (b"one", "1", error, [error])


def test_a_hook_that_fails_at_write_sends_a_500_instead(hooks):
    hooks.after_request(lambda response: boom() if response.status_code == 200 else response)

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"never")
        return [b"never"]

    answer = ask(hooks, app=app)
    assert (answer.status, answer.get("X-After"), b"never" in answer.body) == ("500 INTERNAL SERVER ERROR", "1", False)


def test_a_replaced_head_has_the_hooks_run_on_it_once_more():
    hooks = Hooks()
    hooks.after_request(lambda response: response.headers.add("X-After", response.status) or response)
    after = []

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b""
        try:
            raise Failure
        except Failure:
            start_response("503 Busy", list(TEXT), sys.exc_info())
        after.append(1)
        yield b"busy"

    answer = ask(hooks, app=app)
    assert (answer.status, answer.body, answer.get_all("X-After")) == ("503 Busy", b"busy", ["503 Busy"])
    assert (type(answer.exc_info), after) == (Failure, [1])


@pytest.mark.parametrize("written", [True, False])
def test_a_head_that_comes_too_late_is_not_shown_to_hooks(hooks, seen, written):
    hooks.after_request(lambda response: seen.append(response.status) or response)
    error = Failure()

    def app(environ, start_response):
        write = start_response("200 OK", list(TEXT))
        if written:
            write(b"one")
        else:
            yield b"one"
        start_response("503 Busy", list(TEXT), (Failure, error, None))

    answer = ask(hooks, app=app)
    assert (answer.body, answer.error, seen) == (b"one", error, ["200 OK"])


def test_what_an_application_does_to_its_list_of_headers_later_is_its_own_business(hooks):
    def app(environ, start_response):
        headers = list(TEXT)
        start_response("200 OK", headers)
        headers.append(("X-Late", "1"))
        return [b"x"]

    assert ask(hooks, app=app).get("X-Late") is None


def test_with_a_hook_that_replaces_the_body_of_a_replaced_head():
    hooks = Hooks()

    @hooks.after_request
    def page(response):
        if response.status_code == 503:
            response.set_data("page")
        return response

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        yield b""
        start_response("503 Busy", list(TEXT), (Failure, Failure(), None))
        yield b"never"

    assert ask(hooks, app=app).body == b"page"


# -- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("options", [{}, {"teardown": "flask"}], ids=["close", "flask"])
def test_teardown_is_called_once_whatever_happens(shape, options, seen):
    app, _ = shape.make()
    hooks = Hooks(propagate_exceptions=True, **options)
    hooks.teardown_request(seen.append)
    serve(hooks.wrap(app), method=shape.method, lint=False)
    assert len(seen) == 1
    if not options:
        assert isinstance(seen[0], Failure) == (bool(shape.fails) and shape.lint) or "replaced" in shape.name


def test_teardown_comes_when_the_body_is_closed_or_before_it_as_flask_does(seen):
    for moment in ("close", "flask"):
        hooks = Hooks(teardown=moment)
        hooks.teardown_request(lambda error: seen.append("teardown"))

        def body():
            seen.append("body")
            yield b"x"

        ask(hooks, app=returning(body())[0])
    assert seen == ["body", "teardown", "teardown", "body"]


@pytest.mark.parametrize(("stop", "error"), [(1, GeneratorExit), (None, Failure)])
def test_teardown_is_told_how_the_body_ended(hooks, seen, stop, error):
    hooks.teardown_request(lambda error: seen.append(type(error)))
    app, body = returning(Body([b"one", b"two"], fails_at=1))
    ask(hooks, app=app, stop_after=stop)
    assert (seen, body.closed) == ([error], 1)


@pytest.mark.parametrize("moment", ["close", "flask"])
def test_all_teardown_hooks_run_and_the_first_error_is_raised(moment, seen, caplog):
    hooks = Hooks(teardown=moment)

    @hooks.teardown_request
    def last(error):
        seen.append(error)
        raise KeyError("second")

    @hooks.teardown_request
    def first(error):
        seen.append(error)
        raise ValueError("first")

    app, body = returning(Body([b"x"]))
    answer = ask(hooks, app=app)
    assert (seen, body.closed) == ([None, None], 1)
    assert isinstance(answer.error, ValueError)
    assert ("first failed" in caplog.text, "last failed" in caplog.text) == (True, True)


def test_an_error_on_its_way_goes_before_one_of_teardown(caplog):
    for moment in ("close", "flask"):
        hooks = Hooks(propagate_exceptions=True, teardown=moment)
        hooks.teardown_request(lambda error: {}["x"])
        assert isinstance(ask(hooks, app=site({"/": boom})).error, ZeroDivisionError)
    assert caplog.text.count("KeyError: 'x'") >= 2


def test_a_handled_error_is_none_of_teardowns(hooks, seen):
    hooks.errorhandler(ZeroDivisionError)(lambda error: "handled")
    hooks.teardown_request(seen.append)
    ask(hooks, app=site({"/": boom}))
    assert seen == [None]


def test_teardown_sees_g_and_request(hooks, seen):
    hooks.before_request(lambda: setattr(g, "x", 1))
    hooks.teardown_request(lambda error: seen.append((g.x, request.path)))
    ask(hooks)
    assert seen == [(1, "/")]


@pytest.mark.parametrize("moment", ["close", "flask"])
def test_what_waits_for_the_end_of_a_response_is_called_once_after_the_body(moment, seen):
    hooks = Hooks(teardown=moment)
    app, body = returning(Body([b"x"]))

    @hooks.after_request
    def wait(response):
        response.call_on_close(lambda: seen.append(("first", body.closed)))
        response.call_on_close(lambda: seen.append("second"))
        return response

    ask(hooks, app=app)
    assert seen == [("first", 1), "second"]
    seen.clear()
    answer = ask(hooks, app=site())
    assert (answer.body, seen) == (b"hello", [("first", 1), "second"])


def test_what_waits_for_the_end_of_a_written_response_is_called(seen):
    hooks = Hooks()

    @hooks.after_request
    def wait(response):
        response.call_on_close(lambda: seen.append("called"))
        return response

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))(b"x")
        return []

    assert (ask(hooks, app=app).body, seen) == (b"x", ["called"])


def test_an_error_of_one_that_waits_does_not_keep_the_others(seen):
    hooks = Hooks()

    @hooks.after_request
    def wait(response):
        response.call_on_close(boom)
        response.call_on_close(lambda: seen.append("called"))
        return response

    assert isinstance(ask(hooks).error, ZeroDivisionError)
    assert seen == ["called"]


def test_an_error_of_one_that_waits_for_a_response_that_is_not_sent_does_not_keep_the_others(seen):
    hooks = Hooks()

    @hooks.after_request
    def fail(response):
        raise Failure

    @hooks.after_request
    def instead(response):
        made = Response("made")
        made.call_on_close(boom)
        made.call_on_close(lambda: seen.append("called"))
        return made

    assert ask(hooks).status.startswith("500")
    assert seen == ["called"] * 2  # the hooks see the 500 too


def test_a_server_that_refuses_the_head_has_the_body_closed(hooks):
    app, body = returning(Body([b"x"]))

    def refuse(*_):
        raise Failure

    with pytest.raises(Failure):
        hooks.wrap(app)(ask(hooks).environ, refuse)
    assert body.closed == 1


# -- the context -----------------------------------------------------------------------------------------------------


def test_the_application_sees_g_and_request_while_it_runs_iterates_and_closes(hooks, seen):
    hooks.before_request(lambda: setattr(g, "x", 1))

    class Looking(Body):
        def __next__(self):
            seen.append((g.x, request.path))
            return super().__next__()

        def close(self):
            seen.append(g.x)

    def app(environ, start_response):
        start_response("200 OK", list(TEXT))
        seen.append(g.x)
        after_this_request(lambda response: response.headers.set("X-This", g.x) or response)
        return Looking([b"x"])

    answer = ask(hooks, "/p", app)
    assert (answer.get("X-This"), seen) == ("1", [1, (1, "/p"), (1, "/p"), 1])
    assert CURRENT.get() is None


def test_a_generator_of_a_hook_sees_them_too(hooks):
    def pieces():
        yield f"{g.x} {request.path}"

    hooks.before_request(lambda: setattr(g, "x", 1) or make_response(pieces()))
    assert ask(hooks).body == b"1 /"


def test_between_the_chunks_nothing_is_bound(hooks):
    app = hooks.wrap(returning(iter([b"one", b"two"]))[0])
    for _ in app(ask(hooks).environ, lambda *_: None):
        assert not g


def test_no_response_is_made_where_no_hook_looks(monkeypatch):
    monkeypatch.setattr(Response, "of", boom)
    hooks = Hooks()
    hooks.before_request(lambda: None)
    hooks.teardown_request(lambda error: None)
    assert ask(hooks).body == b"hello"


def test_no_request_is_made_where_no_hook_looks(hooks):
    contexts = []
    hooks.before_request(lambda: contexts.append(CURRENT.get()))
    ask(hooks)
    assert contexts[0]._request is None


def test_a_request_leaves_no_cycle(hooks):
    import gc
    import weakref

    references = []
    hooks.before_request(lambda: references.append(weakref.ref(CURRENT.get())))
    hooks.teardown_request(lambda error: None)
    gc.disable()
    try:
        for app in (site(), returning(iter([b"x"]))[0]):
            ask(hooks, app=app, lint=False).result = None  # which leads back to the server
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()

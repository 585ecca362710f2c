"""A connection that the application has taken over passes as it is: server and client see what they see without layers.

What servers put into environ, and how handlers end on them, is theirs: simple-websocket 1.1 (StopIteration on gunicorn,
an empty list elsewhere), eventlet.websocket (an empty list), gevent-websocket (what the handler returns is ignored),
uWSGI (`return ""`), gunicorn's AsyncWorker (ALREADY_HANDLED, an object that is no iterable).
"""

from __future__ import annotations

import logging

import pytest

from gateway import environ as request_environ
from gateway import serve
from layers_under_test import LAYERS, Upper, Witness, contextual, hooked, request, stack
from middleware import (
    ContextHooks,
    Effects,
    External,
    Gzip,
    Headers,
    Hooks,
    Middleware,
    SecurityHeaders,
    Stack,
    Timing,
    match,
)

UPGRADE = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade", "HTTP_SEC_WEBSOCKET_VERSION": "13"}
SERVERS = {
    "gunicorn": {"gunicorn.socket": object()},
    "werkzeug": {"werkzeug.socket": object()},
    "eventlet": {"eventlet.input": object(), "eventlet.posthooks": []},
    "gevent": {"SERVER_SOFTWARE": "gevent/26.9 Python/3.11"},
    "gevent-websocket": {"wsgi.websocket": object()},
    "uwsgi": {"uwsgi.version": b"2.0.30", "uwsgi.node": b"host"},
}
HANDLED = object()


class Closing:
    """An iterator of some chunks that counts what is done to it."""

    def __init__(self, *chunks):
        self.chunks, self.closed = iter(chunks), 0

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)

    def close(self):
        self.closed += 1


def stops():
    raise StopIteration


def generator(*chunks):
    yield from chunks


# how an application ends that had the connection
ENDINGS = {
    "StopIteration": stops,
    "list": list,
    "tuple": lambda: (),
    "list of an empty chunk": lambda: [b""],
    "text": lambda: "",
    "bytes": lambda: b"",
    "None": lambda: None,
    "what the server knows": lambda: HANDLED,
    "iterator": lambda: iter(()),
    "generator": generator,
    "generator of an empty chunk": lambda: generator(b""),
    "closed": Closing,
    "closed after an empty chunk": lambda: Closing(b""),
}


def passing(app):
    return lambda environ, start_response: app(environ, start_response)


def with_handlers(hooks):
    for each in (Exception, 500, RuntimeError, StopIteration):
        hooks.errorhandler(each)(lambda error: ("handled", 500))
    hooks.after_request(lambda response: response)
    return hooks


AROUND = {
    **{
        f"{name}, {on_error}": lambda app, name=name, on_error=on_error: stack(name).wrap(
            app, on_error=on_error, waive=("measure-outermost", "set-inside-read")
        )
        for name in LAYERS
        for on_error in ("respond", "raise")
    },
    "a layer alone": lambda app: Headers(app, set={"X-Set": "1"}),
    "a layer alone that watches": lambda app: Witness(app, seen=[]),
    "a layer alone that transforms": Upper,
    "a layer alone that encodes": Gzip,
    "a layer alone with a condition": lambda app: Headers(set={"X-Set": "1"}).when(match.path("/")).wrap(app),
    "layers alone, in each other": lambda app: Timing(SecurityHeaders(Gzip(Headers(Witness(app, seen=[]))))),
    "stacks in each other": lambda app: Stack(Timing(), Witness(seen=[])).wrap(
        Stack(Headers(set={"X-Set": "1"}), Upper()).wrap(app)
    ),
    "two of another library's": lambda app: Stack(External(passing), Timing(), External(passing)).wrap(
        app, waive="measure-outermost"
    ),
    "hooks alone": Hooks,
    "hooks with handlers": lambda app: Stack(with_handlers(Hooks())).wrap(app),
    "hooks with handlers and teardown": lambda app: Stack(Headers(), with_handlers(hooked(torn_down=True))).wrap(app),
    "hooks in hooks": lambda app: hooked(torn_down=True).wrap(contextual().wrap(hooked().wrap(app))),
    "context hooks alone": lambda app: ContextHooks(app),
}


def outcome(app, environ):
    """What a server sees: the exception, or the object that is no iterator, or the chunks; and the heads."""
    heads = []
    try:
        result = app(environ, lambda *head: heads.append(head))
    except StopIteration:
        return "StopIteration", heads
    if hasattr(result, "__next__"):
        chunks = [*result]
        getattr(result, "close", int)()
        return chunks, heads
    getattr(result, "close", int)()
    return result, heads


def ask(wrap, server, ending, **keys):
    made = []

    def app(environ, start_response):
        made.append(ENDINGS[ending]())
        return made[-1]

    environ = request_environ(**{**UPGRADE, **SERVERS[server], **request("basic-auth"), **keys})
    return outcome(wrap(app), environ), made, environ


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("around", AROUND)
def test_the_server_gets_what_it_gets_without_any_layer(around, ending, caplog):
    (seen, heads), made, environ = ask(AROUND[around], "gunicorn", ending)
    (bare, _), _, _ = ask(lambda app: app, "gunicorn", ending)
    assert not heads
    if isinstance(bare, list) and bare is not seen:
        assert b"".join(seen) == b""
    else:
        assert seen == bare
    if bare is HANDLED:
        assert seen is HANDLED
    assert [each.closed for each in made if isinstance(each, Closing)] == [1] * ending.startswith("closed")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert "middleware.exception" not in environ


@pytest.mark.parametrize("ending", ["StopIteration", "list", "text", "None", "generator"])
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("around", ["all, respond", "a layer alone", "hooks with handlers and teardown"])
def test_on_every_server_that_hands_its_connection_over(server, around, ending, caplog):
    (seen, heads), _, _ = ask(AROUND[around], server, ending)
    assert (seen or [], heads) == ("StopIteration" if ending == "StopIteration" else [], [])
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# -- what layers are told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda app, seen: Witness(app, seen=seen),
        lambda app, seen: Stack(Witness(seen=seen)).wrap(app),
        lambda app, seen: Stack(Witness(seen=seen), Upper(), Headers(set={"X": "1"})).wrap(app),
        lambda app, seen: Stack(Witness(seen=seen).when(match.path("/"))).wrap(app),
        lambda app, seen: Stack(Witness(seen=seen), External(passing)).wrap(app),
        lambda app, seen: Stack(Witness(seen=seen)).wrap(Stack(Headers(set={"X": "1"})).wrap(app)),
        lambda app, seen: Stack(Witness(seen=seen), with_handlers(hooked(torn_down=True))).wrap(app),
    ],
    ids=["alone", "stack", "transformed", "conditional", "external", "nested", "hooks"],
)
def test_every_layer_is_told_once_of_the_end_and_of_no_error(wrap, ending):
    """It never sees a response, for there is none."""
    seen = []
    ask(lambda app: wrap(app, seen), "gunicorn", ending)
    assert seen == [("request", "GET"), ("close", None)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_nobody_knows_how_much_was_sent(ending):
    told = []

    class Asks(Middleware):
        def on_close(self, environ, error):
            told.append(environ["middleware.bytes_sent"])

    ask(Stack(Asks()).wrap, "gunicorn", ending)
    assert told == [None]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("teardown", ["close", "flask"])
def test_teardown_hooks_run_once_and_other_hooks_not_at_all(teardown, ending):
    told = []
    hooks = Hooks(teardown=teardown)
    hooks.before_request(lambda: told.append("before"))
    hooks.after_request(lambda response: told.append("after"))
    hooks.errorhandler(Exception)(lambda error: told.append("error"))
    hooks.teardown_request(lambda error: told.append(("teardown", error)))
    ask(hooks.wrap, "gunicorn", ending)
    assert told == ["before", ("teardown", None)]


@pytest.mark.parametrize("ending", ENDINGS)
def test_context_hooks_leave_nothing_in_environ(ending):
    _, _, environ = ask(contextual().wrap, "gunicorn", ending)
    assert "middleware.context" not in environ


@pytest.mark.parametrize("ending", ["StopIteration", "list", "generator"])
def test_what_on_close_raises_ends_no_other_layer(ending, caplog):
    """It is logged where the server has nothing to close; from close() it is raised, as it is of every response."""
    told = []

    class Fails(Middleware):
        def on_close(self, environ, error):
            told.append(error)
            raise ValueError("in on_close")

    with caplog.at_level(logging.ERROR, logger="middleware"):
        try:
            ask(Stack(Fails(), Witness(seen=told)).wrap, "gunicorn", ending)
        except ValueError as raised:
            assert ending == "generator"
            assert str(raised) == "in on_close"  # noqa: PT017
    assert told == [("request", "GET"), ("close", None), None]
    assert len(caplog.records) == (ending != "generator")


def test_a_keyboard_interrupt_in_on_close_goes_on_and_nobody_is_told_twice():
    told = []

    class Interrupts(Middleware):
        def on_close(self, environ, error):
            told.append(error)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(Stack(Interrupts()).wrap, "gunicorn", "list")
    assert told == [None]


# -- what stays as it was --------------------------------------------------------------------------------------------

NO_TAKEOVER = {
    "no Upgrade": {"gunicorn.socket": object()},
    "an empty Upgrade": {"gunicorn.socket": object(), "HTTP_UPGRADE": ""},
    "a server that keeps its socket": {**UPGRADE},
    "keys that only look alike": {**UPGRADE, "gunicorn.sockets": 1, "wsgi.websockets": 1, "uwsgi": 1, "eventlet": 1},
    "another server": {**UPGRADE, "SERVER_SOFTWARE": "waitress"},
}
FAULTS = {
    "StopIteration": "StopIteration()",
    "list": "without calling start_response",
    "tuple": "without calling start_response",
    "list of an empty chunk": "without calling start_response",
    "text": "not str",
    "bytes": "not bytes",
    "None": "not NoneType",
    "generator": "ended before it called start_response",
    "generator of an empty chunk": "yielded before it called start_response",
    "closed": "ended before it called start_response",
}


@pytest.mark.parametrize("ending", FAULTS)
@pytest.mark.parametrize("request_of", NO_TAKEOVER)
@pytest.mark.parametrize("layer", [Headers(set={"X-Set": "1"}), Upper(), hooked()], ids=["heads", "bodies", "hooks"])
def test_without_an_upgrade_on_such_a_server_it_is_an_error_as_ever(layer, request_of, ending, caplog):
    caplog.set_level("CRITICAL", logger="middleware")
    answer = serve(
        Stack(layer, External(passing)).wrap(lambda environ, start_response: ENDINGS[ending]()),
        lint=False,
        **NO_TAKEOVER[request_of],
    )
    assert answer.status == "500 Internal Server Error"
    assert FAULTS[ending] in repr(answer.environ["middleware.exception"])


@pytest.mark.parametrize("ending", ["StopIteration", "list", "None", "generator"])
def test_a_layer_alone_raises_then(ending):
    with pytest.raises((StopIteration, RuntimeError, TypeError)) as raised:
        list(Headers(lambda environ, start_response: ENDINGS[ending]())(request_environ(), lambda *head: len))
    assert FAULTS[ending] in repr(raised.value)


def fails(environ, start_response):
    raise ValueError("before the handshake")


def sends_without_a_head(environ, start_response):
    return [b"content"]


def yields_without_a_head(environ, start_response):
    yield b"content"


def writes_text(environ, start_response):
    return "content"


@pytest.mark.parametrize("app", [fails, sends_without_a_head, yields_without_a_head, writes_text])
@pytest.mark.parametrize("server", SERVERS)
def test_another_error_on_such_a_connection_is_one(server, app, caplog):
    """It may have happened before the handshake: the client gets its 500."""
    caplog.set_level("CRITICAL", logger="middleware")
    seen = []
    answer = serve(
        Stack(Witness(seen=seen), Headers(set={"X-Set": "1"})).wrap(app), lint=False, **UPGRADE, **SERVERS[server]
    )
    assert (answer.status, answer.get("X-Set")) == ("500 Internal Server Error", "1")
    assert isinstance(answer.environ["middleware.exception"], (ValueError, RuntimeError, TypeError))
    assert seen[-1][0] == "close"
    assert seen[-1][1] is not None


def refuses(environ, start_response):
    start_response("400 Bad Request", [("Content-Type", "text/plain")])
    return [b"no handshake"]


def switches(environ, start_response):
    start_response("101 Switching Protocols", [("Upgrade", "websocket"), ("Connection", "Upgrade")])
    return []


def ends_as_on_werkzeug(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "0")])
    return [b""]


def starts_late(environ, start_response):
    yield from refuses(environ, start_response)


@pytest.mark.parametrize(
    ("app", "status", "body"),
    [
        (refuses, "400 Bad Request", b"no handshake"),
        (switches, "101 Switching Protocols", b""),
        (ends_as_on_werkzeug, "200 OK", b""),
        (starts_late, "400 Bad Request", b"no handshake"),
    ],
)
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("around", ["headers, respond", "hooks-header, respond", "external, respond"])
def test_a_response_to_an_upgrade_passes_through_the_layers(around, server, app, status, body):
    answer = serve(AROUND[around](app), lint=False, **UPGRADE, **SERVERS[server])
    assert (answer.status, answer.body, answer.error, answer.heads) == (status, body, None, 1)
    assert answer.get("X-Path" if "hooks" in around else "X-Set")


def test_an_answer_of_a_layer_to_an_upgrade_is_an_ordinary_response():
    class Refuses(Middleware):
        effects = Effects(answers=True)

        def on_request(self, environ):
            return refuses

    answer = serve(Stack(Headers(set={"X-Set": "1"}), Refuses()).wrap(fails), **UPGRADE, **SERVERS["gunicorn"])
    assert (answer.status, answer.get("X-Set")) == ("400 Bad Request", "1")

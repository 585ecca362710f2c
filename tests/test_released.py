"""What belongs to a request is freed by reference counts once its response is closed, whatever went wrong.

environ, an object in it, an object in a frame of the application and its body are watched while the collector is off.
"""

from __future__ import annotations

import gc
import sys
import traceback
import weakref
from contextlib import suppress

import pytest

from gateway import environ as request_environ
from layers_under_test import LAYERS, Undeclared, Upper, Witness, stack
from middleware import (
    CORS,
    Compress,
    Effects,
    External,
    Gzip,
    Headers,
    Middleware,
    SecurityHeaders,
    Stack,
    Timing,
    match,
)

EXCEPTION = "middleware.exception"


class Environ(dict):
    """A dict that can be watched."""

    __slots__ = ("__weakref__",)


class Thing:
    """An object that can be watched."""


class Watched:
    """Weak references to what a request made, by name."""

    def __init__(self):
        self.all = {}

    def add(self, name, thing):
        self.all[f"{name} {len(self.all)}"] = weakref.ref(thing)
        return thing

    def alive(self):
        return [name for name, reference in self.all.items() if reference() is not None]


class Chunks:
    """A body that fails where it is told to."""

    def __init__(self, *chunks, fails_at=None, fails_to_close=False):
        self.chunks, self.fails_at, self.fails_to_close = [*chunks], fails_at, fails_to_close
        self.given = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.given == self.fails_at:
            raise ValueError("in the body")
        if not self.chunks:
            raise StopIteration
        self.given += 1
        return self.chunks.pop(0)

    def close(self):
        if self.fails_to_close:
            raise ValueError("in close()")


def start(start_response, status="200 OK", *more):
    try:
        return start_response(status, [("Content-Type", "text/plain")], *more)
    finally:
        more = ()


# -- applications: each gets (environ, start_response), and a local object that is watched -------------------------


def sized(environ, start_response, local):
    start(start_response)
    return [b"one" * 300, b"two"]


def generates(environ, start_response, local):
    start(start_response)
    return (chunk for chunk in (b"one", environ and b"two"))


def starts_late(environ, start_response, local):
    def run():
        start(start_response)
        yield b"one"
        yield b"two" if local else b""

    return run()


def writes(environ, start_response, local):
    start(start_response)(b"written")
    return [b"one"]


def fails_early(environ, start_response, local):
    raise ValueError("before start_response")


def fails_with_a_cause(environ, start_response, local):
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise LookupError("second") from error
    except LookupError:
        raise ValueError("third")  # noqa: B904 - its context is what is tried


def fails_without_an_attribute(environ, start_response, local):
    return environ.missing  # the AttributeError holds environ


def fails_once_started(environ, start_response, local):
    start(start_response)
    raise ValueError("after start_response")


def fails_once_written(environ, start_response, local):
    start(start_response)(b"written")
    raise ValueError("after write()")


def generator_fails_early(environ, start_response, local):
    def run():
        raise ValueError(f"before start_response: {local}")
        yield b""

    return run()


def generator_fails_once_started(environ, start_response, local):
    def run():
        start(start_response)
        raise ValueError(f"after start_response: {local}")
        yield b""

    return run()


def generator_fails_between(environ, start_response, local):
    def run():
        start(start_response)
        yield b"one"
        raise ValueError(f"in the body: {local}")

    return run()


def iterator_fails_first(environ, start_response, local):
    start(start_response)
    return Chunks(b"one", fails_at=0)


def iterator_fails_between(environ, start_response, local):
    start(start_response)
    return Chunks(b"one", b"two", fails_at=1)


def fails_to_close(environ, start_response, local):
    start(start_response)
    return Chunks(b"one", fails_to_close=True)


def fails_and_fails_to_close(environ, start_response, local):
    start(start_response)
    return Chunks(b"one", fails_at=0, fails_to_close=True)


def replaces_its_head(environ, start_response, local):
    start(start_response)
    try:
        raise ValueError("before any content")
    except ValueError:
        start(start_response, "503 Service Unavailable", sys.exc_info())
    return [b"sorry"]


def gives_an_error_with_its_head(environ, start_response, local):
    try:
        raise ValueError("before any head")
    except ValueError:
        start(start_response, "503 Service Unavailable", sys.exc_info())
    return [b"sorry"]


def replaces_its_head_too_late(environ, start_response, local):
    def run():
        start(start_response)
        yield b"one"
        try:
            raise ValueError("in the body")
        except ValueError:
            start(start_response, "503 Service Unavailable", sys.exc_info())
        yield b"sorry"

    return run()


def replaces_its_head_once_written(environ, start_response, local):
    start(start_response)(b"written")
    try:
        raise ValueError("after write()")
    except ValueError:
        start(start_response, "503 Service Unavailable", sys.exc_info())
    return [b"sorry"]


def replaces_and_fails(environ, start_response, local):
    start(start_response)
    try:
        raise ValueError("before any content")
    except ValueError:
        start(start_response, "503 Service Unavailable", sys.exc_info())
    raise ValueError("again")


def starts_twice(environ, start_response, local):
    start(start_response)
    start(start_response)
    return [b"one"]


def returns_none(environ, start_response, local):
    start(start_response)


def never_starts(environ, start_response, local):
    return [b"one"]


def never_starts_its_stream(environ, start_response, local):
    return iter([b"one"])


def interrupts(environ, start_response, local):
    raise KeyboardInterrupt


def tells_of_an_error(environ, start_response, local):
    try:
        raise ValueError("answered by the application")
    except ValueError as error:
        environ[EXCEPTION] = error
    start(start_response, "503 Service Unavailable")
    return [b"sorry"]


def raises_stop_iteration(environ, start_response, local):
    raise StopIteration


def sends_a_file(environ, start_response, local):
    start(start_response)
    return environ["wsgi.file_wrapper"](request_environ()["wsgi.input"])


APPS = {
    each.__name__: each
    for each in (
        sized,
        generates,
        starts_late,
        writes,
        fails_early,
        fails_with_a_cause,
        fails_without_an_attribute,
        fails_once_started,
        fails_once_written,
        generator_fails_early,
        generator_fails_once_started,
        generator_fails_between,
        iterator_fails_first,
        iterator_fails_between,
        fails_to_close,
        fails_and_fails_to_close,
        replaces_its_head,
        gives_an_error_with_its_head,
        replaces_its_head_too_late,
        replaces_its_head_once_written,
        replaces_and_fails,
        starts_twice,
        returns_none,
        never_starts,
        never_starts_its_stream,
        interrupts,
        raises_stop_iteration,
        sends_a_file,
    )
}


# -- layers ------------------------------------------------------------------------------------------------------------


class Fails(Middleware):
    """Fails where it is told to."""

    def __init__(self, app=None, /, *, where):
        super().__init__(app)
        self.where = where

    def on_request(self, environ):
        if self.where == "on_request":
            raise ValueError("in on_request")

    def on_response(self, environ, response):
        if self.where == "on_response":
            raise ValueError("in on_response")
        return Failing() if self.where == "feed" else None

    def on_close(self, environ, error):
        if self.where == "on_close":
            raise ValueError("in on_close")
        if self.where == "on_close, again" and error is not None:
            try:
                raise error
            finally:
                del error


class Failing:
    def feed(self, chunk):
        raise ValueError("in feed")

    def finish(self):
        raise ValueError("in finish")


class Answers(Middleware):
    effects = Effects(answers=True)

    def on_request(self, environ):
        return lambda environ, start_response: fails_early(environ, start_response, None)


def failing_condition(environ):
    raise ValueError("in a condition")


def passing(app):
    return lambda environ, start_response: app(environ, start_response)


def closing(app):
    """Starts the response by a function of its own, as middleware of other libraries does."""

    def run(environ, start_response):
        def start(status, headers, exc_info=None):
            try:
                return start_response(status, headers, *([exc_info] if exc_info else []))
            finally:
                exc_info = None

        return app(environ, start)

    return run


def of(*layers):
    return lambda app: Stack(*layers).wrap(app, waive=("corp-blocks-cors", "measure-outermost", "set-inside-read"))


SET = Headers(set={"X-Set": "1"})
ALL = (Timing(), SecurityHeaders(), CORS(allow_origins="*"), SET, Compress(minimum_size=0))
AROUND = {
    **{f"stack of {name}": of(*LAYERS[name][0]) for name in LAYERS if "hooks" not in name},
    "all built-in": of(*ALL),
    "all built-in, and one that watches": of(Witness(seen=[]), *ALL),
    "all built-in, on_error=raise": lambda app: Stack(*ALL).wrap(app, on_error="raise", waive="corp-blocks-cors"),
    "one that watches, on_error=raise": lambda app: Stack(Witness(seen=[])).wrap(app, on_error="raise"),
    "another library's": of(External(passing)),
    "another library's, that wraps start_response": of(Witness(seen=[]), External(closing), SET),
    "another library's, around one that watches": of(External(closing), Witness(seen=[])),
    "nested": lambda app: Stack(SET).wrap(Stack(Timing()).wrap(app)),
    "nested in one that watches": lambda app: Stack(Witness(seen=[])).wrap(Stack(SET).wrap(app)),
    "nested in one that transforms": lambda app: Stack(Undeclared()).wrap(Stack(SET).wrap(app)),
    "nested in one that waits": lambda app: Stack(Upper()).wrap(Stack(SET).wrap(app)),
    "watches nested in one that watches": lambda app: Stack(Witness(seen=[]).named("outer")).wrap(
        Stack(Witness(seen=[])).wrap(app)
    ),
    "watches nested in one that raises": lambda app: Stack(SET).wrap(
        Stack(Witness(seen=[])).wrap(app, on_error="raise", waive="corp-blocks-cors"), on_error="raise"
    ),
    "conditions": of(SET.when(match.path("/")), Witness(seen=[]).when(match.method("GET"))),
    "a condition that fails": of(SET, Witness(seen=[]).when(failing_condition)),
    "alone": lambda app: Headers(app, set={"X-Set": "1"}),
    "alone, watching": lambda app: Witness(app, seen=[]),
    "alone, transforming": Upper,
    "alone, encoding": lambda app: Gzip(app, minimum_size=0),
    "alone, in each other": lambda app: Timing(Witness(Gzip(Upper(app)), seen=[])),
    "an answer that fails": of(SET, Answers(), SET),
    **{
        f"fails in {where}, {name}": (lambda app, where=where, wrap=wrap: wrap(Fails(where=where), app))
        for where in ("on_request", "on_response", "feed", "on_close", "on_close, again")
        for name, wrap in {
            "alone": lambda layer, app: layer.wrap(app),
            "stack": lambda layer, app: Stack(SET, layer, Timing()).wrap(app, waive="measure-outermost"),
            "inside one that watches": lambda layer, app: Stack(Witness(seen=[]), layer).wrap(app),
            "outside one that watches": lambda layer, app: Stack(layer, Witness(seen=[])).wrap(app),
        }.items()
    },
}
WRAPPED = {}


def run(wrapped, environ, watched, *, stop_after=None, sends_early=False):
    """Be a server that keeps nothing. With `sends_early` it has sent the head once it has one."""
    heads = []

    def begin(status, headers, exc_info=None):
        try:
            if exc_info and (sends_early and heads):
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None
        heads.append(status)
        return len

    result = None
    try:
        result = wrapped(environ, begin)
        with suppress(TypeError):
            watched.add("body", result)
        for count, _ in enumerate(result, 1):
            if count == stop_after:
                break
    except BaseException:  # noqa: BLE001, S110 - a server would log it
        pass
    with suppress(BaseException):
        getattr(result, "close", int)()


def made(around):
    """The application inside, made once: it runs the one that the request names."""
    if around not in WRAPPED:

        def app(environ, start_response):
            watched, name = environ["test.watched"], environ["test.app"]
            local = watched.add("local", Thing())
            return APPS[name](environ, start_response, local)

        WRAPPED[around] = AROUND[around](app)
    return WRAPPED[around]


def left(around, app, *, method="GET", **options):
    """What is alive after a request."""
    watched = Watched()
    keys = {"HTTP_ACCEPT_ENCODING": "gzip", "HTTP_ORIGIN": "https://app.example"}
    environ = watched.add("environ", Environ(request_environ(method=method, **keys)))
    environ["test.watched"], environ["test.app"], environ["test.held"] = watched, app, watched.add("held", Thing())
    run(made(around), environ, watched, **options)
    del environ
    return watched.alive()


@pytest.fixture(autouse=True)
def _no_collector(caplog):
    caplog.set_level("CRITICAL", logger="middleware")  # a record leads to the traceback, and pytest keeps it
    for around in AROUND:
        made(around)
    gc.disable()
    yield
    gc.enable()


WAYS = {
    "GET": {},
    "HEAD": {"method": "HEAD"},
    "a client that leaves": {"stop_after": 1},
    "a server that sends heads at once": {"sends_early": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("around", AROUND)
def test_nothing_is_left_for_the_collector(around, way):
    """Of none of the applications, which fail wherever an application can."""
    kept = {app: alive for app in APPS if (alive := left(around, app, **WAYS[way]))}
    assert kept == {}


def test_what_would_be_left_is_seen():
    """The applications and the server keep nothing by themselves, and a cycle is noticed."""

    def keeps(app):
        def run(environ, start_response):
            environ["test.cycle"] = environ
            return app(environ, start_response)

        return run

    AROUND["nothing"], AROUND["a cycle"] = passing, keeps
    try:
        assert {app: alive for app in APPS if (alive := left("nothing", app))} == {}
        assert left("a cycle", "sized") == ["environ 0", "held 1"]
    finally:
        del AROUND["nothing"], AROUND["a cycle"]


@pytest.mark.parametrize("around", ["alone, watching", "stack of witness", "all built-in, and one that watches"])
def test_an_error_that_an_application_tells_of_is_released_where_a_layer_watches(around):
    """Elsewhere it is left: the cycle is the application's own, and an ordinary list is not watched for it."""
    APPS["tells_of_an_error"] = tells_of_an_error
    try:
        assert left(around, "tells_of_an_error") == []
    finally:
        del APPS["tells_of_an_error"]


# -- until then ------------------------------------------------------------------------------------------------------


def lines_of(error):
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def failing(environ, start_response):
    raise ValueError("in the application")


def test_the_exception_has_its_traceback_until_the_response_is_closed_and_stays_in_environ_without_it():
    environ = request_environ()
    result = Stack(SET).wrap(failing)(environ, lambda *head: len)
    error = environ[EXCEPTION]
    assert "in failing" in lines_of(error)
    assert list(result) == [b"Internal Server Error\n"]
    assert "in failing" in lines_of(error)
    result.close()
    assert environ[EXCEPTION] is error
    assert (str(error), error.__traceback__) == ("in the application", None)


class Reports(Middleware):
    """Keeps the traceback of what it is told of."""

    def __init__(self, app=None, /, *, told):
        super().__init__(app)
        self.told = told

    def on_close(self, environ, error):
        self.told.append((error is environ.get(EXCEPTION), lines_of(error)))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda told: Stack(Reports(told=told), SET).wrap(failing),
        lambda told: Stack(SET, Reports(told=told)).wrap(failing),
        lambda told: Stack(Reports(told=told)).wrap(Stack(SET).wrap(failing)),
        lambda told: Stack(Reports(told=told)).wrap(Stack(Witness(seen=[])).wrap(failing)),
        lambda told: Stack(Reports(told=told)).wrap(Stack(SET).wrap(Stack(Witness(seen=[])).wrap(failing))),
        lambda told: Stack(Reports(told=told), External(passing), Witness(seen=[])).wrap(failing),
        lambda told: Stack(Reports(told=told)).wrap(stack("hooks").wrap(Stack(Witness(seen=[])).wrap(failing))),
    ],
    ids=["outermost", "innermost", "nested", "nested, watching", "nested twice", "external", "hooks"],
)
def test_every_on_close_finds_the_traceback(wrap):
    """Of an outer stack too, whose turn comes when the inner one is closed already."""
    told = []
    environ = request_environ()
    result = wrap(told)(environ, lambda *head: len)
    b"".join(result)
    result.close()
    assert [(same, "in failing" in lines) for same, lines in told] == [(True, True)]
    assert environ[EXCEPTION].__traceback__ is None


def test_a_chain_of_exceptions_that_leads_to_itself_ends():
    def app(environ, start_response):
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    environ = request_environ()
    result = Stack(SET).wrap(app)(environ, lambda *head: len)
    result.close()
    assert environ[EXCEPTION].__traceback__ is environ[EXCEPTION].__cause__.__traceback__ is None


def raised(error):
    try:
        raise error
    except type(error):
        return error


def test_the_exceptions_of_a_group_are_released():
    class Group(Exception):
        def __init__(self, *exceptions):
            super().__init__()
            self.exceptions = exceptions

    class Odd(Exception):
        exceptions = 5

    def app(environ, start_response):
        raise Group(raised(ValueError()), raised(Odd()))

    environ = request_environ()
    result = Stack(SET).wrap(app)(environ, lambda *head: len)
    result.close()
    assert [error.__traceback__ for error in environ[EXCEPTION].exceptions] == [None, None]


def test_what_stands_under_the_key_may_be_no_exception():
    def app(environ, start_response):
        environ[EXCEPTION] = "an error, in words"
        start(start_response)
        return [b"one"]

    environ = request_environ()
    result = Witness(app, seen=[])(environ, lambda *head: len)
    result.close()
    assert environ[EXCEPTION] == "an error, in words"

"""Hooks beside Flask: random programs of hooks, run by both, answer alike, and call the same functions in the same order.

A program is data: what the view does, and what each hook does. Both sides run it by the same functions, each with its
own `g`, `abort`, `make_response` ... Flask has it as views of an application and of a blueprint, Hooks around a plain
WSGI application.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import flask
import pytest
import werkzeug
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import serve
from middleware import Hooks
from middleware import hooks as ours
from middleware.hooks import HTTPException

NAMES = ("abort", "after_this_request", "g", "jsonify", "make_response", "request", "has_request_context")


class Mine(Exception):
    """What views and hooks raise."""


class More(Mine):
    """A kind of it."""


class Act(NamedTuple):
    """What a function does: note that it was called, some effects, and in the end one thing that decides."""

    end: tuple[Any, ...]
    effects: tuple[tuple[Any, ...], ...] = ()


class Hook(NamedTuple):
    """A function, and how it is registered: for all requests, or for those of the blueprint."""

    kind: Any  # "before", "after", "teardown", or what an errorhandler is for
    act: Act
    within: bool = False


@dataclass
class Program:
    """Everything about one request."""

    view: Act
    hooks: list[Hook] = field(default_factory=list)
    path: str = "/x"
    method: str = "GET"


# -- what functions do, on both sides ----------------------------------------------------------------------------------


class Side:
    """One of the two, with its own names."""

    def __init__(self, names: Any) -> None:
        self.names = SimpleNamespace(**{name: getattr(names, name) for name in NAMES})
        self.seen: list[Any] = []

    def function(self, name: str, act: Act) -> Any:
        """The function that does it; it gets the response or the error, if any."""

        def run(given: Any = None, **_: Any) -> Any:
            self.seen.append((name, said(given)))
            for what, *rest in act.effects:
                EFFECTS[what](self, given, *rest)
            what, *rest = act.end
            return ENDS[what](self, given, *rest)

        return run

    def chunks(self, *chunks: Any) -> Any:
        """A stream that says when it is asked."""
        for chunk in chunks:
            self.seen.append(("chunk", chunk))
            yield chunk


def said(given: Any) -> Any:
    """What a function was given, in words that hold on both sides."""
    if isinstance(given, BaseException):
        original = getattr(given, "original_exception", None)
        return type(given).__name__, getattr(given, "code", None), type(original).__name__
    return None if given is None else (given.status_code, given.mimetype)


def unworded(page: bytes) -> bytes:
    """The page of an error without what each side says in words of its own."""
    return re.sub(rb"<p>.*</p>", b"<p></p>", page, flags=re.DOTALL)


def note(side: Side, given: Any, name: str) -> None:
    g = side.names.g
    side.seen.append(("g", name, g.get(name), name in g))


def afterwards(side: Side, given: Any, name: str, act: Act) -> None:
    side.names.after_this_request(side.function(name, act))


EFFECTS = {
    "set g": lambda side, given, name, value: setattr(side.names.g, name, value),
    "read g": note,
    "pop g": lambda side, given, name: side.names.g.pop(name, None),
    "read request": lambda side, given: side.seen.append(
        (side.names.request.path, side.names.request.method, side.names.request.args.get("q"))
    ),
    "after this": afterwards,
    # of a response
    "set header": lambda side, given, name, value: given.headers.set(name, value),
    "add header": lambda side, given, name, value: given.headers.add(name, value),
    "drop header": lambda side, given, name: given.headers.pop(name, None),
    "cookie": lambda side, given, name: given.set_cookie(name, "v", max_age=60, httponly=True),
    "status": lambda side, given, code: setattr(given, "status_code", code),
    "add data": lambda side, given, data: given.set_data(given.get_data() + data),
    "set data": lambda side, given, data: given.set_data(data),
    "mimetype": lambda side, given, kind: setattr(given, "mimetype", kind),
    "read data": lambda side, given: side.seen.append(unworded(given.get_data())),
    "chunks": lambda side, given, *chunks: setattr(given, "response", side.chunks(*chunks)),
    "on close": lambda side, given, name: given.call_on_close(lambda: side.seen.append(("closed", name))),
}


def fail(error: type[Exception]) -> Any:
    raise error("text")


ENDS = {
    "return": lambda side, given, value: value,
    "given": lambda side, given: given,
    "json": lambda side, given, value: side.names.jsonify(value),
    "make": lambda side, given, *values: side.names.make_response(*values),
    "stream": lambda side, given, *chunks: side.chunks(*chunks),
    "raise": lambda side, given, error: fail(error),
    "abort": lambda side, given, code: side.names.abort(code, "Told why."),
    "abort with": lambda side, given, *values: side.names.abort(side.names.make_response(*values)),
}


# -- the two sides -----------------------------------------------------------------------------------------------------


def registered(side: Side, app: Any, scope: Any, hooks: list[Hook]) -> None:
    for number, hook in enumerate(hooks):
        to, name = (scope if hook.within else app), f"{hook.kind} {number}"
        function = side.function(name, hook.act)
        if hook.kind in ("before", "after", "teardown"):
            getattr(to, f"{hook.kind}_request")(function)
        else:
            to.register_error_handler(getattr(ours, "HTTPException") if side.names.abort is ours.abort and hook.kind == "HTTPException" else (flask_http if hook.kind == "HTTPException" else hook.kind), function)


flask_http = flask.typing.__dict__.get("HTTPException") or __import__("werkzeug.exceptions").exceptions.HTTPException


def by_flask(program: Program) -> tuple[Any, list[Any]]:
    side = Side(flask)
    app, blueprint = flask.Flask("program"), flask.Blueprint("within", "program", url_prefix="/bp")
    view = side.function("view", program.view)
    for to in (app, blueprint):
        to.add_url_rule("/x", "view", view, methods=["GET", "POST"])
    registered(side, app, blueprint, program.hooks)
    app.register_blueprint(blueprint)
    return serve(app.wsgi_app, program.path, program.method, QUERY_STRING="q=1"), side.seen


def by_hooks(program: Program) -> tuple[Any, list[Any]]:
    side = Side(ours)
    hooks = Hooks(teardown="flask")
    view = side.function("view", program.view)

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] not in ("/x", "/bp/x"):
            ours.abort(404)
        made = ours.make_response(view())
        return served(made, environ["REQUEST_METHOD"])(environ, start_response)

    registered(side, hooks, hooks.scope("/bp"), program.hooks)
    return serve(hooks.wrap(app), program.path, program.method, QUERY_STRING="q=1"), side.seen


def served(made: Any, method: str) -> Any:
    """The view's response by Werkzeug, as the plain application that it is."""
    body = made.response if made.is_sequence else made.iter_encoded()
    return werkzeug.Response(body, made.status, made.headers.items())


def outcome(answer: Any, seen: list[Any]) -> dict[str, Any]:
    """What is compared. The pages of errors are worded by each side."""
    page = unworded(answer.body)
    paged = page != answer.body or (answer.status >= "4" and not answer.body)
    headers = [(name.lower(), re.sub("Expires=.*?GMT", "Expires=", value)) for name, value in answer.headers]
    return {
        "status": re.sub(r"\W+", " ", answer.status),
        "headers": sorted(line for line in headers if not (paged and line[0] == "content-length")),
        "body": page,
        "error": type(answer.error).__name__,
        "seen": seen,
    }


# -- programs ----------------------------------------------------------------------------------------------------------

codes = st.sampled_from([400, 403, 404, 410, 500, 503])
errors = st.sampled_from([Mine, More, KeyError])
values = st.sampled_from(
    [
        "text",
        b"bytes",
        "",
        {"a": 1},
        [1, "b"],
        ("text", 201),
        ("text", 404),
        ("text", "202 Odd"),
        ("text", {"X-Own": "1"}),
        ("text", 203, [("X-Own", "1"), ("X-Own", "2")]),
        ({"a": 1}, 500, {"Content-Type": "application/problem+json"}),
    ]
)
bare = st.sampled_from([("", 204), ("text", 204), ("text", 304), ({"a": 1}, 304)])
names = st.sampled_from(["a", "b"])
chunks = st.lists(st.sampled_from(["one", "two", b"three", ""]), max_size=3)


def act(ends: Any, effects: Any) -> Any:
    return st.builds(Act, ends, st.lists(effects, max_size=3).map(tuple))


def made(what: str, *parts: Any) -> Any:
    return st.tuples(st.just(what), *parts)


answers = st.one_of(
    made("return", values),
    made("json", st.sampled_from([{"b": 1, "a": [None, True]}, "text", 5])),
    values.map(lambda value: ("make", *(value if isinstance(value, tuple) else (value,)))),
    chunks.map(lambda some: ("stream", *some)),
)
stops = st.one_of(
    made("raise", errors),
    made("abort", codes),
    values.map(lambda value: ("abort with", *(value if isinstance(value, tuple) else (value,)))),
)
wrong = made("return", st.sampled_from([5, ("text", 1, 2, 3), object()]))
of_g = st.one_of(
    made("set g", names, st.integers(0, 3)), made("read g", names), made("pop g", names), made("read request")
)
of_response = st.one_of(
    made("set header", st.sampled_from(["X-A", "x-a", "X-B", "Content-Type"]), st.sampled_from(["1", "text/css"])),
    made("add header", st.sampled_from(["X-A", "Vary"]), st.sampled_from(["1", "Cookie"])),
    made("drop header", st.sampled_from(["X-A", "Content-Type"])),
    made("cookie", names),
    made("status", st.sampled_from([200, 201, 204, 304, 404, 500])),
    made("add data", st.sampled_from([b"", b"|more"])),
    made("set data", st.sampled_from([b"", b"other", "text"])),
    made("mimetype", st.sampled_from(["application/json", "text/css"])),
    made("read data"),
    chunks.map(lambda some: ("chunks", *some)),
    made("on close", names),
)
after = act(st.one_of(st.just(("given",)), st.just(("given",)), made("make", values.filter(lambda v: not isinstance(v, tuple))), stops), st.one_of(of_g, of_response))
of_request = st.one_of(of_g, st.tuples(st.just("after this"), names, after))
before = act(st.one_of(st.just(("return", None)), st.just(("return", None)), answers, made("return", bare), stops, wrong), of_request)
handler = act(st.one_of(answers, answers, answers, made("return", bare), stops, wrong, st.just(("given",))), of_request)
kinds = st.one_of(codes, errors, st.sampled_from([Exception, "HTTPException"]))
hook = st.one_of(
    st.builds(Hook, st.just("before"), before, st.booleans()),
    st.builds(Hook, st.just("after"), after, st.booleans()),
    st.builds(Hook, st.just("after"), after, st.booleans()),
    st.builds(Hook, st.just("teardown"), act(st.just(("return", None)), of_g), st.booleans()),
    st.builds(Hook, kinds, handler, st.booleans()),
)
programs = st.builds(
    Program,
    act(st.one_of(answers, answers, stops, wrong, st.just(("return", None))), of_request),
    st.lists(hook, max_size=8),
    st.sampled_from(["/x", "/bp/x", "/bp/x", "/nowhere"]),
    st.sampled_from(["GET", "GET", "POST", "HEAD"]),
)


@given(programs)
@settings(max_examples=600, deadline=None, derandomize=True, database=None)
def test_hooks_do_what_flask_does(program):
    assert outcome(*by_hooks(program)) == outcome(*by_flask(program))

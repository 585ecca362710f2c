"""Hooks beside Flask: random programs of hooks, run by both, answer alike and call the same functions in one order.

A program is data: what the view does, and what each hook does. Both sides run it by the same functions, each with its
own `g`, `abort`, `make_response` ... Flask has it as views of an application and of a blueprint, Hooks around a plain
WSGI application.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import flask
import pytest
import werkzeug.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import serve
from middleware import Hooks
from middleware import hooks as ours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def __init__(self, names: Any, http: type[Exception]) -> None:
        self.http = http
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


def streamed(side: Side, given: Any, *chunks: Any) -> None:
    side.seen.append(("streams",))
    given.response = side.chunks(*chunks)


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
    "read data": lambda side, given: side.seen.append(("data", unworded(given.get_data()))),
    "chunks": streamed,
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
            to.register_error_handler(side.http if hook.kind == "HTTPException" else hook.kind, function)


def by_flask(program: Program) -> tuple[Any, list[Any]]:
    side = Side(flask, werkzeug.exceptions.HTTPException)
    app, blueprint = flask.Flask("program"), flask.Blueprint("within", "program", url_prefix="/bp")
    view = side.function("view", program.view)
    for to in (app, blueprint):
        to.add_url_rule("/x", "view", view, methods=["GET", "POST"])
    registered(side, app, blueprint, program.hooks)
    app.register_blueprint(blueprint)
    return serve(app.wsgi_app, program.path, program.method, lint=False, QUERY_STRING="q=1"), side.seen


def by_hooks(program: Program) -> tuple[Any, list[Any]]:
    side = Side(ours, ours.HTTPException)
    hooks = Hooks(teardown="flask")
    view = side.function("view", program.view)

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] not in ("/x", "/bp/x"):
            ours.abort(404)
        made = ours.make_response(view())
        return served(made)(environ, start_response)

    registered(side, hooks, hooks.scope("/bp"), program.hooks)
    return serve(hooks.wrap(app), program.path, program.method, lint=False, QUERY_STRING="q=1"), side.seen


def served(made: Any) -> Any:
    """What a view answers, as a plain application."""
    body = made.response if made.is_sequence else made.iter_encoded()
    return werkzeug.Response(body, made.status, made.headers.items())


def outcome(answer: Any, seen: list[Any]) -> dict[str, Any]:
    """What is compared. Each side has words of its own for reason phrases and for the pages of errors."""
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
    made("drop header", st.sampled_from(["X-A", "X-B"])),
    made("cookie", names),
    made("status", st.sampled_from([200, 201, 204, 304, 404, 500])),
    made("add data", st.sampled_from([b"", b"|more"])),
    made("set data", st.sampled_from([b"", b"other", "text"])),
    made("mimetype", st.sampled_from(["application/json", "text/css"])),
    made("read data"),
    chunks.map(lambda some: ("chunks", *some)),
    made("on close", names),
)
after = act(
    st.one_of(
        st.just(("given",)), st.just(("given",)), made("make", values.filter(lambda v: not isinstance(v, tuple))), stops
    ),
    st.one_of(of_g, of_response),
)
of_request = st.one_of(of_g, st.tuples(st.just("after this"), names, after))
before = act(
    st.one_of(st.just(("return", None)), st.just(("return", None)), answers, made("return", bare), stops, wrong),
    of_request,
)
handler = act(st.one_of(answers, answers, answers, made("return", bare), stops, wrong, st.just(("given",))), of_request)
kinds = st.one_of(codes, errors, st.sampled_from([Exception, "HTTPException"]))
hook = st.one_of(
    st.builds(Hook, st.just("before"), before, st.booleans()),
    st.builds(Hook, st.just("after"), after, st.booleans()),
    st.builds(Hook, st.just("after"), after, st.booleans()),
    st.builds(Hook, st.just("teardown"), act(st.just(("return", None)), of_g), st.booleans()),
    st.builds(Hook, kinds, handler, st.booleans()),
)
# What shows that a response to HEAD has lost its content, or the length of a page in words of one side.
NOT_WITH_HEAD = {"read data", "add data", "status"}


def effects(program: Program) -> Iterator[str]:
    """What the functions of a program do, those of after_this_request too."""
    acts = [program.view, *(hook.act for hook in program.hooks)]
    for act in acts:
        acts += [effect[2] for effect in act.effects if effect[0] == "after this"]
        yield from (effect[0] for effect in act.effects)


programs = st.builds(
    Program,
    act(st.one_of(answers, answers, stops), of_request),
    st.lists(hook, max_size=8),
    st.sampled_from(["/x", "/bp/x", "/bp/x", "/nowhere"]),
    st.sampled_from(["GET", "GET", "POST", "HEAD"]),
).filter(lambda program: program.method != "HEAD" or not NOT_WITH_HEAD & {*effects(program)})


@given(programs)
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
def test_hooks_do_what_flask_does(program):
    one, other = outcome(*by_hooks(program)), outcome(*by_flask(program))
    assert without(one, other, *ALLOWED) == without(other, other, *ALLOWED)


# -- what is different -------------------------------------------------------------------------------------------------


def without(one: dict[str, Any], flasks: dict[str, Any], *differences: Callable[..., Any]) -> dict[str, Any]:
    """An outcome less what may differ from Flask's."""
    for difference in differences:
        one = difference(one, flasks)
    return one


def lengths_that_lie(one: dict[str, Any], flasks: dict[str, Any]) -> dict[str, Any]:
    """No Content-Length of a body that a stream has taken the place of.

    Werkzeug sends the old one: Response.response is "the data", and get_wsgi_headers keeps a length that is there
    (werkzeug/wrappers/response.py).
    """
    streams = ("streams",) in flasks["seen"]
    return {**one, "headers": [line for line in one["headers"] if not (streams and line[0] == "content-length")]}


def responses_that_are_not_sent(one: dict[str, Any], flasks: dict[str, Any]) -> dict[str, Any]:
    """A response that another has taken the place of is closed.

    Flask drops it: process_response returns what the last function did, and nobody closes the rest (flask/app.py).
    """
    return {**one, "seen": [what for what in one["seen"] if what[0] != "closed"]}


ALLOWED = (lengths_that_lie, responses_that_are_not_sent)


class Difference(NamedTuple):
    """A program for which the two differ on purpose, and in what. The random programs have none like it."""

    why: str
    source: str
    program: Program
    ours: dict[str, Any]
    flasks: dict[str, Any]


NOTHING = Act(("return", None))
GIVEN = Act(("given",))
DIFFERENCES = [
    Difference(
        "an after_request hook that returns no response is a 500 of its own, not the server's error",
        "flask/app.py, wsgi_app: the response is called outside of the handlers",
        Program(Act(("return", "text")), [Hook("after", NOTHING)]),
        {"status": "500 INTERNAL SERVER ERROR", "error": "NoneType"},
        {"status": "", "error": "TypeError"},
    ),
    Difference(
        "all teardown hooks run, also after one that has failed",
        "flask/app.py, do_teardown_request: a plain loop (3.1)",
        Program(Act(("return", "text")), [Hook("teardown", NOTHING), Hook("teardown", Act(("raise", Mine)))]),
        {"seen": [("view", None), ("teardown 1", None), ("teardown 0", None)]},
        {"seen": [("view", None), ("teardown 1", None)]},
    ),
    Difference(
        "a view that returns no response is an application that raises, and what it raises is handled",
        "flask/app.py, full_dispatch_request: finalize_request stands outside of handle_user_exception",
        Program(NOTHING, [Hook(TypeError, Act(("return", "handled")))]),
        {"status": "200 OK", "body": b"handled"},
        {"status": "500 INTERNAL SERVER ERROR"},
    ),
    Difference(
        "a scope is known by its prefix, so that its hooks run where the application has no route as well",
        "flask.palletsprojects.com/blueprints, Blueprint Error Handlers: routing comes before the blueprint is known",
        Program(Act(("return", "text")), [Hook("before", NOTHING, within=True)], "/bp/nowhere"),
        {"seen": [("before 0", None)]},
        {"seen": []},
    ),
    Difference(
        "an application has dropped the content of its response to HEAD before hooks see that",
        "werkzeug/wrappers/response.py, get_app_iter: Flask drops it last",
        Program(Act(("return", "text")), [Hook("after", Act(("given",), (("read data",),)))], method="HEAD"),
        {"seen": [("view", None), ("after 0", (200, "text/html")), ("data", b"")]},
        {"seen": [("view", None), ("after 0", (200, "text/html")), ("data", b"text")]},
    ),
    Difference(
        "an application has finished a 304 before hooks see it",
        "werkzeug/wrappers/response.py, get_wsgi_headers: Flask takes the fields of content out last",
        Program(Act(("return", ("text", 304))), [Hook("after", GIVEN)]),
        {"seen": [("view", None), ("after 0", (304, None))]},
        {"seen": [("view", None), ("after 0", (304, "text/html"))]},
    ),
    Difference(
        "the response that abort was given stays what it is",
        "flask/app.py, make_response: force_type runs it, and gives what has no Content-Type another",
        Program(Act(("abort with", "text", 304)), [Hook("after", GIVEN)], method="POST"),
        {"seen": [("view", None), ("after 0", (304, "text/html"))]},
        {"seen": [("view", None), ("after 0", (304, "text/plain"))]},
    ),
    Difference(
        "a stream that takes the place of bytes has no length",
        "werkzeug/wrappers/response.py, get_wsgi_headers: a length that is there is kept",
        Program(Act(("return", "text")), [Hook("after", Act(("given",), (("chunks", "one"),)))]),
        {"headers": [("content-type", "text/html; charset=utf-8")]},
        {"headers": [("content-length", "4"), ("content-type", "text/html; charset=utf-8")]},
    ),
    Difference(
        "a response that is not sent is closed",
        "flask/app.py, process_response: only the last is returned",
        Program(
            Act(("return", "text")),
            [Hook("after", Act(("make", "new"))), Hook("after", Act(("given",), (("on close", "a"),)))],
        ),
        {"seen": [("view", None), ("after 1", (200, "text/html")), ("after 0", (200, "text/html")), ("closed", "a")]},
        {"seen": [("view", None), ("after 1", (200, "text/html")), ("after 0", (200, "text/html"))]},
    ),
]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.why)
def test_what_is_different_is_so_on_purpose(difference):
    one, other = outcome(*by_hooks(difference.program)), outcome(*by_flask(difference.program))
    assert {name: one[name] for name in difference.ours} == difference.ours
    assert {name: other[name] for name in difference.flasks} == difference.flasks

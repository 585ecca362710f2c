"""What layers leave in environ: under keys `middleware.*`, a str or one opaque object, so that tools can walk it."""

from __future__ import annotations

import gzip
import io
import json
import pprint
from collections import UserString
from collections.abc import Iterable, Mapping

import pytest
import webob

from gateway import environ as request_environ
from gateway import serve
from layers_under_test import LAYERS, request
from middleware import CORS, NONCE, Compress, Headers, Middleware, SecurityHeaders, Stack, Timing

REQUESTS = {
    "plain": {},
    "encoded, of another origin": {"HTTP_ACCEPT_ENCODING": "br, gzip", "HTTP_ORIGIN": "https://app.example"},
    "conditional": {
        "HTTP_ACCEPT_ENCODING": "gzip",
        "HTTP_IF_NONE_MATCH": '"a-gzip"',
        "HTTP_IF_RANGE": '"a-gzip"',
        "HTTP_RANGE": "bytes=0-1",
        "HTTP_IF": '(["a-gzip"])',
    },
    "preflight": {
        "REQUEST_METHOD": "OPTIONS",
        "HTTP_ORIGIN": "https://app.example",
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "PUT",
    },
}
OF_CGI = {"REMOTE_USER", "AUTH_TYPE"}  # BasicAuth says who it is as a server would (RFC 3875 4.1)
NUMBERS = {"middleware.bytes_sent", "middleware.status"}  # documented as int or None
STACKS = {
    **{name: (lambda name=name: Stack(*LAYERS[name][0])) for name in LAYERS if "hooks" not in name},
    "timing in timing": lambda: Stack(Timing(layers=True), Timing(on_complete=lambda measured: None, metric="in")),
    "a nonce": lambda: Stack(SecurityHeaders(csp=f"script-src {NONCE}")),
    "all": lambda: Stack(
        Timing(layers=True, on_complete=lambda measured: None),
        SecurityHeaders(preset="strict", corp="cross-origin"),
        CORS(allow_origins="*"),
        Headers(set={"X-Set": "1"}),
        Compress(minimum_size=0),
    ),
}
WAIVED = ("measure-outermost", "set-inside-read", "unique")


def is_opaque(value):
    """No container that a tool would walk into; a UserString counts as a str."""
    return isinstance(value, (str, UserString)) or not isinstance(value, (Mapping, Iterable, tuple, list, set))


def leads_to(value, target, depth=6):
    """Whether attributes and containers of a value lead to the target."""
    if value is target:
        return True
    if depth == 0 or isinstance(value, (str, bytes, int, float, type(None), type)) or callable(value):
        return False
    inside = []
    if isinstance(value, Mapping):
        inside += [*value.values()]
    elif isinstance(value, (list, tuple, set)):
        inside += [*value]
    else:
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        inside += [*getattr(value, "__dict__", {}).values()]
        inside += [getattr(value, name) for name in names if name != "__weakref__" and hasattr(value, name)]
    return any(leads_to(each, target, depth - 1) for each in inside)


def faults(environ, before):
    """What is wrong with what was left there."""
    for key in environ.keys() - before:
        if not isinstance(key, str) or not (key.startswith("middleware.") or key in OF_CGI):
            yield f"the key {key!r}"
            continue
        value = environ[key]
        if key not in NUMBERS and not is_opaque(value):
            yield f"{key}: a {type(value).__name__} is open"
        if leads_to(value, environ):
            yield f"{key}: leads back to environ"
    try:
        json.dumps(environ, default=str)
        repr(environ)
        pprint.pformat(environ)
        sorted(environ)
    except (TypeError, ValueError) as error:
        yield repr(error)


def found(wrap, **keys):
    """The faults inside of the layers, in each on_close, and when all is over."""
    seen = {"inside": ["never asked"], "closing": ["never asked"]}
    environ = request_environ(**keys)
    before = {*environ}

    class Last(Middleware):
        """Outermost: told last."""

        def on_close(self, environ, error):
            seen["closing"] = [*faults(environ, before)]

    def app(environ, start_response):
        seen["inside"] = [*faults(environ, before)]
        start_response("200 OK", [("Content-Type", "text/plain"), ("ETag", '"a"')])
        return [b"content" * 200]

    result = Last().wrap(wrap(app))(environ, lambda *head: len)
    b"".join(result)
    getattr(result, "close", int)()
    if environ["REQUEST_METHOD"] == "OPTIONS":
        del seen["inside"]  # CORS has answered, or not
    return {**seen, "after": [*faults(environ, before)]}


@pytest.mark.parametrize("request_of", REQUESTS)
@pytest.mark.parametrize("name", STACKS)
def test_what_a_stack_leaves_in_environ_is_a_str_or_one_opaque_object(name, request_of):
    left = found(lambda app: STACKS[name]().wrap(app, waive=WAIVED), **{**request(name), **REQUESTS[request_of]})
    assert {when: what for when, what in left.items() if what} == {}


@pytest.mark.parametrize("name", STACKS)
def test_what_an_error_leaves_there_is_one_object(name, caplog):
    """Its traceback leads to environ until the response is closed, as every traceback does; attributes do not."""
    caplog.set_level("CRITICAL", logger="middleware")
    environ = request_environ(**request(name))
    before = {*environ}

    def app(environ, start_response):
        raise ValueError("in the application")

    result = STACKS[name]().wrap(app, waive=WAIVED)(environ, lambda *head: len)
    assert [*faults(environ, before)] == []
    b"".join(result)
    result.close()
    assert [*faults(environ, before)] == []


@pytest.mark.parametrize("name", LAYERS)
def test_applications_of_webob_read_the_body_that_middleware_of_webob_has_read(name):
    """WebOb notes there that it can rewind wsgi.input, and does so for each request."""
    read = []

    def app(environ, start_response):
        read.append(webob.Request(environ).body)
        return webob.Response()(environ, start_response)

    layered = Stack(*LAYERS[name][0]).wrap(app, waive=WAIVED, on_error="raise")

    def middleware(environ, start_response):
        read.append(webob.Request(environ).body)
        return layered(environ, start_response)

    coded = {"HTTP_CONTENT_ENCODING": "gzip"} if "decompress" in name else {}
    sent = gzip.compress(b"content") if coded else b"content"
    keys = {**request(name), **coded, "wsgi.input": io.BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}
    assert serve(middleware, method="POST", lint=False, **keys).error is None
    assert read == [sent, b"content"]


@pytest.mark.parametrize(
    ("value", "right"),
    [("text", True), (UserString("text"), True), (object(), True), (ValueError("x"), True), ([], False), ({}, False)],
)
def test_what_counts_as_opaque(value, right):
    assert is_opaque(value) is right


@pytest.mark.parametrize(
    "put",
    [
        lambda environ: environ.__setitem__("middleware.open", [1]),
        lambda environ: environ.__setitem__("another.key", "text"),
        lambda environ: environ.__setitem__(object(), "text"),
        lambda environ: environ.__setitem__("middleware.odd", {object(): 1}),
        lambda environ: (
            environ.__setitem__("middleware.cycle", type("Opaque", (), {})())
            or setattr(environ["middleware.cycle"], "environ", environ)
        ),
    ],
    ids=["a list", "a foreign key", "no str", "a dict of objects", "a cycle"],
)
def test_what_would_break_a_tool_is_found(put):
    class Puts(Middleware):
        def on_request(self, environ):
            put(environ)

    assert all(found(Puts().wrap).values())

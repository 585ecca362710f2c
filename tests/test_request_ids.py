"""RequestId: which id a request gets, where it is seen, and until when."""

from __future__ import annotations

import contextlib
import contextvars
import gc
import logging
import re
import threading
import weakref

import pytest

import middleware
from gateway import environ, serve
from middleware import (
    CORS,
    AccessLog,
    ConfigError,
    Headers,
    Hooks,
    HTTPSRedirect,
    Middleware,
    RequestId,
    Stack,
    Timing,
    match,
)
from middleware.logs import RequestIdFilter
from middleware.wsgi.identity import log_extra
from shapes import Body, returning
from shapes import coroutine as predicate

MADE = re.compile(r"[0-9a-f]{32}")


def telling(environ, start_response):
    """Tell the id of the environ and of the context."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Request-Id", "of-the-application")])
    return [f"{environ['middleware.request_id']} {middleware.request_id()}".encode()]


def id_of(app=telling, **request):
    answer = serve(app, **request)
    assert answer.get_all("X-Request-Id") == [answer.body.decode().partition(" ")[0]]
    assert answer.body.decode().partition(" ")[2] == answer.get("X-Request-Id")
    return answer.get("X-Request-Id")


@pytest.mark.parametrize(
    "given",
    ["a", "7f3c-1", "A" * 128, "AZaz09-_.+/=:@", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
)
def test_an_id_that_comes_in_is_taken(given):
    assert id_of(RequestId(telling), HTTP_X_REQUEST_ID=given) == given


@pytest.mark.parametrize(
    "given", ["", "A" * 129, "a b", "a,b", "a, a", "a\n", "a\r\nSet-Cookie: x=1", "<script>", "caf\xe9", "a;b", '"a"']
)
def test_an_id_of_other_characters_or_more_of_them_is_not_taken(given):
    assert MADE.fullmatch(id_of(RequestId(telling), HTTP_X_REQUEST_ID=given, lint=False))


def test_no_id_is_made_twice():
    assert len({id_of(RequestId(telling)) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("accept", "taken"), [(True, True), (False, False), (match.host("a.example"), True), (match.host("b"), False)]
)
def test_whether_an_id_is_taken_is_a_choice(accept, taken):
    """A predicate has to hold certainly."""
    request = {"HTTP_X_REQUEST_ID": "given", "HTTP_HOST": "a.example"}
    assert (id_of(RequestId(telling, accept=accept), **request) == "given") is taken
    below = match.path("/in")
    assert id_of(RequestId(telling, accept=below), path="/in", **request) == "given"
    assert id_of(RequestId(telling, accept=below), path="/in/../out", **request) != "given"


def test_an_id_may_be_made_and_named_otherwise():
    ids = iter(["one", " two "])
    layer = RequestId(telling, header="X-Correlation-Id", generate=lambda: next(ids))
    assert serve(layer).get("X-Correlation-Id") == "one"
    assert serve(layer).get("X-Correlation-Id") == "two"
    assert serve(layer, HTTP_X_CORRELATION_ID="given").get("X-Correlation-Id") == "given"


@pytest.mark.parametrize("made", ["", "a\nb", 7, None, "\u2603"])
def test_an_id_that_no_field_can_have_is_an_error_of_the_request(made, caplog):
    answer = serve(Stack(RequestId(generate=lambda: made)).wrap(telling))
    assert answer.status.startswith("500")
    assert serve(RequestId(telling, generate=lambda: made)).error is not None


def test_without_a_response_field_that_of_the_application_stays():
    answer = serve(RequestId(telling, response=False))
    assert answer.get("X-Request-Id") == "of-the-application"
    assert RequestId(response=False).declared().sets == frozenset()
    assert RequestId(header="X-Id").declared().sets == {"x-id"}


def test_the_response_to_an_error_has_the_id():
    def failing(environ, start_response):
        raise KeyError("gone")

    logging.getLogger("middleware").disabled = True
    try:
        answer = serve(Stack(RequestId(), Headers()).wrap(failing), HTTP_X_REQUEST_ID="given")
    finally:
        logging.getLogger("middleware").disabled = False
    assert (answer.status[:3], answer.get("X-Request-Id")) == ("500", "given")


def test_a_request_that_never_came_has_no_id(caplog):
    """A layer further out has failed: its response is shown to all."""

    class Fails(Middleware):
        def on_request(self, environ):
            raise KeyError("early")

    answer = serve(Stack(Fails(), RequestId()).wrap(telling))
    assert (answer.status[:3], answer.get("X-Request-Id")) == ("500", None)


# -- in the context --------------------------------------------------------------------------------------------------


def test_outside_of_a_request_there_is_no_id():
    assert middleware.request_id() is None
    id_of(RequestId(telling))
    assert middleware.request_id() is None


def test_the_id_holds_until_the_response_is_closed():
    seen = []

    class Asks(Body):
        def __next__(self):
            seen.append(middleware.request_id())
            return super().__next__()

        def close(self):
            seen.append(middleware.request_id())

    def app(environ, start_response):
        start_response("200 OK", [])
        return Asks([b"x"])

    serve(RequestId(app), HTTP_X_REQUEST_ID="given", lint=False)
    assert seen == ["given"] * 3
    assert middleware.request_id() is None


def test_requests_that_overlap_in_one_context_keep_theirs():
    """Closed in the order in which they came, not the other way round."""
    app = RequestId(returning([b"x"])[0])
    first = app(environ(HTTP_X_REQUEST_ID="first"), lambda *head: None)
    second = app(environ(HTTP_X_REQUEST_ID="second"), lambda *head: None)
    first.close()
    assert middleware.request_id() == "second"
    second.close()
    assert middleware.request_id() is None


def test_a_response_may_be_closed_in_another_context():
    app = RequestId(returning([b"x"])[0])

    def run():
        return app(environ(HTTP_X_REQUEST_ID="given"), lambda *head: None), middleware.request_id

    context = contextvars.copy_context()
    body, ask = context.run(run)
    assert (middleware.request_id(), context.run(ask)) == (None, "given")
    thread = threading.Thread(target=body.close)
    thread.start()
    thread.join()
    assert context.run(ask) is None


def test_an_inner_application_has_the_id_of_the_outer_one():
    inner = RequestId(telling, generate=lambda: "inner")
    seen = []

    def app(environ, start_response):
        with contextlib.closing(inner(environ, start_response)) as body:
            chunks = [*body]
        seen.append(middleware.request_id())
        return chunks

    answer = serve(RequestId(app), HTTP_X_REQUEST_ID="given", lint=False)
    assert (answer.body, answer.get_all("X-Request-Id"), seen) == (b"given given", ["given"], ["given"])
    assert middleware.request_id() is None


@pytest.mark.parametrize("inside", [1, 3])
def test_a_request_in_process_leaves_the_id_of_the_request_that_makes_it(inside):
    """The inner request has an environ of its own, as from a test client."""
    seen = []

    def app(environ, start_response):
        for number in range(inside):
            serve(RequestId(telling), HTTP_X_REQUEST_ID=f"inner-{number}")
            seen.append(middleware.request_id())
        return telling(environ, start_response)

    serve(RequestId(app), HTTP_X_REQUEST_ID="given")
    assert seen == ["given"] * inside
    assert middleware.request_id() is None


def test_a_request_in_process_that_makes_another_leaves_the_id_of_the_outermost():
    seen = []

    def app(environ, start_response):
        before, deeper = middleware.request_id(), int(environ["PATH_INFO"][1:])
        if deeper:
            serve(application, f"/{deeper - 1}")
        seen.append((before, middleware.request_id()))
        return telling(environ, start_response)

    application = RequestId(app)
    serve(application, "/3")
    assert [after for _, after in seen] == [before for before, _ in seen]
    assert len({before for before, _ in seen}) == 4


def test_a_request_in_process_may_outlive_the_one_that_makes_it():
    """Neither end shows the id of a closed request, in whichever order they come."""
    inner = RequestId(telling)
    bodies = []

    def app(environ_, start_response):
        bodies.append(inner(environ(HTTP_X_REQUEST_ID="inner"), lambda *head: None))
        return telling(environ_, start_response)

    serve(RequestId(app), HTTP_X_REQUEST_ID="given", lint=False)
    assert middleware.request_id() == "inner"
    bodies.pop().close()
    assert middleware.request_id() is None


def test_responses_that_are_never_closed_are_not_kept():
    """A request keeps none of those before it alive, however many no one has closed."""
    app = RequestId(telling)
    known = []
    for number in range(3):
        app(one := environ(HTTP_X_REQUEST_ID=str(number)), lambda *head: None)
        known.append(weakref.ref(one["middleware.request_id.open"]))
        del one
    gc.collect()
    assert [each() is None for each in known] == [True, True, False]  # the last one is the current one
    serve(app)
    assert middleware.request_id() is None


def test_asynchronous_hooks_see_the_id():
    hooks = Hooks()
    seen = []

    @hooks.before_request
    async def before():
        seen.append(middleware.request_id())

    @hooks.teardown_request
    async def after(error):
        seen.append(middleware.request_id())

    serve(Stack(RequestId(), hooks).wrap(telling), HTTP_X_REQUEST_ID="given")
    assert seen == ["given", "given"]


def test_an_environ_may_be_used_again():
    app = RequestId(telling)
    one = environ()
    for given in ("first", "second"):
        one["HTTP_X_REQUEST_ID"] = given
        body = app(one, lambda *head: None)
        assert b"".join(body).decode() == f"{given} {given}"
        body.close()


def test_a_copy_of_an_environ_may_be_used_again_after_the_request_that_it_was_copied_in():
    """The outer response is closed first, so that its identity is what the copy is left with."""
    app = RequestId(telling)
    one = environ(HTTP_X_REQUEST_ID="first")
    outer = app(one, lambda *head: None)
    copy = one.copy()
    inner = app(copy, lambda *head: None)
    outer.close()
    inner.close()
    copy["HTTP_X_REQUEST_ID"] = "second"
    body = app(copy, lambda *head: None)
    assert b"".join(body) == b"second second"
    body.close()
    assert middleware.request_id() is None


# -- options ---------------------------------------------------------------------------------------------------------


async def coroutine():
    """No id for a request that cannot wait."""


class Awaited:
    """An object whose call returns a coroutine."""

    async def __call__(self): ...


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"header": "X Id"}, "RequestId: header: a field name is a token"),
        ({"header": "Connection"}, "RequestId: header: hop-by-hop"),
        ({"header": "Content-Length"}, "RequestId: header: the server frames the response by it"),
        ({"accept": "yes"}, "RequestId: accept: a bool or a predicate; got 'yes'"),
        ({"accept": predicate}, "RequestId: accept: a bool or a predicate; a coroutine always counts as true"),
        ({"generate": "uuid"}, "RequestId: generate: a callable() -> str"),
        ({"generate": coroutine}, "no coroutine function"),
        ({"generate": Awaited()}, "no coroutine function"),
        ({"response": None}, "RequestId: response: a bool; got None"),
        ({"response": 1, "accept": 1}, "2 options are wrong"),
    ],
)
def test_a_wrong_option_is_an_error(options, said):
    with pytest.raises(ConfigError) as caught:
        RequestId(**options)
    assert said in str(caught.value)


def test_why_an_id_is_not_taken_is_noted_for_those_who_listen():
    notes = []
    serve(RequestId(telling), HTTP_X_REQUEST_ID="a b", **{"middleware.notes": notes})
    serve(RequestId(telling, accept=False), HTTP_X_REQUEST_ID="a", **{"middleware.notes": notes})
    assert notes == [
        "the id in X-Request-Id is not taken: it is not 1 to 128 of A-Z a-z 0-9 - _ . + / = : @, once",
        "the id in X-Request-Id is not taken: accept does not hold",
    ]


def test_what_it_does_is_told():
    assert list(RequestId().describe()) == [
        ("request", "takes the id in X-Request-Id, or makes an id"),
        ("response", "sets X-Request-Id"),
    ]
    layer = RequestId(accept=False, generate=str, response=False)
    assert list(layer.describe()) == [("request", "makes an id with generate")]


# -- log records -----------------------------------------------------------------------------------------------------


@pytest.fixture
def records():
    """The records of a logger, after the filter."""
    found = []
    handler = logging.Handler()
    handler.emit = found.append
    handler.addFilter(RequestIdFilter(default="-"))
    logger = logging.getLogger("site")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def test_the_filter_puts_the_id_on_every_record(records):
    def app(environ, start_response):
        logging.getLogger("site.views").warning("in the request")
        return telling(environ, start_response)

    serve(RequestId(app), HTTP_X_REQUEST_ID="given")
    logging.getLogger("site").warning("outside")
    logging.getLogger("site").warning("its own", extra={"request_id": "own"})
    assert [record.request_id for record in records] == ["given", "-", "own"]


def test_without_a_default_the_id_outside_of_a_request_is_none():
    record = logging.LogRecord("site", logging.INFO, "", 0, "", (), None)
    assert RequestIdFilter().filter(record) is True
    assert record.request_id is None
    assert RequestIdFilter("other").name == "other"


def boom(*_):
    raise RuntimeError("boom")


def hooked(kind):
    hooks = kind()
    hooks.before_request(boom)
    return hooks


FAILING = {
    "Timing": (Timing(on_complete=boom), {}),
    "CORS": (CORS(allow_origins=boom), {"HTTP_ORIGIN": "https://a.example"}),
    "AccessLog": (AccessLog(format=boom, level="CRITICAL"), {}),
    "HTTPSRedirect": (HTTPSRedirect(), {"HTTP_X_FORWARDED_PROTO": "https"}),
    "Hooks": (hooked(Hooks), {}),
    "ContextHooks": (hooked(middleware.ContextHooks), {}),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_the_stack_logs_carries_what_is_known_of_the_request(name, caplog):
    layer, request = FAILING[name]
    serve(Stack(RequestId(), layer).wrap(telling), "/a\nb", HTTP_X_REQUEST_ID="given", **request)
    record = caplog.records[0]
    assert (record.request_id, record.method, record.path, record.layer) == ("given", "GET", "/a\\nb", name)


def test_what_a_record_carries_is_escaped_and_whole():
    told = log_extra({"REQUEST_METHOD": "G\x1bT", "SCRIPT_NAME": "/app", "PATH_INFO": "/\r\n"})
    assert told == {"request_id": None, "method": "G\\x1bT", "path": "/app/\\r\\n", "layer": None}
    assert log_extra({}, "CORS") == {"request_id": None, "method": "", "path": "", "layer": "CORS"}

"""The stack on real servers: what goes over the wire stays in step, and everybody is told how it ended."""

from __future__ import annotations

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import IncompleteRead
from pathlib import Path

import pytest

from middleware import CORS
from serving import Client, Server, Wire, ask, script

SUPPORT = Path(__file__).parent / "support"
GUNICORN = script("gunicorn"), "--bind=127.0.0.1:0", "--keep-alive=60", "--no-control-socket", "served:application"
OWN = sys.executable, str(SUPPORT / "served.py")
COMMANDS = {
    "waitress": (script("waitress-serve"), "--listen=127.0.0.1:0", "--threads=8", "served:application"),
    "gunicorn-sync": GUNICORN,
    "gunicorn-gthread": (*GUNICORN, "--worker-class=gthread", "--threads=8"),
    "cheroot": (*OWN, "cheroot"),
    "wsgiref": (*OWN, "wsgiref"),
}
THREADED = ["waitress", "gunicorn-gthread", "cheroot"]
SIZE = 300_000

every_server = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(scope="session")
def servers():
    """Each server, started when it is first asked for."""
    started: dict[str, Server] = {}
    with ExitStack() as ending:

        def server(name: str) -> Server:
            if name not in started:
                started[name] = Server(*COMMANDS[name], cwd=SUPPORT)
                ending.callback(started[name].close)
            return started[name]

        yield server


def unique() -> str:
    return uuid.uuid4().hex


def events(server: Server, name: str, *wanted: str) -> dict[str, dict]:
    """What was told about a request once all of `wanted` was; each once, also when a later request is through."""
    server.wait(lambda: set(wanted) <= {event["what"] for event in server.events if event["id"] == name})
    later = unique()
    ask(server.port, f"/sized/{later}", X_Id=later)
    server.wait(lambda: any(event["id"] == later and event["what"] == "complete" for event in server.events))
    told = server.told(name)
    assert sorted(event["what"] for event in told) == sorted(wanted)
    return {event["what"]: event for event in told}


# -- in step -----------------------------------------------------------------------------------------------------------

# Who keeps the connection: waitress needs a Content-Length, cheroot a Content-Length or chunks.
ALL, TWO, ONE = {"waitress", "cheroot", "gunicorn-gthread"}, {"cheroot", "gunicorn-gthread"}, {"gunicorn-gthread"}
ERROR = b"Internal Server Error\n"
# method, route, status, body (None: the path), who keeps the connection
SERIES = [
    ("GET", "sized", 200, None, ALL),
    ("HEAD", "sized", 200, b"", ALL),
    ("GET", "unmodified", 304, b"", TWO),
    ("GET", "missing", 404, None, ALL),
    ("GET", "nothing", 204, b"", TWO),
    ("GET", "stream", 200, None, TWO),
    ("HEAD", "stream", 200, b"", ONE),
    ("GET", "early", 500, ERROR, ALL),
    ("GET", "single", 200, None, ALL),
    ("HEAD", "single", 200, b"", ALL),
    ("GET", "write", 200, None, TWO),
    ("GET", "file", 200, b"f" * SIZE, ALL),
    ("HEAD", "file", 200, b"", ONE),
    ("GET", "soon", 500, ERROR, ALL),
    ("HEAD", "soon", 500, b"", ALL),
    ("GET", "late", 200, None, TWO),
    ("GET", "redirect", 302, None, ALL),
    ("HEAD", "missing", 404, b"", ALL),
    ("POST", "echo", 200, b"what was sent", ALL),
    ("HEAD", "early", 500, b"", ALL),
    ("GET", "sized", 200, None, ALL),
]


@every_server
def test_a_series_of_mixed_requests_on_one_connection_stays_in_step(servers, name):
    with Client(servers(name).port) as client:
        for method, route, status, body, keepers in SERIES:
            request = unique()
            path, sent = f"/{route}/{request}", b"what was sent" if method == "POST" else None
            answer = client.ask(path, method, sent, X_Id=request)
            case = method, route
            assert (*case, answer.status, answer.closes) == (*case, status, name not in keepers)
            assert (*case, answer.body) == (*case, path.encode() if body is None else body)
            assert (*case, answer.headers["X-Id"], answer.headers["X-App"]) == (*case, request, "served")
            assert (*case, answer.headers["Server-Timing"][:10]) == (*case, "total;dur=")


@every_server
@pytest.mark.parametrize(
    ("method", "route"), [("HEAD", "sized"), ("HEAD", "early"), ("GET", "unmodified"), ("GET", "nothing")]
)
def test_nothing_follows_the_head_of_a_response_without_content(servers, name, method, route):
    with Wire(servers(name).port, f"{method} /{route}/1 HTTP/1.1\nHost: a\nX-Id: 1\nConnection: close\n\n") as wire:
        received = wire.all()
    assert received.startswith(b"HTTP/1.")
    assert received.partition(b"\r\n\r\n")[1:] == (b"\r\n\r\n", b"")


# -- cut off -----------------------------------------------------------------------------------------------------------


# A body of HTTP/1.0 without Content-Length ends by closing, complete or not: nothing shows in "broken" by wsgiref.
CUT = [(name, route) for name in COMMANDS for route in ("short", "broken") if (name, route) != ("wsgiref", "broken")]


@pytest.mark.parametrize(("name", "route"), CUT)
def test_an_error_in_the_body_is_seen_as_truncation(servers, name, route):
    path = f"/{route}/{unique()}"
    with pytest.raises(IncompleteRead) as caught:
        ask(servers(name).port, path, X_Id=path.rpartition("/")[2])
    assert caught.value.partial == b"the beginning"


@every_server
def test_an_error_in_the_body_is_told_once_to_everyone(servers, name):
    server, request = servers(name), unique()
    with pytest.raises(IncompleteRead):
        ask(server.port, f"/short/{request}", X_Id=request)
    told = events(server, request, "close", "inner", "outer", "complete")
    assert {told[what]["error"] for what in ("inner", "outer", "complete")} == {"RuntimeError"}
    assert (told["complete"]["status"], told["complete"]["bytes"]) == ("200 OK", len(b"the beginning"))


@every_server
def test_a_client_that_goes_away_in_the_body_is_told_once_to_everyone(servers, name):
    server, request = servers(name), unique()
    with Wire(server.port, f"GET /long/{request} HTTP/1.1\nHost: a\nX-Id: {request}\n\n") as wire:
        assert b"X-App: served" in wire.until(b"xxx")
        wire.vanish()
    told = events(server, request, "close", "inner", "outer", "complete")
    assert {told[what]["error"] for what in ("inner", "outer", "complete")} == {"GeneratorExit"}
    assert told["complete"]["bytes"] > 0


@every_server
@pytest.mark.parametrize(
    ("route", "error"), [("stream", None), ("late", None), ("early", "RuntimeError"), ("soon", "RuntimeError")]
)
def test_the_end_of_a_response_is_told_once_to_everyone(servers, name, route, error):
    server, request = servers(name), unique()
    ask(server.port, f"/{route}/{request}", X_Id=request)
    closed = [] if route == "early" else ["close"]
    told = events(server, request, *closed, "inner", "outer", "complete")
    assert {told[what]["error"] for what in ("inner", "outer", "complete")} == {error}


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "cheroot"])  # which has no wrapper
def test_a_server_gets_its_own_file_wrapper_back_from_layers_that_watch_for_the_end(servers, name):
    server, request = servers(name), unique()
    answer = ask(server.port, f"/file/{request}", X_Id=request)
    assert answer.body == b"f" * SIZE
    told = events(server, request, "close", "file", "inner", "outer", "complete")
    assert (told["file"]["same"], told["outer"]["error"]) == (True, None)
    if name == "waitress":  # which adds the length only to a file that it sends by itself
        assert answer.headers["Content-Length"] == str(SIZE)


@every_server
def test_a_client_that_goes_away_in_a_file_is_told_once_to_everyone(servers, name):
    server, request = servers(name), unique()
    with Wire(server.port, f"GET /vast/{request} HTTP/1.1\nHost: a\nX-Id: {request}\n\n") as wire:
        assert b"X-App: served" in wire.until(b"vvv")
        wire.vanish()
    events(server, request, *([] if name == "cheroot" else ["file"]), "close", "inner", "outer", "complete")


# -- the body of a request ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "waitress"])  # which reads it before it calls
def test_a_layer_that_answers_does_not_wait_for_a_body_that_the_client_holds_back(servers, name):
    server, request = servers(name), unique()
    head = f"POST /echo/{request} HTTP/1.1\nHost: a\nX-Id: {request}\nX-Refuse: 1\nContent-Length: 5\n"
    with Wire(server.port, f"{head}Connection: close\nExpect: 100-continue\n\n") as wire:
        assert b" 401 Unauthorized\r\n" in wire.until(b" 401 Unauthorized\r\n")
    events(server, request, "outer", "complete")


@every_server
@pytest.mark.parametrize(("refuse", "readers"), [({"X_Refuse": "1"}, ()), ({}, ("inner", "read"))])
def test_only_the_application_reads_the_body_of_a_request(servers, name, refuse, readers):
    server, request = servers(name), unique()
    answer = ask(server.port, f"/echo/{request}", "POST", b"hello", X_Id=request, **refuse)
    assert (answer.status, answer.body) == ((401, b"no") if refuse else (200, b"hello"))
    events(server, request, "outer", "complete", *readers)


# -- threads -----------------------------------------------------------------------------------------------------------


ROUTES = "sized", "stream", "late", "early", "single", "file", "write", "soon"


@pytest.mark.parametrize("name", THREADED)
def test_nothing_of_one_request_shows_in_another_while_eight_threads_ask(servers, name):
    def converse(port):
        with Client(port) as client:
            for route in ROUTES * 4:
                request = unique()
                answer = client.ask(f"/{route}/{request}", X_Id=request)
                body = {"file": b"f" * SIZE, "early": ERROR, "soon": ERROR}.get(route, f"/{route}/{request}".encode())
                yield route, answer.headers["X-Id"] == request, answer.body == body

    with ThreadPoolExecutor(8) as threads:
        talks = list(threads.map(lambda port: list(converse(port)), [servers(name).port] * 8))
    assert {seen for talk in talks for seen in talk} == {(route, True, True) for route in ROUTES}


# -- a preflight -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "closes"), [(200, False), (204, True)])
def test_waitress_keeps_the_connection_after_a_preflight_that_has_a_length(serving, status, closes):
    def closed(environ, start_response):
        raise AssertionError("a preflight is answered by the layer")

    layer = CORS(closed, allow_origins="https://app.example", preflight_status=status)
    with Client(int(serving(layer).rpartition(":")[2])) as client:
        answer = client.ask("/", "OPTIONS", Origin="https://app.example", Access_Control_Request_Method="GET")
    assert (answer.status, answer.closes) == (status, closes)

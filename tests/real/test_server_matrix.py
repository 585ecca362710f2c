"""All layers on every server: the same requests, answered the same way but for what a server does by itself."""

from __future__ import annotations

import json
import re
import sys
import uuid
from contextlib import ExitStack, nullcontext
from functools import partial
from http.client import IncompleteRead, RemoteDisconnected
from pathlib import Path

import pytest

from decoding import Decoder
from encoded import PIECES
from series import converse, policy
from serving import Client, Server, Wire, ask, kept_port, script
from whole import ORIGIN, POLICY

pytestmark = pytest.mark.real
SUPPORT = Path(__file__).parents[1] / "support"
APP = "whole:application"
OWN = sys.executable, str(SUPPORT / "whole.py")
GUNICORN = script("gunicorn"), "--bind=127.0.0.1:0", "--keep-alive=60", "--no-control-socket", APP
COMMANDS = {
    "waitress": (script("waitress-serve"), "--listen=127.0.0.1:0", "--threads=8", APP),
    "gunicorn-sync": GUNICORN,
    "gunicorn-gthread": (*GUNICORN, "--worker-class=gthread", "--threads=8"),
    "cheroot": (*OWN, "cheroot"),
    "wsgiref": (*OWN, "wsgiref"),
    "uwsgi": (
        script("uwsgi"),
        *("--http-socket=127.0.0.1:0", "--master", "--die-on-term", "--need-app", "--threads=8", f"--module={APP}"),
    ),
    "granian": (script("granian"), "--interface=wsgi", "--no-ws", "--blocking-threads=8", "--port=PORT", APP),
}
# What a server does wrong by itself, with any application; docs/reference/servers.md has the table.
LACKS = {
    "no write()": {"granian"},  # its start_response returns None
    "no other head": {"granian"},  # it takes the head when the application returns
    "no body of another head": {"uwsgi"},
    "no other length": {"waitress"},  # that of a head that is replaced by one without
    "no beginning": {"granian"},  # it drops what it has not sent yet, perhaps all of the response, when a body fails
    "no empty HEAD": {"waitress"},  # ends the chunks that a HEAD without a length does not have, and the connection
    "no goodbye": {"uwsgi"},  # closes after each response, and does not say so; --http11-socket ends streams late
    "no chunks": {"wsgiref", "uwsgi"},  # a body without a length ends with the connection
    "no chunked upload": {"wsgiref", "uwsgi"},  # nor Expect; uWSGI has an API of its own for it
}


# Without an option they take the scheme from X-Forwarded-Proto: gunicorn from 127.0.0.1 alone, uWSGI from anyone.
TAKES_SCHEME = {"gunicorn-sync", "gunicorn-gthread", "uwsgi"}


def on_servers(*but: str):
    """On every server that lacks none of these."""
    without = set().union(*(LACKS[lack] for lack in but))
    return pytest.mark.parametrize("name", [name for name in COMMANDS if name not in without])


every_server = on_servers()
either_way = pytest.mark.parametrize("coding", ["gzip", "br", "zstd", None])


@pytest.fixture(scope="module")
def servers():
    """Each server, started when it is first asked for."""
    started: dict[str, Server] = {}
    with ExitStack() as ending:

        def server(name: str) -> Server:
            if name not in started:
                wanted = "--port=PORT" in COMMANDS[name]
                port = ending.enter_context(kept_port() if wanted else nullcontext(0))
                command = [word.replace("PORT", str(port)) for word in COMMANDS[name]]
                started[name] = Server(*command, cwd=SUPPORT, port=port)
                ending.callback(started[name].close)
            return started[name]

        yield server


def unique(route: str) -> str:
    """A path that no other request has."""
    return f"/{route}/{uuid.uuid4().hex}"


def told(server: Server, path: str, *wanted: str) -> dict[str, str | None]:
    """What was told about a request once all of `wanted` was, each once; also when a later request is through."""
    name, later = path.rpartition("/")[2], unique("sized")
    server.wait(lambda: set(wanted) <= {event["what"] for event in server.told(name)})
    ask(server.port, later)
    server.wait(lambda: server.told(later.rpartition("/")[2]))
    happened = server.told(name)
    assert sorted(event["what"] for event in happened) == sorted(wanted)
    return {event["what"]: event.get("error") for event in happened}


# -- one connection ----------------------------------------------------------------------------------------------------


@every_server
def test_a_series_of_mixed_requests_on_one_connection_stays_in_step(servers, name):
    port, lacks = servers(name).port, {lack for lack, names in LACKS.items() if name in names}
    with Client(port) as client:
        converse(partial(ask, port) if "no goodbye" in lacks else client.ask, lacks)


# Who keeps the connection after a body of known length, and after a stream.
KEEPS = {
    "waitress": (True, False),  # closes what it did not get a length of
    "gunicorn-sync": (False, False),  # has no keep-alive
    "gunicorn-gthread": (True, True),
    "cheroot": (True, True),
    "wsgiref": (False, False),  # HTTP/1.0
    "granian": (True, True),
}


@on_servers("no goodbye")
@either_way
def test_a_connection_is_kept_as_it_is_without_the_layers(servers, name, coding):
    kept = []
    for route in ("sized", "stream"):
        path, accept = unique(route), coding or "identity"
        answer = ask(servers(name).port, path, Accept_Encoding=accept)
        assert ("Content-Length" in answer.headers) == (route == "sized")
        kept.append(not answer.closes)
    assert tuple(kept) == KEEPS[name]


@on_servers("no empty HEAD")
@pytest.mark.parametrize(
    ("method", "route"), [("HEAD", "sized"), ("HEAD", "error"), ("HEAD", "stream"), ("GET", "unmodified")]
)
def test_nothing_follows_the_head_of_a_response_without_content(servers, name, method, route):
    head = f"{method} {unique(route)} HTTP/1.1\nHost: a\nAccept-Encoding: br\nConnection: close\n\n"
    with Wire(servers(name).port, head) as wire:
        assert wire.all().partition(b"\r\n\r\n")[1:] == (b"\r\n\r\n", b"")


@every_server
def test_a_preflight_is_granted(servers, name):
    asked = {"Origin": ORIGIN, "Access_Control_Request_Method": "PUT"}
    answer = ask(servers(name).port, unique("error"), "OPTIONS", **asked)
    assert (answer.status, answer.body) == (204, b"")
    assert policy(answer) == {**POLICY, "X-App": "missing"}  # CORS answers, which stands outside Headers
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, PUT"


# -- how it ends -------------------------------------------------------------------------------------------------------

# route, error that is told, who tells
ENDS = [
    ("stream", None, ("close", "complete")),
    ("file", None, ("close", "complete")),
    ("error", "RuntimeError", ("complete",)),
]


@every_server
@either_way
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[0])
def test_the_end_of_a_response_is_told_once(servers, name, coding, end):
    route, error, wanted = end
    server, path = servers(name), unique(route)
    ask(server.port, path, Accept_Encoding=coding or "identity")
    assert told(server, path, *wanted)["complete"] == error


@every_server
@either_way
def test_a_client_that_goes_away_closes_the_body_once(servers, name, coding):
    server, path = servers(name), unique("long")
    with Wire(server.port, f"GET {path} HTTP/1.1\nHost: a\nAccept-Encoding: {coding or 'identity'}\n\n") as wire:
        assert b"\r\n\r\n" in wire.until(b"\r\n\r\n")
        wire.vanish()
    assert told(server, path, "close", "complete") == {"close": None, "complete": "GeneratorExit"}


@on_servers("no other head", "no body of another head")
@either_way
def test_a_body_that_fails_before_its_first_byte_is_a_500_with_one_head(servers, name, coding):
    server, path = servers(name), unique("late")
    answer = ask(server.port, path, Accept_Encoding=coding or "identity", Origin=ORIGIN)
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    assert policy(answer) == POLICY
    assert answer.headers.get_all("Content-Length") == ["22"]
    assert answer.headers.get_all("Content-Type") == ["text/plain; charset=utf-8"]
    assert "X-First" not in answer.headers
    assert told(server, path, "close", "complete")["complete"] == "RuntimeError"


@on_servers("no other head", "no body of another head", "no other length")
def test_an_application_may_replace_a_head_with_a_length_by_one_without(servers, name):
    for _ in range(2):  # on one connection, where the server keeps it
        answer = ask(servers(name).port, unique("another"), Accept_Encoding="identity")
        assert (answer.status, answer.body) == (503, b"busy now")
        assert answer.headers.get_all("Content-Length", ["8"]) == ["8"]
        assert "X-First" not in answer.headers


@on_servers("no chunks")
@either_way
def test_an_error_in_the_body_is_seen_as_truncation_by_the_connection(servers, name, coding):
    server, path = servers(name), unique("broken")
    cut = (IncompleteRead, RemoteDisconnected) if name in LACKS["no beginning"] else IncompleteRead
    with pytest.raises(cut):
        ask(server.port, path, Accept_Encoding=coding or "identity")
    assert told(server, path, "close", "complete")["complete"] == "RuntimeError"


@every_server
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_an_error_in_the_body_is_seen_as_truncation_by_the_decoder(servers, name, coding):
    path = unique("broken")
    try:
        body = ask(servers(name).port, path, Accept_Encoding=coding).body
    except IncompleteRead as cut:
        body = cut.partial
    except RemoteDisconnected:
        body = b""
    decoder, sent = Decoder(coding), b"".join(PIECES[:3])
    decoded = decoder.feed(body)
    assert decoded == sent or (name in LACKS["no beginning"] and sent.startswith(decoded))
    assert not decoder.complete


# -- uploads -----------------------------------------------------------------------------------------------------------

SENT = {
    "Content-Length: 5": b"hello",
    "Transfer-Encoding: chunked": b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
}


@on_servers("no chunked upload")
@pytest.mark.parametrize("framing", SENT)
@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\n"])
def test_an_upload_arrives_whole_and_a_client_that_waits_is_told_to_go_on(servers, name, framing, expect):
    head = f"POST {unique('upload')} HTTP/1.1\nHost: a\n{framing}\n{expect}Connection: close\n\n"
    with Wire(servers(name).port, head) as wire:
        if expect:
            assert wire.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.socket.sendall(SENT[framing])
        fields, _, body = wire.all().partition(b"\r\n\r\n")
    assert (fields[:15], body) == (b"HTTP/1.1 200 OK", b"hello")


# -- what the servers lack ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LACKS["no write()"]))
def test_a_server_that_has_no_write_answers_500(servers, name):
    assert ask(servers(name).port, unique("write")).status == 500


@every_server
def test_a_server_takes_the_scheme_of_a_proxy_or_nothing(servers, name):
    """docs/reference/servers.md says which; the address is the proxy's on each, without an option."""
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.5", "X-Forwarded-Host": "evil.example"}
    seen = json.loads(ask(servers(name).port, unique("seen"), **said).body)
    assert seen["wsgi.url_scheme"] == ("https" if name in TAKES_SCHEME else "http")
    assert (seen["REMOTE_ADDR"], "evil.example" in seen["HTTP_HOST"]) == ("127.0.0.1", False)


# What ProxyFix finds where a proxy has added X-Forwarded-For, and a client X_Forwarded_For.
DROPS_UNDERSCORES = {"gunicorn-sync", "gunicorn-gthread"}


@every_server
def test_a_server_hands_on_the_fields_of_a_proxy_and_those_of_a_client_that_look_like_them(servers, name):
    """docs/reference/servers.md says that ProxyFix does nothing on waitress, and which servers let a client choose."""
    head = f"GET {unique('seen')} HTTP/1.1\nHost: a\nConnection: close\nX-Forwarded-For: 203.0.113.5\n"
    with Wire(servers(name).port, f"{head}X_Forwarded_For: 198.51.100.7\n\n") as wire:
        taken = re.search(rb'"HTTP_X_FORWARDED_FOR": "([^"]*)"', wire.all())
    if name == "waitress":
        assert taken is None
    else:
        last = taken[1].decode().rpartition(",")[2].strip()
        assert last == ("203.0.113.5" if name in DROPS_UNDERSCORES else "198.51.100.7")

"""Uploads on every server: limits hold whatever the client says, and the connection stays in step or is closed."""

from __future__ import annotations

import gzip
import json
import re
import socket
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

import brotli
import pytest
import zstandard

from serving import Server, ask, environment, kept_port, script

pytestmark = pytest.mark.real
SUPPORT = Path(__file__).parents[1] / "support"
APP = "uploads:application"
GUNICORN = script("gunicorn"), "--bind=127.0.0.1:0", "--keep-alive=60", "--no-control-socket", APP
COMMANDS = {
    "waitress": (script("waitress-serve"), "--listen=127.0.0.1:0", "--threads=4", APP),
    "gunicorn-sync": GUNICORN,
    "gunicorn-gthread": (*GUNICORN, "--worker-class=gthread", "--threads=4"),
    "uwsgi": (
        script("uwsgi"),
        *("--http-socket=127.0.0.1:0", "--master", "--die-on-term", "--need-app", "--threads=4", f"--module={APP}"),
    ),
    "granian": (script("granian"), "--interface=wsgi", "--no-ws", "--blocking-threads=4", "--port=PORT", APP),
}
TOO_LARGE = b"The request body is larger than 100000 bytes."
every_server = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(scope="module")
def servers():
    """Each server with each site, started when it is first asked for."""
    started: dict[tuple[str, str], Server] = {}
    with ExitStack() as ending:

        def server(name: str, site: str = "") -> int:
            if (name, site) not in started:
                wanted = "--port=PORT" in COMMANDS[name]
                port = ending.enter_context(kept_port() if wanted else nullcontext(0))
                command = [word.replace("PORT", str(port)) for word in COMMANDS[name]]
                started[name, site] = Server(*command, cwd=SUPPORT, port=port, env={**environment(), "SITE": site})
                ending.callback(started[name, site].close)
            return started[name, site].port

        yield server


class Talk:
    """A connection on which bytes are sent as they are, and answers read one by one."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.received = b""

    def say(self, head: str, body: bytes = b"") -> None:
        with suppress(ConnectionError):  # the server has answered, and closed
            self.socket.sendall(f"{head}\n\n".replace("\n", "\r\n").encode("latin-1"))
            self.socket.sendall(body)

    def until(self, *marks: bytes) -> bytes:
        """What comes until one of the marks is in it, or until the server closes."""
        with suppress(ConnectionError):
            while not any(mark in self.received for mark in marks) and (data := self.socket.recv(1 << 16)):
                self.received += data
        received, self.received = self.received, b""
        return received

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def status(received: bytes) -> int:
    """Of the first final response."""
    return next(int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", received) if code != b"100")


def chunked(size: int) -> bytes:
    piece = b"%x\r\n%s\r\n" % (5000, b"x" * 5000)
    return piece * (size // 5000) + b"0\r\n\r\n"


POST = "POST / HTTP/1.1\nHost: a\n"
# What is sent, and what comes back: (status on all servers, or by server).
CASES = {
    "fits": (POST + "Content-Length: 100000", b"x" * 100_000, 200),
    "one byte too many": (POST + "Content-Length: 100001", b"x" * 100_001, 413),
    "far too many": (POST + "Content-Length: 400000", b"x" * 400_000, 413),
    "chunks that fit": (POST + "Transfer-Encoding: chunked", chunked(100_000), 200),
    "chunks that do not": (POST + "Transfer-Encoding: chunked", chunked(105_000), {"uwsgi": 200, "": 413}),
    "a length that is none": (POST + "Content-Length: 1x", b"x", 400),
    "two lengths": (POST + "Content-Length: 1\nContent-Length: 2", b"xx", 400),
    "a length that lies beside chunks": (
        POST + "Content-Length: 5\nTransfer-Encoding: chunked",
        chunked(105_000),
        {"gunicorn-sync": 400, "gunicorn-gthread": 400, "uwsgi": 200, "": 413},
    ),
}


@every_server
@pytest.mark.parametrize("case", CASES)
def test_never_more_than_the_limit_reaches_the_application(servers, name, case):
    head, body, wanted = CASES[case]
    with Talk(servers(name)) as talk:
        talk.say(head, body)
        received = talk.until(b"read ", TOO_LARGE)
    expected = wanted if isinstance(wanted, int) else wanted.get(name, wanted[""])
    assert status(received) == expected
    told = re.search(rb"read (\d+)", received)
    # uWSGI does not read chunks, so that there is no body: PEP 3333
    assert told is None or int(told[1]) == (0 if name == "uwsgi" and "chunked" in head else 100_000)


@every_server
@pytest.mark.parametrize("case", CASES)
def test_the_connection_stays_in_step_or_is_closed(servers, name, case):
    """What is left of a refused body is never read as a request."""
    head, body, _ = CASES[case]
    with Talk(servers(name)) as talk:
        talk.say(head, body)
        talk.until(b"read ", TOO_LARGE)
        talk.say("POST / HTTP/1.1\nHost: a\nContent-Length: 3\nConnection: close", b"abc")
        received = talk.until(b"read 3")
    assert not re.search(rb"HTTP/1\.[01] (?!200)", received.partition(b"read 3")[0].replace(b"HTTP/1.1 413", b""))


@every_server
def test_a_client_that_asks_first_is_told_before_it_sends(servers, name):
    with Talk(servers(name)) as talk:
        talk.say(POST + "Content-Length: 150000\nExpect: 100-continue\nConnection: close")
        first = talk.until(b"100 Continue\r\n\r\n", TOO_LARGE)
        if first.startswith(b"HTTP/1.1 100") and TOO_LARGE not in first:
            # by the server itself, before it calls an application; waitress then reads all of the body first
            assert name in {"waitress", "gunicorn-sync", "gunicorn-gthread"}
            if name == "waitress":
                talk.socket.sendall(b"x" * 150_000)
            first += talk.until(TOO_LARGE)
    assert status(first) == 413


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "waitress"])
def test_a_client_that_announces_much_and_sends_nothing_is_not_waited_for(servers, name):
    """Except by waitress, which calls the application when it has the body."""
    with Talk(servers(name)) as talk:
        talk.say(POST + "Content-Length: 150000", b"x" * 10)
        assert status(talk.until(TOO_LARGE)) == 413


# -- DecompressRequest -------------------------------------------------------------------------------------------------

CODINGS = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}
BOUNDARY = "b0undary"
MULTIPART = (
    "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'
        for name, extra, value in (("name", "", "J\xfcrgen"), ("file", '; filename="f"', "x" * 20_000))
    ).encode()
    + f"--{BOUNDARY}--\r\n".encode()
)
BODIES = {
    "/form": [
        ("application/x-www-form-urlencoded", b"name=J%C3%BCrgen", {"name": "J\xfcrgen", "file": 0}),
        (f"multipart/form-data; boundary={BOUNDARY}", MULTIPART, {"name": "J\xfcrgen", "file": 20_000}),
    ],
    "/json": [("application/json", json.dumps(["\xfc"] * 1000).encode(), {"got": ["\xfc"] * 1000})],
}
SENT = [(path, *each) for path, some in BODIES.items() for each in some]
in_frameworks = pytest.mark.parametrize("site", ["flask", "django"])
on_servers = pytest.mark.parametrize("name", ["waitress", "gunicorn-sync", "gunicorn-gthread", "uwsgi"])


@on_servers
@in_frameworks
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("sent", SENT)
def test_frameworks_read_forms_and_json_that_are_encoded(servers, name, site, coding, sent):
    path, kind, body, got = sent
    body = CODINGS[coding](body)
    answer = ask(servers(name, site), path, "POST", body, Content_Type=kind, Content_Encoding=coding)
    assert (answer.status, json.loads(answer.body)) == (200, got)


@on_servers
@in_frameworks
@pytest.mark.parametrize(
    "case",
    [
        (gzip.compress(b"name=" + b"x" * 1_000_000), "gzip", 413),
        (zstandard.compress(b"name=" + b"x" * 1_000_000), "zstd", 413),
        (gzip.compress(b"name=x")[:-4], "gzip", 400),
        (b"name=x", "lzma", 415),
    ],
)
def test_bombs_and_what_is_no_coding_are_refused(servers, name, site, case):
    """Whatever the framework makes of an input that fails: Flask a 400, Django an UnreadablePostError."""
    body, coding, status = case
    kind = "application/x-www-form-urlencoded"
    answer = ask(servers(name, site), "/form", "POST", body, Content_Type=kind, Content_Encoding=coding)
    assert answer.status == status
    assert (answer.headers["Accept-Encoding"] is not None) == (status == 415)


def test_flask_reads_chunks_that_are_encoded(servers):
    for name in ("waitress", "gunicorn-sync", "gunicorn-gthread"):
        data = gzip.compress(b"name=x")
        body = b"".join(b"%x\r\n%s\r\n" % (1, data[place : place + 1]) for place in range(len(data))) + b"0\r\n\r\n"
        with Talk(servers(name, "flask")) as talk:
            talk.say(
                "POST /form HTTP/1.1\nHost: a\nContent-Type: application/x-www-form-urlencoded\n"
                "Content-Encoding: gzip\nTransfer-Encoding: chunked\nConnection: close",
                body,
            )
            assert b'"name":"x"' in talk.until(b"}")

"""WebSocket sessions through every layer, on servers that hand their connection to the application."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from serving import PATIENCE, Server, ask, script

simple_websocket = pytest.importorskip("simple_websocket")  # of the extra test-real

pytestmark = pytest.mark.real
SUPPORT = Path(__file__).parents[1] / "support"
OWN = sys.executable, str(SUPPORT / "sockets.py")
GUNICORN = script("gunicorn"), "--bind=127.0.0.1:0", "--no-control-socket", "sockets:application"
COMMANDS = {
    "gunicorn-gthread": (*GUNICORN, "--worker-class=gthread", "--threads=8"),
    "gunicorn-sync": GUNICORN,
    "gunicorn-gevent": (*GUNICORN, "--worker-class=gevent"),
    "werkzeug": (*OWN, "werkzeug"),
    "gevent": (*OWN, "gevent"),
    "eventlet": (*OWN, "eventlet"),
}


@pytest.fixture(scope="module")
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


def told(server: Server, count: int) -> list[str]:
    """The ends of requests, once there are so many."""
    server.wait(lambda: len(server.events) >= count)
    return sorted(event["what"] for event in server.events)


def session(server: Server, path: str, *, leave: bool) -> None:
    """Say something, hear it; then the client closes, or waits for that."""
    client = simple_websocket.Client.connect(f"ws://127.0.0.1:{server.port}{path}")
    try:
        for message in ("first", "second") if leave else ("only",):
            client.send(message)
            assert client.receive(timeout=PATIENCE) == message
        if not leave:
            with pytest.raises(simple_websocket.ConnectionClosed):
                client.receive(timeout=PATIENCE)
    finally:
        if leave:
            client.close()
        client.thread.join(PATIENCE)


@pytest.mark.parametrize("leave", [True, False], ids=["the client ends it", "the application ends it"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_session_echoes_and_ends_without_a_word(servers, name, leave):
    """By flask-sock or eventlet: no traceback, every end is told once and not as an error, and the server serves on."""
    server = servers(name)
    server.events.clear()
    path = ("/eventlet" if name == "eventlet" else "") + ("/echo" if leave else "/once")
    session(server, path, leave=leave)
    assert told(server, 2) == [f"{path} closed None", "torn down None"]
    answer = ask(server.port, "/page")
    assert (answer.status, answer.headers["X-Inner"], answer.headers["X-Outer"]) == (200, "1", "1")
    assert told(server, 4) == sorted(["/page closed None", f"{path} closed None", *["torn down None"] * 2])
    assert not [line for line in server.lines if "Traceback" in line or "Error" in line], "\n".join(server.lines)

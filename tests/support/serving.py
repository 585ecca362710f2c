"""Servers in processes of their own, and what is said to them over a socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import middleware

if TYPE_CHECKING:
    from collections.abc import Callable

ADDRESS = re.compile(r"(?:http://|TCP address )127\.0\.0\.1:(\d+)")  # the latter by uWSGI
EVENT = "event "
PATIENCE = 30  # seconds until a test gives up; nothing waits for as long as that
TICK = 0.02  # seconds between two attempts to connect to what does not say when it listens


@contextmanager
def kept_port():
    """A port that nobody else is given meanwhile: whoever listens on it has to set SO_REUSEPORT."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def environment() -> dict[str, str]:
    """The environment in which a command finds the same package as these tests."""
    home = Path(middleware.__file__).parents[1]
    if home.name == "site-packages":
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))}


def script(name: str) -> str:
    """The command of that name that was installed beside this interpreter."""
    return str(Path(sys.executable).parent / name)


def stop(server: Any, thread: threading.Thread) -> None:
    """Stop a server of waitress that runs in a thread of this process."""
    # The loop may be awake already, by the end of a request, and close its pipe before this wakes it.
    with suppress(OSError):
        server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
    thread.join(60)
    server.task_dispatcher.shutdown()


class Server:
    """A command that serves on a port of its own choice and says so; it may tell events, each a line of JSON.

    What does not say so is told its port, as `port`, and is ready when it can be connected to.
    """

    def __init__(
        self, *command: str, cwd: Path | str | None = None, port: int = 0, env: dict[str, str] | None = None
    ) -> None:
        self._changed = threading.Condition()
        self._ended = False
        self._given = port
        self.port = 0
        self.lines: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment() if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            if port:
                self._reach(port)
            self.wait(lambda: self.port)
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._changed:
                self._take(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _reach(self, port: int) -> None:
        ends = time.monotonic() + PATIENCE
        while not (self.port or self._ended) and time.monotonic() < ends:
            with socket.socket() as tried, self._changed:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    self.port = port
                else:
                    self._changed.wait(TICK)

    def _take(self, line: str) -> None:
        if line.startswith(EVENT):
            self.events.append(json.loads(line.removeprefix(EVENT)))
            return
        self.lines.append(line.rstrip("\n"))
        said = ADDRESS.search(line)
        if said and not (self.port or self._given):
            self.port = int(said[1])

    def wait(self, happened: Callable[[], object]) -> None:
        """Return once it has happened."""
        with self._changed:
            self._changed.wait_for(lambda: happened() or self._ended, PATIENCE)
            assert happened(), "\n".join([*self.lines, *map(str, self.events)])

    def told(self, name: str) -> list[dict[str, Any]]:
        """The events of one request."""
        with self._changed:
            return [event for event in self.events if event["id"] == name]

    def url(self, path: str) -> str:
        """Where a path is."""
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        """End it as a user does, and wait until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()


class Answer(NamedTuple):
    """A response that has been read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    closes: bool  # whether the server said that it would close the connection


class Client(http.client.HTTPConnection):
    """A connection that is made anew only after the server said that it would close it."""

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port, timeout=PATIENCE)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Ask, and read the answer to its end. `If_None_Match` stands for If-None-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request(method, path, body, named)
        response = self.getresponse()
        closes = response.will_close
        return Answer(response.status, response.msg, response.read(), closes)

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Ask once, on a connection of its own."""
    with Client(port) as client:
        return client.ask(path, method, body, **headers)


class Wire:
    """A bare socket, for what no client library would do."""

    def __init__(self, port: int, request: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.sendall(request.replace("\n", "\r\n").encode("latin-1"))

    def until(self, mark: bytes) -> bytes:
        """What comes, until it contains `mark`, or until the server closes."""
        received = b""
        while mark not in received and (data := self.socket.recv(1 << 16)):
            received += data
        return received

    def all(self) -> bytes:
        """What comes until the server closes."""
        received = b""
        while data := self.socket.recv(1 << 16):
            received += data
        return received

    def vanish(self) -> None:
        """Go away without a goodbye: the server is told by a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

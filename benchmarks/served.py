"""Served: the processor time of a request behind waitress: `python -m benchmarks.served`.

The bare application, the four jobs by hand and the four layers have a waitress process each. They take turns: a
hundred requests on a kept connection, and what the process spent on them, by its own clock in the kernel. The cheapest
turn of each counts. Where things lie in memory moves that by more than the layers take, so there are generations of
processes, and the one in the middle of them, by its ratio, is what is told. There is no gap between the requests, and
no other client.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import limit, ours
from benchmarks.case import PAGE, page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.case import Application

ROOT: Final = Path(__file__).parents[1]
APPLICATIONS: Final[dict[str, Application]] = {
    "bare": page,
    "limit/four": limit.four(page),
    "ours/four": ours.four(page),
}
LABELS: Final = {"bare": "application", "limit/four": "all four jobs by hand", "ours/four": "Stack of four"}
GENERATIONS: Final = 11
TURNS: Final = 50
WARM: Final = 1000
REQUESTS: Final = 100  # of a turn: short enough to find a quiet moment
REQUEST: Final = (
    b"GET / HTTP/1.1\r\n"
    b"Host: localhost:8080\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Origin: https://app.example\r\n"
    b"\r\n"
)


class Server:
    """A process with waitress and one of the applications, and a connection to it."""

    def __init__(self, key: str, ending: ExitStack) -> None:
        command = sys.executable, "-m", "benchmarks.served", key
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        ending.callback(self.process.wait)
        ending.callback(self.process.kill)
        assert self.process.stdout is not None
        ending.callback(self.process.stdout.close)
        port = int(self.process.stdout.readline())
        self.connection = ending.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))

    def spent(self) -> float:
        """The seconds that the process was on a processor, for itself or in the kernel (clock_getcpuclockid)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def turn(self, requests: int) -> float:
        """The microseconds that it spends on one of so many requests."""
        before = self.spent()
        for _ in range(requests):
            self.connection.sendall(REQUEST)
            self.answer()
        return (self.spent() - before) / requests * 1e6

    def answer(self) -> bytes:
        """Read one response to its end."""
        answer = b""
        while not answer.endswith(PAGE):
            received = self.connection.recv(65536)
            assert received, f"the connection is over after {answer!r}"
            answer += received
        return answer

    def check(self, key: str) -> None:
        """See that it sends what it should."""
        self.connection.sendall(REQUEST)
        head = self.answer().removesuffix(PAGE).decode("latin-1")
        names = {line.partition(":")[0] for line in head.splitlines()[1:] if line}
        wanted = {"Content-Type", "Content-Length", "Server", "Date", *(() if key == "bare" else limit.FOUR)}
        assert names == wanted, head


def microseconds() -> dict[str, float]:
    """What a request costs the server, by application."""
    found = sorted((_cheapest() for _ in range(GENERATIONS)), key=_ratio)
    return found[len(found) // 2]


def _ratio(spent: dict[str, float]) -> float:
    return spent["ours/four"] / spent["limit/four"]


def _cheapest() -> dict[str, float]:
    best = dict.fromkeys(APPLICATIONS, float("inf"))
    for key, spent in _generation():
        best[key] = min(best[key], spent)
    return best


def _generation() -> Iterator[tuple[str, float]]:
    with ExitStack() as ending:
        servers = {key: Server(key, ending) for key in APPLICATIONS}
        for key, server in servers.items():
            server.check(key)
            server.turn(WARM)
        for _ in range(TURNS):
            for key, server in servers.items():
                yield key, server.turn(REQUESTS)


def lines(spent: dict[str, float]) -> Iterator[str]:
    """The table."""
    yield f"{'behind waitress, processor time':42}{'µs':>9}{'x by hand':>25}"
    for key, label in LABELS.items():
        yield f"  {label:40}{spent[key]:9.2f}{spent[key] / spent['limit/four']:25.3f}"


def serve(key: str) -> None:
    """Be the process of one of them."""
    from waitress.server import create_server

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it says so whenever no thread waits yet
    server = create_server(APPLICATIONS[key], listen="127.0.0.1:0", threads=2)
    print(server.effective_port, flush=True)
    server.run()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        print(*lines(microseconds()), sep="\n")

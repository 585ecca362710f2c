"""Content: layers whose gate is no price of a request: InjectHTML in MB/s, RateLimit beside its library on Redis.

Each is measured in a process of its own. A figure is missing if the layer, a package or the Redis server is.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import middleware
from benchmarks.apart import apart
from benchmarks.case import ENVIRON, known, page
from benchmarks.encoding import taking_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNKS: Final = 64
CHUNK: Final = b"<p>a line of a page, with <b>tags</b> as a page has them</p>\n".ljust(128, b".") * 512  # 64 KiB
NAMES: Final = {
    "looking": "InjectHTML, while it looks for its place",
    "found": "InjectHTML, behind its place",
    "redis": "RateLimit on Redis, over its library",
}
UNITS: Final = {"looking": "MB/s", "found": "MB/s", "redis": "x"}


def measured() -> dict[str, float]:
    """The figures that there can be, by key."""
    found = {}
    if known("InjectHTML"):
        found["looking"], found["found"] = apart(_injecting, "</body>"), apart(_injecting, "</head>")
    if known("RateLimit") and all(map(find_spec, ("limits", "redis"))) and shutil.which("redis-server"):
        found["redis"] = apart(_limiting)
    return found


def lines(found: dict[str, float]) -> Iterator[str]:
    """The table."""
    yield "content and counts"
    for key, name in NAMES.items():
        yield f"  {name:40}" + (f"{found[key]:9.1f} {UNITS[key]}" if key in found else "  skipped: not there yet")


def _injecting(at: str) -> float:
    """MB of a stream for each second that the layer adds to it; the place is at its end, or in its first chunk."""
    head = b"<!doctype html><html><head><title>page</title></head><body>"
    chunks = [head, *[CHUNK] * CHUNKS, b"</body></html>"]

    def stream(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return iter(chunks)

    layer = getattr(middleware, "InjectHTML")(html="<script src=/x.js></script>", at=at)  # noqa: B009 - not there yet
    app = middleware.Stack(layer).wrap(stream)
    sent = b"".join(app(ENVIRON.copy(), _start))
    assert sent.count(b"/x.js") == 1, f"InjectHTML adds nothing at {at}"
    alone, with_it = taking_turns(partial(_drained, stream), partial(_drained, app))
    return sum(map(len, chunks)) / max(with_it - alone, 0.1)  # µs: less than that is noise


def _limiting() -> float:
    """A request that is counted, over the two calls of the library that it needs, both on Redis on loopback."""
    limits, strategies = import_module("limits"), import_module("limits.strategies")
    with _redis() as uri:
        strategy = strategies.SlidingWindowCounterRateLimiter(import_module("limits.storage").storage_from_string(uri))
        limit = limits.parse("1000000000/minute")
        app = middleware.Stack(getattr(middleware, "RateLimit")("1000000000/minute", storage=uri)).wrap(page)  # noqa: B009
        calls = (
            lambda: (strategy.hit(limit, "alone"), strategy.get_window_stats(limit, "alone")),
            partial(_drained, page),
            partial(_drained, app),
        )
        library, alone, with_it = taking_turns(*calls)
    return (with_it - alone) / library


def _drained(app: Any) -> None:
    body = app(ENVIRON.copy(), _start)
    for _ in body:
        pass
    getattr(body, "close", lambda: None)()


def _start(_status: str, _lines: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
    return len


@contextmanager
def _redis() -> Iterator[str]:
    """The URI of a Redis server that keeps nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        command = "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _answers(port)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> None:
    """Return once the server accepts connections."""
    until = monotonic() + 10
    with socket.socket() as client:
        while client.connect_ex(("127.0.0.1", port)):
            assert monotonic() < until, "redis-server does not start"

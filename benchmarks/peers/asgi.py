"""ASGI without an event loop: the coroutine is driven by hand, and each message is there when it is sent."""

from __future__ import annotations

from http import HTTPStatus
from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator

    from benchmarks.case import Application

STATUSES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def as_wsgi(app: Callable[..., Coroutine[Any, Any, None]]) -> Application:
    """An ASGI application in WSGI's place. Field lines stay the bytes that they are."""

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        running = app(_scope(environ), _receive, _send)
        head = running.send(None)
        start_response(STATUSES[head["status"]], head["headers"])
        return _body(running)

    return run


@coroutine
def _send(message: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
    yield message


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _body(running: Coroutine[Any, Any, None]) -> Iterator[bytes]:
    more = True
    while more:
        message = running.send(None)
        more = message.get("more_body", False)
        yield message.get("body", b"")
    running.close()


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    headers = [
        (name[5:].replace("_", "-").lower().encode(), value.encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": "http",
        "path": environ["PATH_INFO"],
        "raw_path": environ["PATH_INFO"].encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "server": ("localhost", 8080),
        "client": ("127.0.0.1", 50000),
    }

"""The limit where content is encoded: all four jobs in one function written by hand, for bodies that are one list."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.limit import EMPTY, SECURITY, varied, weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.case import Application
    from benchmarks.limit import Lines


def encoding(app: Application, coding: str, encode: Callable[[bytes], bytes]) -> Application:
    """Encode what is worth it, and do the other three jobs."""
    allowed = {"https://app.example"}
    folded = {name.lower(): (name, value) for name, value in SECURITY}
    known: dict[str, bool] = {}

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        heads: list[tuple[str, Lines]] = []

        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            if exc_info is not None:
                raise NotImplementedError
            heads.append((status, lines))

        begun = perf_counter()
        origin = environ.get("HTTP_ORIGIN", "")
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start_response("403 Forbidden", [])
            return []
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        wanted = known.get(accepted)
        if wanted is None:
            wanted = known[accepted] = weight(accepted, coding) > 0
        body = app(environ, start)
        [(status, lines)] = heads
        there = {name.lower(): value for name, value in lines}
        if wanted and _worth_it(status, there):
            data = encode(b"".join(body))
            lines = [line for line in lines if line[0].lower() != "content-length"]
            lines += ("Content-Encoding", coding), ("Content-Length", str(len(data))), ("Vary", "Accept-Encoding")
            if "etag" in there or "vary" in there or len(data) >= int(there.get("content-length", 0)):
                raise NotImplementedError
            body = [data]
        if origin in allowed and "access-control-allow-origin" not in there:
            lines.append(("Access-Control-Allow-Origin", origin))
        varied(lines, len(lines) - 2)
        lines += [line for name, line in folded.items() if name not in there]
        lines.append(("Server-Timing", "total;dur=%.3f" % ((perf_counter() - begun) * 1000.0)))
        start_response(status, lines)
        return body

    return run


def _worth_it(status: str, there: dict[str, str]) -> bool:
    return (
        there.get("content-type") == "application/json"
        and "content-encoding" not in there
        and "content-range" not in there
        and "no-transform" not in there.get("cache-control", "").lower()
        and status[:3] not in EMPTY
        and int(there.get("content-length", 1024)) >= 1024
    )

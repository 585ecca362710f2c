"""The limit: each job, and all of them, in one function written by hand for nothing else.

The least that Python needs to do the same: a field that is set replaces every line of its name, the list of the
application is not changed, exc_info is passed on. No options, no order, no answer to errors.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.case import Case, fields, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.case import Application

    Lines: TypeAlias = list[tuple[str, str]]


SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'self'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def field(app: Application, name: str, value: str) -> Application:
    """Set one field."""
    line, folded = (name, value), name.lower()

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            for other, _ in lines:
                if other.lower() == folded:
                    lines = [*(kept for kept in lines if kept[0].lower() != folded), line]
                    break
            else:
                lines = [*lines, line]
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        return app(environ, start)

    return run


def timing(app: Application) -> Application:
    """Say the milliseconds until the head in Server-Timing."""

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            lines = [*lines, ("Server-Timing", "total;dur=%.3f" % ((perf_counter() - begun) * 1000.0))]
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        begun = perf_counter()
        return app(environ, start)

    return run


def cors(app: Application) -> Application:
    """Let one origin read, and name Origin in Vary; a preflight would be refused."""
    allowed = {"https://app.example"}

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            lines = [*lines]
            known = {}
            for place, (other, _) in enumerate(lines):
                if len(other) in (4, 27):
                    known[other.lower()] = place
            if origin in allowed and "access-control-allow-origin" not in known:
                lines.append(("Access-Control-Allow-Origin", origin))
            varied(lines, known.get("vary"))
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        origin = environ.get("HTTP_ORIGIN", "")
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start_response("403 Forbidden", [])
            return []
        return app(environ, start)

    return run


def varied(lines: Lines, place: int | None) -> None:
    """Name Origin in the Vary that stands there, or in one of its own."""
    if place is None:
        lines.append(("Vary", "Origin"))
    elif "origin" not in lines[place][1].lower().split(", "):
        lines[place] = ("Vary", f"{lines[place][1]}, Origin")


def both(app: Application) -> Application:
    """Set one field and say the milliseconds."""
    [line] = fields(1)
    folded = line[0].lower()

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            for other, _ in lines:
                if other.lower() == folded:
                    lines = [kept for kept in lines if kept[0].lower() != folded]
                    break
            lines = [*lines, line, ("Server-Timing", "total;dur=%.3f" % ((perf_counter() - begun) * 1000.0))]
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        begun = perf_counter()
        return app(environ, start)

    return run


def security(app: Application) -> Application:
    """Add five fields where they are not there yet."""
    folded = {name.lower(): (name, value) for name, value in SECURITY}

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            there = {name.lower() for name, _ in lines}
            if there.isdisjoint(folded):
                lines = [*lines, *SECURITY]
            else:
                lines = [*lines, *(line for name, line in folded.items() if name not in there)]
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        return app(environ, start)

    return run


CASES = (
    Case("limit/headers", "one field", lambda app: field(app, *fields(1)[0]), sends=names(1)),
    Case("limit/timing", "Server-Timing", timing, sends=("Server-Timing",)),
    Case("limit/security", "five security fields", security, sends=tuple(name for name, _ in SECURITY)),
    Case("limit/cors", "CORS, one origin", cors, sends=("Access-Control-Allow-Origin", "Vary")),
    Case("limit/both", "one field and Server-Timing", both, sends=(*names(1), "Server-Timing")),
)

"""The limit: each job, and all of them, in one function written by hand for nothing else.

The least that Python needs to do the same: a field that is set replaces every line of its name, the list of the
application is not changed, exc_info is passed on. No options, no order, no answer to errors. The functions that look at
the body know bodies of one list only, and no exc_info.
"""

from __future__ import annotations

from hashlib import blake2b
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
EMPTY = frozenset((*map(str, range(100, 200)), "204", "205", "206", "304"))
SMALL = 2048


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


def declined(app: Application) -> Application:
    """Negotiate by weights, and find that the page is too small to be encoded; Vary says that it might have been."""
    offered = "gzip"
    known: dict[str, bool] = {}
    types = {"text/html; charset=utf-8": True}

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            lines = [*lines]
            there = {name.lower(): value for name, value in lines}
            if (
                types.get(there.get("content-type", ""))
                and "content-encoding" not in there
                and "content-range" not in there
                and "no-transform" not in there.get("cache-control", "").lower()
                and status[:3] not in EMPTY
            ):
                if wanted and int(there.get("content-length", 0)) >= SMALL:
                    raise NotImplementedError
                vary(lines, there)
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        wanted = known.get(accepted)
        if wanted is None:
            wanted = known[accepted] = weight(accepted, offered) > 0
        return app(environ, start)

    return run


def four(app: Application) -> Application:
    """Four jobs in one function: security fields, CORS, the decision not to encode, Server-Timing."""
    allowed = {"https://app.example"}
    folded = {name.lower(): (name, value) for name, value in SECURITY}
    known: dict[str, bool] = {}
    types = {"text/html; charset=utf-8": True}

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            lines = [*lines]
            there = {name.lower(): value for name, value in lines}
            varies = "Origin"
            if (
                types.get(there.get("content-type", ""))
                and "content-encoding" not in there
                and "content-range" not in there
                and "no-transform" not in there.get("cache-control", "").lower()
                and status[:3] not in EMPTY
            ):
                if wanted and int(there.get("content-length", 0)) >= SMALL:
                    raise NotImplementedError
                varies = "Accept-Encoding, Origin"
            if origin in allowed and "access-control-allow-origin" not in there:
                lines.append(("Access-Control-Allow-Origin", origin))
            if "vary" not in there:
                lines.append(("Vary", varies))
            else:
                vary(lines, there, *varies.split(", "))
            if there.keys().isdisjoint(folded):
                lines += SECURITY
            else:
                lines += [line for name, line in folded.items() if name not in there]
            lines.append(("Server-Timing", "total;dur=%.3f" % ((perf_counter() - begun) * 1000.0)))
            return start_response(status, lines) if exc_info is None else start_response(status, lines, exc_info)

        begun = perf_counter()
        origin = environ.get("HTTP_ORIGIN", "")
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start_response("403 Forbidden", [])
            return []
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        wanted = known.get(accepted)
        if wanted is None:
            wanted = known[accepted] = weight(accepted, "gzip") > 0
        return app(environ, start)

    return run


def vary(lines: Lines, there: dict[str, str], *names: str) -> None:
    """Name request fields in the Vary that is there, or in a new one."""
    names = names or ("Accept-Encoding",)
    if "vary" not in there:
        lines.append(("Vary", ", ".join(names)))
        return
    place = next(place for place, (name, _) in enumerate(lines) if name.lower() == "vary")
    members = there["vary"].lower().split(", ")
    lines[place] = ("Vary", ", ".join([there["vary"], *(name for name in names if name.lower() not in members)]))


def weight(accepted: str, coding: str) -> float:
    """The weight of a coding in an Accept-Encoding."""
    weights = {}
    for member in accepted.split(","):
        name, _, weighted = member.strip().lower().partition(";")
        weights[name.strip()] = float(weighted.partition("=")[2] or 1)
    return weights.get(coding, weights.get("*", 0))


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


def hashed(app: Application) -> Application:
    """Hash a body of one list, for nothing: what an entity tag costs without the layer."""

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body: Any = app(environ, start_response)
        blake2b(body[0], digest_size=16).hexdigest()
        return body

    return run


def encoding(app: Application, coding: str, encode: Callable[[bytes], bytes]) -> Application:
    """Encode a body that is worth it, and do the other three jobs."""
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


FOUR = ("Access-Control-Allow-Origin", "Vary", *(name for name, _ in SECURITY), "Server-Timing")
CASES = (
    Case("limit/headers", "one field", lambda app: field(app, *fields(1)[0]), sends=names(1)),
    Case("limit/timing", "Server-Timing", timing, sends=("Server-Timing",)),
    Case("limit/security", "five security fields", security, sends=tuple(name for name, _ in SECURITY)),
    Case("limit/cors", "CORS, one origin", cors, sends=("Access-Control-Allow-Origin", "Vary")),
    Case("limit/declined", "not to encode", declined, sends=("Vary",)),
    Case("limit/four", "all four jobs", four, sends=FOUR),
    Case("limit/both", "one field and Server-Timing", both, sends=(*names(1), "Server-Timing")),
    Case("limit/hash", "the hash of a body alone", hashed),
)

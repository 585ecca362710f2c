"""The recommended stack beside the same jobs by hand: id, access log, timing, fields, guards, coding, entity tag.

Its access logger has a handler that formats each record and drops it, by hand and in the stack. Requests come by https
and are reads, so that every guard lets them pass; by hand, only what an ordinary response needs is implemented.
"""

from __future__ import annotations

import logging
import os
from contextvars import ContextVar
from hashlib import blake2b
from re import compile as pattern
from time import localtime, perf_counter, strftime, time
from typing import TYPE_CHECKING, Any, cast

import middleware
from benchmarks.case import Case
from benchmarks.limit import EMPTY, SMALL, vary, weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.case import Application
    from benchmarks.limit import Lines

UNTAGGED = frozenset(("etag", "set-cookie", "content-encoding"))


class Dropping(logging.Handler):
    """Formats each record, and drops it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Format the record."""
        self.format(record)


def listen(name: str) -> logging.Logger:
    """A logger whose lines are made and dropped."""
    logger = logging.getLogger(name)
    logger.handlers, logger.propagate = [Dropping()], False
    logger.setLevel(logging.INFO)
    return logger


class Logged:
    """A body of one list, and a function to call at its end."""

    __slots__ = ("body", "close")

    def __init__(self, body: list[bytes], close: Callable[[], None]) -> None:
        self.body, self.close = body, close

    def __len__(self) -> int:
        return len(self.body)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)


def clocked() -> Callable[[], str]:
    """A function that tells the time as access logs do, formatted once a second."""
    second, told = 0, ""

    def now() -> str:
        nonlocal second, told
        current_second = int(time())
        if current_second != second:
            second, told = current_second, strftime("%d/%b/%Y:%H:%M:%S %z", localtime(current_second))
        return told

    return now


def combined(environ: dict[str, Any], now: str, status: str, size: int, seconds: float) -> tuple[Any, ...]:
    """The members of a line of the combined format, and the duration."""
    query, path = environ["QUERY_STRING"], environ["PATH_INFO"]
    line = f"{environ['REQUEST_METHOD']} {path}{f'?{query}' if query else ''} {environ['SERVER_PROTOCOL']}"
    user, referer = environ.get("REMOTE_USER", "-"), environ.get("HTTP_REFERER", "-")
    agent = environ.get("HTTP_USER_AGENT", "-")
    quoted = f"{line}{user}{referer}{agent}"
    if not (quoted.isascii() and quoted.isprintable()) or '"' in quoted or "\\" in quoted:
        raise NotImplementedError
    return environ["REMOTE_ADDR"], user, now, line, status[:3], size, referer, agent, seconds


LINE = '%s - %s [%s] "%s" %s %d "%s" "%s" %.6f'
current: ContextVar[str | None] = ContextVar("current", default=None)
# The fields of SecurityHeaders() over https.
HARDENED = (
    ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
    ("Content-Security-Policy", "default-src 'self'; object-src 'none'; script-src 'self'; frame-ancestors 'self'"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
)


def recommended(app: Application) -> Application:  # noqa: C901, PLR0915 - by hand it is one function
    """The jobs of `Stack.recommended`: id, access log, timing, security fields, CORS, guards, encoding, entity tag."""
    allowed, hosts = {"https://app.example"}, {"localhost"}
    safe, sites = {"GET", "HEAD", "OPTIONS"}, {"same-origin", "none"}
    folded = {name.lower(): (name, value) for name, value in HARDENED}
    known: dict[str, bool] = {}
    types = {"text/html; charset=utf-8": True}
    fit = pattern(r"[A-Za-z0-9._+/=:@-]{1,128}").fullmatch
    logger, now = listen("benchmarks.access"), clocked()

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: C901, PLR0912
        heads: list[tuple[str, Lines]] = []

        def start(status: str, lines: Lines, exc_info: Any = None) -> Any:
            if exc_info is not None:
                raise NotImplementedError
            heads.append((status, lines))

        begun = perf_counter()
        number = environ.get("HTTP_X_REQUEST_ID")
        if number is None or not fit(number):
            number = os.urandom(16).hex()
        environ["middleware.request_id"] = number
        token = current.set(number)
        method, origin = environ["REQUEST_METHOD"], environ.get("HTTP_ORIGIN", "")
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if (
            (method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ)
            or environ.get("HTTP_HOST", "").partition(":")[0].lower() not in hosts
            or environ["wsgi.url_scheme"] != "https"
            or (method not in safe and site not in sites)
            or "HTTP_IF_NONE_MATCH" in environ
            or "HTTP_IF_MODIFIED_SINCE" in environ
        ):
            raise NotImplementedError
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        wanted = known.get(accepted)
        if wanted is None:
            wanted = known[accepted] = weight(accepted, "gzip") > 0
        body = app(environ, start)
        [(status, lines)] = heads
        lines = [*lines]
        there = {name.lower(): value for name, value in lines}
        if type(body) is not list or len(body) != 1:
            raise NotImplementedError
        control = there.get("cache-control", "").lower()
        if status[:3] == "200" and there.keys().isdisjoint(UNTAGGED) and "no-store" not in control:
            lines.append(("ETag", f'"{blake2b(body[0], digest_size=16).hexdigest()}"'))
        varies = "Origin"
        if (
            types.get(there.get("content-type", ""))
            and "content-encoding" not in there
            and "content-range" not in there
            and "no-transform" not in control
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
            lines += HARDENED
        else:
            lines += [line for name, line in folded.items() if name not in there]
        if "x-request-id" in there:
            lines = [line for line in lines if line[0].lower() != "x-request-id"]
        lines += (
            ("Server-Timing", "total;dur=%.3f" % ((perf_counter() - begun) * 1000.0)),
            ("X-Request-Id", number),
        )
        start_response(status, lines)

        def close() -> None:
            logger.info(LINE, *combined(environ, now(), status, len(body[0]), perf_counter() - begun))
            current.reset(token)

        return Logged(body, close)

    return run


def stack(app: Application) -> Application:
    """The stack that does the same jobs."""
    listen("middleware.access")
    made = cast("Any", middleware.Stack).recommended(
        allow_origins=["https://app.example"], trusted_hosts=["localhost"], https=True
    )
    wrapped: Application = made.wrap(app)
    return wrapped


SENDS = (
    "Access-Control-Allow-Origin",
    "Vary",
    *(name for name, _ in HARDENED),
    "Server-Timing",
    "X-Request-Id",
    "ETag",
)
SECURE = {"wsgi.url_scheme": "https", "HTTP_ACCEPT_ENCODING": "identity"}
CASES = (
    Case("limit/recommended", "the recommended jobs by hand", recommended, sends=SENDS, asks=SECURE),
    Case(
        "ours/recommended",
        "Stack.recommended",
        stack,
        sends=SENDS,
        limit="limit/recommended",
        layers=("Stack.recommended",),
        asks=SECURE,
    ),
)

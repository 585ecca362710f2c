"""Measurement: what is told of a request when it is over. What the request was is taken when it comes in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from middleware.http.fields import content_length
from middleware.http.status import status_line
from middleware.wsgi.errors import BYTES_SENT
from middleware.wsgi.identity import REQUEST_ID

if TYPE_CHECKING:
    from middleware.wsgi.response import Response
    from middleware.wsgi.types import Environ

STATUS: Final = "middleware.status"
# The methods that are counted by name: others are many, and chosen by clients (OpenTelemetry, http.request.method).
METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"},
)
_IN_A_PATH: Final = "/!$&'()*+,;=:@~"  # RFC 3986 3.3, beside what `quote` never encodes


class Measurement(NamedTuple):
    """One request, when it is over.

    Text of the request is as PEP 3333 has it: each character stands for one byte.

    Attributes:
        method, path: str. The path is SCRIPT_NAME and PATH_INFO as the server decoded them.
        status: str, "200 OK"; None if the application failed before there was one.
        seconds_to_headers: float, from the request to the head of the response; None without a head.
        seconds: float, from the request to the close of the body.
        bytes_sent: int, content that left the stack; None if the server sent a file by itself. `AccessLog` then has the
            Content-Length.
        error: the exception that ended it badly, or None; None too if the server sent a file by itself, for nobody
            knows whether it arrived. Of a client that went away it is a GeneratorExit.
        client: str. REMOTE_ADDR; empty if the server does not tell.
        user: str or None. REMOTE_USER, at the end of the request: a layer further in may have verified it.
        target: str. The path and the query as the client sent them, percent-encoded: REQUEST_URI or RAW_URI where the
            server has it.
        protocol: str, "HTTP/1.1".
        referer, user_agent: str or None. The fields of the request.
        request_id: str or None. The id that `RequestId` gave.
        gone: bool. The client went away: the body was closed before it was exhausted.
    """

    method: str
    path: str
    status: str | None
    seconds_to_headers: float | None
    seconds: float
    bytes_sent: int | None
    error: BaseException | None
    client: str = ""
    user: str | None = None
    target: str = ""
    protocol: str = ""
    referer: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    gone: bool = False

    @property
    def status_code(self) -> int | None:
        """The three digits of the status, or None."""
        return int(self.status[:3]) if self.status is not None else None


class Asked:
    """What a request was when it came in, as far as a measurement tells of it."""

    __slots__ = (
        "_query",
        "_raw",
        "client",
        "method",
        "path",
        "protocol",
        "referer",
        "request_id",
        "user",
        "user_agent",
    )

    def __init__(self, environ: Environ) -> None:
        get = environ.get
        self.method: str = get("REQUEST_METHOD", "")
        self.path: str = get("SCRIPT_NAME", "") + get("PATH_INFO", "")
        self._query: str = get("QUERY_STRING", "")
        self._raw: str | None = get("REQUEST_URI") or get("RAW_URI")
        self.client: str = get("REMOTE_ADDR") or ""
        self.user: str | None = get("REMOTE_USER")
        self.protocol: str = get("SERVER_PROTOCOL", "")
        self.referer: str | None = get("HTTP_REFERER")
        self.user_agent: str | None = get("HTTP_USER_AGENT")
        self.request_id: str | None = get(REQUEST_ID)

    @property
    def target(self) -> str:
        """The path and the query as the client sent them; where the server does not tell, as they may have been."""
        if self._raw is not None:
            return self._raw
        path = quote(self.path.encode("latin-1", "replace"), _IN_A_PATH)
        return f"{path}?{self._query}" if self._query else path

    def measured(
        self,
        environ: Environ,
        status: str | None,
        times: tuple[float | None, float],
        size: int | None,
        error: BaseException | None,
    ) -> Measurement:
        """Return the measurement, now that the request is over. `times` are to the head and in all."""
        return Measurement(
            self.method,
            self.path,
            status,
            *times,
            size,
            error,
            self.client,
            environ.get("REMOTE_USER", self.user),
            self.target,
            self.protocol,
            self.referer,
            self.user_agent,
            self.request_id or environ.get(REQUEST_ID),
            isinstance(error, GeneratorExit),
        )


class Watched(Asked):
    """One request as a layer watches it, from its coming to its end.

    Attributes:
        start: float, when it came in, by time.perf_counter.
        outer: the same request as the same layer watches it further out, where it stands around itself; or None.
    """

    __slots__ = ("_head", "_length", "_response", "_status", "outer", "start")

    def __init__(self, environ: Environ) -> None:
        super().__init__(environ)
        self.outer: Watched | None = None
        self.start = time.perf_counter()
        self._head: float | None = None
        self._status: str | None = None
        self._length: str | None = None
        self._response = 0

    def head(self, response: Response) -> None:
        """Note the head of its response; of several that replace each other, the last."""
        if self._response not in (0, id(response)) and self.outer is not None:
            self.outer.head(response)  # the innermost has its own
            return
        self._response = id(response)
        self._head = time.perf_counter()
        self._status = response.status
        self._length = response.headers.get("Content-Length")

    def over(self, environ: Environ, error: BaseException | None) -> Measurement:
        """Return the measurement, now that the request is over."""
        now = time.perf_counter()
        size: int | None = environ.get(BYTES_SENT)
        if size is None and self._length is not None:
            size = content_length(self._length)
        to_head = None if self._head is None else self._head - self.start
        return self.measured(environ, self._sent(environ), (to_head, now - self.start), size, error)

    def _sent(self, environ: Environ) -> str | None:
        """The status that the server got, which a layer further out may have changed."""
        code = environ.get(STATUS)
        if code is None or (self._status is not None and self._status.startswith(str(code))):
            return self._status
        return status_line(code)


def watch(environ: Environ, key: str, watched: Watched) -> None:
    """Begin to watch a request, under a key of the layer in environ."""
    watched.outer = environ.get(key)
    environ[key] = watched


def ended(environ: Environ, key: str) -> Watched | None:
    """End to watch the request; return what was watched, or None if it never came to the layer."""
    watched: Watched | None = environ.get(key)
    if watched is not None:
        environ[key] = watched.outer
    return watched

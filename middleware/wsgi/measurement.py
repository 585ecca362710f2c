"""Measurement: the facts about a request that is over. Those of the request itself are read when it is received."""

import time
from itertools import count
from typing import Final
from urllib.parse import quote

from middleware.http.fields import content_length
from middleware.http.status import status_line
from middleware.wsgi.errors import BYTES_SENT
from middleware.wsgi.identity import REQUEST_ID
from middleware.wsgi.layer import Middleware
from middleware.wsgi.response import Response
from middleware.wsgi.types import Environ

STATUS: Final = "middleware.status"
_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"},
)
_NUMBERS: Final = count()
_IN_A_PATH: Final = "/!$&'()*+,;=:@~"  # RFC 3986 3.3, beside what `quote` never encodes


def counted_method(method: str) -> str:
    """The label by which a method is counted: `_OTHER` for an unknown one (OpenTelemetry, http.request.method)."""
    return method if method in _METHODS else "_OTHER"


class Measurement:
    """One request as it was received, and its outcome, which is known when it is over.

    Text of the request is as in PEP 3333: each character is one byte.

    Attributes:
        method, path: str. The path is SCRIPT_NAME and PATH_INFO as the server decoded them.
        status: str, "200 OK"; None if the application failed before there was one.
        seconds_to_headers: float, from the request to the head of the response; None without a head.
        seconds: float, from the request to the close of the body.
        bytes_sent: int, bytes of content that left the stack; None if the server sent a file by itself. `AccessLog`
            then uses the Content-Length.
        error: the exception that ended the response, or None. A GeneratorExit if the client disconnected. None if the
            server sent a file by itself, because the outcome is unknown.
        client: str. REMOTE_ADDR; empty if the server does not provide it.
        user: str or None. REMOTE_USER, at the end of the request: an inner layer may have verified it.
        protocol: str, "HTTP/1.1".
        referer, user_agent: str or None. The fields of the request.
        request_id: str or None. The id that `RequestId` gave.
        gone: bool. Whether the client disconnected: the body was closed before it was exhausted.
    """

    __slots__ = (
        *("_query", "_raw", "bytes_sent", "client", "error", "gone", "method", "path", "protocol", "referer"),
        *("request_id", "seconds", "seconds_to_headers", "status", "user", "user_agent"),
    )

    status: str | None
    seconds_to_headers: float | None
    seconds: float
    bytes_sent: int | None
    error: BaseException | None
    gone: bool

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
        self.status = self.seconds_to_headers = None

    @property
    def target(self) -> str:
        """The path and the query as the client sent them: REQUEST_URI or RAW_URI if the server provides one."""
        if self._raw is not None:
            return self._raw
        path = quote(self.path.encode("latin-1", "replace"), _IN_A_PATH)
        return f"{path}?{self._query}" if self._query else path

    @property
    def status_code(self) -> int | None:
        """The three digits of the status, or None."""
        return int(self.status[:3]) if self.status is not None else None

    def __repr__(self) -> str:
        return f"<Measurement {self.method} {self.path!r} {self.status}>"

    def end(self, environ: Environ, seconds: float, error: BaseException | None) -> None:
        """Record the outcome of the request."""
        self.seconds, self.error, self.gone = seconds, error, isinstance(error, GeneratorExit)
        self.bytes_sent = environ.get(BYTES_SENT)
        self.user = environ.get("REMOTE_USER", self.user)
        self.request_id = self.request_id or environ.get(REQUEST_ID)


class Followed(Measurement):
    """A request that a layer follows from its arrival to its end.

    Attributes:
        start: float, the time of its arrival, by time.perf_counter.
        outer: the record of the same request by the same layer as an outer one, or None.
    """

    __slots__ = ("_length", "_response", "outer", "start")

    def __init__(self, environ: Environ) -> None:
        super().__init__(environ)
        self.outer: Followed | None = None
        self.start = time.perf_counter()
        self._response: Response | None = None
        self._length: str | None = None

    def head(self, response: Response) -> None:
        """Record the head of the response; if it is replaced, the last one."""
        if self._response is not None and self._response is not response and self.outer is not None:
            self.outer.head(response)  # this record has a response of its own
            return
        self._response = response
        self.seconds_to_headers = time.perf_counter() - self.start
        self.status = response.status
        if not isinstance(response.body, (list, tuple)):  # may be a file that the server sends by itself
            self._length = response.headers.get("Content-Length")

    def over(self, environ: Environ, error: BaseException | None) -> None:
        """Record the outcome, with the Content-Length of a file that the server sent by itself."""
        self.end(environ, time.perf_counter() - self.start, error)
        self._response = None  # break the reference cycle: it leads to environ
        if self.bytes_sent is None and self._length is not None:
            self.bytes_sent = content_length(self._length)
        code = environ.get(STATUS)  # an outer layer may have changed it
        if code is not None and (self.status is None or not self.status.startswith(str(code))):
            self.status = status_line(code)


class Following(Middleware):
    """A layer that follows every request from its arrival to its end. Each copy has an environ key of its own."""

    _key: str

    def _bind(self) -> None:
        self.__dict__["_key"] = f"middleware.{type(self).__name__}.{next(_NUMBERS)}"  # built once, not for each request
        super()._bind()

    def _follow(self, environ: Environ, request: Followed) -> None:
        """Begin to follow a request."""
        request.outer = environ.get(self._key)
        environ[self._key] = request

    def on_response(self, environ: Environ, response: Response) -> None:
        """Record the head."""
        request: Followed | None = environ.get(self._key)
        if request is not None:  # None: an outer layer failed before this one ran
            request.head(response)

    def _followed(self, environ: Environ) -> Followed | None:
        """Stop following the request; return its record, or None if it never reached the layer."""
        request: Followed | None = environ.get(self._key)
        if request is not None:
            environ[self._key] = request.outer
        return request

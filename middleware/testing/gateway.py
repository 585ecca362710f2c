"""A WSGI server in a function. It is as strict as PEP 3333 allows, and records each call."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

from middleware.wsgi.types import Application, ExcInfo, Write


@dataclass
class Answer:
    """The response as the client got it, and the calls that led to it.

    Attributes:
        status, headers: the arguments of the last start_response.
        chunks, written: lists of bytes. The content from the iterable, and from write().
        heads: int. The number of calls of start_response.
        exc_info: the last exception passed to start_response, or None.
        error: the exception that reached the server, or None.
        result: the return value of the application.
        environ: dict. The environ of the request.
        faults: list of str. The breaches of PEP 3333 that a server must refuse.
    """

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    heads: int = 0
    exc_info: BaseException | None = None
    error: BaseException | None = None
    result: Any = None
    environ: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The content as sent."""
        return b"".join(self.written + self.chunks)

    def get(self, name: str) -> str | None:
        """The value of the first line of that name, or None."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """The values of all lines of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """Implements `start_response` (PEP 3333 "The start_response() Callable")."""
        self._check_lines(headers)
        if exc_info:
            self.exc_info = exc_info[1]
            if exc_info[1] is not None and (any(self.chunks) or any(self.written)):
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.heads:
            self._refuse("start_response was called twice without exc_info")
        self.heads += 1
        self.status, self.headers = status, headers
        return self.write

    def write(self, data: bytes) -> None:
        """Record a chunk that was sent by `write`, which PEP 3333 keeps for older applications."""
        self._check_content(data)
        self.written.append(data)

    def send(self, chunk: bytes) -> None:
        """Record a chunk of the iterable."""
        if not self.heads:
            self._refuse("content before start_response")
        self._check_content(chunk)
        self.chunks.append(chunk)

    def _check_lines(self, headers: object) -> None:
        lines = headers if isinstance(headers, Collection) else [headers]
        if not all(isinstance(line, tuple) and [isinstance(it, str) for it in line] == [True, True] for line in lines):
            self._refuse("header lines that are not tuples of two str")

    def _check_content(self, content: object) -> None:
        if not isinstance(content, bytes):
            self._refuse("content that is not bytes")

    def _refuse(self, fault: str) -> None:
        self.faults.append(fault)
        raise AssertionError(fault)


def environ(path: str = "/", method: str = "GET", **extra: Any) -> dict[str, Any]:
    """The environ of a request, with further keys as keyword arguments."""
    made: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "REQUEST_METHOD": method,
        "QUERY_STRING": "",
        "wsgi.file_wrapper": FileWrapper,
    }
    made.update(extra)
    setup_testing_defaults(made)
    return made


def serve(
    app: Application,
    path: str = "/",
    method: str = "GET",
    *,
    stop_after: int | None = None,
    lint: bool = True,
    **extra: Any,
) -> Answer:
    """Run one request, with further keys of the environ as keyword arguments.

    Options:
        app: WSGI application. The application to call. Required.
        path: str. PATH_INFO. Default "/".
        method: str. REQUEST_METHOD. Default "GET".
        stop_after: int or None. The client disconnects after this number of chunks; 0 is before any. Default None.
        lint: bool. Wrap the application in wsgiref.validate. Default True.
        extra: str. Further keys, such as HTTP_ORIGIN="https://app.example" for a request field. Default none.
    """
    answer = Answer(environ=environ(path, method, **extra))
    try:
        run: Application = validator(app) if lint else app
        answer.result = run(answer.environ, answer.start)
        for chunk in answer.result if stop_after != 0 else ():
            answer.send(chunk)
            if len(answer.chunks) == stop_after:
                break
    except BaseException as error:  # noqa: BLE001 - the server sees everything
        answer.error = error
    try:
        if hasattr(answer.result, "close"):
            answer.result.close()
    except BaseException as error:  # noqa: BLE001 - as above
        answer.error = answer.error or error
    return answer

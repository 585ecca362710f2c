"""A WSGI server in a function: as strict as PEP 3333 lets it be, and it tells what it saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from middleware.wsgi.types import Application, ExcInfo, Write


@dataclass
class Answer:
    """What reached the client, and what happened on the way.

    Attributes:
        status, headers: the last head that the server was given.
        chunks, written: what was iterated, and what was written.
        heads: int. How often start_response was called.
        exc_info: the last error that it was given, or None.
        error: what reached the server, or None.
        result: what the application returned.
        environ: that of the request.
        faults: what a server must refuse.
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
        """The content, as it was sent."""
        return b"".join(self.written + self.chunks)

    def get(self, name: str) -> str | None:
        """The value of the first line of that name, or None."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """The values of all lines of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """Be start_response (PEP 3333 "The start_response() Callable")."""
        if exc_info:
            self.exc_info = exc_info[1]
            if exc_info[1] is not None and (any(self.chunks) or any(self.written)):
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.heads:
            self._refuse("start_response was called twice without exc_info")
        self.heads += 1
        self.status, self.headers = status, headers
        return self.written.append

    def send(self, chunk: bytes) -> None:
        """Take a chunk of the iterable."""
        if not self.heads:
            self._refuse("content before start_response")
        self.chunks.append(chunk)

    def _refuse(self, fault: str) -> None:
        self.faults.append(fault)
        raise AssertionError(fault)


def environ(path: str = "/", method: str = "GET", **extra: Any) -> dict[str, Any]:
    """The environ of a request; further keys by keyword."""
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
    """Run one request; further keys of the environ by keyword.

    Options:
        app: WSGI application. What is asked. Required.
        path: str. PATH_INFO. Default "/".
        method: str. REQUEST_METHOD. Default "GET".
        stop_after: int or None. The client goes away after so many chunks. Default None.
        lint: bool. Whether wsgiref.validate stands between. Default True.
        extra: str. Further keys, HTTP_ORIGIN="https://app.example" for a field of the request. Default none.
    """
    answer = Answer(environ=environ(path, method, **extra))
    try:
        answer.result = _run(validator(app) if lint else app, answer)
        _take(answer, stop_after)
    except BaseException as error:  # noqa: BLE001 - the server sees everything
        answer.error = error
    try:
        if hasattr(answer.result, "close"):
            answer.result.close()
    except BaseException as error:  # noqa: BLE001
        answer.error = answer.error or error
    return answer


def _run(app: Application, answer: Answer) -> Iterable[bytes]:
    return app(answer.environ, answer.start)


def _take(answer: Answer, stop_after: int | None) -> None:
    for chunk in answer.result:
        answer.send(chunk)
        if len(answer.chunks) == stop_after:
            break

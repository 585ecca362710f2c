"""A WSGI server in a function: as strict as PEP 3333 lets it be, and it tells what it saw."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator


@dataclass
class Answer:
    """What reached the client, and what happened on the way."""

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    heads: int = 0  # how often start_response was called
    exc_info: Any = None  # the last that it was given
    error: BaseException | None = None  # what reached the server
    result: Any = None  # what the application returned
    environ: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return b"".join(self.written + self.chunks)

    def get(self, name: str) -> str | None:
        values = self.get_all(name)
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def environ(path: str = "/", method: str = "GET", **extra: Any) -> dict[str, Any]:
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
    app: Any, path: str = "/", method: str = "GET", *, stop_after: int | None = None, lint: bool = True, **extra: Any
):
    """Run one request. `stop_after`: the client goes away after so many chunks. Keys of the environ by keyword."""
    answer = Answer(environ=environ(path, method, **extra))

    def start_response(status, headers, exc_info=None):
        sent = any(answer.chunks) or any(answer.written)
        if exc_info:
            answer.exc_info = exc_info[1]
            if sent:
                raise exc_info[1].with_traceback(exc_info[2])
        else:
            assert not answer.heads, "start_response was called twice without exc_info"
        answer.heads += 1
        answer.status, answer.headers = status, headers
        return answer.written.append

    iterable = None
    try:
        iterable = answer.result = (validator(app) if lint else app)(answer.environ, start_response)
        for chunk in iterable:
            assert answer.heads, "content before start_response"
            answer.chunks.append(chunk)
            if len(answer.chunks) == stop_after:
                break
    except BaseException as error:  # noqa: BLE001 - the server sees everything
        answer.error = error
    finally:
        try:
            if hasattr(iterable, "close"):
                iterable.close()
        except BaseException as error:  # noqa: BLE001
            answer.error = answer.error or error
    assert sys.exc_info() == (None, None, None)
    return answer

"""Answer: what a layer sends instead of the application's response: text, JSON, or a problem (RFC 9457)."""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

from middleware.http.fields import Line, check_line, plain
from middleware.http.media_types import prefers_json
from middleware.http.problem import CONTENT_TYPE, problem
from middleware.http.status import status_fault, status_line, without_content
from middleware.wsgi.held import close_iterable
from middleware.wsgi.options import is_async
from middleware.wsgi.refused import is_factory, wraps_nothing
from middleware.wsgi.response import Response, Transform, method_name
from middleware.wsgi.types import Application, Environ, ExcInfo, StartResponse, Write

Answer: TypeAlias = (
    "Application | tuple[int | str, str | bytes] | tuple[int | str, str | bytes, Mapping[str, str] | Iterable[Line]]"
)
NOTES: Final = "middleware.notes"
_ANSWERS: Final = "None, a WSGI application, (status, body), (status, body, headers) or json_response(data)"
_TEXT: Final = "text/plain; charset=utf-8"
# For an answer that depends on the client, so that no cache gives it to another one (RFC 9111 5.2.2.5).
NO_STORE: Final = ("Cache-Control", "no-store")


def answer(status: int, detail: str, headers: Iterable[Line] = ()) -> Application:
    """Return an application that answers with one line about what was wrong.

    A client whose Accept prefers JSON gets problem+json, every other plain text; Vary names Accept. The lines of
    `headers` are checked by the caller. HEAD gets the same response: the pipeline leaves the content out.
    """
    line = status_line(status)
    extra = tuple(headers)
    text, as_problem = f"{detail}\n".encode("utf-8", "backslashreplace"), problem(status, detail)

    def respond(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        as_json = prefers_json(str(environ.get("HTTP_ACCEPT", "")))  # an application may have replaced it
        body, content_type = (as_problem, CONTENT_TYPE) if as_json else (text, _TEXT)
        fields = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Vary", "Accept"), *extra]
        start_response(line, fields)
        return [body]

    return respond


def redirect(status: int, location: str) -> Application:
    """Return an application that redirects to `location`, which the caller has checked."""
    body = f"See {plain(location)}\n".encode("ascii")
    fields = [("Location", plain(location)), ("Content-Type", _TEXT), ("Content-Length", str(len(body)))]
    return fixed(status_line(status), fields, body)


def fixed(status: str, fields: list[Line], body: bytes) -> Application:
    """An application with one response to every request."""

    def respond(_: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [*fields])  # PEP 3333 lets its recipient change the list
        return [body] if body else []

    return respond


# -- guards ------------------------------------------------------------------------------------------------------------


def answer_fault(given: object) -> str | None:
    """Return the rule that a value of `answer=` breaks, or None if it is valid or left out."""
    rule = "a WSGI application (environ, start_response), or None"
    if wraps_nothing(given):
        return f"{rule}; a layer is none until it wraps one"
    fits = given is None or (callable(given) and not is_async(given) and not is_factory(given))
    return None if fits else rule


def refusal(given: Application | None, status: int, detail: str, headers: Iterable[Line] = ()) -> Application:
    """Return the application that answers for a guard: the one given as `answer=`, or one that states what was wrong.

    Fields that the given application leaves out are added to its response: Cache-Control always, other fields only if
    the response has this status, because a login page with status 200 is not a challenge.
    """
    if given is None:
        return answer(status, detail, headers)
    lines = tuple(headers)

    def respond(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(line: str, fields: list[Line], exc_info: ExcInfo | None = None) -> Write:
            there = {name.lower() for name, _ in fields}
            wanted = lines if line[:3] == str(status) else [each for each in lines if each is NO_STORE]
            added = [*fields, *(each for each in wanted if each[0].lower() not in there)]
            return start_response(line, added) if exc_info is None else start_response(line, added, exc_info)

        return given(environ, start)

    return respond if lines else given


def note(environ: Environ, why: str, *values: object) -> None:
    """Note a reason, if something collects notes. `values` are formatted into `why`."""
    notes = environ.get(NOTES)
    if notes is not None:
        notes.append(why.format(*values) if values else why)


def replaced(environ: Environ, response: Response, app: Application) -> Transform:
    """Replace `response` by that of `app`; return the Transform that replaces the body.

    Nothing of the first response stays, as if the request had never reached the inner layers.
    """
    written: list[bytes] = []
    heads: list[tuple[str, list[Line]]] = []

    def start(status: str, headers: list[Line], _exc_info: ExcInfo | None = None) -> Write:
        heads.append((status, headers))
        return written.append

    body = app(environ, start)
    try:
        written.extend(body)
    finally:
        close_iterable(body)
    status, lines = heads[-1]
    response.status = status
    fields = response.headers
    for name in {name.lower() for name, _ in fields}:
        del fields[name]
    for name, value in lines:
        if name.lower() != "content-length":  # the pipeline counts
            fields.add(name, value)
    return Instead(b"".join(written))


class Instead:
    """A Transform that sends its own content at once, and drops the chunks of the application."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def feed(self, _chunk: bytes) -> bytes:
        """The content, in place of the first chunk."""
        content, self._content = self._content, b""
        return content

    def finish(self) -> bytes:
        """The content, if there was no chunk."""
        return self.feed(b"")


# -- what on_request returns ------------------------------------------------------------------------------------------


def json_response(data: object, status: int = 200, headers: Mapping[str, str] | Iterable[Line] = ()) -> Application:
    """A WSGI application that responds with data as JSON, for an on_request to return.

    Options:
        data: any value that json.dumps takes. The content. Required.
        status: int, or str such as "403 Forbidden". The status of the response. Default 200.
        headers: mapping, or pairs of name and value. Lines beside Content-Type and Content-Length. Default none.

    Errors: ValueError or TypeError for a status or a line that may not be sent, and for data that JSON cannot
        represent.
    Source: RFC 8259.
    """
    body = json.dumps(data, allow_nan=False).encode("ascii")
    return _responding(_status(status), body, "application/json", headers)


def as_application(returned: Any, on_request: Callable[..., object]) -> Application:
    """Return the WSGI application for the return value of an on_request; TypeError or ValueError if it is invalid."""
    if callable(returned):
        application: Application = returned
        return application
    if isinstance(returned, tuple) and len(returned) in (2, 3) and isinstance(returned[1], (str, bytes)):
        status, body, *headers = returned
        try:
            content = body.encode("utf-8") if isinstance(body, str) else body
            content_type = _TEXT if content is not body else "application/octet-stream"
            return _responding(_status(status), content, content_type, *headers)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{method_name(on_request)}: {error}") from None
    if inspect.iscoroutine(returned):
        returned.close()  # otherwise Python warns that it was never awaited
    raise TypeError(f"{method_name(on_request)} returned {returned!r}: it returns {_ANSWERS}")


def _status(status: object) -> str:
    line = status_line(int(status)) if isinstance(status, int) and 100 <= status <= 999 else status
    if (fault := status_fault(line)) is not None:
        raise ValueError(fault)
    return cast("str", line)


def _responding(status: str, body: bytes, content_type: str, headers: Any = ()) -> Application:
    if not hasattr(headers, "__iter__"):
        raise TypeError(f"headers are a mapping, or pairs of name and value; got {headers!r}")
    given = [*(headers.items() if hasattr(headers, "items") else headers)]
    for line in given:
        check_line(line)
    given = [(plain(name), plain(value)) for name, value in given]
    if without_content("GET", status):
        return fixed(status, given, b"")
    names = {name.lower() for name, _ in given}
    fields = [("Content-Type", content_type)] if "content-type" not in names else []
    fields += [("Content-Length", str(len(body)))] if "content-length" not in names else []
    return fixed(status, [*fields, *given], body)

"""Answer: the response of a layer that answers instead of the application, as text or as a problem (RFC 9457)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from middleware.http.media_types import prefers_json
from middleware.http.problem import CONTENT_TYPE, problem
from middleware.http.status import status_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from middleware.http.fields import Line
    from middleware.wsgi.types import Application, Environ, StartResponse


def answer(status: int, detail: str, headers: Iterable[Line] = ()) -> Application:
    """An application that says in one line what was wrong.

    A client whose Accept prefers JSON gets problem+json, every other plain text; Vary names Accept. The lines of
    `headers` are checked by the caller. HEAD gets the same response: the pipeline leaves the content out.
    """
    line = status_line(status)
    extra = tuple(headers)
    text, json = f"{detail}\n".encode("utf-8", "backslashreplace"), problem(status, detail)

    def respond(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        as_json = prefers_json(environ.get("HTTP_ACCEPT", ""))
        body, content_type = (json, CONTENT_TYPE) if as_json else (text, "text/plain; charset=utf-8")
        fields = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Vary", "Accept"), *extra]
        start_response(line, fields)
        return [body]

    return respond

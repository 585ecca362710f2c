"""Respond and Redirect: answer every request in one way, or with a condition some requests (RFC 9110 15)."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, TypeAlias, cast, overload

from middleware.http.fields import Line, name_fault, plain, value_fault
from middleware.http.locations import REDIRECTS, is_query, location_fault, with_query
from middleware.http.status import status_line
from middleware.wsgi.answer import NO_STORE, answer, fixed, note, redirect
from middleware.wsgi.effects import Effects
from middleware.wsgi.options import Problems, pairs
from middleware.wsgi.positional import Positional
from middleware.wsgi.refused import can_be_called
from middleware.wsgi.types import Application, Environ

Pairs: TypeAlias = Mapping[str, str] | Iterable[Line]
Target: TypeAlias = str | Callable[[Environ], str | None]
_TEXT: Final = "text/plain; charset=utf-8"
_FRAMING: Final = "content-length", "content-type", "transfer-encoding"
_FRAMED: Final = "Content-Type is `content_type`, and the length is that of `body`"
_EMPTY: Final = (204, 205, 304)  # RFC 9110 15.3.5, 15.3.6 and 15.4.5
_ASKERS: Final = (401, 429)  # statuses that depend on the client
_CHARSET: Final = re.compile(r';\s*charset="?([^\s;"]+)', re.IGNORECASE)
_ALWAYS: Final = "answers every request that it sees"
_UNSAFE: Final = "The target of the request leads nowhere."


class Respond(Positional):
    """Answers every request: with `.when(...)`, for maintenance, refused paths and health checks.

    Stands inside layers whose headers belong on every response; inner layers and the application see none of these
    requests. Does nothing to requests that its condition excludes. `Respond(404)` is a value for a Stack, `Respond(app,
    404)` wraps; every option may be written as a keyword. Clients get this response regardless of their Accept. 401 and
    429 are `Cache-Control: no-store` unless `headers` has another.

    Options:
        status: int, 200 to 599. The status. Required.
        body: str or bytes. The content; a str is encoded by the charset of `content_type`. Default "".
        content_type: str. Content-Type, not sent with a 204 or 304. Default "text/plain; charset=utf-8".
        headers: mapping name -> value, or pairs. Other fields: Retry-After of a 503, Allow of a 405, WWW-Authenticate
            of a 401. Default ().

    Errors: ConfigError, also for content of a 204, 205 or 304, and for fields that frame the response.
    Source: RFC 9110 15.
    """

    effects: ClassVar[Effects] = Effects(answers=True)
    _placed = "status", "body"
    status: int
    body: str | bytes
    content_type: str
    headers: tuple[Line, ...]

    @overload
    def __init__(
        self, status: int, body: str | bytes = "", *, content_type: str = _TEXT, headers: Pairs = ()
    ) -> None: ...
    @overload
    def __init__(
        self,
        app: Application | None,
        /,
        status: int,
        body: str | bytes = "",
        *,
        content_type: str = _TEXT,
        headers: Pairs = (),
    ) -> None: ...
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)

    def _configure(
        self, *, status: int, body: str | bytes = "", content_type: str = _TEXT, headers: Pairs = ()
    ) -> None:
        problems = Problems("Respond")
        right = isinstance(status, int) and 200 <= status <= 599
        problems.check(right, "status", "an int from 200 to 599 (RFC 9110 15)", status)
        problems.add_fault("content_type", value_fault(content_type), content_type)
        content_type = plain(content_type)
        self.status, self.body, self.content_type = status, body, content_type
        self.headers = tuple(problems.read("headers", headers, pairs, []))
        for name, value in self.headers:
            framing = isinstance(name, str) and name.lower() in _FRAMING
            problems.add_fault("headers", _FRAMED if framing else name_fault(name) or value_fault(value), (name, value))
        content = _content(problems, body, content_type)
        problems.check(not (content and status in _EMPTY), "body", f"nothing, since a {status} has no content", body)
        problems.done()
        framed = [("Content-Type", content_type), ("Content-Length", str(len(content)))]
        lines = framed * (status not in (204, 304))
        if status in _ASKERS and "cache-control" not in map(str.lower, dict(self.headers)):
            lines.append(NO_STORE)
        self._answer = fixed(status_line(int(status)), [*lines, *self.headers], content)

    def on_request(self, environ: Environ) -> Application:
        """Answer."""
        note(environ, _ALWAYS)
        return self._answer

    def describe(self) -> Iterable[tuple[str, str]]:
        """The status of the answer."""
        return [("request", f"is answered with {status_line(int(self.status))}")]


class Redirect(Positional):
    """Redirects every request: with `.when(...)`, for pages and hosts that have moved.

    Stands inside layers whose headers belong on every response; inner layers and the application see none of these
    requests. `Redirect("/new")` is a value for a Stack, `Redirect(app, "/new")` wraps; every option may be written as a
    keyword; a callable alone is `to`. Does nothing to requests that its condition excludes.

    Options:
        to: URL, or callable(environ) -> URL or None. The target: a path of the same host that begins with one slash, or
            an http or https URL, percent-encoded. A callable that returns None lets the request pass. Required.
        status: int, 301, 302, 303, 307 or 308. 308 keeps method and body, and is remembered by browsers. Default 308.
        keep_query: bool. Whether the query of the request is appended, after that of `to`. Default True.

    Errors: ConfigError for a URL that may lead elsewhere: with a user, a second slash or a backslash at its beginning,
        without a host. A callable that makes such a URL from the path of a request, or from other input of the client,
        causes a 400, never an open redirect. The callable must write the host itself, followed by a slash.
    Source: RFC 9110 10.2.2 and 15.4, RFC 3986 4.2, URL Standard 4.4.
    """

    effects: ClassVar[Effects] = Effects(answers=True)
    _placed = ("to",)
    to: Target
    status: int
    keep_query: bool

    @overload
    def __init__(self, to: Target, *, status: int = 308, keep_query: bool = True) -> None: ...
    @overload
    def __init__(
        self,
        app: Application | None,
        /,
        to: Target,
        *,
        status: int = 308,
        keep_query: bool = True,
    ) -> None: ...
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)

    def _is_app(self, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
        """A callable alone is `to`."""
        return len(args) > 1 or "to" in options or args[0] is None

    def _configure(self, *, to: Target, status: int = 308, keep_query: bool = True) -> None:
        problems = Problems("Redirect")
        self.to, self.status, self.keep_query = plain(to), status, keep_query
        if not callable(to):
            problems.add_fault("to", location_fault(to), to)
        elif not can_be_called(to, 1):
            problems.add("to", "a URL, or a callable(environ) -> URL, not a coroutine function", to)
        right = isinstance(status, int) and status in REDIRECTS
        problems.check(right, "status", f"one of {', '.join(map(str, REDIRECTS))} (RFC 9110 15.4)", status)
        problems.boolean("keep_query", keep_query)
        problems.done()
        self._unsafe = answer(400, _UNSAFE)

    def on_request(self, environ: Environ) -> Application | None:
        """Redirect."""
        to = self.to
        if callable(to):
            made = to(environ)
            if made is None:
                note(environ, "its callable returned None")
                return None
            to = made
        query = environ.get("QUERY_STRING", "") if self.keep_query else ""
        fault = moved_fault(to, environ.get("PATH_INFO", ""), query, made=callable(self.to))
        if fault is not None:
            note(environ, f"not redirected to {to!r}: {fault}")
            return self._unsafe
        note(environ, f"its callable returned {to!r}" if callable(self.to) else _ALWAYS)
        return redirect(self.status, with_query(to, query))

    def describe(self) -> Iterable[tuple[str, str]]:
        """The URL of the redirect, and its status."""
        where = "what a callable returns" if callable(self.to) else self.to
        return [("request", f"is redirected to {where} with {int(self.status)}")]


def moved_fault(to: str, path_info: str, query: str, *, made: bool) -> str | None:
    """Why a request must not be redirected to `to`, or None; `made`: the URL may contain the path of the request."""
    if not is_query(query):
        return "a query is %x21-7E without a fragment (RFC 9112 3.2)"
    if made and path_info and not path_info.startswith("/"):
        return "a path that does not begin with a slash goes on from a host (RFC 9112 3.2.1)"
    return location_fault(to)


def _content(problems: Problems, body: object, content_type: object) -> bytes:
    if isinstance(body, bytes):
        return body
    if not problems.check(isinstance(body, str), "body", "a str or bytes", body):
        return b""
    found = _CHARSET.search(str(content_type))
    try:
        return cast("str", body).encode(found[1] if found else "utf-8")
    except (LookupError, UnicodeEncodeError) as error:
        problems.add("body", f"what the charset of content_type can encode ({error})", body)
        return b""

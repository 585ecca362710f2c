"""Checks that need more than one response: field lines, request content, steps, concurrent requests and leftovers."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise, zip_longest
from typing import Any, Final, TypeAlias

from middleware.testing.cases import Owed, Recorded, told
from middleware.testing.gateway import Answer, environ, serve
from middleware.testing.laws import Breach
from middleware.testing.shapes.definition import TEXT, CountedBody, Shape, begin, returning
from middleware.wsgi.types import Application, Environ, StartResponse, Write

Wrap: TypeAlias = "Callable[[Application], Application]"

_PATHS: Final = ("/one", "/two")
LINES: Final = [("X-First", "1"), ("Set-Cookie", "a=1"), ("X-Between", "1"), ("Set-Cookie", "b=2")]


def keeps_fields(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """Every field line of the application stays, in its order."""
    app, _ = returning([b"onetwo"], headers=[*TEXT, *LINES])
    answer = serve(middleware(app), lint=False, **owed.environ)
    seen = [line for line in answer.headers if line in LINES]
    if seen != LINES:
        yield Breach("fields", "fields: sends two Set-Cookie among other lines", repr(seen), repr(LINES))


_CONTENT: Final = b"a=1\nb=2"
_READS: Final[dict[str, Callable[[Any, int], Iterable[bytes]]]] = {
    "read()": lambda stream, length: [stream.read(length)],
    "readline()": lambda stream, _length: iter(stream.readline, b""),
    "readlines()": lambda stream, _length: stream.readlines(),
    "iteration": lambda stream, _length: stream,
}


def _posted() -> dict[str, Any]:
    """The keys of a request with content."""
    return {"wsgi.input": io.BytesIO(_CONTENT), "CONTENT_LENGTH": str(len(_CONTENT)), "CONTENT_TYPE": "text/plain"}


def keeps_input(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """The application can read the content of the request, in each way that files have."""
    for way, read in _READS.items():
        found: list[object] = []

        def app(
            environ: Environ, start_response: StartResponse, read: Any = read, found: list[object] = found
        ) -> Iterable[bytes]:
            try:
                chunks = read(environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0))
                found.append(b"".join(islice(chunks, len(_CONTENT))))  # a faulty stream may have no end
            except Exception as error:  # noqa: BLE001 - caused by the stream
                found.append(told(error))
            begin(start_response)
            return [b"onetwo"]

        serve(middleware(app), method="POST", lint=False, **{**owed.environ, **_posted()})
        if found not in ([], [_CONTENT]):
            yield Breach("input", f"reading: reads the content of a POST by {way}", repr(found[0]), repr(_CONTENT))


_URL: Final = {"SCRIPT_NAME": "/mounted", "QUERY_STRING": "a=1&b=%20"}
_SEEN: Final = (
    *("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT"),
    *("SERVER_PROTOCOL", "CONTENT_TYPE", "CONTENT_LENGTH"),
)


def keeps_request(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """The application sees the URL, and the type and length of the content, that the client sent."""
    seen: list[dict[str, Any]] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        seen.append({key: environ.get(key, "") for key in _SEEN})
        begin(start_response)
        return [b"onetwo"]

    for method, posted in (("GET", {}), ("POST", _posted())):
        sent = {**_URL, **owed.environ, **posted}
        serve(middleware(app), method=method, lint=False, **sent)
        wanted = environ(method=method, **sent)
        wrong = [key for key in _SEEN if seen and seen[-1][key] != wanted.get(key, "")]
        if wrong:
            shown = [{key: found.get(key, "") for key in wrong} for found in (seen[-1], wanted)]
            yield Breach("request", f"looking: looks at the environ of a {method}", *map(repr, shown))


def keeps_blocks(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """Each step of the server is at most one step of the application."""
    case = "stream: returns an iterator of four chunks"
    body = CountedBody([b"one", b"", b"two", b"three"])
    answer = Answer(environ=environ(**owed.environ))
    pulls, begun = [0], []

    def start(*head: Any) -> Write:
        begun.append(body.pulled)
        return answer.start(*head)

    try:
        answer.result = middleware(returning(body)[0])(answer.environ, start)
        pulls += [body.pulled]
        pulls += [body.pulled for _ in answer.result]
        _close(answer)
    except Exception as error:  # noqa: BLE001 - the server sees everything
        yield Breach("raises", case, told(error), "no error")
        return
    if pulls[1] > min([1, *begun]):  # one may be pulled to decide on the head, and none after it
        shown = f"{pulls[1]} chunks were pulled before the server asked for one"
        yield Breach("blocks", case, shown, "none, or one that the head waits for")
    elif max(after - before for before, after in pairwise(pulls)) > 1:
        yield Breach("blocks", case, f"pulled after each value: {pulls[2:]}", "one chunk for each value at most")


def _echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    own: str = environ["PATH_INFO"]
    start_response("200 OK", [*TEXT, ("X-Own", own)])
    return CountedBody([own.encode(), b"-", own.encode()])


def keeps_apart(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """Two requests that run step by step in turn each get their own response."""

    def late_echo(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        yield from _echo(environ, start_response)

    for app, says in ((_echo, "starts at once"), (late_echo, "is a generator")):
        wrapped = middleware(app)
        answers = [Answer(environ=environ(path, **owed.environ)) for path in _PATHS]
        found: list[tuple[Any, Any]]
        try:
            _alternate(wrapped, answers)
            found = [(answer.get("X-Own"), owed.content(answer)) for answer in answers]
        except Exception as error:  # noqa: BLE001 - caused by the other request
            found = [(answer.get("X-Own"), told(error)) for answer in answers]
        for seen, path in zip(found, _PATHS, strict=True):
            wanted = path, owed.whole(f"{path}-{path}".encode())
            if seen != wanted:
                yield Breach("state", f"two requests in turn: an application that {says}", repr(seen), repr(wanted))


def _alternate(wrapped: Application, answers: list[Answer]) -> None:
    for answer in answers:
        answer.result = wrapped(answer.environ, answer.start)
    for chunks in zip_longest(*(answer.result for answer in answers)):
        for answer, chunk in zip(answers, chunks, strict=True):
            if chunk is not None:
                answer.send(chunk)
    for answer in answers:
        _close(answer)


def _close(answer: Answer) -> None:
    getattr(answer.result, "close", int)()


def keeps_nothing(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """Two equal requests both reach the application, and get the same response, except for the values of fields."""
    case = "the same request twice"
    app = Recorded(_echo)
    wrapped = middleware(app)
    found: list[tuple[Any, ...]] = []
    for _ in range(2):
        answer = serve(wrapped, "/one", lint=False, **owed.environ)
        try:
            content: object = owed.content(answer)
        except Exception as error:  # noqa: BLE001 - a decoder may raise anything
            content = told(error)
        found.append((answer.status, [name for name, _ in answer.headers], content))
    if found[0] != found[1]:
        yield Breach("state", case, f"then {found[1]!r}", f"as at first {found[0]!r}")
    if app.calls != len(found):
        yield Breach("called", case, f"the application is called {app.calls} times", "2 times")


def cycles_of(middleware: Wrap, shape: Shape, owed: Owed) -> int:
    """The number of objects that the collector finds after a request; 0 if it fails, which other checks report."""

    def anew(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return shape.make()[0](environ, start_response)

    wrapped = middleware(anew)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _once(wrapped, shape, owed)  # leave out what only the first request allocates
        gc.collect(0)  # leave out existing objects, which are no longer of the youngest generation
        _once(wrapped, shape, owed)
        return gc.collect(0)
    except Exception:  # noqa: BLE001 - an exception refers to every frame that it passed
        return 0
    finally:
        (gc.enable if enabled else gc.disable)()


def _once(wrapped: Application, shape: Shape, owed: Owed) -> None:
    """Run a request without keeping a reference to any of its objects."""
    request = environ(method=shape.method, **owed.environ)
    result = wrapped(request, lambda _status, _headers, _exc_info=None: len)
    for _ in result:
        pass
    getattr(result, "close", int)()


PROBES: Final = (keeps_fields, keeps_request, keeps_input, keeps_blocks, keeps_apart, keeps_nothing)

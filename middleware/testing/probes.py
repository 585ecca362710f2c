"""Checks that one answer cannot show: field lines, request content, single steps, concurrent requests and leftovers."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise, zip_longest
from typing import Any, Final, TypeAlias

from middleware.testing.cases import Owed, told
from middleware.testing.gateway import Answer, environ, serve
from middleware.testing.laws import Breach
from middleware.testing.shapes.definition import TEXT, CountedBody, Shape, begin, returning
from middleware.wsgi.types import Application, Environ, StartResponse

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


def keeps_input(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """The application can read the content of the request."""
    found: list[bytes] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        found.append(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        begin(start_response)
        return [b"onetwo"]

    sent = {"wsgi.input": io.BytesIO(b"a=1"), "CONTENT_LENGTH": "3", "CONTENT_TYPE": "text/plain"}
    serve(middleware(app), method="POST", lint=False, **{**owed.environ, **sent})
    if found not in ([], [b"a=1"]):
        yield Breach("input", "reading: reads the content of a POST", repr(found[0]), "b'a=1'")


def keeps_blocks(middleware: Wrap, owed: Owed) -> Iterator[Breach]:
    """Each step of the server is at most one step of the application."""
    case = "stream: returns an iterator of four chunks"
    body = CountedBody([b"one", b"", b"two", b"three"])
    answer = Answer(environ=environ(**owed.environ))
    pulls = [0]
    try:
        answer.result = middleware(returning(body)[0])(answer.environ, answer.start)
        pulls += [body.pulled]
        pulls += [body.pulled for _ in answer.result]
        _close(answer)
    except Exception as error:  # noqa: BLE001 - the server sees everything
        yield Breach("raises", case, told(error), "no error")
        return
    if pulls[1]:
        yield Breach("blocks", case, f"{pulls[1]} chunks were pulled before the server asked for one", "none")
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
    """The second of two equal requests gets the same fields as the first."""
    wrapped = middleware(_echo)
    first, second = (serve(wrapped, "/one", lint=False, **owed.environ) for _ in range(2))
    names = [[name for name, _ in answer.headers] for answer in (first, second)]
    if names[0] != names[1]:
        yield Breach("state", "the same request twice", f"fields {names[1]}", f"fields {names[0]}")


def cycles_of(middleware: Wrap, shape: Shape, owed: Owed) -> int:
    """The number of objects that the collector finds after a request; 0 if it fails, which other checks report."""

    def anew(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return shape.make()[0](environ, start_response)

    wrapped = middleware(anew)
    enabled = gc.isenabled()
    gc.disable()
    try:
        _once(wrapped, shape, owed)  # leave out what only the first request allocates
        gc.freeze()  # leave out existing objects
        _once(wrapped, shape, owed)
        return gc.collect()
    except Exception:  # noqa: BLE001 - an exception refers to every frame that it passed
        return 0
    finally:
        gc.unfreeze()
        (gc.enable if enabled else gc.disable)()


def _once(wrapped: Application, shape: Shape, owed: Owed) -> None:
    """Run a request without keeping a reference to any of its objects."""
    request = environ(method=shape.method, **owed.environ)
    result = wrapped(request, lambda _status, _headers, _exc_info=None: len)
    for _ in result:
        pass
    getattr(result, "close", int)()


PROBES: Final = (keeps_fields, keeps_input, keeps_blocks, keeps_apart, keeps_nothing)

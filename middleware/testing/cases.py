"""Runs one application of the matrix inside a middleware, and checks the result against the laws."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

from middleware.testing.gateway import Answer, serve
from middleware.testing.laws import Breach
from middleware.testing.shapes.definition import CountedBody, Failure, Shape
from middleware.wsgi.types import Application, Environ, StartResponse, Write

Headers: TypeAlias = "list[tuple[str, str]]"

Found: TypeAlias = "Iterator[tuple[str, object, object]]"  # law, seen, owed


# -- the application, observed from inside of a middleware -----------------------------------------------------------


class Recorded:
    """An application that records its calls and its results."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.calls = 0
        self.environ: Environ = {}
        self.method: str | None = None
        self.returned: Any = None
        self.lists: list[tuple[Headers, Headers]] = []  # each header list, and a copy of it

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application."""
        self.calls += 1
        self.environ, self.method = environ, environ.get("REQUEST_METHOD")

        def start(status: str, headers: Headers, *exc_info: Any) -> Write:
            self.lists.append((headers, list(headers)))
            return start_response(status, headers, *exc_info)

        self.returned = self.app(environ, start)
        result: Iterable[bytes] = self.returned
        return result


class Linted:
    """An application inside wsgiref.validate. Records its complaints, because a middleware may answer the exception."""

    def __init__(self, app: Application) -> None:
        self.app = validator(app)
        self.complaints: list[str] = []
        self.given: list[Any] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application."""
        self.given.append(self._told(self.app, environ, start_response))
        return _Complaining(self.given[-1], self._told)

    def end(self) -> None:
        """Close the iterables that the middleware left open. wsgiref.validate would complain on stderr."""
        for iterable in self.given:
            if not iterable.closed:
                iterable.close()

    def _told(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except AssertionError as error:
            if is_complaint(error):
                self.complaints.append(str(error))
            raise


class _Complaining:
    def __init__(self, iterable: Any, told: Callable[..., Any]) -> None:
        self._iterable, self._told = iterable, told
        self._iterator = iter(iterable)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk: bytes = self._told(next, self._iterator)
        return chunk

    def close(self) -> None:
        self._told(self._iterable.close)


def is_complaint(error: BaseException | None) -> bool:
    """Whether wsgiref.validate raised the exception."""
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == validator.__module__


# -- a case ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Owed:
    """The deliberate changes of a middleware; see `assert_wsgi_transparent`."""

    body: Callable[[bytes], bytes] | None = None
    content: Callable[[Answer], bytes] = lambda answer: answer.body
    statuses: Mapping[str, str] = field(default_factory=dict)
    answers_errors: bool = False
    environ: Mapping[str, Any] = field(default_factory=dict)

    def whole(self, given: bytes) -> bytes:
        """The content as the middleware should change it."""
        return self.body(given) if self.body else given


@dataclass
class Case:
    """A request to one shape of application inside the middleware, and its result."""

    shape: Shape
    owed: Owed
    app: Recorded
    body: CountedBody | None
    answer: Answer
    sized: int | None  # len() of what the middleware returned, if it has that

    @property
    def named(self) -> str:
        """The shape, as reports name it."""
        return f"{self.shape.name}: {self.shape.says}"

    @property
    def head(self) -> Headers:
        """The header list of the application, the last one if there are several."""
        return self.app.lists[-1][1] if self.app.lists else []

    @property
    def lengths_of_get(self) -> list[str]:
        """The values that the Content-Length of a HEAD or a 304 may have. Empty if the content is encoded."""
        declared = [value for name, value in self.head if name == "Content-Length"]
        if declared or self.owed.content is not Owed.content:
            return declared
        return [str(len(content)) for content in (self.shape.unsent, self.owed.whole(self.shape.unsent))]

    @property
    def fine(self) -> bool:
        """Whether the application does not fail, and no exception reached the server."""
        return not self.shape.fails and self.answer.error is None

    @property
    def ordinary(self) -> bool:
        """Whether the response succeeded and may have content."""
        return self.fine and self.shape.method == "GET" and not self.shape.unsent and self.shape.status[:3] != "204"

    @property
    def rewrites(self) -> bool:
        """Whether the middleware changes or encodes the content."""
        return self.owed.body is not None or self.owed.content is not Owed.content


def run(
    middleware: Callable[[Application], Application],
    shape: Shape,
    owed: Owed,
    *,
    within: Callable[[Application], Application] = lambda app: app,
    **options: Any,
) -> Case:
    """Run one request. `within` is another middleware, around the application."""
    made, body = shape.make()
    app = Recorded(made)
    wrapped = middleware(within(app))
    sizes: list[int] = []

    def measured(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        result: Any = wrapped(environ, start_response)
        with suppress(TypeError, AttributeError, NotImplementedError):  # as wsgiref.handlers does
            sizes.append(len(result))
        returned: Iterable[bytes] = result
        return returned

    answer = serve(measured, method=shape.method, **{"lint": False, **owed.environ, **options})
    return Case(shape, owed, app, body, answer, next(iter(sizes), None))


def told(error: BaseException | None) -> str:
    """An exception and the line that raised it, or "no error"."""
    if error is None:
        return "no error"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{error!r}{where}"


# -- the checks ------------------------------------------------------------------------------------------------------

_CHECKS: Final[list[Callable[[Case], Found]]] = []


def check(law: Callable[[Case], Found]) -> Callable[[Case], Found]:
    """A decorator that adds a function to the checks of `judge`."""
    _CHECKS.append(law)
    return law


def judge(case: Case) -> Iterator[Breach]:
    """Every law that the case breaks."""
    answer = case.answer
    if not case.app.calls and not answer.faults:
        shown = told(answer.error) if answer.error else f"an answer without it, {answer.status!r}"
        yield Breach("called", case.named, shown, "it is called")
        return
    for law in _CHECKS if case.app.calls else (_heads,):
        for name, seen, owed in law(case):
            yield Breach(name, case.named, str(seen), str(owed))


_FAULTS: Final = {
    "content before start_response": "head-first",
    "content that is not bytes": "body",
    "header lines that are not tuples of two str": "fields",
}


@check
def _heads(case: Case) -> Found:
    for fault in case.answer.faults:
        yield _FAULTS.get(fault, "head-once"), fault, "start_response, and then content"
    if case.answer.error is None and not case.answer.heads:
        yield "head-first", "no head at all", "start_response is called"


@check
def _errors(case: Case) -> Found:
    error = case.answer.error
    if case.shape.fails in ("late", "close") and not isinstance(error, Failure):
        law = {"late": "late-error", "close": "close-error"}[case.shape.fails]
        law = "exc-info" if case.shape.name == "head-replaced-too-late" else law
        yield law, told(error), "the error of the application"
    elif not case.shape.fails and error is not None and not case.answer.faults:
        yield "raises", told(error), "no error"


@check
def _early_errors(case: Case) -> Found:
    if case.shape.fails != "early":
        return
    error = case.answer.error
    if case.owed.answers_errors and (error is not None or case.answer.status[:1] != "5"):
        yield "error", f"{case.answer.status!r}, {told(error)}", "an answer of 5xx"
    if not case.owed.answers_errors and not isinstance(error, Failure):
        yield "error", f"{case.answer.status!r}, {told(error)}", "the error of the application"


@check
def _status(case: Case) -> Found:
    owed = case.owed.statuses.get(case.shape.status, case.shape.status)
    law = "replaced-head" if "replaced" in case.shape.name else "status"
    if case.fine and case.answer.status != owed:
        yield law, repr(case.answer.status), repr(owed)
    if case.fine and case.answer.get("X-Old") is not None:
        yield "replaced-head", "a field of the head that was replaced", "the fields of the new head alone"


@check
def _content(case: Case) -> Found:
    if not case.fine and case.shape.fails != "late":
        return
    owed = case.owed.whole(case.shape.body)
    try:
        seen = case.owed.content(case.answer)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything for content that it cannot read
        if not case.shape.fails or not isinstance(error, EOFError):  # it says that the content is broken off
            yield "body", f"{case.answer.body!r}, which cannot be read: {error!r}", repr(owed)
        return
    allowed = [owed]
    if case.shape.content_law == "no-content":  # the server drops it, so that a middleware may pass on any
        allowed += [b"", case.shape.unsent, case.owed.whole(case.shape.unsent)]
    if seen not in allowed and not (case.shape.fails and owed.startswith(seen)):
        yield case.shape.content_law, repr(seen), repr(owed)


@check
def _fields(case: Case) -> Found:
    changed = {"Content-Length"}  # which has laws of its own
    if case.rewrites:
        changed |= {"ETag", "Content-Type"} if case.owed.body else {"ETag"}
    for line in case.head:
        if case.fine and line[0] not in changed and line not in case.answer.headers:
            yield "fields", case.answer.headers, f"{line} among them"


@check
def _length(case: Case) -> Found:
    lengths = case.answer.get_all("Content-Length")
    seen, length = f"Content-Length {', '.join(lengths)}", str(len(case.answer.body))
    if case.ordinary and lengths not in ([], [length]):
        yield "length", seen, f"{length}, or none"
    if case.fine and lengths and case.shape.status.startswith(("1", "204")):
        yield "length", seen, "none"


@check
def _head_length(case: Case) -> Found:
    if not case.fine or not (case.shape.method == "HEAD" or case.shape.status.startswith("304")):
        return
    lengths, owed = case.answer.get_all("Content-Length"), case.lengths_of_get
    if owed and lengths not in ([], *([length] for length in owed)):
        yield "head-length", f"Content-Length {', '.join(lengths)}", f"{owed[0]}, or none"


@check
def _sized(case: Case) -> Found:
    chunks = len(case.answer.chunks)
    if case.fine and case.sized not in (None, chunks):
        yield "sized", f"len() is {case.sized} for {chunks} chunks", chunks
    if not case.ordinary or not isinstance(case.app.returned, (list, tuple)) or case.shape.name == "written":
        return
    kind = type(case.answer.result).__name__
    if case.sized is None and case.answer.get("Content-Length") is None:
        yield "sized", f"a {kind} without len(), and no Content-Length", "one of both"
    if not case.rewrites and case.answer.result is not case.app.returned:
        yield "same-body", f"a {kind}", "the application's own object"


@check
def _file(case: Case) -> Found:
    own = isinstance(case.app.returned, FileWrapper) and not case.rewrites and case.fine
    if own and case.answer.result is not case.app.returned:
        yield "file-wrapper", f"a {type(case.answer.result).__name__}", "the application's own object"


@check
def _ended(case: Case) -> Found:
    if case.body is not None and case.body.ended > 1:
        yield "ended", f"asked {case.body.ended - 1} times after its end", "never"


@check
def _closed(case: Case) -> Found:
    if case.body is not None and case.body.closed != 1:
        yield "close", f"close() was called {case.body.closed} times", "once"


@check
def _request(case: Case) -> Found:
    if case.app.environ is not case.answer.environ:
        yield "environ", f"another {type(case.app.environ).__name__}", "the server's own"
    if case.app.method != case.shape.method:
        yield "method", case.app.method, case.shape.method
    if case.app.calls != 1:
        yield "called", f"the application is called {case.app.calls} times", "once"


@check
def _lists(case: Case) -> Found:
    for now, before in case.app.lists:
        if now != before:
            yield "header-list", now, before

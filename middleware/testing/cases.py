"""One application of the matrix inside a middleware, and what is held against what was seen of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from wsgiref.util import FileWrapper

from middleware.testing.gateway import Answer, serve
from middleware.testing.laws import Breach
from middleware.testing.shape import Body, Failure, Shape
from middleware.testing.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from middleware.wsgi.types import Application

Found: TypeAlias = "Iterator[tuple[str, object, object]]"  # law, seen, owed


@dataclass(frozen=True)
class Owed:
    """What a middleware does on purpose; see `assert_wsgi_transparent`."""

    body: Callable[[bytes], bytes] | None = None
    content: Callable[[Answer], bytes] = lambda answer: answer.body
    statuses: Mapping[str, str] = field(default_factory=dict)
    answers_errors: bool = False
    environ: Mapping[str, Any] = field(default_factory=dict)

    def whole(self, given: bytes) -> bytes:
        """What becomes of the content."""
        return self.body(given) if self.body else given


@dataclass
class Case:
    """A request to a shape of application inside the middleware, and all that was seen of it."""

    shape: Shape
    owed: Owed
    app: Watched
    body: Body | None
    answer: Answer

    @property
    def fine(self) -> bool:
        """Whether there is a response that succeeded, to look at."""
        return not self.shape.fails and self.answer.error is None

    @property
    def ordinary(self) -> bool:
        """Whether it is a response with content."""
        return self.fine and self.shape.method == "GET" and not self.shape.unsent and self.shape.status[:3] != "204"

    @property
    def rewrites(self) -> bool:
        """Whether other content than the application's is owed, or encoded."""
        return self.owed.body is not None or self.owed.content is not Owed.content


def run(
    middleware: Callable[[Application], Application],
    shape: Shape,
    owed: Owed,
    *,
    within: Callable[[Application], Application] = lambda app: app,
    **options: Any,
) -> Case:
    """Run one request. `within` stands between the middleware and the application."""
    made, body = shape.make()
    app = Watched(made)
    answer = serve(middleware(within(app)), method=shape.method, **{"lint": False, **owed.environ, **options})
    return Case(shape, owed, app, body, answer)


def judge(case: Case) -> Iterator[Breach]:
    """Every law that the case breaks."""
    for check in CHECKS if case.app.calls else (_uncalled,):
        for law, seen, owed in check(case):
            yield Breach(law, named(case), str(seen), str(owed))


def named(case: Case) -> str:
    """The shape in a report."""
    return f"{case.shape.name}: {case.shape.says}"


def told(error: BaseException | None) -> str:
    """An error, and where it comes from."""
    if error is None:
        return "no error"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{error!r}{where}"


# -- the checks ------------------------------------------------------------------------------------------------------

_FAULTS: Final = {"content before start_response": "head-first"}


def _heads(case: Case) -> Found:
    for fault in case.answer.faults:
        yield _FAULTS.get(fault, "head-once"), fault, "start_response, and then content"
    if case.answer.error is None and not case.answer.heads:
        yield "head-first", "no head at all", "start_response is called"


def _uncalled(case: Case) -> Found:
    answer = case.answer
    if answer.faults:
        yield from _heads(case)
    else:
        yield (
            "called",
            told(answer.error) if answer.error else f"an answer without it, {answer.status!r}",
            "it is called",
        )


def _errors(case: Case) -> Found:
    error = case.answer.error
    if case.shape.fails == "early":
        yield from _early(case)
    elif case.shape.fails and not isinstance(error, Failure):
        law = {"late": "late-error", "close": "close-error"}[case.shape.fails]
        law = "exc-info" if case.shape.name == "head-replaced-too-late" else law
        yield law, told(error), "the error of the application"
    elif not case.shape.fails and error is not None and not case.answer.faults:
        yield "raises", told(error), "no error"


def _early(case: Case) -> Found:
    error = case.answer.error
    if case.owed.answers_errors and (error is not None or case.answer.status[:1] != "5"):
        yield "error", f"{case.answer.status!r}, {told(error)}", "an answer of 5xx"
    if not case.owed.answers_errors and not isinstance(error, Failure):
        yield "error", f"{case.answer.status!r}, {told(error)}", "the error of the application"


def _status(case: Case) -> Found:
    owed = case.owed.statuses.get(case.shape.status, case.shape.status)
    law = "replaced-head" if "replaced" in case.shape.name else "status"
    if case.fine and case.answer.status != owed:
        yield law, repr(case.answer.status), repr(owed)
    if case.fine and case.answer.get("X-Old") is not None:
        yield "replaced-head", "a field of the head that was replaced", "the fields of the new head alone"


def _content(case: Case) -> Found:
    if not case.fine and case.shape.fails != "late":
        return
    owed = case.owed.whole(case.shape.body)
    try:
        seen = case.owed.content(case.answer)
    except Exception as error:  # noqa: BLE001 - whatever reads content may raise on what is none
        yield "body", f"{case.answer.body!r}, which cannot be read: {error!r}", repr(owed)
        return
    if seen not in _allowed(case, owed) and not (case.shape.fails and owed.startswith(seen)):
        yield _content_law(case.shape), repr(seen), repr(owed)


def _allowed(case: Case, owed: bytes) -> tuple[bytes, ...]:
    """Besides what is owed, what the application gives although it has no place: the server drops it."""
    return (owed, b"", case.owed.whole(case.shape.unsent)) if case.shape.unsent else (owed,)


def _content_law(shape: Shape) -> str:
    if shape.unsent or shape.method == "HEAD" or shape.status[:3] == "204":
        return "no-content"
    return "write" if "writ" in shape.name else "body"


def _length(case: Case) -> Found:
    lengths = case.answer.get_all("Content-Length")
    if case.ordinary and lengths and lengths != [str(len(case.answer.body))]:
        yield "length", f"Content-Length {', '.join(lengths)}", f"{len(case.answer.body)}, or none"
    if case.fine and case.shape.name == "head-without-a-body" and lengths not in ([], ["6"]):
        yield "head-length", f"Content-Length {', '.join(lengths)}", "6, or none"


def _sized(case: Case) -> Found:
    if not case.ordinary or not isinstance(case.app.returned, (list, tuple)) or case.shape.name == "written":
        return
    kind = type(case.answer.result).__name__
    if not hasattr(case.answer.result, "__len__") and case.answer.get("Content-Length") is None:
        yield "sized", f"a {kind} without len(), and no Content-Length", "one of both"
    if not case.rewrites and case.answer.result is not case.app.returned:
        yield "same-body", f"a {kind}", "the application's own object"


def _file(case: Case) -> Found:
    own = isinstance(case.app.returned, FileWrapper) and not case.rewrites and case.fine
    if own and case.answer.result is not case.app.returned:
        yield "file-wrapper", f"a {type(case.answer.result).__name__}", "the application's own object"


def _ended(case: Case) -> Found:
    if case.body is not None and case.body.ended > 1:
        yield "ended", f"asked {case.body.ended - 1} times after its end", "never"


def _closed(case: Case) -> Found:
    if case.body is not None and case.body.closed != 1:
        yield "close", f"close() was called {case.body.closed} times", "once"


def _request(case: Case) -> Found:
    if case.app.environ is not case.answer.environ:
        yield "environ", f"another {type(case.app.environ).__name__}", "the server's own"
    if case.app.method != case.shape.method:
        yield "method", case.app.method, case.shape.method
    if case.app.calls != 1:
        yield "called", f"the application is called {case.app.calls} times", "once"


def _lists(case: Case) -> Found:
    for now, before in case.app.lists:
        if now != before:
            yield "header-list", now, before


CHECKS: Final[Iterable[Callable[[Case], Found]]] = (
    *(_heads, _errors, _status, _content, _length, _sized),
    *(_file, _ended, _closed, _request, _lists),
)

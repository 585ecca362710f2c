"""assert_wsgi_transparent: the whole matrix against one middleware, and everything that is wrong in one report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from middleware.testing.cases import Case, Owed, judge, named, run
from middleware.testing.laws import LAWS, Breach
from middleware.testing.probes import PROBES, cycles_of
from middleware.testing.report import report
from middleware.testing.responses import MORE
from middleware.testing.shapes import SHAPES
from middleware.testing.watching import Linted, is_complaint
from middleware.wsgi.options import Problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from middleware.testing.gateway import Answer
    from middleware.testing.shape import Shape
    from middleware.wsgi.types import Application

    Wrap = Callable[[Application], Application]

MATRIX: Final = tuple(shape for shape in (*SHAPES, *MORE) if shape.lint)


def assert_wsgi_transparent(
    middleware: Wrap,
    *,
    body: Callable[[bytes], bytes] | None = None,
    content: Callable[[Answer], bytes] | None = None,
    statuses: Mapping[str, str] | None = None,
    answers_errors: bool = False,
    environ: Mapping[str, Any] | None = None,
    skip: Mapping[str, str] | None = None,
) -> None:
    """Run every shape of WSGI application inside `middleware`, and raise if it gets in the way of any.

    Middleware is transparent where server and application cannot tell that it is there, but for what it does on
    purpose. Which laws that is, the report says, each with the section of its source.

    Options:
        middleware: callable application -> application. A class, a function, a Stack's wrap. Required.
        body: callable bytes -> bytes. What becomes of the content of a response. Default: nothing.
        content: callable Answer -> bytes. Reads the content, where it is sent encoded. Default: as it is sent.
        statuses: mapping str -> str. Status lines of the application, and those that the client gets. Default: they
            stay.
        answers_errors: bool. Whether an error before any content is answered by a 5xx. Default False: it is raised.
        environ: mapping str -> value. Further keys of every request, such as HTTP_ACCEPT_ENCODING. Default none.
        skip: mapping str -> str. Laws ("file-wrapper"), or shapes of application ("late-start"), and the reason why
            they do not count. Default none.

    Errors: AssertionError with everything that was found; ConfigError for an option that cannot be right.
    Source: PEP 3333, RFC 9110.
    """
    found = breaches(
        middleware,
        body=body,
        content=content,
        statuses=statuses,
        answers_errors=answers_errors,
        environ=environ,
        skip=skip,
    )
    if found:
        raise AssertionError(report(middleware, found))


def breaches(middleware: Wrap, **options: Any) -> tuple[Breach, ...]:
    """What `assert_wsgi_transparent` would report, as a tuple of Breach. Takes the same options."""
    skip = options.pop("skip", None) or {}
    owed = Owed(**{option: value for option, value in options.items() if value is not None})
    _check(middleware, owed, skip)
    found = _found(middleware, [shape for shape in MATRIX if shape.name not in skip], owed)
    return tuple(breach for breach in found if breach.law not in skip)


def _found(middleware: Wrap, shapes: list[Shape], owed: Owed) -> Iterator[Breach]:
    for shape in shapes:
        yield from _of_shape(middleware, shape, owed)
    for probe in PROBES:
        yield from probe(middleware, owed)
    for shape in shapes:
        yield from _cycles(middleware, shape, owed)


def _check(middleware: object, owed: Owed, skip: Mapping[str, str]) -> None:
    problems = Problems("assert_wsgi_transparent")
    problems.check(callable(middleware), "middleware", "a callable application -> application", middleware)
    for option in ("body", "content"):
        value = getattr(owed, option)
        problems.check(value is None or callable(value), option, "a callable that returns bytes", value)
    known = {*LAWS, *(shape.name for shape in MATRIX)}
    for name, reason in skip.items():
        problems.check(name in known, "skip", f"names of laws and shapes ({', '.join(sorted(known))})", name)
        problems.check(isinstance(reason, str) and reason.strip(), f"skip[{name!r}]", "a reason, in words", reason)
    problems.done()


def _of_shape(middleware: Wrap, shape: Shape, owed: Owed) -> Iterator[Breach]:
    """One shape: as it is, linted on either side, and with a client that goes away."""
    case = run(middleware, shape, owed)
    yield from judge(case)
    yield from _linted_outside(run(middleware, shape, owed, lint=True))
    if not shape.fails:
        yield from _linted_inside(middleware, shape, owed)
    yield from _gone(run(middleware, shape, owed, stop_after=1))


def _linted_outside(case: Case) -> Iterator[Breach]:
    error = case.answer.error
    if is_complaint(error):
        yield Breach("lint-outside", named(case), str(error), "nothing to complain of")


def _linted_inside(middleware: Wrap, shape: Shape, owed: Owed) -> Iterator[Breach]:
    linted: list[Linted] = []

    def within(app: Application) -> Application:
        linted.append(Linted(app))
        return linted[-1]

    case = run(middleware, shape, owed, within=within)
    linted[-1].end()
    for complaint in linted[-1].complaints:
        yield Breach("lint-inside", named(case), complaint, "nothing to complain of")


def _gone(case: Case) -> Iterator[Breach]:
    """What is owed to the application when the client goes away after the first chunk."""
    where = f"{named(case)}; the client goes away after the first chunk"
    error = case.answer.error
    if case.body is not None and case.app.calls and case.body.closed != 1:
        yield Breach("close", where, f"close() was called {case.body.closed} times", "once")
    if error is not None and not case.shape.fails and not case.answer.faults:
        yield Breach("raises", where, repr(error), "no error")


def _cycles(middleware: Wrap, shape: Shape, owed: Owed) -> Iterator[Breach]:
    """Where requests succeed: an exception that is kept leads by its traceback to every frame that it passed."""
    if not shape.fails and (count := cycles_of(middleware, shape, owed)):
        yield Breach("cycles", f"{shape.name}: {shape.says}", f"{count} objects for the collector", "none")

"""assert_wsgi_transparent: runs the whole matrix against one middleware, and reports every breach at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from middleware.testing.cases import Linted, Owed, is_complaint, judge, run
from middleware.testing.gateway import Answer
from middleware.testing.laws import LAWS, Breach
from middleware.testing.probes import PROBES, Wrap, cycles_of
from middleware.testing.shapes import SHAPES
from middleware.testing.shapes.definition import Shape
from middleware.testing.shapes.responses import FURTHER
from middleware.wsgi.options import Problems
from middleware.wsgi.refused import wraps_nothing
from middleware.wsgi.types import Application

MATRIX: Final = tuple(shape for shape in (*SHAPES, *FURTHER) if shape.lint)


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
    """Run every shape of WSGI application inside `middleware`, and raise if the middleware breaks a law.

    Middleware is transparent if server and application cannot detect it, except for its deliberate changes. The report
    names each broken law with the section of its source.

    Options:
        middleware: callable application -> application. A class, a function or Stack.wrap. Required.
        body: callable bytes -> bytes. The deliberate change of the content, with which Content-Type and ETag may
            change. Default: none.
        content: callable Answer -> bytes. Decodes the content of an encoded response, whose ETag may change. It may
            raise EOFError for content that an error broke off. Default: the content as sent.
        statuses: mapping str -> str. Status lines of the application, and those that the client gets. Default: no
            change.
        answers_errors: bool. An error before any content is answered by a 5xx, not raised. Default False.
        environ: mapping str -> value. Further keys of every request, such as HTTP_ACCEPT_ENCODING. Default none.
        skip: mapping str -> str. Laws ("file-wrapper") or shapes of application ("late-start") to leave out, each with
            the reason. Default none.

    Errors: AssertionError with every breach; ConfigError for a wrong option.
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
    """The breaches that `assert_wsgi_transparent` would report. Takes the same options."""
    skip = options.pop("skip", None)
    skip = {} if skip is None else skip
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
        # Not for a failing shape, because the traceback of a stored exception leads to every frame that it passed.
        if not shape.fails and (count := cycles_of(middleware, shape, owed)):
            yield Breach("cycles", f"{shape.name}: {shape.says}", f"{count} objects for the collector", "none")


def _maps(value: object, to: type) -> bool:
    """Whether the value is a mapping of str to this type."""
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(each, to) for key, each in value.items()
    )


_OF_SERVE: Final = {"app", "path", "method", "stop_after", "lint"}  # arguments of `serve`, and no keys of a request


def _check(middleware: object, owed: Owed, skip: Mapping[str, str]) -> None:
    problems = Problems("assert_wsgi_transparent")
    wraps = callable(middleware) and not wraps_nothing(middleware)
    problems.check(wraps, "middleware", "a callable application -> application", middleware)
    for option in ("body", "content"):
        value = getattr(owed, option)
        problems.check(value is None or callable(value), option, "a callable that returns bytes", value)
    problems.check(_maps(owed.statuses, str), "statuses", "a mapping of str to str", owed.statuses)
    keys = _maps(owed.environ, object) and _OF_SERVE.isdisjoint(owed.environ)
    problems.check(keys, "environ", "a mapping of keys of a request to their values", owed.environ)
    problems.boolean("answers_errors", owed.answers_errors)
    mapping = problems.check(isinstance(skip, Mapping), "skip", "a mapping of names to reasons", skip)
    known = {*LAWS, *(shape.name for shape in MATRIX)}
    for name, reason in skip.items() if mapping else ():
        problems.check(name in known, "skip", f"names of laws and shapes ({', '.join(sorted(known))})", name)
        problems.check(isinstance(reason, str) and reason.strip(), f"skip[{name!r}]", "a reason, in words", reason)
    problems.done()


def _of_shape(middleware: Wrap, shape: Shape, owed: Owed) -> Iterator[Breach]:
    """Run one shape plain, with wsgiref.validate on either side, and with a client that disconnects."""
    yield from judge(run(middleware, shape, owed))
    outside = run(middleware, shape, owed, lint=True)
    if is_complaint(outside.answer.error):
        yield Breach("lint-outside", outside.named, str(outside.answer.error), "nothing to complain of")
    linted: list[Linted] = []

    def within(app: Application) -> Application:
        linted.append(Linted(app))
        return linted[-1]

    if not shape.fails:
        inside = run(middleware, shape, owed, within=within)
        linted[-1].end()
        for complaint in linted[-1].complaints:
            yield Breach("lint-inside", inside.named, complaint, "nothing to complain of")
    yield from _of_a_client(middleware, shape, owed, 0, "before any content")
    yield from _of_a_client(middleware, shape, owed, 1, "after the first chunk")


def _of_a_client(middleware: Wrap, shape: Shape, owed: Owed, stop_after: int, when: str) -> Iterator[Breach]:
    """Run one shape with a client that disconnects after `stop_after` chunks."""
    gone = run(middleware, shape, owed, stop_after=stop_after)
    where = f"{gone.named}; the client goes away {when}"
    if gone.body is not None and gone.app.calls and gone.body.closed != 1:
        yield Breach("close", where, f"close() was called {gone.body.closed} times", "once")
    if gone.answer.error is not None and not shape.fails and not gone.answer.faults:
        yield Breach("raises", where, repr(gone.answer.error), "no error")


# -- the report ------------------------------------------------------------------------------------------------------

_SHOWN: Final = 3  # applications for each law; of the others only the names


def _named(middleware: object) -> str:
    """The name of a class or function, or the repr of an object: for its bound method too."""
    if inspect.ismethod(middleware) and not isinstance(middleware.__self__, type):
        return repr(middleware.__self__)
    return getattr(middleware, "__qualname__", None) or repr(middleware)


def report(middleware: object, found: Sequence[Breach]) -> str:
    """The breaches in words, in the order of the laws: each law once, with its source."""
    laws = [*filter({breach.law for breach in found}.__contains__, LAWS)]
    count = f"{len(laws)} law" + "s" * (len(laws) > 1)
    lines = [f"{_named(middleware)} is not transparent: it breaks {count}"]
    for law in laws:
        lines += ["", f"{law}: {LAWS[law].sentence} [{LAWS[law].source}]"]
        against = [breach for breach in found if breach.law == law]
        for each in against[:_SHOWN]:
            lines += [f"    application  {each.case}", f"        seen     {each.seen}", f"        owed     {each.owed}"]
        if len(against) > _SHOWN:
            lines.append(f"    and so with  {', '.join(each.case.partition(':')[0] for each in against[_SHOWN:])}")
    return "\n".join(lines)

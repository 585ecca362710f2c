"""Other ways to the same headers: nested classes, nested closures, the hooks of a framework."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import limit
from benchmarks.case import PAGE, Case, fields, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.case import Application

    Lines: TypeAlias = list[tuple[str, str]]


class SetField:
    """Sets a field, the way it is mostly written."""

    def __init__(self, app: Application, name: str, value: str) -> None:
        self.app, self.name, self.value = app, name, value

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            headers = [(name, value) for name, value in headers if name.lower() != self.name.lower()]
            headers.append((self.name, self.value))
            return start_response(status, headers, exc_info)

        return self.app(environ, custom_start_response)


class SetTiming:
    """Says the milliseconds, the way it is mostly written."""

    def __init__(self, app: Application) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begun = perf_counter()

        def custom_start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
            milliseconds = (perf_counter() - begun) * 1000
            headers = [*headers, ("Server-Timing", f"total;dur={milliseconds:.3f}")]
            return start_response(status, headers, exc_info)

        return self.app(environ, custom_start_response)


def naive(count: int) -> Callable[[Application], Application]:
    """So many classes around each other."""

    def make(app: Application) -> Application:
        for name, value in fields(count):
            app = SetField(app, name, value)
        return app

    return make


def naive_both(app: Application) -> Application:
    """Both jobs in two classes."""
    return SetTiming(naive(1)(app))


def tight(count: int) -> Callable[[Application], Application]:
    """So many functions written by hand around each other."""

    def make(app: Application) -> Application:
        for name, value in fields(count):
            app = limit.field(app, name, value)
        return app

    return make


def tight_both(app: Application) -> Application:
    """Both jobs in two of them."""
    return limit.timing(tight(1)(app))


def flask(count: int) -> Callable[[Application], Application]:
    """A Flask application with one view and so many after_request hooks. It takes the place of the bare application."""

    def make(_app: Application) -> Application:
        from flask import Flask

        app = Flask("page")
        app.add_url_rule("/", view_func=lambda: PAGE)
        for name, value in fields(count):
            app.after_request(lambda response, name=name, value=value: _with(response, name, value))
        return app

    return make


def _with(response: Any, name: str, value: str) -> Any:
    response.headers[name] = value
    return response


BOTH = (*names(1), "Server-Timing")
CASES = (
    Case("tight/both", "nested closures, both jobs", tight_both, sends=BOTH, limit="limit/both"),
    Case("tight/4", "4 nested closures", tight(4), sends=names(4)),
    Case("tight/20", "20 nested closures", tight(20), sends=names(20)),
    Case("naive/both", "nested classes, both jobs", naive_both, sends=BOTH, limit="limit/both"),
    Case("naive/4", "4 nested classes", naive(4), sends=names(4)),
    Case("naive/20", "20 nested classes", naive(20), sends=names(20)),
    Case("flask/0", "Flask, no hook", flask(0), needs="flask"),
    Case("flask/1", "Flask, 1 after_request", flask(1), sends=names(1), needs="flask"),
    Case("flask/4", "Flask, 4 after_request", flask(4), sends=names(4), needs="flask"),
    Case("flask/20", "Flask, 20 after_request", flask(20), sends=names(20), needs="flask"),
)
